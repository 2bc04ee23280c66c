"""Results of other authors, and closed forms of the chain, reproduced by this project's own functions.

Tolerances are half a unit of the last printed digit, or round-off. Where a statement does not reproduce, the test says
so and holds the value found here.
"""

from itertools import product
from math import comb

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from spo_theory import InputError, ReasoningChain, expected_advantages, expected_update, rule, sampled_update, solve
from spo_theory.dynamics.first_passage import first_reach
from spo_theory.exact.update import update_function
from spo_theory.method import Method
from spo_theory.outcomes.judged import confusion, expected_update_judged
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.rewards import Colouring
from spo_theory.published.davis_recht import transform_clock
from spo_theory.published.mroueh import kl_fixed_point, kl_round, kl_slope
from spo_theory.published.rad import noisy_bandit_flow, noisy_outcome_update
from spo_theory.published.suk_duan import gradient_gap, largest_safe_rate, success_lower_bound
from spo_theory.published.zhou import oracle_trace, u_statistic, u_statistic_mse

Q = ReasoningChain(step_success=[0.35, 0.20])
GRPO = rule("grpo")
BINARY = {"beta": 1000.0, "gamma": 0.25}  # at H = 2: colour 0 for a first error at step 1, else 1 to machine precision


def c(group_size, p):
    """``c_G(p) = E[sqrt(k (G - k))] / G`` for k binomial, summed directly; ``p`` any shape."""
    k, p = np.arange(group_size + 1), np.asarray(p, float)[..., None]
    ways = np.array([float(comb(group_size, int(i))) for i in k])
    return (ways * p**k * (1 - p) ** (group_size - k) * np.sqrt(k * (group_size - k))).sum(-1) / group_size


def groups(chain, group_size):
    """Every ordered group: classes ``(C, G)`` and probabilities ``(C,)``."""
    classes = np.array(list(product(range(chain.horizon + 1), repeat=group_size)))
    return classes, chain.class_probs[classes].prod(1)


def group_updates(chain, r, classes):
    """Update ``(C, H)`` of each group of outcome classes ``(C, G)``, from the rule's own advantages."""
    lengths = np.full(classes.shape, chain.horizon)
    a = r.advantages(classes == chain.horizon, classes, lengths)
    return np.einsum("cg,cgh->ch", a, chain.scores[classes]) / classes.shape[1]


def random_chains(count, horizon, seed=0):
    return ReasoningChain(step_success=np.random.default_rng(seed).uniform(0.02, 0.98, (count, horizon)))


# 1, 2: Bay and Yearick


@pytest.mark.parametrize("group_size", [2, 3, 6])
def test_bay_yearick_update_is_std_times_contrast(group_size):
    """Bay & Yearick, arXiv 2607.00152: update = sigma (mean score of correct - of incorrect); Dr. GRPO sigma^2."""
    chain = ReasoningChain(step_success=[0.6, 0.3, 0.8])
    classes, _ = groups(chain, group_size)
    correct = classes == chain.horizon
    k = correct.sum(1)
    mixed = (k > 0) & (k < group_size)
    classes, correct, k = classes[mixed], correct[mixed][..., None], k[mixed][:, None]
    s = chain.scores[classes]
    contrast = (s * correct).sum(1) / k - (s * ~correct).sum(1) / (group_size - k)
    sigma = np.sqrt(k * (group_size - k)) / group_size
    for r, power in (("grpo", 1), ("dr_grpo", 2)):
        got = group_updates(chain, rule(r, group_size=group_size), classes)
        np.testing.assert_allclose(got, sigma**power * contrast, rtol=0, atol=2e-15)


def fidelity(group_size, p):
    """Contrast of expected advantages over its value in an infinite group."""
    a = np.asarray(expected_advantages([1 - p, p], [0.0, 1.0], group_size))
    return float((a[1] - a[0]) * np.sqrt(p * (1 - p)))


def test_bay_yearick_fidelity_of_eight():
    """Bay & Yearick, arXiv 2607.00152: fidelity 0.54 at p = 0.05, G = 8; the expansion 1 - 1/(8Gp(1-p)) says 0.67."""
    assert fidelity(8, 0.05) == pytest.approx(0.5390, abs=5e-5)
    assert fidelity(8, 0.05) == pytest.approx(c(8, 0.05) / np.sqrt(0.05 * 0.95), abs=1e-14)
    expansion = 1 - 1 / (8 * 8 * 0.05 * 0.95)
    assert expansion == pytest.approx(0.67, abs=5e-3)


