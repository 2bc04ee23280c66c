"""Properties of group advantages on numpy, a strict array library, jax (eager, jit, vmap) and torch autograd."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import properties
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import EVERY, budget, call, reward_groups

from spo_theory import InputError
from spo_theory.advantages import GroupAdvantage

EXACT = GroupAdvantage()
KINDS = [EXACT, GroupAdvantage(ddof=1, eps=1e-4), GroupAdvantage(eps=1e-8), GroupAdvantage(scale="none")]


def on(library, advantage=EXACT):
    return lambda r: call(library, advantage, r)


def usable(rewards, dtype):
    """The rewards in ``dtype``, with those it cannot hold brought into its range."""
    return np.clip(rewards, -1e30, 1e30).astype(dtype) if dtype == np.float32 else rewards


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", EVERY)
def test_algebra(library, dtype):
    @budget(library)
    @given(rewards=reward_groups(), data=st.data())
    def check(rewards, data):
        rewards = usable(rewards, dtype)
        order = np.array(data.draw(st.permutations(range(rewards.shape[-1]))))
        for advantage in KINDS:
            assert call(library, advantage, rewards).dtype == dtype
            properties.sums_to_zero(on(library, advantage), rewards)
            properties.permutation_equivariant(on(library, advantage), rewards, order)
            properties.groups_independent(on(library, advantage), rewards, np.roll(rewards[1:], 1, axis=-1) * 0.5)
        properties.zero_exactly_when_equal(on(library), rewards)
        properties.bounded(on(library), rewards)
        scale, shift = data.draw(st.floats(1e-3, 1e3)), data.draw(st.floats(-100, 100))
        properties.affine_invariant(on(library), np.clip(rewards, -1e3, 1e3), dtype(scale), dtype(shift))

    check()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7, -2.3, 3e4, 1e-4])
@pytest.mark.parametrize("size", [2, 3, 7, 64])
def test_constant_groups_in_low_precision_are_exactly_silent(dtype, value, size):
    rewards = torch.full((2, size), value, dtype=dtype)
    for advantage in KINDS:
        assert (advantage(rewards) == 0).all()
    low = np.full((2, size), value, dtype=np.float16)
    assert (EXACT(low) == 0).all()


def exact_advantages(row, ddof):
    """Advantages by rational arithmetic and a 50-digit square root."""
    values = [Fraction(float(x)) for x in row]
    mean = sum(values, Fraction(0)) / len(values)
    variance = sum(((v - mean) ** 2 for v in values), Fraction(0)) / (len(values) - ddof)
    if variance == 0:
        return [0.0] * len(values)
    with mpmath.workdps(50):
        root = mpmath.sqrt(mpmath.mpf(variance.numerator) / variance.denominator)
        return [float(mpmath.mpf((v - mean).numerator) / (v - mean).denominator / root) for v in values]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ddof", [0, 1])
@given(rewards=reward_groups())
def test_value_against_rational_arithmetic(dtype, ddof, rewards):
    rewards = usable(rewards, dtype)
    want = np.array([exact_advantages(row, ddof) for row in rewards])
    got = GroupAdvantage(ddof=ddof)(rewards)
    assert np.abs(got - want).max() <= 40 * rewards.shape[-1] * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rewards_one_tenmillionth_apart(dtype):
    rewards = np.array([[1.0, 1.0 + 1e-7, 1.0, 1.0]], dtype=dtype)
    np.testing.assert_allclose(EXACT(rewards)[0], np.array([-1, 3, -1, -1]) / np.sqrt(3), rtol=1e-6)


@pytest.mark.parametrize("library", ["numpy", "jax", "torch"])
def test_masked_responses_have_no_influence(library):
    @budget(library)
    @given(rewards=reward_groups(), data=st.data())
    def check(rewards, data):
        g = rewards.shape[-1]
        keep = np.array(data.draw(st.lists(st.booleans(), min_size=g, max_size=g)))
        valid = np.broadcast_to(keep, rewards.shape)
        poisoned = np.where(valid, rewards, np.nan)
        for advantage in KINDS:
            got = call(library, lambda r, v, a=advantage: a(r, v), poisoned, valid)
            assert (got[:, ~keep] == 0).all()
            if keep.sum() >= 2:
                alone = call(library, advantage, rewards[:, keep])
                properties.close(got[:, keep], alone, 64, "a masked response has influence")
            else:
                assert (got == 0).all()

    check()


@pytest.mark.parametrize("library", ["numpy", "strict", "jax", "torch"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rewards_that_are_no_numbers_are_refused(library, bad):
    with pytest.raises(InputError) as error:
        call(library, EXACT, np.array([[0.0, bad, 1.0]]))
    assert str(error.value) == f"rewards = {bad!r} is not allowed: rewards must be finite numbers"


@pytest.mark.parametrize("advantage", KINDS)
def test_gradients_are_finite_and_right(advantage):
    rows = [[0.3, 0.3, 0.3], [0.0, 1.0, 0.5], [1.0, 1.0 + 1e-7, 1.0]]
    weight = np.array([1.0, -2.0, 0.5])
    x = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    (advantage(x) * torch.from_numpy(weight)).sum().backward()
    slope = jax.grad(lambda r: (advantage(r) * weight).sum())(jnp.asarray(rows))
    assert torch.isfinite(x.grad).all()
    np.testing.assert_allclose(np.asarray(slope), x.grad.numpy(), rtol=1e-9, atol=1e-9)
    step = 1e-6 * np.eye(3)
    numeric = [((advantage(x.detach()[1] + torch.from_numpy(h)) - advantage(x.detach()[1] - torch.from_numpy(h)))
                @ torch.from_numpy(weight)).item() / 2e-6 for h in step]  # fmt: skip
    np.testing.assert_allclose(x.grad[1].numpy(), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ddof": 2}, "ddof = 2"),
        ({"eps": -1.0}, "std_eps = -1.0"),
        ({"eps": np.nan}, "std_eps"),
        ({"scale": "x"}, "scale"),
    ],
)
def test_bad_conventions_are_named(options, named):
    with pytest.raises(InputError, match=named):
        GroupAdvantage(**options)
