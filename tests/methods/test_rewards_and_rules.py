"""Properties of colouring and of the named rules, on every array library."""

import jax
import jax.numpy as jnp
import numpy as np
import properties
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import expit
from strategies import EVERY, budget, call, judged_groups, reward_groups, sizes

from spo_theory import InputError, rule
from spo_theory.methods.conventions import CONVENTIONS, READINGS, SOURCES
from spo_theory.parts.rewards import Colouring, reasoning_trajectory_score

BETAS = st.one_of(st.floats(1e-3, 1e3), st.sampled_from([1e-3, 0.5, 10.0, 1e6]))
GAMMAS = st.one_of(st.floats(-20, 20), st.sampled_from([-1e3, 0.0, 0.5, 10.0, 1e3]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", ["numpy", "strict", "jax", "torch"])
def test_colouring_is_increasing_and_below_a_correct_response(library, dtype):
    @budget(library)
    @given(beta=BETAS, gamma=GAMMAS, steps=st.integers(2, 64))
    def check(beta, gamma, steps):
        rts = (np.arange(steps) / steps).astype(dtype)
        value = call(library, Colouring(beta, gamma).values, rts)
        assert value.dtype == dtype
        assert (value < 1).all()
        assert (value >= 0).all()
        assert (np.diff(value) >= 0).all()
        # strict wherever the dtype can hold two different logistic values, judged in double precision
        z = beta * (np.arange(steps) / steps - gamma)
        step, eps = beta / steps, float(np.finfo(dtype).eps)
        rounding = 8 * eps * (1 + np.abs(z).max() + beta * abs(gamma))  # of z itself
        resolvable = (z[1:] < -np.log(eps) - 4) & (step > rounding) & (z[:-1] > np.log(np.finfo(dtype).tiny))
        gap = expit(z[1:]) - expit(z[:-1]) > 8 * eps * expit(z[1:])
        assert (np.diff(value)[resolvable & gap] > 0).all()

    check()


@pytest.mark.parametrize("asarray", [
    lambda x: np.asarray(x, np.float16), lambda x: jnp.asarray(x, jnp.float16), lambda x: jnp.asarray(x, jnp.bfloat16),
    lambda x: torch.tensor(x, dtype=torch.float16), lambda x: torch.tensor(x, dtype=torch.bfloat16),
])  # fmt: skip
@pytest.mark.parametrize("beta", [1e-3, 1.0, 10.0, 1e3, 1e5, 1e6])
@pytest.mark.parametrize("gamma", [-1e3, 0.0, 0.5, 1.0, 1e3])
def test_colouring_in_16_bits(asarray, beta, gamma):
    """Within one rounding of the logistic, never decreasing, below 1; beta = 1e6 itself overflows float16."""
    rts = np.arange(9) / 8  # exact in every dtype
    coloured = Colouring(beta, gamma).values(asarray(rts))
    assert coloured.dtype == asarray(rts).dtype
    value = coloured.to(torch.float64).numpy() if isinstance(coloured, torch.Tensor) else np.asarray(coloured, float)
    unit = 2.0**-10 if "bfloat" not in str(coloured.dtype) else 2.0**-7
    assert (value < 1).all()
    assert (np.diff(value) >= 0).all()
    want = expit(np.float32(beta) * (rts - np.float32(gamma)).astype(np.float32)).astype(float)
    assert (np.abs(value - want) <= unit / 2 * want + 2.0**-24).all()


@pytest.mark.parametrize("shape", ["logistic", "raw"])
@pytest.mark.parametrize("steps", [1, 2, 5, 30])
@pytest.mark.parametrize(("beta", "gamma"), [*READINGS.values(), (5.0, 0.5)])
def test_coloured_rewards_increase_with_the_correct_prefix(shape, steps, beta, gamma):
    properties.increases_with_prefix(rule("spo", beta=beta, gamma=gamma, shape=shape).rewards, steps)


def test_colouring_values_by_hand():
    rts = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(Colouring(10, 0.5).values(rts), expit(10 * (rts - 0.5)), rtol=1e-14)
    np.testing.assert_allclose(Colouring(0.5, 10).values(rts), expit(0.5 * (rts - 10)), rtol=1e-14)
    assert Colouring(1e3, 0.9).values(np.array([0.5]))[0] == pytest.approx(np.exp(-400), rel=1e-12)  # no underflow to 0


@given(groups=judged_groups(), data=st.data())
def test_trajectory_score(groups, data):
    equal = reasoning_trajectory_score(groups.first_error, groups.lengths)
    np.testing.assert_allclose(equal, groups.first_error / groups.lengths, rtol=1e-15)
    assert (equal[groups.correct] == 1).all()
    steps = int(groups.lengths[0, 0])
    sizes = np.array(data.draw(st.lists(st.floats(0.1, 10), min_size=steps, max_size=steps)))
    every = np.broadcast_to(np.append(sizes, 0.0), (*groups.first_error.shape, steps + 1))  # padded with zeros
    want = [[sizes[:k].sum() / sizes.sum() for k in row] for row in groups.first_error]
    np.testing.assert_allclose(reasoning_trajectory_score(groups.first_error, every), want, rtol=1e-13)


def test_paper_example_and_empty_response():
    assert reasoning_trajectory_score(np.array([3]), np.array([5]))[0] == pytest.approx(3 / 5)
    assert reasoning_trajectory_score(np.array([0]), np.array([0]))[0] == 0.0


@pytest.mark.parametrize("library", EVERY)
def test_all_negative_scope_leaves_other_groups_untouched_to_the_bit(library):
    @budget(library)
    @given(groups=judged_groups(sizes(library)), beta=BETAS, gamma=GAMMAS)
    def check(groups, beta, gamma):
        g = groups.correct.shape[-1]
        plain, coloured = rule("grpo", group_size=g), rule("spo", group_size=g, beta=beta, gamma=gamma)
        mixed = groups.correct.any(-1)
        for name in ("rewards", "advantages"):
            a, b = (call(library, getattr(r, name), *groups) for r in (plain, coloured))
            assert np.array_equal(a[mixed], b[mixed])
        properties.mixed_groups_keep_outcome_reward(lambda *x: call(library, coloured.rewards, *x), groups)

    check()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", EVERY[1:])
def test_libraries_agree(library, dtype):
    """The whole rule, to round-off: the exponential of beta (RTS - gamma) carries about 10 roundings into a gap."""

    @budget(library)
    @given(groups=judged_groups(sizes(library)), scope=st.sampled_from(["all_negative", "all_incorrect"]))
    def check(groups, scope):
        r = rule("spo", group_size=groups.correct.shape[-1], scope=scope, std_eps=1e-6, ddof=1)
        groups = groups._replace(lengths=groups.lengths.astype(dtype))
        got, want = call(library, r.advantages, *groups), r.advantages(*groups)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=0, atol=200 * np.finfo(dtype).eps)

    check()


@given(groups=judged_groups(), data=st.data())
def test_masked_responses_decide_nothing(groups, data):
    """A masked correct response does not stop its group from being all-negative; deleting it is the same."""
    g = groups.correct.shape[-1]
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=g, max_size=g)))
    if keep.sum() < 2:
        return
    valid = np.broadcast_to(keep, groups.correct.shape)
    got = rule("spo", group_size=g).advantages(*groups, valid=valid)
    alone = rule("spo", group_size=int(keep.sum())).advantages(*(x[:, keep] for x in groups))
    np.testing.assert_allclose(got[:, keep], alone, atol=1e-12)
    assert (got[:, ~keep] == 0).all()


