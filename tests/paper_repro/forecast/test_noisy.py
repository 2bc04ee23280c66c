"""Groups drawn on true responses: like rollouts up to the first error, and with the same expected gradient."""

import numpy as np
import pytest
import torch
from gradients import agrees, network

from paper_repro.forecast.gradient_check import gradient_check
from paper_repro.forecast.noisy import TrueStates
from spo_theory.outcomes.chain import class_probabilities
from toy_llm.config import TrainConfig
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suites import mixture
from toy_llm.training.loop import updates

TASKS = {"chain": ChainTask(horizon=3, modulus=3), "suites": mixture(("add", "carry"))}


def drawn(task, questions=4, group=6, seed=0):
    policy = network(task)
    prompts, answers = task.questions("test", 0, 0, questions)
    rollout = TrueStates(policy).sample(prompts, answers, group, torch.Generator().manual_seed(seed))
    return policy, prompts, answers, rollout


@pytest.mark.parametrize("kind", TASKS)
def test_up_to_the_first_error_tokens_have_the_real_policys_probabilities(kind):
    """With true responses among those drawn, so that all of a response counts."""
    task = TASKS[kind]
    policy, prompts, answers, rollout = drawn(task)
    responses = torch.cat([rollout.responses, answers[:, None]], dim=1)
    right = (responses == answers[:, None]).long().cumprod(-1)
    until_error = torch.cat([torch.ones_like(right[..., :1]), right[..., :-1]], -1).bool()

    real = policy.log_probs(prompts, answers, responses)
    found = TrueStates(policy).log_probs(prompts, answers, responses)
    true_tokens = (task.answer_steps(answers) >= 0)[:, None]
    same = until_error & true_tokens
    torch.testing.assert_close(found[same], real[same], rtol=1e-4, atol=1e-5)
    assert same[:, -1].sum() == true_tokens.sum()
    torch.testing.assert_close(found[:, :-1], rollout.log_probs)
    assert (found[~true_tokens.expand_as(found)] == 0).all()


def test_behind_the_true_end_there_are_only_ends():
    task = TASKS["suites"]
    _, _, answers, rollout = drawn(task, questions=20)
    behind = (task.answer_steps(answers) < 0)[:, None].expand_as(rollout.responses)
    assert behind.any()
    assert (rollout.responses[behind] == task.end).all()


def test_classes_are_drawn_with_their_probabilities():
    task = TASKS["chain"]
    policy, prompts, answers, rollout = drawn(task, questions=2, group=20_000)
    first_error = task.judge(rollout.responses, answers).first_error
    exact = np.asarray(class_probabilities(policy.true_log_odds(prompts, answers).detach().double().numpy()))
    for n in range(2):
        share = np.bincount(first_error[n].numpy(), minlength=4) / 20_000
        np.testing.assert_allclose(share, exact[n], atol=4 * np.sqrt(0.25 / 20_000))


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(horizon=2, modulus=3, rule="spo", group_size=4, questions=8),
        TrainConfig(suites=("add", "carry"), rule="spo", rts_length="true", group_size=4, questions=8),
    ],
    ids=["chain", "suites"],
)
def test_the_expected_gradient_is_the_exact_one(config):
    agrees(gradient_check(config, TrueStates(network(config.task())), batches=24, copies=48))


def test_the_trainer_trains_it_and_the_network_moves():
    task = TASKS["chain"]
    policy = network(task)
    before = policy.true_log_odds(*task.questions("test", 0, 0, 4)).detach().clone()
    config = TrainConfig(horizon=3, modulus=3, rule="spo", updates=2, questions=4, kl_coef=0.1, optimizer="adam")
    rows = list(updates(config, TrueStates(policy)))
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert rows[1]["kl"] > 0
    assert not torch.allclose(before, policy.true_log_odds(*task.questions("test", 0, 0, 4)))
