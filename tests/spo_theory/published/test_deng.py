"""Deng et al., arXiv 2505.18830: lazy likelihood displacement."""

import numpy as np
from every_group import GRPO, c, group_updates, groups, random_chains

from spo_theory import ReasoningChain, expected_update, rule, solve


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