MEAN_ONLY = (
    "dr_grpo", "tinker", "nanochat", "trl_none", "openrlhf_dr_grpo", "open_instruct_centered", "prime_rl", "verifiers",
)  # fmt: skip
SAMPLE_STD = {  # over G - 1, torch's default: the epsilon that each trainer adds
    1e-4: ("trl", "rasbt", "swift", "torchtune", "axolotl", "unsloth"),
    1e-5: ("areal_group",),
    1e-6: (
        "verl", "composer_verl", "reasoning_gym", "skyrl", "easyr1", "tunix", "roll", "slime", "nemo_group",
    ),
    1e-8: ("tiny_grpo", "composer", "oat_grpo"),
    1e-9: ("openrlhf_group_norm",),
}  # fmt: skip
NUMPY_STD = {"nano_aha": 1e-4, "grpo_zero": 1e-4, "art": 1e-6, "open_instruct": 1e-8, "trl_async": 1e-8}
LEAVE_ONE_OUT = ("trl_rloo", "verl_rloo", "openrlhf_rloo")


def formula(name, r):
    """What each project writes in its trainer, on one group."""
    others = [torch.cat([r[:i], r[i + 1 :]]) for i in range(len(r))]
    if name in MEAN_ONLY:
        return r - r.mean()
    if name in LEAVE_ONE_OUT:
        return torch.stack([r[i] - rest.mean() for i, rest in enumerate(others)])
    if name == "nemo":  # both statistics leave one out; undivided where the others are equal
        result = []
        for own, rest in zip(r, others, strict=True):
            std = rest.std() if len(rest) > 1 and (rest != rest[0]).any() else None
            result.append(own - rest.mean() if std is None else (own - rest.mean()) / (std + 1e-6))
        return torch.stack(result)
    if name == "paper":
        std = r.std(correction=0)
        return torch.zeros_like(r) if std == 0 else (r - r.mean()) / std
    if name in NUMPY_STD:
        x = r.numpy()
        return torch.from_numpy((x - x.mean()) / (x.std() + NUMPY_STD[name]))
    [eps] = [eps for eps, names in SAMPLE_STD.items() if name in names]
    return (r - r.mean()) / (torch.std(r) + eps)


