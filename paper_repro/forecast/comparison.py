"""Forecast against measurement: one row per trained experiment, rule and level of the ladder."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from paper_repro.forecast.statistics import mean_interval, smooth, updates_to

COLLAPSE = 0.1
"""A run has collapsed if its smoothed success falls this far below what it had reached."""
QUANTILES = (0.1, 0.9)
"""Of escape times, beside their median."""
FACTS = ("experiment", "rule", "horizon", "group_size", "model", "optimizer")

TOLD = {"note": "ordinary", "family": "single"}
"""What is told of a configuration in the table of curves, and what stands for nothing."""


@dataclass(frozen=True)
class Times:
    """Updates to half success, a row per curve: columns start (of the warm start) and half, infinite for never."""

    table: pd.DataFrame

    @classmethod
    def of(cls, curves: pd.DataFrame, which: str) -> "Times":
        """Of the curves that the column ``which`` tells apart in every start."""
        rows = [(start, _half_time(curve)) for (start, _), curve in curves.groupby(["start", which])]
        return cls(pd.DataFrame(rows, columns=["start", "half"]))

    @property
    def by_start(self) -> pd.Series:
        """Mean of every start."""
        return self.table.groupby("start")["half"].mean()

    @property
    def values(self) -> np.ndarray:
        """All times."""
        return self.table["half"].to_numpy()

    @property
    def within(self) -> tuple[float, int]:
        """Standard deviation of curves from one start, pooled over starts, and its degrees of freedom.

        NaN and 0 where no start has two curves, or a time is infinite.
        """
        groups = self.table.groupby("start")["half"]
        freedom = int((groups.count() - 1).sum())
        if freedom == 0 or not np.isfinite(self.values).all():
            return float("nan"), 0
        squares = float(((self.table["half"] - groups.transform("mean")) ** 2).sum())
        return float(np.sqrt(squares / freedom)), freedom


def compare(curves: pd.DataFrame) -> pd.DataFrame:
    """Forecast against measurement, one row per experiment, rule and level that has both.

    curves: the table of curves, rows of source "network" (columns start and seed) and "theory" (start, level, draw).
    A run is compared with the forecast from its own start. docs/metrics.md#the-comparison explains the columns.
    """
    rows = []
    measured = curves[curves["source"] == "network"]
    predicted = curves[curves["source"] == "theory"]
    for (experiment, rule), network in measured.groupby(["experiment", "rule"], sort=False):
        # Without a forecast there is nothing to compare
        theory = predicted[(predicted["experiment"] == experiment) & (predicted["rule"] == rule)]
        for level, one in theory.groupby("level", sort=False):
            # What an experiment is stands in each of its rows
            first = network.iloc[0]
            what = {name: first[name] for name in FACTS}
            told = {name: network[name].fillna("").iloc[0] if name in network else "" for name in TOLD}
            what |= {name: str(value) or TOLD[name] for name, value in told.items()}
            what |= {"level": level, "starts": network["start"].nunique(), "seeds": network["seed"].nunique()}
            rows.append(what | _times(network, one) | _errors(network, one) | _collapsed(network, one))
    return pd.DataFrame(rows)


def _times(network: pd.DataFrame, theory: pd.DataFrame) -> dict[str, float]:
    """Predicted and measured updates to half success, and how far they are apart."""
    measured = Times.of(network, "seed")
    predicted = Times.of(theory, "draw")
    _, low, high = mean_interval(measured.values)
    _, predicted_low, predicted_high = mean_interval(predicted.values)

    # A forecast is of the mean of its start's runs
    ratio = predicted.by_start / measured.by_start
    found = {
        "predicted_half": _median(predicted.values),
        "measured_half": _median(measured.values),
        "measured_low": low,
        "measured_high": high,
        "predicted_low": predicted_low,
        "predicted_high": predicted_high,
        "ratio": _median(ratio.where(np.isfinite(measured.by_start), np.nan).to_numpy()),
    }

    # One more run would be off by sqrt(2) standard deviations of runs from one start
    spread, _ = measured.within
    with np.errstate(invalid="ignore", divide="ignore"):
        error = measured.table["half"].to_numpy() - predicted.by_start.reindex(measured.table["start"]).to_numpy()
        found["run_spread"] = spread / float(np.mean(measured.values))
        found["error_over_spread"] = float(np.sqrt(np.mean(error**2))) / (np.sqrt(2) * spread)
    found |= _band(measured, predicted)

    # Quantiles tell what a mean does not: rare successes make escape times uneven
    for name, times in (("predicted", predicted), ("measured", measured)):
        for q in QUANTILES:
            value = float(np.quantile(times.values, q, method="inverted_cdf"))
            found[f"{name}_q{100 * q:.0f}"] = value
    return {name: value if np.isfinite(value) else float("nan") for name, value in found.items()}


def _band(measured: Times, predicted: Times) -> dict[str, float]:
    """Half width of the 95 % band of one more run around the draws of its start, and the share of runs in it."""
    spread, freedom = predicted.within
    draws = len(predicted.values) / max(1, len(predicted.by_start))
    if freedom == 0:
        return {"band": float("nan"), "in_band": float("nan")}
    band = float(student.ppf(0.975, freedom)) * spread * np.sqrt(1 + 1 / draws)
    off = (measured.table["half"] - predicted.by_start.reindex(measured.table["start"]).to_numpy()).abs()
    return {"band": band, "in_band": float((off <= band).mean())}


def _half_time(curve: pd.DataFrame) -> float:
    """Updates to half success of one curve, infinite if it never gets there."""
    curve = curve.sort_values("step")
    half = updates_to(curve["step"].to_numpy(), curve["success"].to_numpy(), window=1)
    return np.inf if np.isnan(half) else half


def mean_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Success by start and step, averaged over the runs or the draws of every start.

    curves: columns start, step and success. Returns these three columns.
    """
    return curves.groupby(["start", "step"])["success"].mean().reset_index()


