"""Zhou et al., arXiv 2603.01162: the group gradient as a U-statistic."""

import numpy as np
import pytest
from every_group import group_updates, groups, random_chains

from spo_theory import ReasoningChain, rule
from spo_theory.published.zhou import oracle_trace, u_statistic, u_statistic_mse


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