@pytest.mark.parametrize("name", CONVENTIONS)
@given(rewards=reward_groups(questions=1))
def test_conventions_are_their_formulas(name, rewards):
    row = rewards[0]
    got = rule("grpo", group_size=len(row), convention=name).baseline(row)
    if (row == row[0]).all():  # exactly 0 here; the formulas leave the rounding error of the mean over eps
        assert (got == 0).all()
        return
    size = max(np.abs(row).max(), np.finfo(float).tiny)
    assume(1e-140 < size < 1e140)  # the formulas square the rewards
    want = formula(name, torch.from_numpy(row)).numpy()
    # the formulas centre rewards as they are, so they lose up to G roundings of the rewards' size over their spread
    unscaled = name in (*MEAN_ONLY, *LEAVE_ONE_OUT)
    spread = 1.0 if unscaled else np.std(row) + CONVENTIONS[name].eps
    if name == "nemo":  # the others of each response have a spread of their own
        rests = [np.delete(row, place) for place in range(len(row))]
        spread = min((rest.std() for rest in rests if np.ptp(rest) > 0), default=1.0) + CONVENTIONS[name].eps
    lost = len(row) * np.finfo(float).eps * (1 + size / spread)
    assert np.abs(got - want).max() <= 2 * lost * max(1, np.abs(want).max())


def test_every_convention_has_a_formula_here():
    listed = [*MEAN_ONLY, *LEAVE_ONE_OUT, *NUMPY_STD, *sum(SAMPLE_STD.values(), ()), "paper", "nemo"]
    assert sorted(listed) == sorted(CONVENTIONS)
    assert set(SOURCES) == set(CONVENTIONS)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"group_size": 1}, "group_size = 1"), ({"group_size": 2.5}, "group_size = 2.5"), ({"beta": 0.0}, "beta = 0.0"),
        ({"beta": float("inf")}, "beta = inf"), ({"gamma": float("nan")}, "gamma = nan"), ({"scope": "all"}, "scope"),
        ({"shape": "linear"}, "shape"), ({"reading": "both"}, "reading"), ({"convention": "x"}, "convention"),
        ({"ddof": 3}, "ddof = 3"), ({"std_eps": -1e-9}, "std_eps"),
    ],
)  # fmt: skip
def test_bad_options_are_named_in_one_line(options, named):
    with pytest.raises(InputError) as error:
        rule("spo", **options)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_group_size_of_data_is_named():
    with pytest.raises(InputError, match=r"correct.shape\[-1\] = 3"):
        rule("grpo", group_size=4).advantages(np.ones((2, 3), bool), np.ones((2, 3), int), np.ones((2, 3), int))


