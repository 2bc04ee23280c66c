"""Forecast against measurement: one row per trained experiment and rule."""

from typing import Any

import numpy as np
import pandas as pd

from paper_repro.forecast.statistics import mean_interval, smooth, updates_to

COLLAPSE = 0.1
"""A run has collapsed if its smoothed success falls this far below what it had reached."""


def compare(curves: pd.DataFrame) -> pd.DataFrame:
    """Forecast against measurement, one row per experiment and rule that has both.

    curves: the table of curves, with rows of source "network" and of source "theory". The columns of the result:

    predicted_half, measured_half: median over seeds of the updates to half success (network: smoothed over 5
    updates); a seed that never gets there counts as infinite. measured_low, measured_high: 95 % Student t
    interval of the mean over seeds. ratio: median over seeds of predicted over measured, each seed against the
    forecast from its own start. rmse, r2: of the success curve, all seeds and updates together. fitted:
    constants fitted. collapsed: seeds that fell back after success (`has_collapsed`).
    """
    # Whatever was trained decides the rows; a forecast alone makes none
    rows = []
    measured = curves[curves["source"] == "network"]
    predicted = curves[curves["source"] == "theory"]
    for (experiment, rule), network in measured.groupby(["experiment", "rule"], sort=False):
        # Without a forecast there is nothing to compare
        theory = predicted[(predicted["experiment"] == experiment) & (predicted["rule"] == rule)]
        if not theory.empty:
            # These columns are the same in all rows of an experiment and rule
            first = network.iloc[0]
            what = {
                "experiment": experiment,
                "rule": rule,
                "horizon": int(first["horizon"]),
                "group_size": int(first["group_size"]),
                "model": first["model"],
                "optimizer": first["optimizer"],
                "seeds": network["seed"].nunique(),
            }
            rows.append(what | _half_times(network, theory) | _errors(network, theory) | _collapsed(network))
    return pd.DataFrame(rows)


def _half_times(network: pd.DataFrame, theory: pd.DataFrame) -> dict[str, float]:
    """Predicted and measured updates to half success, and their ratio, each seed against its own forecast."""
    predicted = []
    measured = []

    # Seeds differ in their warm starts, so a run is compared only with the forecast from its own start
    for seed, run in network.groupby("seed"):
        forecast = theory[theory["seed"] == seed]
        predicted.append(_half_time(forecast, window=1))
        measured.append(_half_time(run))

    # The interval is of the mean, because that of a median over a few seeds says little
    _, low, high = mean_interval(np.array(measured))
    return {
        "predicted_half": _median(predicted),
        "measured_half": _median(measured),
        "measured_low": low,
        "measured_high": high,
        "ratio": _median(np.divide(predicted, measured)),
    }


def _half_time(run: pd.DataFrame, **smoothing: int) -> float:
    """Updates to half success of one run, measured or predicted; ``smoothing``: the ``window`` of `updates_to`."""
    run = run.sort_values("step")
    return updates_to(run["step"].to_numpy(), run["success"].to_numpy(), **smoothing)


def _errors(network: pd.DataFrame, theory: pd.DataFrame) -> dict[str, float]:
    """RMSE and R^2 of the success curves of all seeds together."""
    keys = ["seed", "step"]
    pairs = network[[*keys, "success"]].merge(theory[[*keys, "success"]], on=keys, suffixes=("", "_predicted"))
    success = pairs["success"].to_numpy(float)
    squares = (success - pairs["success_predicted"].to_numpy(float)) ** 2
    spread = np.sum((success - success.mean()) ** 2)
    return {"rmse": float(np.sqrt(np.mean(squares))), "r2": float(1 - np.sum(squares) / spread)}


def _collapsed(network: pd.DataFrame) -> dict[str, int]:
    """Constants fitted, which are none, and how many seeds collapsed."""
    runs = [run.sort_values("step")["success"].to_numpy() for _, run in network.groupby("seed")]
    return {"fitted": 0, "collapsed": sum(has_collapsed(success) for success in runs)}


def _median(values: Any) -> float:
    """Median in which a missing value counts as infinite; NaN if the median itself is infinite."""
    middle = float(np.median(np.where(np.isnan(values), np.inf, values)))
    return middle if np.isfinite(middle) else float("nan")


def has_collapsed(success: np.ndarray) -> bool:
    """Whether a run's smoothed success ever falls more than `COLLAPSE` below what it had reached before.

    success: probability of success after every update of one run, in the order of the updates.

    >>> has_collapsed(np.linspace(0, 1, 20))
    False
    >>> has_collapsed(np.array([0.0] * 10 + [0.9] * 10 + [0.1] * 10))
    True
    """
    smoothed = smooth(success)
    return bool((np.maximum.accumulate(smoothed) - smoothed).max() > COLLAPSE)