@pytest.mark.parametrize(
    ("p", "sizes"), [(0.5, (7, 11, 51)), (0.3, (9, 14, 61)), (0.1, (22, 36, 144)), (0.05, (42, 69, 273))]
)
def test_bay_yearick_group_sizes(p, sizes):
    """Bay & Yearick, arXiv 2607.00152: the smallest groups with fidelity 90, 95 and 99 per cent."""
    for level, size in zip((0.90, 0.95, 0.99), sizes, strict=True):
        before, at = (c(g, p) / np.sqrt(p * (1 - p)) for g in (size - 1, size))
        assert before < level <= at
        if size in (7, 273):  # the project's own function: the smallest and the largest, for the time
            assert fidelity(size, p) == pytest.approx(at, rel=1e-12)


# 3, 4, 5: the chain with two steps


def test_two_step_updates():
    """Two steps, q = (0.35, 0.20), G = 8: printed values, closed forms and sampled groups agree."""
    p = Q.success
    s = 0.35 * 0.8 / (1 - p)
    plain = c(8, p) * (1 - Q.step_success) / (1 - p)
    coloured = plain + (1 - p) ** 8 * c(8, s) * np.array([1, -0.2])
    for r, form, printed in ((GRPO, plain, [0.10974, 0.13506]), (rule("spo"), coloured, [0.34071, 0.08887])):
        got = expected_update(Q, r)
        np.testing.assert_allclose(got, printed, rtol=0, atol=5e-6)
        np.testing.assert_allclose(got, form, rtol=1e-13)
        mc = sampled_update(Q, r, groups=100_000, seed=3)
        assert (np.abs(mc.mean - got) < 4 * mc.standard_error).all()
        assert (mc.standard_error < 1e-3).all()


def test_four_step_update_without_std():
    """Four steps, raw colours, mean only: the value printed for q = (0.5, 0.4, 0.6, 0.3), and its closed form."""
    chain = ReasoningChain(step_success=[0.5, 0.4, 0.6, 0.3])
    r = Method("spo", 8, reward=Colouring(shape="raw"), baseline=GroupAdvantage(scale="none"))
    got = expected_update(chain, r)
    np.testing.assert_allclose(got, [0.07825, 0.04313, 0.01521, 0.01241], rtol=0, atol=5e-6)
    p, f = chain.class_probs, np.array([0, 0.25, 0.5, 0.75])
    fail, prob = p[:4] / (1 - p[4]), p[4]
    conditional = chain.scores[:4] - fail @ chain.scores[:4]  # score of the class given a failure
    gradient = (fail * (f - fail @ f)) @ conditional  # of the mean colour among failures
    form = 7 / 8 * (prob * (1 - chain.step_success) + (1 - prob) ** 8 * gradient)
    np.testing.assert_allclose(got, form, rtol=1e-13)


@pytest.mark.parametrize("options", [{"beta": 5.0, "gamma": 0.5}, {"reading": "literal"}, {"shape": "raw"}, BINARY])
def test_two_step_colour_values_drop_out(options):
    """Two steps, std on, all-negative scope: only the order of the colours matters."""
    chain = random_chains(50, 2)
    np.testing.assert_allclose(expected_update(chain, rule("spo", **options)), expected_update(chain, rule("spo")),
                               rtol=1e-11, atol=1e-15)  # fmt: skip
    for breaking in ({"std_eps": 1e-2}, {"scope": "all_incorrect"}):  # the invariance needs both conditions
        a, b = (expected_update(chain, rule("spo", **o, **breaking)) for o in (options, {"beta": 7.0, "gamma": 0.3}))
        assert np.abs(a - b).max() > 1e-4


def colour_slope(chain, group_size=8):
    """Rate of ``log P`` from the colour term alone, shape ``(...)``."""
    extra = expected_update(chain, rule("spo", group_size=group_size)) - expected_update(
        chain, rule("grpo", group_size=group_size)
    )
    return (extra * (1 - chain.step_success)).sum(-1)


@pytest.mark.parametrize("q2", [0.05, 0.3, 0.5, 0.8])
def test_two_step_sign_change(q2):
    """Two steps: colouring stops helping P, to first order, at ``1 - q1 = q2 (1 - q2)``; it helps below q1 = 3/4."""
    at = brentq(lambda q1: float(colour_slope(ReasoningChain(step_success=[q1, q2]), 3)), 0.5, 0.99, xtol=1e-14)
    assert at == pytest.approx(1 - q2 * (1 - q2), abs=1e-9)
    assert at >= 0.75
    grid = np.linspace(0.01, 0.749, 80)
    below = ReasoningChain(step_success=np.stack([grid, np.full_like(grid, q2)], axis=-1))
    assert (colour_slope(below) > 0).all()


# 6: growth with the number of steps


def binary_updates_to_half(q0, horizon, right, wrong, group_size=8, rate=0.5):
    """Updates to P = 1/2 when k correct of G get advantage ``right(k)`` and the others ``wrong(k)``: by binomials."""
    theta = np.full(horizon, np.log(q0 / (1 - q0)))
    k = np.arange(group_size)  # correct ones among the others
    ways = np.array([comb(group_size - 1, i) for i in k], float)
    a_right, a_wrong = right(k + 1), wrong(k)
    for n in range(2000):
        q = 1 / (1 + np.exp(-theta))
        p = q.prod()
        if p >= 0.5:
            return n
        chance = ways * p**k * (1 - p) ** (group_size - 1 - k)
        theta = theta + rate * p * (1 - q) * (chance @ (a_right - a_wrong))
    return None


