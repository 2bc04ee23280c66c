"""Numbers read off curves: updates to half success, intervals, and the comparison of forecast and measurement."""

import numpy as np
import pandas as pd
import pytest
from hand_tables import STEPS, curves
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from paper_repro.forecast.cells import DEFAULT, MORE, QUICK
from paper_repro.forecast.comparison import compare, has_collapsed
from paper_repro.forecast.statistics import half_times, mean_interval, smooth, updates_to
from paper_repro.report.schema import COMPARISON, check_table


def test_a_row_compares_each_seed_with_its_own_forecast():
    table = compare(curves(6.0))
    check_table(table, COMPARISON, "comparison")
    rows = table.set_index("rule")
    assert rows.loc["grpo", "predicted_half"] == pytest.approx(20.0)
    assert rows.loc["grpo", "measured_half"] == pytest.approx(20.0, abs=0.01)
    assert rows.loc["spo", "measured_half"] == pytest.approx(14.0, abs=0.01)
    assert rows.loc["spo", "ratio"] == pytest.approx(20 / 14, rel=0.01)
    assert rows.loc["spo", "measured_low"] < 14 < rows.loc["spo", "measured_high"]
    assert (table["seeds"] == 3).all()
    assert (table["collapsed"] == 0).all()


def several(jitters=(-1.0, 1.0), draws=(0.0,), starts=(20.0, 24.0)):
    """Two starts whose runs are half way ``jitters`` updates after their own time, and draws of their forecast."""
    frames = []
    for start, half in enumerate(starts):
        fixed = {"experiment": "E", "rule": "grpo", "horizon": 4, "group_size": 8, "model": "m", "optimizer": "sgd"}
        for source, offsets, which in (("network", jitters, "seed"), ("theory", draws, "draw")):
            for index, offset in enumerate(offsets):
                success = 1 / (1 + np.exp(-(STEPS - half - offset) / 3))
                row = {"step": STEPS, "success": success, "source": source, "start": start, "level": "noisy"}
                frames.append(pd.DataFrame(fixed | row | {which: 2 * start + index}))
    return pd.concat(frames, ignore_index=True)


def test_a_forecast_is_held_against_the_spread_of_runs_from_one_start():
    """Runs are 1 off the forecast on either side; one more run would be off by sqrt(2) of their standard deviation."""
    row = compare(several()).iloc[0]
    spread = np.sqrt(2.0)
    assert row["run_spread"] == pytest.approx(spread / 22, rel=0.01)
    assert row["error_over_spread"] == pytest.approx(1 / (np.sqrt(2) * spread), rel=0.01)
    assert row["ratio"] == pytest.approx(1.0, abs=0.002)
    assert (row["starts"], row["seeds"]) == (2, 4)
    assert np.isnan([row["band"], row["in_band"]]).all()  # one draw has no spread
    assert (row["measured_q10"], row["measured_q90"]) == (pytest.approx(19, abs=0.05), pytest.approx(25, abs=0.05))


def test_the_band_is_that_of_one_more_run_around_the_draws():
    row = compare(several(jitters=(-1.0, 9.0), draws=(-0.5, 0.5))).iloc[0]
    deviation = np.sqrt(0.5)
    assert row["band"] == pytest.approx(student.ppf(0.975, 2) * deviation * np.sqrt(1.5), rel=0.02)
    assert row["in_band"] == 0.5


def test_each_level_has_a_row_of_its_own():
    table = curves(6.0)
    other = table[table["source"] == "theory"].assign(level="kernel")
    assert list(compare(pd.concat([other, table]))["level"].unique()) == ["kernel", "mean_field"]


def test_a_perfect_forecast_has_no_error():
    row = compare(curves(0.0, rules=("grpo",))).iloc[0]
    assert (row["rmse"], row["r2"]) == (0.0, 1.0)


def test_the_error_of_a_curve():
    table = curves(0.0, rules=("grpo",))
    table.loc[table["source"] == "theory", "success"] += 0.1
    assert compare(table).iloc[0]["rmse"] == pytest.approx(0.1)


def test_what_never_reaches_half_success_is_missing():
    row = compare(curves(0.0, rules=("grpo",), half=90.0)).iloc[0]
    assert np.isnan([row["predicted_half"], row["measured_half"], row["ratio"]]).all()


def test_an_experiment_without_a_forecast_is_left_out():
    table = pd.concat([curves(0.0), curves(0.0, "H6-sgd").query("source == 'network'")])
    assert set(compare(table)["experiment"]) == {"H4-sgd"}


@pytest.mark.parametrize(("fall", "said"), [(0.0, False), (0.05, False), (0.5, True)])
def test_a_run_that_falls_back_has_collapsed(fall, said):
    success = np.minimum(STEPS / 20, 1.0)
    success[30:] -= fall
    assert has_collapsed(success) is said


def test_half_times_are_read_off_the_smoothed_curve():
    assert updates_to(np.arange(5.0), np.array([0, 0.25, 0.75, 1, 1]), window=1) == pytest.approx(1.5)
    assert np.isnan(updates_to(np.arange(3.0), np.zeros(3)))
    np.testing.assert_allclose(smooth(np.arange(6.0), window=3), [0.5, 1, 2, 3, 4, 4.5])
    times = half_times(curves(0.0)).set_index(["rule", "seed"])["updates"]
    assert times["spo", 2] < times["spo", 0]


def test_intervals_of_a_mean():
    mean, low, high = mean_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    half = student.ppf(0.975, 2) / np.sqrt(3)
    assert (mean, low, high) == pytest.approx((2.0, 2 - half, 2 + half))
    assert mean_interval(np.array([1.0, 2.0]), level=0.5)[1] == pytest.approx(1.0)
    assert np.isnan(mean_interval(np.array([1.0]))[1:]).all()
    assert np.isnan(mean_interval(np.array([]))).all()


@pytest.mark.parametrize("configuration", [*DEFAULT, *MORE, *QUICK], ids=lambda one: one.name)
def test_every_configuration_is_allowed(configuration):
    for rule in configuration.rules:
        assert configuration.config(rule, 0).problems() == []


@pytest.mark.parametrize(("late", "arrives"), [(1, True), (2, False)])
def test_a_seed_that_never_arrives_counts_as_the_latest(late, arrives):
    """The median over three seeds is the second one; with two of them late there is none."""
    table = curves(0.0, rules=("grpo",))
    never = (table["source"] == "network") & (table["seed"] < late)
    table.loc[never, "success"] = 0.1
    row = compare(table).iloc[0]
    second = half_times(table).sort_values("updates")["updates"].iloc[1]
    assert np.isfinite(row["measured_half"]) == arrives
    if arrives:
        assert row["measured_half"] == pytest.approx(second)


def test_an_interval_is_that_of_a_library():
    values = np.array([1.0, 2.0, 4.0, 4.5])
    wanted = ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval(values, level=0.9) == pytest.approx((values.mean(), wanted.low, wanted.high))


def test_each_seed_has_a_forecast_of_its_own():
    """Starts that differ by ten updates, each forecast without error: every ratio is 1."""
    late = curves(0.0, rules=("grpo",), half=30.0)
    late = late.assign(start=late["start"] + 3, seed=late["seed"] + 3)
    both = pd.concat([curves(0.0, rules=("grpo",)), late], ignore_index=True)
    row = compare(both).iloc[0]
    assert (row["ratio"], row["rmse"]) == (1.0, 0.0)
