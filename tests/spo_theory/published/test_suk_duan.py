"""Suk and Duan, arXiv 2510.08539: safe step sizes."""

import numpy as np
import pytest
from every_group import GRPO, c, random_chains

from spo_theory import ReasoningChain, expected_update
from spo_theory.published.suk_duan import gradient_gap, largest_safe_rate, success_lower_bound


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
