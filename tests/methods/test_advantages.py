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
from strategies import EVERY, budget, call, reward_groups, sizes, to_numpy

from spo_theory import InputError
from spo_theory.parts.baselines import GroupAdvantage

EXACT = GroupAdvantage()
KINDS = [EXACT, GroupAdvantage(ddof=1, eps=1e-4), GroupAdvantage(eps=1e-8), GroupAdvantage(scale="none")]


def on(library, advantage=EXACT):
    return lambda r: call(library, advantage, r)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", EVERY)
def test_algebra(library, dtype):
    @budget(library)
    @given(rewards=reward_groups(dtype, sizes(library)), data=st.data())
    def check(rewards, data):
        order = np.array(data.draw(st.permutations(range(rewards.shape[-1]))))
        for advantage in KINDS:
            assert call(library, advantage, rewards).dtype == dtype
            properties.sums_to_zero(on(library, advantage), rewards)
            properties.in_order(on(library, advantage), rewards)
            properties.permutation_equivariant(on(library, advantage), rewards, order)
            properties.groups_independent(on(library, advantage), rewards, np.roll(rewards[1:], 1, axis=-1) * 0.5)
        properties.check_advantages(on(library), rewards)
        properties.standardized(on(library, GroupAdvantage(ddof=1)), rewards, ddof=1)
        scale, shift = data.draw(st.floats(1e-3, 1e3)), data.draw(st.floats(-100, 100))
        properties.affine_invariant(on(library), np.clip(rewards, -1e3, 1e3), dtype(scale), dtype(shift))

    check()


@pytest.mark.parametrize("library", EVERY)
def test_interleaved_groups_and_views(library):
    """Groups stored response by response, (G, Q), and handed over as a transposed view."""

    @budget(library)
    @given(rewards=reward_groups(sizes=sizes(library)))
    def check(rewards):
        interleaved = np.ascontiguousarray(rewards.T)
        function = EXACT if library == "jax_vmap" else lambda r: EXACT(r.T)
        got = call(library, function, interleaved.T if library == "jax_vmap" else interleaved)
        properties.close(got, call(library, EXACT, rewards), rewards.shape[-1], "a view is read in another order")

    check()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7, -2.3, 3e4, 1e-4])
@pytest.mark.parametrize("size", [2, 3, 7, 64])
def test_constant_groups_in_low_precision_are_exactly_silent(dtype, value, size):
    rewards = torch.full((2, size), value, dtype=dtype)
    odd = rewards.clone()
    odd[:, 0] = torch.nextafter(odd[:, 0].to(torch.float32), torch.tensor(9e9)).to(dtype)  # float16: stays equal
    odd[1, 0] = value * 1.02
    for advantage in KINDS:
        assert (advantage(rewards) == 0).all()
    for advantage in (EXACT, GroupAdvantage(ddof=1)):
        silent = (advantage(odd) == 0).all(-1)
        assert torch.equal(silent, (odd == odd[:, 1:2]).all(-1))
        assert not silent[1]


@pytest.mark.parametrize("value", [0.1, 1 / 3, -2.3, 3e4])
@pytest.mark.parametrize("asarray", [
    lambda x: np.asarray(x, np.float16), lambda x: jnp.asarray(x, jnp.float16), lambda x: jnp.asarray(x, jnp.bfloat16),
], ids=["numpy float16", "jax float16", "jax bfloat16"])  # fmt: skip
def test_low_precision_on_numpy_and_jax(asarray, value):
    for size in (2, 7, 64):
        constant = asarray([[value] * size, [value] * (size - 1) + [value * 1.02]])
        for advantage in KINDS[:2]:
            a = np.asarray(advantage(constant), dtype=float)
            assert (a[0] == 0).all()
            assert (a[1] != 0).all()
            assert np.sign(a[1, -1]) == np.sign(value)


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
@pytest.mark.parametrize("library", ["numpy", "strict", "jax_jit", "torch"])
def test_value_against_rational_arithmetic(library, dtype):
    """Every library is within 2 G rounding errors of the exact value, so they agree with each other to 4 G."""

    @budget(library)
    @given(rewards=reward_groups(dtype, sizes(library)), ddof=st.integers(0, 1))
    def check(rewards, ddof):
        want = np.array([exact_advantages(row, ddof) for row in rewards])
        got = call(library, GroupAdvantage(ddof=ddof), rewards)
        assert np.abs(got - want).max() <= 2 * rewards.shape[-1] * np.finfo(dtype).eps

    check()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rewards_one_tenmillionth_apart(dtype):
    rewards = np.array([[1.0, 1.0 + 1e-7, 1.0, 1.0]], dtype=dtype)
    np.testing.assert_allclose(EXACT(rewards)[0], np.array([-1, 3, -1, -1]) / np.sqrt(3), rtol=1e-6)


