"""Exact expected advantages against independent sums in higher precision, closed forms and published values."""

import itertools
from fractions import Fraction
from functools import cache
from math import comb, factorial, prod

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spo_theory import InputError, ReasoningChain, expected_advantages, expected_update, rule
from spo_theory.exact.by_class.advantages import advantage_function, quadrature_error
from spo_theory.exact.by_class.forms import in_blocks
from spo_theory.exact.by_class.prepare import choose_method
from spo_theory.exact.by_class.quadrature import inverse_std_weight, inverse_variance_weight, node_count, nodes
from spo_theory.exact.compositions import compositions, multinomial, powers
from spo_theory.exact.moments import square_function
from spo_theory.exact.refusals import AccuracyWarning
from spo_theory.exact.update import rule_advantage_function
from spo_theory.method import Method
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.rewards import Colouring

METHODS = ("enumerate", "quadrature")
EPS = (0.0, 1e-8, 1e-4, 1e-2)


def coloured(classes, beta=5.0):
    """Rewards of a chain of ``classes - 1`` equal steps under logistic colouring."""
    k = np.arange(classes - 1) / (classes - 1)
    return np.append(1 / (1 + np.exp(-beta * (k - 0.5))), 1.0)


def reward_sets(classes):
    """Rewards far apart, a pair 1e-3 apart, all 1e-3 apart."""
    pair = coloured(classes)
    pair[0] = pair[1] - 1e-3
    return coloured(classes), pair, np.append(1e-3 * np.arange(classes - 1), 1.0)


def probability_sets(classes):
    """Even, uneven, with zeros, and one class taking all but 1e-12: a wrong one, or the correct one (P near 1)."""
    uneven = np.random.default_rng(classes).dirichlet(np.ones(classes))
    rare = np.full(classes, 1e-12)
    first, last, zeros = rare.copy(), rare.copy(), np.zeros(classes)
    first[0], first[-1] = 1 - rare[1:-1].sum(), 0.0
    last[-1] = 1 - rare[:-1].sum()
    zeros[[0, -1]] = 0.3, 0.7
    return np.stack([np.full(classes, 1 / classes), uneven, first, last, zeros])


@cache
def sums(classes, group_size):
    """Numbers of the other responses in each class, and their orders, in extended precision."""
    counts = compositions(group_size - 1, classes)
    fact = np.cumprod(np.maximum(np.arange(group_size), 1).astype(np.longdouble))
    return counts.astype(np.longdouble), fact[-1] / fact[counts].prod(1)


def by_hand(p, r, group_size, eps, ddof):
    """Expected advantages in extended precision, and the same sum with every pair of responses taken positive."""
    counts, ways = sums(len(r), group_size)
    r, chance = np.asarray(r, np.longdouble), ways.copy()
    for k, value in enumerate(np.asarray(p, np.longdouble)):
        chance *= value ** counts[:, k]
    result = np.zeros((2, len(r)), np.longdouble)
    for k in range(len(r)):
        distance = counts * (r[k] - r)
        mean = distance.sum(1) / group_size  # own reward minus mean
        square = (counts * (r - r[k] + mean[:, None]) ** 2).sum(1) + mean**2
        std = np.sqrt(square / (group_size - ddof))
        divisor = np.where(std > 0, std + np.longdouble(eps), 1)
        result[0, k] = (chance * mean / divisor).sum()
        result[1, k] = (chance * np.abs(distance).sum(1) / group_size / divisor).sum()
    return result


# --- accuracy ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "group_size"), [(2, 16), (3, 2), (3, 3), (4, 4), (4, 16), (5, 8), (9, 5)])
def test_both_methods_against_sums_in_extended_precision(classes, group_size):
    # Relative to the sum of the absolute contributions: a middle class has better and worse neighbours, whose
    # contributions cancel whatever the method. The first and last class have no cancellation.
    for r, eps, ddof in itertools.product(reward_sets(classes), EPS, (0, 1)):
        p = probability_sets(classes)
        got = [advantage_function(r, group_size, std_eps=eps, ddof=ddof, method=m)(p) for m in METHODS]
        for i, row in enumerate(p):
            a, contributions = by_hand(row, r, group_size, eps, ddof)
            for values in got:
                error = np.abs(np.asarray(values[i]) - a)
                assert (error <= 1e-13 * contributions).all(), (r, eps, ddof, row)
                assert (error[[0, -1]] <= 1e-13 * np.abs(a[[0, -1]])).all()


