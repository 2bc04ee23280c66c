"""Numbers keep their digits where success is rare, rewards are huge or tiny, groups are large and batches are empty.

References are sums over every group with 200 digits, which know nothing of the engine.
"""

import warnings
from itertools import product

import mpmath
import numpy as np
import pytest

from spo_theory import ReasoningChain, expected_advantages, expected_update, rule
from spo_theory.dynamics.escape import collapse_rate, lone_failure_update
from spo_theory.exact.by_class.advantages import advantage_function
from spo_theory.exact.refusals import AccuracyWarning
from spo_theory.outcomes.options import solve_options
from spo_theory.published.suk_duan import gradient_gap

mpmath.mp.dps = 200  # 1 - P has 130 digits of 9 in the most extreme case


def standardized(rewards):
    """Advantages of a group, population std; 0 for equal rewards."""
    mean = mpmath.fsum(rewards) / len(rewards)
    variance = mpmath.fsum((r - mean) ** 2 for r in rewards) / len(rewards)
    return [mpmath.mpf(0) if variance == 0 else (r - mean) / mpmath.sqrt(variance) for r in rewards]


def in_words(name, group, horizon, chance):
    """Advantages of a group of outcome classes, from the description of each rule."""
    rewards = [mpmath.mpf(k == horizon) for k in group]
    if name == "sign":
        return [2 * r - 1 for r in rewards]
    if name == "ngrpo":
        return standardized([*rewards, mpmath.mpf(1)])[:-1]
    if name == "lens" and not any(rewards):
        return [-chance[k] / (1 - chance[k]) for k in group]
    return standardized(rewards)


def brute_force(name, logits, group_size):
    """Expected update of every logit: the sum over all groups, with 200 digits."""
    horizon = len(logits)
    right = [1 / (1 + mpmath.exp(-mpmath.mpf(float(x)))) for x in logits]
    chance = [mpmath.fprod(right[:k]) * (1 - right[k] if k < horizon else 1) for k in range(horizon + 1)]
    score = [
        [1 - right[h] if h < k else (-right[h] if h == k else mpmath.mpf(0)) for h in range(horizon)]
        for k in range(horizon + 1)
    ]
    total = [mpmath.mpf(0)] * horizon
    for group in product(range(horizon + 1), repeat=group_size):
        weight = mpmath.fprod(chance[k] for k in group) / group_size
        for advantage, k in zip(in_words(name, group, horizon, chance), group, strict=True):
            total = [t + weight * advantage * s for t, s in zip(total, score[k], strict=True)]
    return np.array([float(t) for t in total])


@pytest.mark.parametrize("name", ["grpo", "ngrpo", "sign", "lens"])
@pytest.mark.parametrize("logits", [(-0.3, 0.4), (-14.0, -14.0), (-30.0, 1.0), (-46.0, -2.0), (-300.0, 2.0)])
@pytest.mark.parametrize("group_size", [2, 3])
def test_the_update_keeps_its_digits_where_success_is_rare(name, logits, group_size):
    """Relative to the update itself: down to a success of 1e-130 nothing is lost."""
    update = expected_update(ReasoningChain(logits=logits), rule(name, group_size=group_size))
    np.testing.assert_allclose(update, brute_force(name, logits, group_size), rtol=1e-12)


@pytest.mark.parametrize("name", ["ngrpo", "sign", "lens", "spo_prefix"])
def test_a_lone_failure_under_any_rule(name):
    """The group's own weights times scores, summed response by response."""
    chain = ReasoningChain(step_success=[0.9, 0.8, 0.6])
    method = rule(name, group_size=4)
    for failing, update in enumerate(lone_failure_update(chain, method)):
        group = [failing, 3, 3, 3]
        chance = [mpmath.mpf(float(p)) for p in chain.class_probs]
        expected = np.zeros(3)
        for advantage, k in zip(in_words(name, group, 3, chance), group, strict=True):
            expected += float(advantage) * chain.scores[k] / 4
        np.testing.assert_allclose(update, expected, rtol=1e-13, atol=1e-16)


def test_ngrpo_can_collapse_without_interference():
    """A virtual correct response leaves the real ones with advantages that do not sum to 0: right steps are pushed."""
    chain = ReasoningChain(step_success=[0.9, 0.9, 0.9])
    rate, step = collapse_rate(chain, rule("ngrpo", group_size=8), np.eye(3), level=0.1)
    assert step == 2
    after = chain.logits + rate * lone_failure_update(chain, rule("ngrpo", group_size=8))[step]
    assert np.prod(1 / (1 + np.exp(-after))) == pytest.approx(0.1, rel=1e-9)
    assert collapse_rate(chain, rule("grpo", group_size=8), np.eye(3)) == (np.inf, -1)