def _errors(network: pd.DataFrame, theory: pd.DataFrame) -> dict[str, float]:
    """RMSE and R^2 of the mean curves of all starts together."""
    keys = ["start", "step"]
    pairs = mean_curves(network).merge(mean_curves(theory), on=keys, suffixes=("", "_predicted"))
    success = pairs["success"].to_numpy(float)
    squares = (success - pairs["success_predicted"].to_numpy(float)) ** 2
    spread = np.sum((success - success.mean()) ** 2)
    return {"rmse": float(np.sqrt(np.mean(squares))), "r2": float(1 - np.sum(squares) / spread)}


def _collapsed(network: pd.DataFrame, theory: pd.DataFrame) -> dict[str, float]:
    """Constants fitted, which are none, how many runs collapsed, and the share of forecasts that do."""
    predicted = [has_collapsed(success) for success in _successes(theory, ["start", "draw"])]
    collapsed = sum(has_collapsed(success) for success in _successes(network, ["seed"]))
    return {"fitted": 0, "collapsed": collapsed, "predicted_collapsed": float(np.mean(predicted))}


def _successes(curves: pd.DataFrame, which: list[str]) -> Iterator[np.ndarray]:
    """Success of every curve, told apart by the columns ``which``, in the order of its updates."""
    for _, curve in curves.groupby(which):
        yield curve.sort_values("step")["success"].to_numpy()


def _median(values: np.ndarray) -> float:
    """Median in which a missing value counts as infinite; NaN if the median itself is infinite."""
    middle = float(np.median(np.where(np.isnan(values), np.inf, values)))
    return middle if np.isfinite(middle) else float("nan")


def has_collapsed(success: np.ndarray) -> bool:
    """Whether a run's smoothed success ever falls more than `COLLAPSE` below what it had reached before.

    success: probability of success at the points of one run, in the order of the updates.

    >>> has_collapsed(np.linspace(0, 1, 20))
    False
    >>> has_collapsed(np.array([0.0] * 10 + [0.9] * 10 + [0.1] * 10))
    True
    """
    smoothed = smooth(success)
    return bool((np.maximum.accumulate(smoothed) - smoothed).max() > COLLAPSE)