@pytest.mark.slow
def test_largest_certified_case_against_sums_in_extended_precision():
    r = reward_sets(9)[1]
    p = probability_sets(9)[1]
    a, contributions = by_hand(p, r, 16, 1e-4, 1)
    got = advantage_function(r, 16, std_eps=1e-4, ddof=1, method="quadrature")(p)
    assert (np.abs(np.asarray(got) - a) <= 1e-13 * contributions).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("eps", EPS)
def test_against_forty_digits(method, eps):
    group_size, r, p = 6, [0.25, 0.251, 0.75, 1.0], [1e-12, 0.5, 0.25, 0.25 - 1e-12]
    with mpmath.workdps(40):
        exact = [mpmath.mpf(0)] * 4
        for k, counts in itertools.product(range(4), compositions(group_size - 1, 4).tolist()):
            n = [mpmath.mpf(c) for c in counts]
            n[k] += 1
            mean = mpmath.fsum(c * mpmath.mpf(x) for c, x in zip(n, r, strict=True)) / group_size
            variance = mpmath.fsum(c * (mpmath.mpf(x) - mean) ** 2 for c, x in zip(n, r, strict=True)) / group_size
            chance = mpmath.mpf(factorial(group_size - 1))
            for c, x in zip(counts, p, strict=True):
                chance *= mpmath.mpf(x) ** c / factorial(c)
            if counts[k] < group_size - 1:
                exact[k] += chance * (mpmath.mpf(r[k]) - mean) / (mpmath.sqrt(variance) + mpmath.mpf(eps))
        got = expected_advantages(p, r, group_size, std_eps=eps, method=method)
        for value, wanted in zip(got, exact, strict=True):
            assert abs(float(value) - wanted) <= 1e-13 * abs(wanted)


@pytest.mark.parametrize(
    ("group_size", "expected"),
    [
        (2, [-0.4, 0.4, 0.68, 0.88]),
        (4, [-0.58936104, 0.48088169, 1.13477444, 1.38881943]),
        (8, [-0.63809081, 0.31143499, 1.32859278, 1.7856672]),
        (16, [-0.63921147, 0.1536041, 1.35530593, 2.03651323]),
    ],
)
@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_reference_values(group_size, expected, method):
    chain = ReasoningChain(step_success=[0.4, 0.5, 0.6])
    spo = rule("spo", group_size=group_size, beta=5.0, gamma=0.5, scope="all_incorrect")
    got = rule_advantage_function(spo, chain.rts, method)(chain.class_probs)
    np.testing.assert_allclose(got, expected, atol=5.1e-9, rtol=0)


@pytest.mark.parametrize(("classes", "group_size"), [(2, 512), (2, 4096), (3, 256), (4, 64)])
def test_the_methods_agree_for_large_groups(classes, group_size):
    p = probability_sets(classes)
    a, b = (np.asarray(advantage_function(coloured(classes), group_size, method=m)(p)) for m in METHODS)
    assert np.abs(a - b).max() <= 2e-12 * np.abs(a).max()


@pytest.mark.parametrize(("group_size", "horizon"), [(1024, 16), (1024, 64), (4096, 64)])
def test_large_groups_and_horizons_have_small_error_estimates(group_size, horizon):
    chain = ReasoningChain(step_success=np.full(horizon, 0.9))
    assert quadrature_error(chain.class_probs, coloured(horizon + 1), group_size) < 1e-12
    a = expected_advantages(chain.class_probs, coloured(horizon + 1), group_size)
    assert abs(float(chain.class_probs @ a)) < 1e-13
    assert (np.diff(a) > 0).all()