def ngrpo(k, sign):
    """NGRPO's advantages with one virtual correct response among G + 1 (population std)."""
    g = 8
    miss = np.where(sign > 0, g - k, np.maximum(g - k, 1))
    return np.sqrt(miss / (k + 1)) if sign > 0 else -np.sqrt((k + 1) / miss)


HORIZON_TABLE = {  # per H: GRPO, Dr. GRPO, Sign, NGRPO, SPO with the raw score, the same with credit to the prefix
    0.5: {
        2: (7, 15, 7, 7, 7, 7),
        3: (15, 35, 16, 16, 14, 14),
        4: (27, 64, 28, 29, 23, 21),
        5: (43, 107, 48, 47, 32, 28),
        6: (67, 175, 77, 75, 41, 36),
        7: (105, 285, 126, 119, 51, 44),
    },
    0.3: {
        2: (16, 37, 16, 17, 14, 14),
        3: (36, 92, 41, 40, 25, 23),
        4: (80, 218, 96, 91, 37, 32),
        5: (185, 532, 234, 216, 50, 42),
    },
}
NAMES = ("grpo", "dr_grpo", "sign", "ngrpo")
RULES = (*map(rule, NAMES), rule("spo", shape="raw"), rule("spo_prefix", shape="raw"))


@pytest.mark.parametrize("horizon", range(2, 8))
def test_updates_to_half(horizon):
    """Equal q0, G = 8, learning rate 0.5: first update with P >= 1/2, by mean-field steps.

    Sign: A = 2r - 1, arXiv 2605.07689. NGRPO: arXiv 2509.18851. All but colouring grow geometrically with H.
    """
    starts = [q0 for q0, rows in HORIZON_TABLE.items() if horizon in rows]
    chain, found = ReasoningChain(step_success=[[q0] * horizon for q0 in starts]), []
    for r in RULES:
        update, logits, reached = jax.jit(update_function(chain, r)), chain.logits, {}
        for n in range(600):
            p = (1 / (1 + np.exp(-logits))).prod(-1)
            reached |= {i: n for i in np.flatnonzero(p >= 0.5) if i not in reached}
            logits = logits + 0.5 * np.asarray(update(logits))
        found.append([reached.get(i) for i in range(len(starts))])
    one = np.ones_like
    for i, q0 in enumerate(starts):
        sign = binary_updates_to_half(q0, horizon, lambda k: one(k, float), lambda k: -one(k, float))
        virtual = binary_updates_to_half(q0, horizon, lambda k: ngrpo(k, 1), lambda k: ngrpo(k, -1))
        by_rule = [counts[i] for counts in found]
        assert tuple(by_rule) == HORIZON_TABLE[q0][horizon]
        assert by_rule[2:4] == [sign, virtual]  # the rules against the printed advantages


def test_updates_to_half_by_solve():
    """The row q0 = 0.3, H = 5 of the same table, by `solve`."""
    count = HORIZON_TABLE[0.3][5][4]  # 50, under colouring
    curve = solve(ReasoningChain(step_success=[0.3] * 5), RULES[4], count, learning_rate=0.5)
    assert curve["success"][count - 1] < 0.5 <= curve["success"][count]


# 7: uniform penalties


def test_uniform_penalty_vanishes_with_success_and_colouring_does_not():
    """Two steps, fixed share s of failures that survive step 1: penalty of order P, colouring of order 1.

    Uniform penalty -a on all-negative groups (as NGRPO, arXiv 2509.18851): ``a (1-P)^G P/(1-P) (1-q_h)`` on average.
    """
    p, s = np.logspace(-7, -4, 4), 0.3
    first = p + s * (1 - p)
    chain = ReasoningChain(step_success=np.stack([first, p / first], axis=-1))
    probs, q = chain.class_probs, chain.step_success
    silent = (1 - p) ** 8
    penalty = -((1 - p) ** 7)[:, None] * np.einsum("nk,nkh->nh", probs[:, :-1], chain.scores[:, :-1])
    np.testing.assert_allclose(penalty, (silent * p / (1 - p))[:, None] * (1 - q), rtol=1e-8)
    colour = expected_update(chain, rule("spo")) - expected_update(chain, GRPO)
    np.testing.assert_allclose(colour[:, 0], silent * c(8, s), rtol=1e-9)
    slopes = [np.diff(np.log(x)) / np.diff(np.log(p)) for x in (penalty[:, 0], penalty[:, 1], colour[:, 0])]
    np.testing.assert_allclose(slopes[0], 1, atol=1e-3)
    np.testing.assert_allclose(slopes[1], 1, atol=1e-3)
    np.testing.assert_allclose(slopes[2], 0, atol=1e-3)


