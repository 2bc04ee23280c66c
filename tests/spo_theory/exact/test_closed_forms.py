"""Expected advantages against every outcome of small groups, closed forms and published values."""

import itertools
from math import comb

import numpy as np
import pytest
from exact_sums import METHODS, coloured, probability_sets

from spo_theory import ReasoningChain, expected_advantages, expected_update, rule
from spo_theory.exact.update import rule_advantage_function
from spo_theory.method import Method
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.rewards import Colouring


@pytest.mark.parametrize("group_size", [2, 3, 4])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("grpo", {}),
        ("dr_grpo", {}),
        ("spo", {"scope": "all_negative"}),
        ("spo", {"scope": "all_incorrect"}),
        ("spo", {"scope": "all_negative", "convention": "trl"}),
        ("spo", {"scope": "all_incorrect", "convention": "nano_aha"}),
        ("spo", {"scope": "all_negative", "shape": "raw"}),
    ],
)
def test_every_outcome_of_small_groups(name, options, group_size):
    chain, horizon = ReasoningChain(step_success=[0.4, 0.7, 0.55], step_lengths=[1, 3, 2]), 3
    r = rule(name, group_size=group_size, **options)
    outcome = np.array(list(itertools.product(range(horizon + 1), repeat=group_size)))
    lengths = np.broadcast_to(chain.step_lengths, (*outcome.shape, horizon))
    a = r.advantages(outcome == horizon, outcome, lengths)
    chance = chain.class_probs[outcome].prod(1)
    update = chance @ (a[..., None] * chain.scores[outcome]).mean(1)
    first = [outcome[:, 0] == k for k in range(horizon + 1)]
    wanted = [(chance[f] @ a[f, 0]) / chain.class_probs[k] for k, f in enumerate(first)]
    for method in METHODS:
        got = rule_advantage_function(r, chain.rts, method)(chain.class_probs)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-15)
        np.testing.assert_allclose(expected_update(chain, r, method), update, rtol=0, atol=2e-15)


def group_factor(p, group_size):
    """``c_G(p)``: the expected update is it times the gradient of the log-odds of success."""
    k = np.arange(1, group_size)
    ways = np.array([comb(group_size, int(i)) for i in k], dtype=float)
    return float((ways * p**k * (1 - p) ** (group_size - k) * np.sqrt(k * (group_size - k))).sum() / group_size)


@pytest.mark.parametrize(
    ("p", "c8", "c16", "c64"),
    [
        (0.01, 0.0258, 0.0370, 0.0667),
        (0.05, 0.1175, 0.1552, 0.2060),
        (0.10, 0.2095, 0.2563, 0.2929),
        (0.25, 0.3799, 0.4121, 0.4284),
        (0.50, 0.4639, 0.4835, 0.4960),
    ],
)
def test_binary_rewards_follow_the_group_factor(p, c8, c16, c64):
    for group_size, printed in ((8, c8), (16, c16), (64, c64)):
        for method in METHODS:
            wrong, right = expected_advantages([1 - p, p], [0, 1], group_size, method=method)
            got = p * (1 - p) * float(right - wrong)
            assert got == pytest.approx(group_factor(p, group_size), rel=1e-13)
            assert got == pytest.approx(printed, abs=5.1e-5)


def test_fidelity_of_a_small_group():
    wrong, right = expected_advantages([0.95, 0.05], [0, 1], 8)
    assert np.sqrt(0.05 * 0.95) * float(right - wrong) == pytest.approx(0.5390, abs=5e-5)


def test_two_step_updates():
    chain = ReasoningChain(step_success=[0.35, 0.20])
    np.testing.assert_allclose(expected_update(chain, rule("grpo")), [0.10974, 0.13506], atol=5.1e-6, rtol=0)
    for options in ({"beta": 1.0, "gamma": 0.9}, {"beta": 10.0, "gamma": 0.5}, {"shape": "raw"}):
        got = expected_update(chain, rule("spo", **options))
        np.testing.assert_allclose(got, [0.34071, 0.08887], atol=5.1e-6, rtol=0)


def test_mean_only_update_of_a_coloured_chain():
    chain = ReasoningChain(step_success=[0.5, 0.4, 0.6, 0.3])
    mean_only = Method("mean only", 8, reward=Colouring(shape="raw"), baseline=GroupAdvantage(scale="none"))
    got = expected_update(chain, mean_only)
    np.testing.assert_allclose(got, [0.07825, 0.04313, 0.01521, 0.01241], atol=5.1e-6, rtol=0)


def test_mean_only_closed_form():
    p, r = probability_sets(5), coloured(5)
    got = expected_advantages(p, r, 8, scale="none")
    np.testing.assert_allclose(got, 7 / 8 * (r - (p @ r)[:, None]), rtol=0, atol=1e-15)
    np.testing.assert_allclose(expected_advantages(p, r, 8, scale="none", method="enumerate"), got, atol=1e-14, rtol=0)


def test_binary_rewards_in_a_very_large_group():
    chain, p = ReasoningChain(step_success=[0.6, 0.5, 0.7]), 0.21
    wrong, right = -np.sqrt(p / (1 - p)), np.sqrt((1 - p) / p)
    limit = (1 - chain.step_success) * np.sqrt(p / (1 - p))
    distance = []
    for group_size in (256, 1024, 4096):
        got = expected_advantages([1 - p, p], [0, 1], group_size)
        g = expected_update(chain, rule("grpo", group_size=group_size))
        distance.append(np.abs(np.concatenate([got - np.array([wrong, right]), g - limit])))
    for near, far in itertools.pairwise(distance):  # the limit is approached like 1/G
        np.testing.assert_allclose(near / far, 4.0, rtol=0.02)


@pytest.mark.parametrize("group_size", [2, 8, 64, 1024])
def test_rare_success_gives_a_push_proportional_to_it(group_size):
    chain = ReasoningChain(step_success=[1e-4, 1e-3, 1e-4])
    g = expected_update(chain, rule("grpo", group_size=group_size))
    slope = g / (float(chain.success) * (1 - chain.step_success))
    np.testing.assert_allclose(slope, np.sqrt(group_size - 1), rtol=1e-7)


@pytest.mark.parametrize("group_size", [2, 8, 64, 1024])
def test_coloured_push_survives_the_loss_of_all_success(group_size):
    # wrong classes keep their shares while success vanishes: the push has a limit above 0
    pushes = []
    for last in (-15.0, -30.0, -300.0):
        chain = ReasoningChain(logits=[-0.5, -0.5, last])
        pushes.append(expected_update(chain, rule("spo", group_size=group_size, beta=5.0, gamma=0.5))[:2])
        if last == -300.0:
            assert np.abs(expected_update(chain, rule("grpo", group_size=group_size))).max() < 1e-120
    np.testing.assert_allclose(pushes[1], pushes[2], rtol=1e-7)
    assert pushes[2][0] > 0.1


@pytest.mark.parametrize("group_size", [2, 8, 64, 1024])
@pytest.mark.parametrize("method", METHODS)
def test_a_lone_failure_is_punished_however_rare(group_size, method):
    got = expected_advantages([1e-12, 1 - 1e-12], [0, 1], group_size, method=method)
    assert float(got[0]) == pytest.approx(-np.sqrt(group_size - 1), rel=1e-8)


def test_share_of_all_negative_groups_over_a_population():
    logits = np.random.default_rng(1).normal(size=(6, 3))
    chain = ReasoningChain(logits=logits)
    success = (1 / (1 + np.exp(-logits))).prod(1)
    np.testing.assert_allclose(chain.all_negative(8), (1 - success) ** 8, rtol=1e-13)
