"""Tree search: the law of its groups and the weights of its pairs, written out simulation by simulation."""

from itertools import product
from math import sqrt

import numpy as np
import pytest
import torch

from spo_theory import InputError, ReasoningChain, expected_update, rule
from spo_theory.exact.engine import expectation
from spo_theory.exact.moments import group_covariance
from spo_theory.exact.refusals import NoExactForm
from spo_theory.group import Group
from spo_theory.parts.tree_search import TreeSearch
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.loop import TrainConfig, train
from toy_llm.training.rollout import noise_generator
from toy_llm.training.search import searched

SUCCESS = (0.3, 0.6, 0.4)


def outcomes(done, success, puct, confidence):
    """Right steps of the next simulation with their chances, after those ``done``: a walk down the tree by PUCT."""
    horizon = len(success)
    for s in range(horizon):
        here = [k for k in done if k >= s]
        if not here:
            break
        right = [k for k in here if k > s]
        wrong = [k for k in here if k == s]
        value = {True: confidence, False: 1 - confidence}
        if right:
            value[True] += sum(1 if k == horizon else -1 for k in right) / len(right)
        if wrong:
            value[False] -= 1
        bonus = puct * sqrt(len(here))
        value[True] += bonus * success[s] / (1 + len(right))
        value[False] += bonus * (1 - success[s]) / (1 + len(wrong))
        if value[False] > value[True]:
            return {s: 1.0}
    else:
        return {horizon: 1.0}

    found, chance = {}, 1.0
    for k in range(s, horizon):
        found[k] = chance * (1 - success[k])
        chance *= success[k]
    return found | {horizon: chance}


def groups(success, size, puct, confidence):
    """Every group that the search may make, in the order of its simulations, with its chance."""
    found = {(): 1.0}
    for _ in range(size):
        longer = {}
        for done, chance in found.items():
            for k, share in outcomes(done, success, puct, confidence).items():
                longer[(*done, k)] = longer.get((*done, k), 0.0) + chance * share
        found = longer
    return found


def pair_update(classes, success, confidence, smoothing):
    """Update of one group: a mean over pairs of siblings at every prefix, the one of larger value wins."""
    horizon = len(success)
    update = np.zeros(horizon)
    for s in range(horizon):
        right = [k for k in classes if k > s]
        wrong = [k for k in classes if k == s]
        if not right or not wrong:
            continue
        lead = confidence + np.mean([1 if k == horizon else -1 for k in right]) - (1 - confidence - 1)
        winners, losers = (len(right), len(wrong)) if lead > 0 else (len(wrong), len(right))
        doubt = min(1 / (winners / losers + 1), 0.5) if smoothing else 0.0
        # The margin is 0 on fresh groups, so sigmoid is 1/2; scores are 1 - q and -q, so their difference is 1
        update[s] = np.sign(lead) * 0.5 * (1 - 2 * doubt)
    return update


@pytest.mark.parametrize(
    ("puct", "confidence", "smoothing"),
    [(1.0, 0.9, "none"), (2.0, 0.5, "visits"), (0.0, 0.7, "none"), (3.0, 0.2, "none")],
)
def test_expected_update_simulation_by_simulation(puct, confidence, smoothing):
    size = 4
    options = {"nodes": "search", "puct": puct, "confidence": confidence, "smoothing": smoothing}
    got = expected_update(ReasoningChain(step_success=SUCCESS), rule("step_dpo", group_size=size, **options))
    every = groups(SUCCESS, size, puct, confidence)
    assert sum(every.values()) == pytest.approx(1.0)
    want = sum(p * pair_update(k, SUCCESS, confidence, smoothing == "visits") for k, p in every.items())
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_sampled_groups_follow_the_law():
    chain = ReasoningChain(step_success=SUCCESS)
    method = rule("step_dpo", group_size=6, nodes="search")
    exact = expectation(chain, method)
    sampled = expectation(chain, method, "monte_carlo", groups=4000, seed=3)
    assert exact.engine == "every_group"
    assert (np.abs(sampled.update - exact.update) <= 5 * sampled.standard_error + 1e-12).all()
    # 4,000 groups know a weight, which is at most 6, to about 0.02; the largest error of six seeds was 0.09
    np.testing.assert_allclose(sampled.step_weights, exact.step_weights, atol=0.1)


def test_the_search_finds_what_sampling_does_not():
    """From success 0.0007 pairs of sampled responses hardly reach the last step; the search pairs it nearly always."""
    chain = ReasoningChain(step_success=[0.3] * 6)
    found = expected_update(chain, rule("step_dpo", group_size=8, nodes="search"))
    sampled = expected_update(chain, rule("step_dpo", group_size=8))
    assert found[-1] > 20 * sampled[-1]


def test_without_self_evaluation_all_negative_groups_are_silent():
    responses = np.array(list(product(range(3), repeat=3)))
    group = Group(responses == 3, responses, np.ones((*responses.shape, 3)))
    silent = rule("step_dpo", group_size=3, nodes="search", confidence=0.5).weights(group)
    assert (silent == 0).all()
    assert (rule("step_dpo", group_size=3, nodes="search", confidence=0.9).weights(group) != 0).any()


def test_the_trainer_searches_by_the_same_law():
    """Groups of the tabular policy, with real tokens: the mean number of responses of each class is the exact one."""
    policy = TabularPolicy(ChainTask(3), list(SUCCESS))
    sampler = TreeSearch(puct=1.0, confidence=0.8)
    prompts, answers = policy.task.questions("train", 0, 0, 4000)
    rollout = searched(policy, sampler, prompts, answers, 4, noise_generator([1]))
    first_error = policy.task.judge(rollout.responses, answers).first_error.numpy()
    counts = (first_error[..., None] == np.arange(4)).sum(1)
    want = sum(p * np.bincount(k, minlength=4) for k, p in groups(SUCCESS, 4, 1.0, 0.8).items())
    error = counts.std(0) / np.sqrt(len(counts))
    assert (np.abs(counts.mean(0) - want) <= 5 * error + 1e-12).all()
    torch.testing.assert_close(rollout.log_probs, policy.log_probs(prompts, answers, rollout.responses).detach())


def test_training_with_a_search_climbs():
    config = TrainConfig(
        policy="tabular", horizon=4, start_accuracy=0.3, rule="step_dpo", group_size=6, learning_rate=2.0,
        rule_options={"nodes": "search"}, updates=20, questions=8,
    )  # fmt: skip
    curve = train(config)["success_exact"]
    assert curve.iloc[0] < 0.02
    assert curve.iloc[-1] > 0.5


def test_bad_settings_and_what_needs_independent_responses_are_refused():
    for options in ({"puct": -1.0}, {"confidence": 1.5}):
        with pytest.raises(InputError, match=next(iter(options))):
            rule("step_dpo", nodes="search", **options)
    with pytest.raises(NoExactForm, match="not independent"):
        group_covariance(ReasoningChain(step_success=SUCCESS), rule("step_dpo", group_size=4, nodes="search"))