def test_uniform_penalty_and_sign_by_every_group():
    """Penalty 1 and Sign (arXiv 2605.07689) at q = (0.35, 0.20), G = 4, over every group; G = 8 as printed."""
    classes, chance = groups(Q, 4)
    s, p, gradient = Q.scores[classes], Q.success, Q.success * (1 - Q.step_success)
    negative = chance * (classes < 2).all(1)
    np.testing.assert_allclose(-(negative @ s.mean(1)), (1 - p) ** 3 * gradient, rtol=1e-12)
    np.testing.assert_allclose(chance @ (s * (2.0 * (classes == 2) - 1)[..., None]).mean(1), 2 * gradient, rtol=1e-12)
    np.testing.assert_allclose((1 - p) ** 7 * gradient, [0.02738, 0.03370], rtol=0, atol=5e-6)
    np.testing.assert_allclose(2 * gradient, [0.0910, 0.1120], rtol=0, atol=5e-5)


# 8: Davis and Recht


@pytest.mark.parametrize(
    ("p0", "std", "mean_only"), [(0.1, 5.333, 13.283), (0.01, 19.699, 108.180), (0.001, 63.151, 1012.813)]
)
def test_davis_recht_times_to_half(p0, std, mean_only):
    """Davis & Recht, arXiv 2510.13651: GRPO ascends arcsin sqrt(p); time from p0 to 1/2 by clock, ODE and rules."""
    for scale, printed, power in (("std", std, 1.5), ("none", mean_only, 2.0)):
        time = float(transform_clock(0.5, scale) - transform_clock(p0, scale))
        assert time == pytest.approx(printed, abs=5e-4)
        half = solve_ivp(lambda t, p, a=power: (p * (1 - p)) ** a, (0, time), [p0], rtol=1e-10, atol=1e-13)
        assert half.y[0, -1] == pytest.approx(0.5, abs=1e-7)
    assert transform_clock(0.5) - transform_clock(p0) == pytest.approx(2 * (1 - 2 * p0) / np.sqrt(p0 * (1 - p0)))
    # the rules themselves, in finite groups: the time is the integral of 1 / (expected update) over the log-odds
    node, weight = np.polynomial.legendre.leggauss(60)
    start = np.log(p0 / (1 - p0))
    x = start * (1 - node) / 2

    def exact(name, group_size):
        speed = expected_update(ReasoningChain(logits=x[:, None]), rule(name, group_size=group_size))[:, 0]
        return float(weight @ (1 / speed)) * -start / 2

    assert exact("dr_grpo", 8) * 7 / 8 == pytest.approx(mean_only, abs=5e-4)
    if p0 >= 0.01:  # at 0.001 a group would have to be much larger than 1,000 to see a correct response
        times = [exact("grpo", g) for g in (512, 1024)]
        assert times[0] > times[1] > std
        limit = 2 * (1 - 2 * p0) / np.sqrt(p0 * (1 - p0))
        assert 2 * times[1] - times[0] == pytest.approx(limit, rel=1e-5 if p0 == 0.1 else 5e-4)  # error of order 1/G^2


def test_davis_recht_steps_of_the_chain():
    """Davis & Recht, arXiv 2510.13651: small steps of the mean-only rule take the time of the flow, 13.283."""
    chain, times = ReasoningChain(step_success=[0.1]), []
    for rate in (0.1, 0.05):
        curve = solve(chain, rule("dr_grpo"), int(16 / rate), learning_rate=rate)
        times.append(first_reach(curve["step"], curve["success"], 0.5) * rate * 7 / 8)
    assert 2 * times[1] - times[0] == pytest.approx(13.283, abs=1e-3)  # extrapolated to rate 0


# 9: Mroueh

MROUEH_TABLE = [
    # reference, beta, limit with std, limit of the mean only, slope at the first
    (0.05, 1, 0.31272, 0.12516, -0.404),
    (0.05, 2, 0.16730, 0.07985, -0.446),
    (0.05, 5, 0.09444, 0.06040, -0.277),
    (0.05, 10, 0.07193, 0.05497, -0.166),
    (0.20, 1, 0.68128, 0.40461, 0.389),
    (0.20, 2, 0.40873, 0.29188, -0.093),
    (0.20, 5, 0.28066, 0.23392, -0.098),
    (0.20, 10, 0.24009, 0.21648, -0.061),
    (0.50, 1, 1.00000, 0.73106, 0.0),
    (0.50, 2, 0.76472, 0.62246, 0.312),
    (0.50, 5, 0.60069, 0.54983, 0.041),
    (0.50, 10, 0.55008, 0.52498, 0.010),
]