def test_error_estimate_sees_a_coarse_rule(monkeypatch):
    monkeypatch.setattr("spo_theory.exact.by_class.quadrature.LOG_STEP", 1.0)
    p, r = np.full(4, 0.25), coloured(4)
    a = by_hand(p, r, 8, 0.0, 0)[0]
    got = np.asarray(advantage_function(r, 8, method="quadrature")(p))
    error = float(np.abs(got - a).max() / np.abs(a).max())
    assert error > 1e-9
    assert quadrature_error(p, r, 8) == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize("gap", [1e-4, 1e-8, 1e-12])
def test_rewards_that_nearly_agree(gap):
    r = np.array([0.3, 0.3 + gap, 1.0])
    for p in probability_sets(3):
        a, contributions = by_hand(p, r, 50, 0.0, 0)
        got = np.asarray(advantage_function(r, 50, method="quadrature")(p))
        assert (np.abs(got - a) <= 1e-13 * contributions).all()


def test_eps_far_above_the_rewards():
    r, p = 0.5 + 1e-5 * np.arange(4), np.full(4, 0.25)
    a, contributions = by_hand(p, r, 8, 1e-2, 0)
    got = np.asarray(advantage_function(r, 8, std_eps=1e-2, method="quadrature")(p))
    assert (np.abs(got - a) <= 1e-13 * contributions).all()


@pytest.mark.parametrize(("size", "classes"), [(15, 4), (60, 3), (600, 3), (1000, 2), (4095, 2)])
def test_multinomial_probabilities_against_rationals(size, classes):
    counts = compositions(size, classes)
    p = np.array([0.37, 0.63, 1e-12, 0.0][:classes])
    got = np.asarray(multinomial(counts)(jnp.asarray(p)))
    for i in np.linspace(0, len(counts) - 1, 200).astype(int):
        ways = factorial(size) // prod(factorial(n) for n in counts[i].tolist())
        exact = ways * prod(Fraction(x) ** n for x, n in zip(p.tolist(), counts[i].tolist(), strict=True))
        if exact < Fraction(1, 10**60):
            assert got[i] <= 1e-60
        else:
            error = float(abs(Fraction(float(got[i])) / exact - 1))
            assert error <= (1e-14 if size < 1010 else 5e-16 * size)


def test_slopes_and_curvature_of_powers_at_zero():
    p = jnp.array([0.0, 0.5])
    slope, curvature = jax.jacfwd(lambda x: powers(x, 3))(p), jax.jacrev(jax.jacrev(lambda x: powers(x, 3)))(p)
    np.testing.assert_array_equal(slope[[0, 1], :, [0, 1]], [[0, 1, 0, 0], [0, 1, 1, 0.75]])
    np.testing.assert_array_equal(curvature[[0, 1], :, [0, 1], [0, 1]], [[0, 0, 2, 0], [0, 0, 2, 3]])


@pytest.mark.parametrize("eps", [1e-3, 0.3, 40.0])
@pytest.mark.parametrize("u", [1e-8, 0.7, 12.0, 1e6])
def test_weights_against_forty_digits(u, eps):
    with mpmath.workdps(40):
        x = mpmath.mpf(eps) * mpmath.sqrt(u)
        # erfcx from its integral, which stays in range for every x
        erfcx = mpmath.quad(lambda t: mpmath.exp(-t * t - 2 * x * t), [*mpmath.linspace(0, 1, 5), 4, 12])
        if x > 30:
            erfcx = mpmath.quad(lambda t: mpmath.exp(-((t / x) ** 2) - 2 * t), [0, 1, 4, 16, 60]) / x
        erfcx *= 2 / mpmath.sqrt(mpmath.pi)
        w = 1 / mpmath.sqrt(mpmath.pi * u) - eps * erfcx
        w2 = (1 + 2 * x * x) * erfcx - 2 * x / mpmath.sqrt(mpmath.pi)
        assert abs(inverse_std_weight(np.array([u]), eps)[0] / w - 1) < 2e-15
        assert abs(inverse_variance_weight(np.array([u]), eps)[0] / w2 - 1) < 4e-15