@pytest.mark.parametrize("library", EVERY)
def test_masked_responses_have_no_influence(library):
    @budget(library)
    @given(
        rewards=reward_groups(sizes=sizes(library)), poison=st.sampled_from([np.nan, np.inf, -1e300]), data=st.data()
    )
    def check(rewards, poison, data):
        g = rewards.shape[-1]
        keep = np.array(data.draw(st.lists(st.booleans(), min_size=g, max_size=g)))
        valid = np.broadcast_to(keep, rewards.shape)
        poisoned = np.where(valid, rewards, poison)
        for advantage in KINDS:
            got = call(library, lambda r, v, a=advantage: a(r, v), poisoned, valid)
            assert (got[:, ~keep] == 0).all()
            if keep.sum() >= 2:
                alone = call(library, advantage, rewards[:, keep])
                properties.close(got[:, keep], alone, g, "a masked response has influence")
            else:
                assert (got == 0).all()

    check()


@pytest.mark.parametrize("library", ["numpy", "strict", "jax", "torch"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rewards_that_are_no_numbers_are_refused(library, bad):
    with pytest.raises(InputError) as error:
        call(library, EXACT, np.array([[0.0, bad, 1.0]]))
    assert str(error.value) == f"rewards = {bad!r} is not allowed: rewards must be finite numbers"


@pytest.mark.parametrize("library", ["numpy", "strict", "jax", "torch"])
def test_range_beyond_the_dtype_is_refused(library):
    """A quarter of the largest number is accepted, more is not: the advantages would be no numbers."""
    most = np.finfo(float).max / 8
    np.testing.assert_allclose(call(library, EXACT, np.array([[-most, most]])), [[-1, 1]])
    with pytest.raises(
        InputError, match=r"^rewards that span more than 4.49e\+307 are not allowed in .*float64.*: scale"
    ):
        call(library, EXACT, np.array([[-7 * most, most, 0.0]]))


@pytest.mark.parametrize("library", ["jax_jit", "jax_vmap"])
def test_traced_rewards_that_are_no_numbers_show(library):
    """Inside jit values cannot be refused; NaN must come out as NaN, not as a silent group."""
    got = call(library, EXACT, np.array([[0.0, np.nan, 1.0], [0.0, np.inf, 1.0], [0.0, 1.0, 0.5]]))
    assert np.isnan(got[:2]).all()
    assert np.isfinite(got[2]).all()


@pytest.mark.parametrize("size", [1e-140, 1e-7, 1.0, 1e140])
@pytest.mark.parametrize("advantage", [EXACT, GroupAdvantage(ddof=1, eps=1e-4)])
def test_gradients_are_finite_at_any_scale_and_under_a_mask(advantage, size):
    rewards = np.array([[0.0, 1.0, 0.25], [1.0, 1.0, 1.0], [np.nan, 1.0, 3.0], [np.nan, np.nan, 2.0], [np.nan] * 3])
    rewards, weight = rewards * size, np.array([1.0, -2.0, 0.5])
    valid = ~np.isnan(rewards)
    x = torch.tensor(rewards, requires_grad=True)
    (advantage(x, torch.from_numpy(valid)) * torch.from_numpy(weight)).sum().backward()
    slope = jax.grad(lambda r: (advantage(r, jnp.asarray(valid)) * weight).sum())(jnp.asarray(rewards))
    for gradient in (to_numpy(x.grad), np.asarray(slope)):
        assert np.isfinite(gradient).all()
        assert (gradient[~valid] == 0).all()
        assert (gradient[0] != 0).any()


def test_torch_gradient_at_the_smallest_scale():
    """The slope grows as 1 / scale, up to 1e300. (jax squares the range, so there it holds down to 1e-154 only.)"""
    unit = torch.tensor([[0.0, 1.0, 0.25]], dtype=torch.float64)
    weight = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    slopes = []
    for scale in (1.0, 1e-300):
        x = (unit * scale).requires_grad_()
        (EXACT(x) * weight).sum().backward()
        slopes.append(x.grad.numpy() * scale)
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-12)


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