@pytest.mark.parametrize(("reference", "beta", "std", "mean_only", "slope"), MROUEH_TABLE)
def test_mroueh_limits(reference, beta, std, mean_only, slope):
    """Mroueh, arXiv 2503.06639: limits of the success recurrence with a KL term, and their stability."""
    p = kl_fixed_point(reference, beta)
    assert p == pytest.approx(std, abs=5.01e-6)
    assert kl_round(reference, reference, beta, scale="none") == pytest.approx(mean_only, abs=5.01e-6)
    assert kl_slope(p, beta) == pytest.approx(slope, abs=5.01e-4)
    if p < 0.99:
        step = 1e-6
        numeric = (kl_round(p + step, reference, beta) - kl_round(p - step, reference, beta)) / (2 * step)
        assert kl_slope(p, beta) == pytest.approx(numeric, abs=1e-8)


def test_mroueh_round_is_a_tilt_that_keeps_where_failures_happen():
    """Mroueh, arXiv 2503.06639: tilting a chain's classes by exp(A / beta) gives the recurrence at any H."""
    chain = ReasoningChain(step_success=[0.7, 0.4, 0.6])
    p, success, beta, eps = chain.class_probs, chain.success, 2.0, 1e-5
    advantage = ((np.arange(4) == 3) - success) / np.sqrt(success * (1 - success) + eps)
    tilted = p * np.exp(advantage / beta)
    tilted /= tilted.sum()
    assert tilted[3] == pytest.approx(kl_round(success, success, beta, var_eps=eps), rel=1e-13)
    np.testing.assert_allclose(tilted[:3] / tilted[:3].sum(), p[:3] / p[:3].sum(), rtol=1e-13)
    grown = ReasoningChain(logits=chain.logits + 2.0 * expected_update(chain, GRPO)).class_probs
    assert np.abs(grown[:3] / grown[:3].sum() - p[:3] / p[:3].sum()).max() > 0.01  # gradient steps do move failures


# 10: noisy verifiers


def test_rad_bandit_drift():
    """Rad et al., arXiv 2601.04411: drift of the wrong mass, against a numerical derivative of the softmax."""
    z, right, tpr, fpr = np.array([0.3, -0.4, 0.8, 0.1]), np.array([True, True, False, False]), 0.8, 0.3
    pi = np.exp(z) / np.exp(z).sum()
    x = pi[~right].sum()
    r = (1 - x) * tpr + x * fpr
    shares = ((pi[right] / (1 - x)) ** 2).sum() + ((pi[~right] / x) ** 2).sum()
    drift = -(tpr - fpr) / np.sqrt(r * (1 - r)) * x**2 * (1 - x) ** 2 * shares
    v, step = noisy_bandit_flow(z, right, tpr, fpr), 1e-6
    ahead, back = (np.exp(z + e * v) / np.exp(z + e * v).sum() for e in (step, -step))
    assert (ahead - back)[~right].sum() / (2 * step) == pytest.approx(drift, rel=1e-8)
    # the flow is the gradient of expected standardized reward: accept or reject, every answer in turn
    a = {True: (1 - r) / np.sqrt(r * (1 - r)), False: -r / np.sqrt(r * (1 - r))}
    given = np.where(right, tpr, fpr) * a[True] + np.where(right, 1 - tpr, 1 - fpr) * a[False]
    np.testing.assert_allclose(v, pi * (given - pi @ given), rtol=0, atol=1e-15)
    assert not noisy_bandit_flow(z, right, 0.4, 0.4).any()
    np.testing.assert_allclose(noisy_bandit_flow(z, right, 0.3, 0.8)[right] < 0, True)


@pytest.mark.parametrize(("tpr", "slope"), [(1.0, -2.0), (0.8, -1.0)])
def test_rad_tails(tpr, slope):
    """Rad et al., arXiv 2601.04411: the wrong mass falls as t^-2 without false negatives, as t^-1 with them."""
    right = np.array([True, True, False, False])

    def flow(u, z):  # u = log t
        return np.exp(u) * noisy_bandit_flow(z, right, tpr, 0.3)

    times = np.log([1e7, 1e8])
    run = solve_ivp(flow, (0, times[1]), [0.3, -0.4, 0.8, 0.1], "LSODA", t_eval=times, rtol=1e-9, atol=1e-11)
    pi = np.exp(run.y - np.logaddexp.reduce(run.y, axis=0))
    wrong = np.log(pi[~right].sum(0))
    assert np.diff(wrong)[0] / np.diff(times)[0] == pytest.approx(slope, abs=5e-4)