def test_readings_order_responses_alike_but_differ_in_mixed_groups():
    """Inside an all-negative group of two only the order counts, so the two readings of the paper agree there."""
    pair = (np.zeros((1, 2), bool), np.array([[0, 3]]), np.full((1, 2), 5))
    rules = [rule("spo", group_size=2, reading=name, scope="all_incorrect") for name in READINGS]
    np.testing.assert_allclose(*(r.advantages(*pair) for r in rules), atol=1e-9)
    mixed = (np.array([[True, False, False]]), np.array([[5, 4, 0]]), np.full((1, 3), 5))
    a, b = (rule("spo", group_size=3, reading=n, scope="all_incorrect").advantages(*mixed) for n in READINGS)
    assert a[0, 1] > 0 > b[0, 1]


def test_torch_and_jax_see_the_same_gradient_free_rule():
    groups = (np.zeros((1, 4), bool), np.array([[0, 1, 2, 2]]), np.full((1, 4), 3))
    r = rule("spo", group_size=4)
    with_grad = torch.ones(1, 4, requires_grad=True) * 3
    a = r.advantages(torch.from_numpy(groups[0]), torch.from_numpy(groups[1]), with_grad)
    a.sum().backward()
    b = jax.jit(r.advantages)(*(jnp.asarray(x) for x in groups))
    np.testing.assert_allclose(a.detach().numpy(), np.asarray(b), rtol=1e-5)


def test_arms_by_hand():
    """NGRPO: -1 / sqrt(G) in a silent group, and (k + 1) correct of G + 1; sign: 2 r - 1; LENS-like: -c / (1 - c)."""
    correct = np.array([[False] * 4, [True, False, False, False], [True] * 4])
    first_error, lengths = np.where(correct, 2, 1), np.full(correct.shape, 2)
    virtual = rule("ngrpo", group_size=4).advantages(correct, first_error, lengths)
    np.testing.assert_allclose(virtual[0], -1 / np.sqrt(4), rtol=1e-14)
    np.testing.assert_allclose(virtual[1], [np.sqrt(3 / 2), *[-np.sqrt(2 / 3)] * 3], rtol=1e-14)
    assert not virtual[2].any()
    np.testing.assert_array_equal(rule("sign", group_size=4).advantages(correct, first_error, lengths), 2 * correct - 1)
    sure = np.array([[0.5, 0.2, 0.0, 0.9]] * 3)
    lens = rule("lens", group_size=4).advantages(correct, first_error, lengths, confidence=sure)
    np.testing.assert_allclose(lens[0], [-1, -0.25, 0, -9], rtol=1e-14)
    np.testing.assert_array_equal(lens[1:], rule("grpo", group_size=4).advantages(correct, first_error, lengths)[1:])
    with pytest.raises(InputError, match="confidence = None"):
        rule("lens", group_size=4).advantages(correct, first_error, lengths)


def test_arms_leave_out_ignored_responses():
    correct, valid = np.array([[True, False, False]]), np.array([[True, True, False]])
    first_error, lengths = np.where(correct, 2, 0), np.full(correct.shape, 2)
    for name in ("ngrpo", "sign"):
        whole = rule(name, group_size=3).advantages(correct, first_error, lengths, valid)
        pair = rule(name, group_size=2).advantages(correct[:, :2], first_error[:, :2], lengths[:, :2])
        np.testing.assert_array_equal(whole, np.append(pair, [[0.0]], axis=1))


@pytest.mark.parametrize("convention", ["trl", "verl", "nano_aha"])
def test_an_option_of_0_overrides_the_convention(convention):
    """0 is a value, not "not given"."""
    assert rule("grpo", convention=convention, std_eps=0.0).baseline.eps == 0.0
    assert rule("grpo", convention=convention, ddof=0).baseline.ddof == 0