@pytest.mark.parametrize("size", [1e-300, 1e-180, 1e180, 1e300])
@pytest.mark.parametrize("method", ["enumerate", "quadrature"])
@pytest.mark.parametrize("eps", [0.0, 0.25])
def test_standardized_advantages_do_not_depend_on_the_unit_of_rewards(size, method, eps):
    rewards = np.array([0.0, 0.3, 1.0])
    p = [0.5, 0.3, 0.2]
    ordinary = expected_advantages(p, rewards, 6, std_eps=eps, ddof=1, method=method)
    scaled = expected_advantages(p, size * rewards, 6, std_eps=eps * size, ddof=1, method=method)
    np.testing.assert_allclose(scaled, ordinary, rtol=1e-13)


@pytest.mark.parametrize("eps", [1e17, 1e25, 1e160])
def test_a_large_eps_leaves_the_mean_alone(eps):
    p, rewards = [0.5, 0.3, 0.2], [0.0, 0.3, 1.0]
    found = expected_advantages(p, rewards, 64, std_eps=eps)
    np.testing.assert_allclose(found * eps, expected_advantages(p, rewards, 64, scale="none"), rtol=1e-13)


def test_rewards_that_nearly_meet():
    """Enumeration serves them; to the bit the same as with a gap that no double of order 1 can tell."""
    p = [0.5, 0.3, 0.2]
    near = expected_advantages(p, [0.0, 1e-300, 1.0], 6)
    np.testing.assert_allclose(near, expected_advantages(p, [0.0, 1e-100, 1.0], 6), rtol=1e-13)


def test_empty_batches_have_empty_answers():
    assert expected_advantages(np.zeros((0, 3)), [0.0, 0.5, 1.0], 8).shape == (0, 3)
    assert advantage_function([0.0, 0.5, 1.0], 8)(np.zeros((0, 3))).shape == (0, 3)
    nothing = np.zeros((0, 4), bool)
    assert rule("spo", group_size=4).advantages(nothing, nothing.astype(int), np.ones((0, 4))).shape == (0, 4)


def test_badly_normalized_probabilities_are_normalized():
    """A sum that is off by 1e-10 would change the form of degree G - 1 four thousand times as much."""
    p = np.array([0.5, 0.3, 0.2])
    exact = expected_advantages(p, [0.0, 0.5, 1.0], 4096)
    off = expected_advantages(p * (1 + 5e-10), [0.0, 0.5, 1.0], 4096)
    np.testing.assert_allclose(off, exact, rtol=1e-11)


@pytest.mark.parametrize("group_size", [10**4, 10**6, 10**9])
def test_the_estimate_of_a_very_large_group_covers_its_error(group_size):
    """Against the binomial sum around its mode, in extended precision."""
    success = 0.5
    others = group_size - 1
    width = int(20 * np.sqrt(others)) + 50
    k = np.arange(max(0, others // 2 - width), min(others, others // 2 + width) + 1)
    steps = np.log((others - k[:-1]) / (k[:-1] + 1)).astype(np.longdouble)
    log_chance = np.concatenate([[0], np.cumsum(steps)])
    chance = np.exp(log_chance - log_chance.max())
    share = (k + 1).astype(np.longdouble) / group_size
    exact = float((chance / chance.sum() * np.sqrt((1 - share) / share)).sum())
    with pytest.warns(AccuracyWarning) as said:
        found = float(expected_advantages([1 - success, success], [0.0, 1.0], group_size)[1])
    estimate = float(str(said[0].message).rsplit(": ", 1)[1])
    assert abs(found / exact - 1) <= estimate < 1e-6


def test_shares_of_options_that_have_underflowed():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = solve_options([[1000.0, 0.0, 1.0]], rule("grpo", group_size=2), steps=1)
    share = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    assert table["concentration_1"][0] == pytest.approx((share**2).sum())


def test_the_gap_of_a_nearly_certain_chain():
    """``(1 - q) / (1 - P)`` tends to the share of each step among the failures."""
    gap = gradient_gap(ReasoningChain(logits=[60.0, 61.0]))
    np.testing.assert_allclose(gap, [1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(1.0))], rtol=1e-12)
