"""Other remedies for all-negative groups: printed updates to half success, and what a uniform penalty does."""

from math import comb

import jax
import numpy as np
import pytest
from every_group import GRPO, Q, c, groups

from spo_theory import ReasoningChain, expected_update, rule, solve
from spo_theory.exact.update import update_function


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
