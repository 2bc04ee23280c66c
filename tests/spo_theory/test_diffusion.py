"""Gaussian steps with exact moments, against those moments and against sampled groups."""

import numpy as np
import pytest
from everyday import KIN, spare

from spo_theory import InputError, ReasoningChain, expected_update, rule, simulate, solve
from spo_theory.dynamics.diffusion import diffuse
from spo_theory.exact.moments import group_covariance
from spo_theory.exact.refusals import NoExactForm

CHAIN = ReasoningChain(step_success=(0.4, 0.5))


def logits(table, step):
    q = table.loc[table["step"] == step, ["q_1", "q_2"]].to_numpy()
    return np.log(q) - np.log1p(-q)


@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_one_step_has_the_exact_mean_and_covariance(name):
    r, n = rule(name), 20_000
    moved = logits(diffuse(CHAIN, r, 1, 0.7, questions=4, paths=n, seed=3), 1) - CHAIN.logits
    cov = 0.49 * group_covariance(CHAIN, r) / 4
    error = np.sqrt(np.diag(cov) / n)
    assert (np.abs(moved.mean(0) - 0.7 * expected_update(CHAIN, r)) < 4.5 * error).all()
    np.testing.assert_allclose(np.cov(moved.T), cov, atol=5 * cov.max() * np.sqrt(2 / n))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_mean_and_spread_are_those_of_sampled_groups(name):
    """40 updates of 16 groups, 2,000 runs each: mean within 5 standard errors + 0.003, spread within 8 %."""
    r = rule(name)
    noisy = logits(diffuse(CHAIN, r, 40, 0.5, 16, 2000, seed=1), 40)
    sampled = logits(simulate(CHAIN, r, 40, 0.5, 16, 2000), 40)
    error = np.sqrt((noisy.var(0) + sampled.var(0)) / 2000)
    assert (np.abs(noisy.mean(0) - sampled.mean(0)) < 5 * error + 3e-3).all()
    np.testing.assert_allclose(noisy.std(0) / sampled.std(0), 1, atol=0.08)


def test_population_and_kernel():
    chain = ReasoningChain(step_success=[[0.3, 0.4], [0.6, 0.7], [0.5, 0.2]])
    table = diffuse(chain, rule("spo"), 3, paths=2, kernel=np.ones((2, 2)))
    assert len(table) == 8
    assert np.isfinite(table.to_numpy(float)).all()
    same = diffuse(chain, rule("spo"), 3, paths=2, kernel=np.ones((2, 2)))
    assert table.equals(same)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="paths = 0"):
        diffuse(CHAIN, rule("grpo"), 1, paths=0)
    with pytest.raises(NoExactForm, match="group compositions"):
        diffuse(ReasoningChain(step_success=[0.5] * 12), rule("spo_prefix", group_size=64), 1)


@pytest.mark.parametrize("name", spare(rule.names(), KIN))
def test_every_method_diffuses(name):
    """Mean success on the exact curve; its spread after one small step as the covariance says: 5 standard errors."""
    method = rule(name, group_size=4)
    rate = 0.01
    success = diffuse(CHAIN, method, 3, learning_rate=rate, paths=2000).groupby("step")["success"]
    error = success.std().to_numpy() / np.sqrt(2000)
    exact = solve(CHAIN, method, 3, rate)["success"].to_numpy()
    assert (np.abs(success.mean().to_numpy() - exact)[1:] <= 5 * error[1:]).all()
    slope = float(CHAIN.success) * (1 - CHAIN.step_success)
    spread = rate * np.sqrt(slope @ group_covariance(CHAIN, method) @ slope / 64)
    assert success.std().to_numpy()[1] == pytest.approx(spread, rel=5 / np.sqrt(2 * 2000))
