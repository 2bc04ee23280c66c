"""Expected advantages against sums in extended precision, rationals and forty digits."""

import itertools
from fractions import Fraction
from math import factorial, prod

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from everyday import spare
from exact_sums import EPS, METHODS, by_hand, coloured, probability_sets, reward_sets

from spo_theory import ReasoningChain, expected_advantages, rule
from spo_theory.exact.by_class.advantages import advantage_function, quadrature_error
from spo_theory.exact.by_class.quadrature import inverse_std_weight, inverse_variance_weight, node_count, nodes
from spo_theory.exact.compositions import compositions, multinomial, powers
from spo_theory.exact.update import rule_advantage_function


@pytest.mark.parametrize(
    ("classes", "group_size"),
    spare([(2, 16), (3, 2), (3, 3), (4, 4), (4, 16), (5, 8), (9, 5)], [(3, 3), (4, 4), (5, 8)]),
)
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
