"""Dynamic sampling: kept groups only, in order, what is thrown away is counted, and its mean is the exact one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spo_theory import InputError, ReasoningChain, expected_update, rule, sampled_update, simulate
from spo_theory.exact.kept import kept_share
from spo_theory.parts.samplers import DynamicSampling
from toy_llm import TrainConfig, train
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.resampling import delivered
from toy_llm.training.rollout import Sampling, sample_and_judge


def sampler_of(success, group=4, questions=16):
    task = ChainTask(2)
    policy = TabularPolicy(task, [success] * 2)
    return task, lambda number: sample_and_judge(policy, Sampling(group, questions), f"batch {number}", 0)


def test_kept_groups_are_delivered_in_order():
    task, sample = sampler_of(0.5)
    got, batches = delivered(task, rule("dapo", group_size=4), sample(1), sample)
    mixed = []
    for number in range(1, batches + 1):
        correct = sample(number).verdict.correct
        found = sample(number).rollout.responses[correct.any(-1) & ~correct.all(-1)]
        # One batch less would not have been enough
        assert number == 1 or sum(map(len, mixed)) < 16
        mixed.append(found)
    assert batches > 1
    assert torch.equal(got.rollout.responses, torch.cat(mixed)[:16])
    assert torch.equal(got.verdict.correct, task.judge(got.rollout.responses, got.answers).correct)
    assert torch.equal(got.first_error, got.verdict.first_error)


def test_what_cannot_be_filled_has_no_weight():
    task, sample = sampler_of(0.02)
    method = replace(rule("dapo", group_size=4), sampler=DynamicSampling(most_batches=3))
    got, batches = delivered(task, method, sample(1), sample)
    correct = got.verdict.correct
    assert batches == 3
    assert len(correct) == 16
    assert not (correct.any(-1) & ~correct.all(-1)).all()


def test_other_samplers_replace_nothing():
    task, sample = sampler_of(0.5)
    first = sample(1)
    assert delivered(task, rule("grpo", group_size=4, train_on="mixed"), first, sample) == (first, 1)


def test_rollouts_that_were_thrown_away_are_counted():
    """Their mean is the group size over the share of kept groups, up to whole batches."""
    config = TrainConfig(policy="tabular", horizon=2, start_accuracy=0.3, questions=8, updates=3, learning_rate=1e-9)
    plain = train(replace(config, rule="grpo"))
    again = train(replace(config, rule="dapo"))
    assert (plain["rollouts"] == 64).all()
    assert (again["rollouts"][:3] % 64 == 0).all()
    assert again["rollouts"][:3].max() > 64
    assert again["rollouts"].iloc[3] == 64  # the final policy takes no update
    assert (plain["success"] == again["success"]).all()  # what is measured are the first batches


def test_the_share_of_kept_groups_is_that_of_mixed_ones():
    for success in (1e-6, 0.3, 0.999):
        chain = ReasoningChain(step_success=[success])
        share = kept_share(chain, rule("dapo", group_size=6))
        want = -np.expm1(6 * np.log1p(-success)) - success**6
        assert share == pytest.approx(want, rel=1e-12)


def test_sampled_updates_are_those_of_kept_groups():
    chain = ReasoningChain(step_success=[0.4, 0.6])
    method = rule("dapo", group_size=4)
    exact = expected_update(chain, method)
    found = sampled_update(chain, method, groups=20_000)
    assert found.groups < 20_000
    assert np.abs((found.mean - exact) / found.standard_error).max() < 4
    share = float(kept_share(chain, method))
    np.testing.assert_allclose(exact, expected_update(chain, rule("grpo", group_size=4)) / share, rtol=1e-12)


def test_simulated_training_draws_again():
    """One update from 4,000 questions moves the logits by the exact update of kept groups, to sampling noise."""
    chain = ReasoningChain(step_success=[0.4, 0.6])
    method = rule("dapo", group_size=4)
    table = simulate(chain, method, steps=1, questions=4000, seeds=2)
    after = table[table["step"] == 1][["q_1", "q_2"]].to_numpy()
    moved = np.log(after / (1 - after)) - chain.logits
    noise = np.sqrt(np.diag(sampled_noise(chain, method)) / 4000)
    assert (np.abs(moved - expected_update(chain, method)) < 4 * noise).all()


def sampled_noise(chain, method):
    from spo_theory.exact.moments import group_covariance

    return group_covariance(chain, method)


def test_colours_can_end_while_training_goes_on():
    """The first updates are those of colouring, the rest those of GRPO from where colouring has left off."""
    config = TrainConfig(policy="tabular", horizon=3, start_accuracy=0.3, questions=8, updates=6, learning_rate=2.0)
    coloured, ended = train(config), train(replace(config, coloured_updates=3))
    assert (coloured["success_exact"][:4] == ended["success_exact"][:4]).all()
    assert (coloured["success_exact"][4:] != ended["success_exact"][4:]).all()
    silent = ended["all_negative"] + ended["all_positive"]
    assert (ended["zero_advantage"][:3] < silent[:3]).all()
    assert (ended["zero_advantage"][3:] == silent[3:]).all()
    for wrong in ({"rule": "grpo"}, {"mode": "offline"}):
        with pytest.raises(InputError, match="coloured_updates = 3"):
            train(replace(config, coloured_updates=3, **wrong))
