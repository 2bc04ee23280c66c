"""Closed forms of two steps, from arXiv 2505.11595 and extended to any group size."""

import numpy as np
import pytest
from every_group import BINARY, GRPO, Q, c, random_chains
from scipy.optimize import brentq

from spo_theory import ReasoningChain, expected_update, rule, sampled_update
from spo_theory.method import Method
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.rewards import Colouring


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
