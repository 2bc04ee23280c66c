"""Properties of expected advantages, their derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from everyday import spare
from exact_sums import METHODS, coloured, probability_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from spo_theory import InputError, ReasoningChain, expected_advantages, rule
from spo_theory.exact.by_class.advantages import advantage_function
from spo_theory.exact.by_class.forms import in_blocks
from spo_theory.exact.by_class.prepare import choose_method
from spo_theory.exact.moments import square_function
from spo_theory.exact.refusals import AccuracyWarning
from spo_theory.exact.update import rule_advantage_function
from spo_theory.parts.baselines import GroupAdvantage


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
@pytest.mark.parametrize("scope", spare(["all_negative", "all_incorrect"], ["all_negative"]))
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