def test_rad_noisy_outcomes_on_the_chain():
    """Rad et al., arXiv 2601.04411, on the chain: J c_G(r) / (r (1 - r)) grad P, and every group at G = 3."""
    chain = ReasoningChain(step_success=[0.6, 0.5])
    p, gradient = chain.success, chain.success * (1 - chain.step_success)
    for tpr, fpr in ((0.9, 0.2), (0.5, 0.5), (0.2, 0.7), (1.0, 0.0)):
        r = p * tpr + (1 - p) * fpr
        form = (tpr - fpr) * c(8, r) / (r * (1 - r)) * gradient
        np.testing.assert_allclose(noisy_outcome_update(chain, 8, tpr, fpr), form, rtol=1e-12, atol=1e-15)
        classes, chance = groups(chain, 3)
        total = np.zeros(2)
        for accepted in product([False, True], repeat=3):
            accept = np.where(classes == 2, tpr, fpr)
            odds = chance * np.where(accepted, accept, 1 - accept).prod(1)
            a = GRPO.baseline(np.array(accepted, float))
            total += odds @ (np.asarray(a)[:, None] * chain.scores[classes]).mean(1)
        np.testing.assert_allclose(noisy_outcome_update(chain, 3, tpr, fpr), total, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(noisy_outcome_update(chain, 8, 1.0, 0.0), expected_update(chain, GRPO), rtol=1e-13)


# 11: judges that err


def test_noisy_judge_factor():
    """Two steps, judge that sees survival of step 1 with TPR 0.8, FPR 0.35: the printed colour update."""
    p, s = Q.success, 0.28 / 0.93
    seen = 0.8 * s + 0.35 * (1 - s)
    j = confusion(2, miss=0.35, false_alarm=0.2)
    np.testing.assert_allclose(1 - j[:, 0], [0.35, 0.8], rtol=1e-15)  # FPR and TPR
    got = expected_update_judged(Q, rule("spo", **BINARY), miss=0.35, false_alarm=0.2) - expected_update(Q, GRPO)
    factor = 0.45 * s * (1 - s) / (seen * (1 - seen))
    # the printed value is for a group known to be all-negative
    np.testing.assert_allclose(got / (1 - p) ** 8, c(8, seen) * factor * np.array([1, -0.2]), rtol=1e-12)
    np.testing.assert_allclose(got / (1 - p) ** 8, [0.17577, -0.03515], rtol=0, atol=5.01e-6)
    assert got[0] > 0
    for miss, false_alarm, sign in ((0.4, 0.6, 0), (0.7, 0.8, -1)):  # J = 0 is neutral, J < 0 reverses
        update = expected_update_judged(Q, rule("spo", **BINARY), miss=miss, false_alarm=false_alarm)
        first = update[0] - expected_update(Q, GRPO)[0]
        assert abs(first) < 1e-15 if sign == 0 else first < -0.05


@pytest.mark.parametrize("scope", ["all_negative", "all_incorrect"])
@pytest.mark.parametrize(("steps", "group_size"), [(2, 4), (3, 3)])
def test_noisy_judge_by_every_group(scope, steps, group_size):
    """Expected update under a judge that errs, summed over all outcomes and all verdicts."""
    chain = ReasoningChain(step_success=[0.6, 0.45, 0.7][:steps], step_lengths=[1.0, 2.0, 1.5][:steps])
    r, h = rule("spo", group_size=group_size, beta=4.0, gamma=0.4, scope=scope), steps
    j = np.zeros((h + 1, h + 2))  # verdicts 0..H on incorrect responses, H + 1: correct
    j[:h, : h + 1], j[h, h + 1] = confusion(h, 0.3, 0.15), 1
    joint = chain.class_probs[:, None] * j
    cells = np.argwhere(joint > 0)
    chosen = np.array(list(product(range(len(cells)), repeat=group_size)))
    true, verdict = cells[chosen, 0], cells[chosen, 1]
    colour = r.colouring.values(np.append(chain.rts, 1.0))
    in_scope = (verdict <= h) & ((verdict <= h).all(1, keepdims=True) | (scope == "all_incorrect"))
    reward = np.where(in_scope, colour[verdict], (verdict > h).astype(float))
    update = np.einsum("cg,cgh->ch", r.baseline(reward), chain.scores[true]) / group_size
    expected = joint[true, verdict].prod(1) @ update
    got = expected_update_judged(chain, r, miss=0.3, false_alarm=0.15)
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(expected_update_judged(chain, r), expected_update(chain, r), rtol=1e-12, atol=1e-15)


# 12: Zhou et al.


def test_zhou_leave_one_out_is_a_u_statistic():
    """Zhou et al., arXiv 2603.01162: kernel (s_i - s_j)(r_i - r_j) / 2 over pairs; unbiased; Dr. GRPO x G/(G-1)."""
    chain = ReasoningChain(step_success=[0.6, 0.45])
    gradient = chain.success * (1 - chain.step_success)
    for g in (2, 3, 5):
        classes, chance = groups(chain, g)
        s, r = chain.scores[classes], (classes == 2).astype(float)
        pairs = [(s[:, i] - s[:, j]) * (r[:, i] - r[:, j])[:, None] / 2 for i in range(g) for j in range(i)]
        u = u_statistic(s, r)
        np.testing.assert_allclose(u, np.mean(pairs, axis=0), rtol=0, atol=1e-15)
        np.testing.assert_allclose(u, group_updates(chain, rule("dr_grpo", group_size=g), classes) * g / (g - 1),
                                   rtol=0, atol=1e-15)  # fmt: skip
        np.testing.assert_allclose(chance @ u, gradient, rtol=1e-13)
        mse = chance @ ((u - gradient) ** 2).sum(1)
        assert u_statistic_mse(chain, g) == pytest.approx(mse, rel=1e-12)


@pytest.mark.parametrize("q", [[0.6, 0.45], [0.2, 0.2, 0.2], [0.9, 0.1]])
def test_zhou_mse_tends_to_the_oracle(q):
    """Zhou et al., arXiv 2603.01162: G x MSE = trace of the oracle's covariance + O(1/G)."""
    chain = ReasoningChain(step_success=q)
    ratio = np.array([g * u_statistic_mse(chain, g) / oracle_trace(chain) for g in (512, 1024, 2048)])
    assert ratio[-1] == pytest.approx(1, abs=0.01)
    assert (ratio[:-1] - 1) / (ratio[1:] - 1) == pytest.approx(2, rel=5e-3)  # the rest halves as G doubles


def test_zhou_best_group_size_ignores_the_budget():
    """Zhou et al., arXiv 2603.01162: with N = B G responses the best G is sqrt(c3 / c1), whatever N is.

    B questions are drawn at random from a population; G x MSE / N of each plus the variance between questions.
    """
    chain = random_chains(40, 3, seed=5)
    gradient = chain.success[:, None] * (1 - chain.step_success)
    between = ((gradient - gradient.mean(0)) ** 2).sum(-1).mean()
    sizes = np.arange(2, 200)
    within = np.array([u_statistic_mse(chain, int(g)).mean() for g in sizes])
    best = {n: int(sizes[np.argmin(sizes / n * (between + within))]) for n in (1_000, 10_000, 100_000)}
    assert len(set(best.values())) == 1
    # sizes * within is exactly c2 + c3 / (G - 1)
    c3 = (2 * within[0] - 3 * within[1]) * 2
    assert best[1_000] == pytest.approx(1 + np.sqrt(c3 / between), abs=1)


# 13: Suk and Duan


def climb(q, rate_of, steps):
    """Steps along the unit gap; returns P ``(steps + 1,)`` and the mass ``(steps + 1,)`` before each."""
    chain, mass, path, masses = ReasoningChain(step_success=q), 0.0, [], []
    for _ in range(steps + 1):
        path.append(float(chain.success))
        masses.append(mass)
        gap = gradient_gap(chain)
        length = float(np.linalg.norm(gap))
        rate = float(rate_of(length, chain.horizon))
        mass += rate * length
        chain = ReasoningChain(logits=chain.logits + rate * gap / length)
    return np.array(path), np.array(masses)


@pytest.mark.parametrize("horizon", [1, 2, 12])
@pytest.mark.parametrize("start", [1e-6, 0.01, 0.5])
def test_suk_duan_lower_bound(horizon, start):
    """Suk & Duan, arXiv 2510.08539: logit P rises at every safe step, by at least half of step size times gap."""
    path, mass = climb([start ** (1 / horizon)] * horizon, largest_safe_rate, 100)
    assert (np.diff(path) > 0).all()
    assert (path >= success_lower_bound(path[0], mass) * (1 - 1e-12)).all()
    spread = np.linspace(-3, 2, horizon)
    path, mass = climb(1 / (1 + np.exp(-spread)), largest_safe_rate, 100)
    assert (np.diff(path) > 0).all()
    assert (path >= success_lower_bound(path[0], mass) * (1 - 1e-12)).all()


def test_suk_duan_bound_needs_small_steps():
    """Suk & Duan, arXiv 2510.08539: far beyond the safe rate the bound fails.

    That too large a step makes P *fall* does not happen here: with untied steps the gap has no negative component,
    so P rises at any rate, only by less than the bound.
    """
    path, mass = climb([0.99, 0.1], lambda gap, horizon: 40.0, 1)
    assert path[1] < success_lower_bound(path[0], mass[1])
    assert path[1] > path[0]


def test_suk_duan_gap_is_the_gradient_of_the_log_odds():
    """Suk & Duan, arXiv 2510.08539: the gap is grad logit P; GRPO's expected update is c_G(P) times it."""
    chain = random_chains(200, 4, seed=1)
    np.testing.assert_allclose(expected_update(chain, GRPO), c(8, chain.success)[:, None] * gradient_gap(chain),
                               rtol=1e-12)  # fmt: skip
    step = 1e-5
    for h in range(4):
        ahead, back = (ReasoningChain(logits=chain.logits + e * np.eye(4)[h]).success for e in (step, -step))
        slope = (np.log(ahead / (1 - ahead)) - np.log(back / (1 - back))) / (2 * step)
        np.testing.assert_allclose(gradient_gap(chain)[:, h], slope, rtol=1e-6)


# 14: Deng et al.


def test_deng_no_displacement_in_the_mean_field():
    """Deng et al., arXiv 2505.18830: dP/dt = c_G(P) / (P (1 - P)) |grad P|^2 >= 0, so no likelihood is displaced."""
    for horizon in (2, 4):
        chain = random_chains(200, horizon, seed=horizon)
        gradient = chain.success[:, None] * (1 - chain.step_success)
        p = chain.success
        rate = (expected_update(chain, GRPO) * gradient).sum(-1)
        np.testing.assert_allclose(rate, c(8, p) / (p * (1 - p)) * (gradient**2).sum(-1), rtol=1e-11)
        assert (rate > 0).all()
    curve = solve(ReasoningChain(logits=chain.logits[0]), GRPO, 200)
    assert (np.diff(curve["success"]) > 0).all()


def test_deng_displacement_per_group_needs_colouring():
    """Deng et al., arXiv 2505.18830: not even a single group displaces the correct response under GRPO.

    A correct response scores ``1 - q_h`` at every step and an incorrect one at most that, so every component of
    ``sigma (mean score of correct - of incorrect)`` is at least 0. Coloured all-negative groups do lower P.
    """
    for q in ([0.9, 0.3], [0.9, 0.8, 0.5]):
        chain = ReasoningChain(step_success=q)
        classes, _ = groups(chain, 4)
        assert (group_updates(chain, rule("grpo", group_size=4), classes) >= -1e-15).all()
        coloured = group_updates(chain, rule("spo", group_size=4), classes) @ (1 - chain.step_success)
        falls = coloured < -1e-6
        assert falls.any()
        assert (classes[falls] < chain.horizon).all()


def test_an_erring_judge_with_credit_to_the_prefix():
    """Without errors it is the expected update of the rule; with errors the sum over every pair and every verdict."""
    prefix = rule("spo_prefix", group_size=2)
    np.testing.assert_allclose(expected_update_judged(Q, prefix), expected_update(Q, prefix), rtol=1e-13)
    miss, false_alarm = 0.3, 0.2
    judged = np.vstack([confusion(2, miss, false_alarm), [0.0, 0.0, 1.0]])  # a correct response stays one
    total = np.zeros(2)
    for true in product(range(3), repeat=2):
        for heard in product(range(3), repeat=2):
            chance = np.prod([Q.class_probs[k] * judged[k, j] for k, j in zip(true, heard, strict=True)])
            correct = np.array(true) == 2
            reward = np.where(correct, 3, heard)  # any increasing colours: in a pair only the order counts
            for i in (0, 1):
                sign = np.sign(reward[i] - reward[1 - i]) if not correct.all() else 0
                for h in range(min(true[i] + 1, 2)):
                    blamed_or_credited = h < heard[i] or sign < 0 or correct[i]
                    total[h] += chance * sign * blamed_or_credited * Q.scores[true[i], h] / 2
    np.testing.assert_allclose(expected_update_judged(Q, prefix, miss, false_alarm), total, rtol=1e-12)


# what the functions refuse


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: transform_clock(1.0), "p = "),
        (lambda: transform_clock(0.5, "half"), "scale = 'half'"),
        (lambda: kl_round(0.5, 0.0, 1.0), "anchor = "),
        (lambda: kl_round(1.5, 0.5, 1.0), "p = "),
        (lambda: kl_fixed_point(0.5, 0.0), "beta = 0.0"),
        (lambda: kl_fixed_point(0.05, 2.0, rounds=3), "rounds = 3"),
        (lambda: kl_slope(0.5, 1.0, var_eps=0.0), "var_eps = 0.0"),
        (lambda: noisy_outcome_update(Q, 8, 1.2, 0.0), "tpr = "),
        (lambda: noisy_outcome_update(Q, 8, 1.0, np.nan), "fpr = "),
        (lambda: noisy_bandit_flow([0.0, 1.0], [True], 0.5, 0.1), "right.shape"),
        (lambda: noisy_bandit_flow([0.0, 1.0], [True, False], 1.0, 1.0), "acceptance rate"),
        (lambda: largest_safe_rate(1.0, 0), "horizon = 0"),
        (lambda: success_lower_bound(0.5, -1.0), "mass = "),
        (lambda: success_lower_bound(1.0, 1.0), "start = "),
        (lambda: u_statistic(np.zeros((1, 2)), np.zeros(1)), "group size = 1"),
        (lambda: u_statistic(np.zeros((3, 2)), np.zeros(2)), "rewards.shape"),
        (lambda: u_statistic_mse(Q, 1), "group_size = 1"),
        (lambda: expected_update_judged(Q, rule("spo"), miss=1.1), "miss = 1.1"),
    ],
)
def test_bad_values_are_refused(call, text):
    with pytest.raises(InputError, match=text.replace("(", r"\(")):
        call()
