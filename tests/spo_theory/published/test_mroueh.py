"""Mroueh, arXiv 2503.06639: KL-regularized GRPO."""

import numpy as np
import pytest
from every_group import GRPO

from spo_theory import ReasoningChain, expected_update
from spo_theory.published.mroueh import kl_fixed_point, kl_round, kl_slope

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