def test_predicted_node_count():
    for classes, group_size in ((2, 8), (5, 8), (9, 64), (17, 1024)):
        r = coloured(classes)
        assert node_count(r, group_size) == pytest.approx(len(nodes(r, group_size, 0.0).weight), rel=0.15)


# --- every outcome of small groups, through the rule itself -------------------------------------------------


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


# --- closed forms and published values ----------------------------------------------------------------------


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


# --- properties -------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    rewards=st.lists(st.integers(0, 40), min_size=2, max_size=5),
    weights=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    group_size=st.integers(2, 9),
    method=st.sampled_from(METHODS),
)
def test_properties(rewards, weights, group_size, method):
    r, w = np.array(rewards) / 40, np.array(weights[: len(rewards)], dtype=float)
    w[0] += 1
    p = w / w.sum()
    a = np.asarray(expected_advantages(p, r, group_size, method=method))
    assert abs(p @ a) < 1e-13  # the advantages of a group sum to 0
    assert (np.abs(a) <= np.sqrt(group_size - 1) * (1 + 1e-13)).all()
    order = np.argsort(r)
    assert (np.diff(a[order]) >= -1e-13).all()  # a better class never expects less
    np.testing.assert_allclose(expected_advantages(p, -3 * r + 2, group_size, method=method), -a, atol=1e-13, rtol=0)
    np.testing.assert_allclose(expected_advantages(p[order], r[order], group_size, method=method), a[order], atol=1e-13)


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("scale", ["std", "none"])
def test_equal_rewards(method, scale):
    assert not np.asarray(expected_advantages(np.full((2, 3), 1 / 3), [0.5] * 3, 8, scale=scale, method=method)).any()
    split = expected_advantages([0.2, 0.3, 0.1, 0.4], [0.0, 0.5, 0.0, 1.0], 5, scale=scale, method=method)
    whole = expected_advantages([0.3, 0.3, 0.4], [0.0, 0.5, 1.0], 5, scale=scale, method=method)
    np.testing.assert_allclose(split, np.asarray(whole)[[0, 1, 0, 2]], rtol=1e-13)
    assert float(expected_advantages([1.0], [0.3], 4, scale=scale, method=method)[0]) == 0.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope", ["all_negative", "all_incorrect"])
def test_transformations_and_batches(method, scope):
    chain = ReasoningChain(step_success=[0.5, 0.5, 0.5])
    f = rule_advantage_function(rule("spo", scope=scope), chain.rts, method)
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(7, 5))
    one_by_one = np.stack([[np.asarray(f(x)) for x in row] for row in p])
    np.testing.assert_allclose(f(p), one_by_one, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jax.jit(f)(p), one_by_one, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.vmap(f))(p), one_by_one, rtol=1e-12, atol=1e-15)


def test_blocks_cover_every_row():
    p = np.random.default_rng(0).normal(size=(5, 7, 3))
    got = in_blocks(lambda x: x[..., None] * x[..., None, :], 2**17)(p)
    np.testing.assert_array_equal(got, p[..., None] * p[..., None, :])


def gradients(f, p):
    """Jacobian along the simplex, ``(K, K)``: columns are directions that keep the sum."""
    jacobian = np.asarray(jax.jacobian(f)(jnp.asarray(p)))
    return jacobian - jacobian.mean(1, keepdims=True)


@pytest.mark.parametrize("p", list(probability_sets(4)), ids=["even", "uneven", "P=0", "P near 1", "zeros"])
@pytest.mark.parametrize("scope", ["all_negative", "all_incorrect"])
def test_gradients_are_finite_and_equal_for_both_methods(p, scope):
    r = rule("spo", group_size=5, scope=scope)
    a, b = (gradients(rule_advantage_function(r, np.arange(4) / 3, m), p) for m in METHODS)
    assert np.isfinite(a).all()
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * np.abs(a).max())


