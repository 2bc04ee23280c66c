"""Rad et al., arXiv 2601.04411: verifiers and judges that err."""

from itertools import product

import numpy as np
import pytest
from every_group import BINARY, GRPO, Q, c, groups
from scipy.integrate import solve_ivp

from spo_theory import ReasoningChain, expected_update, rule
from spo_theory.outcomes.judged import confusion, expected_update_judged
from spo_theory.published.rad import noisy_bandit_flow, noisy_outcome_update


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
