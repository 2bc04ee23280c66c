"""The law of the escape time as a chain of kicks, against sampled runs."""

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, rule, simulate, solve
from spo_theory.dynamics.kicks import escape_law, kicked_path
from spo_theory.dynamics.maps import updates_to

CHAIN = ReasoningChain(step_success=[0.3] * 6)


@pytest.mark.parametrize(("questions", "rate", "steps", "tolerance"), [(4, 4.0, 700, 0.12), (1, 8.0, 2500, 0.15)])
def test_quantiles_against_sampled_runs(questions, rate, steps, tolerance):
    """200 runs; the tolerance is the neglect of several successes in one group, and the runs' own error."""
    law = escape_law(CHAIN, 8, rate, questions)
    runs = simulate(CHAIN, rule("grpo", group_size=8), steps, rate, questions, seeds=200)
    times = np.array([updates_to(one) for _, one in runs.groupby("seed")])
    error = np.nanstd(times) / np.sqrt(200) / np.nanmean(times)
    assert np.isnan(times).mean() < 0.02
    assert law.mean() == pytest.approx(np.nanmean(times), rel=tolerance + 2 * error)
    for share in (0.25, 0.5, 0.75):
        assert law.quantile(share) == pytest.approx(np.nanquantile(times, share), rel=tolerance + 4 * error)

    # The mean field forecasts the time of a batch without noise: far too early here
    exact = updates_to(solve(CHAIN, rule("grpo", group_size=8), 250, rate))
    assert exact < 0.8 * law.mean()


def test_small_kicks_are_the_mean_field():
    law = escape_law(CHAIN, 8, learning_rate=1.0, questions=64)
    assert law.kick < 0.1
    assert law.mean() == pytest.approx(233, rel=0.03)
    assert law.late < 1e-5
    assert law.probability.sum() == pytest.approx(1.0, abs=1e-5)
    table = law.table()
    assert (table["arrived"].diff()[1:] >= 0).all()


def test_one_kick_is_the_update_of_a_lone_success():
    """Its direction is that of the expected update: success after one small kick, by hand."""
    size = 1e-3
    path = kicked_path(CHAIN, 8, size, 0.5, 3)
    q = CHAIN.step_success
    moved = CHAIN.logits + size * (1 - q) / (1 - q.prod())
    assert path[1] == pytest.approx((1 / (1 + np.exp(-moved))).prod(), rel=1e-9)


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="group_size = 1"):
        escape_law(CHAIN, 1)
    with pytest.raises(InputError, match="questions = 100000"):
        escape_law(CHAIN, 8, 0.001, 100_000, most_kicks=50)
    with pytest.raises(InputError, match="one question"):
        escape_law(ReasoningChain(step_success=[[0.5], [0.4]]), 8)
