"""Sampled gradients at a fixed network agree with the exact one, and a planted error of one per cent is found."""

from dataclasses import replace

import numpy as np
import pytest
from gradients import agrees, network

from paper_repro.forecast import gradient_check as module
from paper_repro.forecast.gradient_check import GradientCheck, gradient_check
from toy_llm.config import TrainConfig
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suites import mixture

TABLE = TrainConfig(policy="tabular", horizon=2, group_size=4, questions=1)


@pytest.mark.parametrize("name", ["grpo", "spo", "spo_prefix", "rebel", "raft"])
def test_sampled_gradients_of_a_network_have_the_exact_mean(name):
    """Steps of one token, an untrained network: every parameter, methods of several kinds."""
    task = ChainTask(horizon=2, modulus=3)
    config = TrainConfig(horizon=2, modulus=3, rule=name, group_size=4, questions=8)
    found = agrees(gradient_check(config, network(task), batches=40, copies=16))
    assert found["parameters"] > 500
    assert 0.5 < found["z_rms"] < 1.6  # parameters share few directions


def test_a_judge_that_errs():
    task = ChainTask(horizon=2, modulus=3)
    config = TrainConfig(
        horizon=2, modulus=3, rule="spo", group_size=4, questions=8, judge="noisy", miss=0.3, false_alarm=0.2
    )
    check = gradient_check(config, network(task), batches=40, copies=16)
    agrees(check)

    # With the exact judge's gradient the same samples disagree
    plain = gradient_check(replace(config, judge="exact", miss=0.0, false_alarm=0.0), network(task), 2)
    wrong = replace(check, exact=plain.exact)
    assert wrong.summary()["z_largest"] > 2 * wrong.summary()["z_limit"]


def test_suites_with_steps_of_several_tokens():
    """Mixed horizons, free-form responses, RTS over the true length.

    An untrained network is seldom right, so many groups are sampled: a mean of a few rare events is not yet normal.
    """
    names = ("add", "carry")
    config = TrainConfig(suites=names, rule="spo", rts_length="true", group_size=4, questions=8)
    agrees(gradient_check(config, network(mixture(names)), batches=24, copies=48))


@pytest.mark.parametrize(("factor", "found"), [(1.0, False), (1.01, True)])
def test_a_planted_error_of_one_per_cent_is_detected(factor, found, monkeypatch):
    """The trainer's advantages one per cent too large."""
    true_score = module.score

    def score(*given):
        batch = true_score(*given)
        return replace(batch, token_advantages=batch.token_advantages * factor)

    monkeypatch.setattr(module, "score", score)
    policy = TabularPolicy(ChainTask(2), [0.7, 0.7])
    summary = gradient_check(replace(TABLE, rule="grpo"), policy, batches=60, copies=8192).summary()
    assert summary["ratio_error"] < 0.0025
    assert (abs(summary["ratio"] - 1) > 3 * summary["ratio_error"]) is found


def test_the_summary_of_a_check_by_hand():
    check = GradientCheck(np.zeros(3), np.array([0.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0]), np.array([0.9, 1.1]))
    found = check.summary()
    assert found["parameters"] == 2  # the third has never moved
    assert (found["z_largest"], found["z_rms"]) == (2.0, pytest.approx(np.sqrt(2)))
    assert (found["ratio"], found["ratio_error"]) == (pytest.approx(1.0), pytest.approx(0.1))
