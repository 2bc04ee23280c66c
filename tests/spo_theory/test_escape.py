"""Escape times, their bounds, and the step size of collapse."""

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule, simulate, solve
from spo_theory.dynamics.escape import (
    collapse_rate,
    escape_time,
    fewest_updates,
    lone_failure_advantage,
    lone_failure_update,
    pair_colouring_time,
)
from spo_theory.dynamics.flow import flow_time
from spo_theory.dynamics.maps import updates_to


def test_escape_time_is_asymptotic():
    """Measured / predicted tends to 1 as P falls, at least as fast as 1 / H."""
    ratios = []
    for h in (4, 8, 16):
        chain = ReasoningChain(step_success=[0.3] * h)
        ratios.append(escape_time(chain, 8) / flow_time(chain, rule("grpo"), longest=1e15))
    misses = 1 - np.array(ratios)
    assert misses[0] > misses[1] > misses[2] > 0
    assert misses[0] > 2 * misses[1] > 4 * misses[2]


def test_escape_time_with_a_kernel_and_uneven_steps():
    chain = ReasoningChain(step_success=[0.02, 0.2, 0.1, 0.05, 0.2])
    kernel = np.full((5, 5), 2.0) + np.eye(5)
    exact = flow_time(chain, rule("grpo"), longest=1e15, kernel=kernel)
    assert escape_time(chain, 8, kernel) == pytest.approx(exact, rel=0.35)
    assert escape_time(chain, 8, kernel) == pytest.approx(escape_time(chain, 8, 10 * kernel) * 10)


@pytest.mark.parametrize("group_size", [2, 8, 64])
@pytest.mark.parametrize("horizon", [2, 4, 6])
@pytest.mark.parametrize("rate", [0.1, 1.0, 3.0])
def test_grpo_never_beats_the_bound(group_size, horizon, rate):
    chain = ReasoningChain(step_success=[0.3] * horizon)
    bound = fewest_updates(float(chain.success), horizon, group_size, rate)
    curve = solve(chain, rule("grpo", group_size=group_size), bound, rate)
    assert curve["success"].iloc[-1] < 0.5
    assert bound > 0.2 / (rate * horizon * np.sqrt(group_size - 1) * chain.success) - 1  # it says something


@pytest.mark.parametrize("horizon", [1, 2, 5, 12])
@pytest.mark.parametrize("q", [0.05, 0.3, 0.6])
def test_colouring_of_pairs_keeps_its_time(horizon, q):
    chain = ReasoningChain(step_success=[q] * horizon)
    assert flow_time(chain, rule("spo", group_size=2)) <= pair_colouring_time(q, horizon) * (1 + 1e-9)


def test_lone_failure_by_the_rules():
    chain = ReasoningChain(step_success=(0.9, 0.8, 0.95))
    for r in (
        rule("grpo", group_size=5),
        rule("dr_grpo", group_size=5),
        rule("spo", group_size=5, scope="all_incorrect"),
    ):
        for h, row in enumerate(lone_failure_update(chain, r)):
            k = np.array([h] + [3] * 4)
            a = r.advantages(k == 3, k, np.full(5, 3), dtype=np.dtype(float))
            np.testing.assert_allclose(row, (a[:, None] * chain.scores[k]).mean(0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(lone_failure_advantage(rule("grpo", group_size=5), 3), -2.0, rtol=1e-14)


@pytest.mark.slow
def test_collapse_rate_predicts_where_runs_fall():
    """Random features in 4 dimensions for 8 steps: no run falls below 1/2 at 0.3 of the rate, nearly all do at it."""
    features = np.random.default_rng(1).normal(size=(8, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    chain, r = ReasoningChain(step_success=[0.99] * 8), rule("grpo")
    rate, _ = collapse_rate(chain, r, features @ features.T)
    fell = {}
    for times in (0.3, 1.0):
        runs = simulate(chain, r, 400, times * rate, questions=1, seeds=200, kernel=features @ features.T)
        fell[times] = (runs.groupby("seed")["success"].min() < 0.5).mean()
    assert fell[0.3] == 0
    assert fell[1.0] > 0.95


def test_no_collapse_without_interference():
    chain, r = ReasoningChain(step_success=[0.9] * 4), rule("grpo")
    assert collapse_rate(chain, r, np.ones((4, 4))) == (float("inf"), -1)
    assert (lone_failure_update(chain, r) >= 0).all()
    runs = simulate(chain, r, 200, 50.0, questions=1, seeds=50, kernel=np.ones((4, 4)))
    assert (runs.groupby("seed")["success"].diff().fillna(0) >= -1e-12).all() or runs["success"].min() >= 0.6


def test_fewer_failures_need_larger_steps():
    kernel = 1.5 * np.eye(4) - 0.5
    rates = [collapse_rate(ReasoningChain(step_success=[q] * 4), rule("grpo"), kernel)[0] for q in (0.9, 0.99, 0.999)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] - rates[1] == pytest.approx(rates[1] - rates[0], rel=0.35)  # the margin grows with the log-odds


def test_bad_input_is_named():
    chain = ReasoningChain(step_success=[0.9] * 2)
    with pytest.raises(InputError, match="kernel"):
        collapse_rate(chain, rule("grpo"), None)
    with pytest.raises(InputError, match=r"level = 0\.9"):
        collapse_rate(chain, rule("grpo"), np.eye(2), level=0.9)
    with pytest.raises(InputError, match=r"success = 0\.6") as error:
        fewest_updates(0.6, 0, 1, -1)
    assert all(name in str(error.value) for name in ("horizon = 0", "group_size = 1", "learning_rate = -1"))


def test_updates_and_flow_agree_at_small_rates():
    chain = ReasoningChain(step_success=[0.3] * 4)
    by_map = updates_to(solve(chain, rule("grpo"), 4000, 0.02)) * 0.02
    assert by_map == pytest.approx(flow_time(chain, rule("grpo")), rel=1e-3)
    assert expected_update(chain, rule("grpo")).min() > 0


def test_counting_small_updates_at_once_stays_a_bound_and_a_tight_one():
    rate = 1e-6
    p = 0.46
    count = 0
    step = rate * 2 * np.sqrt(3)
    while (p := p * np.exp(step * p / (1 - p))) < 0.5:
        count += 1
    found = fewest_updates(0.46, horizon=2, group_size=4, learning_rate=rate)
    assert 0.9 * count < found <= count + 1
    # Updates too small to be walked one by one are counted as well, or refused where round-off would decide
    assert fewest_updates(0.2, 2, 4, 1e-200) > 1e199
    with pytest.raises(InputError, match="learning_rate = 1e-300"):
        fewest_updates(0.2, 2, 4, 1e-300)
