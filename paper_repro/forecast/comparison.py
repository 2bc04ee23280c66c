"""Forecast against measurement: one row per trained experiment and rule."""

from typing import Any

import numpy as np
import pandas as pd

from paper_repro.forecast.statistics import mean_interval, smooth, updates_to

COLLAPSE = 0.1
"""A run has collapsed if its smoothed success falls this far below what it had reached."""


def compare(curves: pd.DataFrame) -> pd.DataFrame:
    """Forecast against measurement, one row per experiment and rule.

    predicted_half, measured_half: median over seeds of the updates to half success (network: smoothed over 5
    updates); a seed that never gets there counts as infinite. measured_low, measured_high: 95 % Student t
    interval of the mean over seeds. ratio: median over seeds of predicted over measured, each seed against the
    forecast from its own start. rmse, r2: of the success curve, all seeds and updates together. fitted:
    constants fitted. collapsed: seeds that fell back after success (`has_collapsed`).
    """
    rows = []
    kinds = curves[curves["source"] == "network"].groupby(["experiment", "rule"], sort=False)
    for (experiment, rule), network in kinds:
        of = curves[(curves["experiment"] == experiment) & (curves["rule"] == rule)]
        theory = of[of["source"] == "theory"]
        if theory.empty:
            continue
        predicted, measured_half, gone, both = [], [], 0, []
        for seed, run in network.groupby("seed"):
            run = run.sort_values("step")
            forecast = theory[theory["seed"] == seed].sort_values("step")
            predicted.append(updates_to(forecast["step"].to_numpy(), forecast["success"].to_numpy(), window=1))
            measured_half.append(updates_to(run["step"].to_numpy(), run["success"].to_numpy()))
            gone += has_collapsed(run["success"].to_numpy())
            both.append(run[["step", "success"]].merge(forecast[["step", "success"]], on="step"))
        pairs = pd.concat(both)
        x, y = pairs["success_x"].to_numpy(float), pairs["success_y"].to_numpy(float)
        _, low, high = mean_interval(np.array(measured_half))
        first = network.iloc[0]
        rows.append(
            {
                "experiment": experiment,
                "rule": rule,
                "horizon": int(first["horizon"]),
                "group_size": int(first["group_size"]),
                "model": first["model"],
                "optimizer": first["optimizer"],
                "seeds": len(predicted),
                "predicted_half": _median(predicted),
                "measured_half": _median(measured_half),
                "measured_low": low,
                "measured_high": high,
                "ratio": _median(np.divide(predicted, measured_half)),
                "rmse": float(np.sqrt(np.mean((x - y) ** 2))),
                "r2": float(1 - np.sum((x - y) ** 2) / np.sum((x - x.mean()) ** 2)),
                "fitted": 0,
                "collapsed": gone,
            }
        )
    return pd.DataFrame(rows)


def _median(values: Any) -> float:
    """Median in which a missing value counts as infinite; NaN if the median itself is infinite."""
    middle = float(np.median(np.where(np.isnan(values), np.inf, values)))
    return middle if np.isfinite(middle) else float("nan")


def has_collapsed(success: np.ndarray) -> bool:
    """Whether a run's smoothed success ever falls more than `COLLAPSE` below what it had reached before."""
    smoothed = smooth(success)
    return bool((np.maximum.accumulate(smoothed) - smoothed).max() > COLLAPSE)