@pytest.mark.parametrize(("group_size", "method"), [(5, "enumerate"), (5, "quadrature"), (200, "enumerate")])
def test_gradients_against_differences(group_size, method):
    f = advantage_function([0.0, 1.0] if group_size > 5 else coloured(4), group_size, method=method)
    p = np.array([0.3, 0.7]) if group_size > 5 else np.array([0.2, 0.3, 0.4, 0.1])
    direction = np.zeros_like(p)
    direction[:2] = 1, -1
    h = 1e-5
    difference = (np.asarray(f(p + h * direction)) - np.asarray(f(p - h * direction))) / (2 * h)
    np.testing.assert_allclose(gradients(f, p) @ direction, difference, rtol=1e-6, atol=1e-8)


def test_slope_at_zero_probability_of_a_large_enumerated_group():
    a, b = (gradients(advantage_function([0.0, 1.0], 200, method=m), [1.0, 0.0]) for m in METHODS)
    np.testing.assert_allclose(a, b, rtol=1e-11)


def test_slopes_at_certain_success():
    for group_size in (2, 4):
        f = rule_advantage_function(rule("spo", group_size=group_size), np.arange(4) / 3)
        at = gradients(f, [0.0, 0.0, 0.0, 1.0])
        h = 1e-7
        for k in range(3):
            p = np.zeros(4)
            p[k], p[3] = h, 1 - h
            difference = (np.asarray(f(p)) - np.asarray(f([0.0, 0.0, 0.0, 1.0]))) / h
            np.testing.assert_allclose(at[:, k] - at[:, 3], difference, rtol=1e-5, atol=1e-5)


def test_automatic_choice_takes_the_cheaper_method():
    assert choose_method(coloured(5), 8) == "enumerate"
    assert choose_method(coloured(9), 64) == "quadrature"
    assert choose_method(np.array([0.0, 1.0]), 512) == "enumerate"
    assert choose_method(np.array([0.0, 1.0]), 10**6) == "quadrature"


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"class_probs": []}, "class_probs.shape"),
        ({"class_probs": [0.5, 0.6]}, "sum of class_probs = 1.1"),
        ({"class_probs": [-0.1, 1.1]}, "class_probs = [-0.1]"),
        ({"class_probs": [np.nan, 0.5]}, "class_probs = [nan]"),
        ({"class_probs": [0.5, 0.25, 0.25]}, "class_probs.shape[-1] = 3"),
        ({"rewards": [0.0, np.nan]}, "rewards = [0.0, nan]"),
        ({"group_size": 1}, "group_size = 1"),
        ({"group_size": 2.5}, "group_size = 2.5"),
        ({"group_size": True}, "group_size = True"),
        ({"ddof": 2}, "ddof = 2"),
        ({"std_eps": -1.0}, "std_eps = -1.0"),
        ({"scale": "range"}, "scale = 'range'"),
        ({"method": "guess"}, "method = 'guess'"),
        ({"rewards": np.arange(5.0), "class_probs": [0.2] * 5, "group_size": 200, "method": "enumerate"}, "quadrature"),
    ],
)
def test_bad_input_is_named(change, named):
    arguments = {"class_probs": [0.5, 0.5], "rewards": [0.0, 1.0], "group_size": 4} | change
    with pytest.raises(InputError) as error:
        expected_advantages(**arguments)
    assert named in str(error.value)
    assert "must be" in str(error.value)
    assert "\n" not in str(error.value)


def test_outside_the_certified_range_it_warns_with_the_estimate():
    with pytest.warns(AccuracyWarning, match=r"these class probabilities: \d\.\de-1\d"):
        a = expected_advantages([0.2, 0.8], [0.0, 1.0], 20_000)
    np.testing.assert_allclose(a, [-2.0, 0.5], rtol=1e-4)
    with pytest.warns(AccuracyWarning, match="equal class probabilities"):
        rule_advantage_function(rule("grpo", group_size=20_000), [0.0, 1.0])
    with pytest.warns(AccuracyWarning):
        square_function([0.0, 1.0], 20_000, GroupAdvantage())


def test_tracing_checks_nothing():
    f = jax.jit(lambda p: expected_advantages(p, [0.0, 1.0], 4))
    assert np.isfinite(np.asarray(f(jnp.array([0.5, 0.6])))).all()
