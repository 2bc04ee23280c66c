"""Numbers read off measured curves: updates to half success, leads, intervals over seeds."""

import numpy as np
import pandas as pd
from scipy.stats import t as student

from spo_theory.dynamics.first_passage import first_reach


def smooth(values: np.ndarray, window: int = 5) -> np.ndarray:
    """Centred running mean over ``window`` updates.

    values: one value per update. Returns as many; at the ends the mean is over those values that are there.

    >>> smooth(np.array([0.0, 3.0, 6.0, 0.0]), window=3).tolist()
    [1.5, 3.0, 3.0, 3.0]
    """
    return pd.Series(values).rolling(window, center=True, min_periods=1).mean().to_numpy()


def updates_to(step: np.ndarray, value: np.ndarray, level: float = 0.5, window: int = 5) -> float:
    """Updates until the smoothed ``value`` first reaches ``level``, linear in between; NaN if it never does.

    step, value: the updates in ascending order and the curve at each, of the same length. level: in the units of the
    curve. window: updates over which the curve is smoothed first, 1 for none (`smooth`).

    >>> updates_to(np.array([0, 1, 2]), np.array([0.0, 0.4, 0.8]), window=1)
    1.25
    """
    return first_reach(step, smooth(np.asarray(value, float), window), level)


def half_times(curves: pd.DataFrame) -> pd.DataFrame:
    """Updates to half success of every trained run, read off without smoothing: success is on fixed questions.

    curves: the table of curves; only its rows with source "network" count. Returns one row per run with the columns
    experiment, rule, seed and updates, which is NaN if the run never gets there.

    >>> curves = pd.DataFrame({"step": [0, 1], "success": [0.5, 0.7]})
    >>> half_times(curves.assign(source="network", experiment="H4", rule="spo", seed=0))
      experiment rule  seed  updates
    0         H4  spo     0      0.0
    """
    network = curves[curves["source"] == "network"]
    rows = []
    for (experiment, rule, seed), one in network.groupby(["experiment", "rule", "seed"]):
        run = one.sort_values("step")
        updates = updates_to(run["step"].to_numpy(), run["success"].to_numpy(), window=1)
        rows.append({"experiment": experiment, "rule": rule, "seed": seed, "updates": updates})
    return pd.DataFrame(rows, columns=["experiment", "rule", "seed", "updates"])


def mean_interval(values: np.ndarray | pd.Series, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of the finite ``values``, and the lower and upper end of its Student t interval.

    values: one per seed; missing and infinite ones are left out. level: coverage of the interval, between 0 and 1.
    All in the units of the values. The ends are NaN for fewer than two values, the mean too if there is none.

    >>> [round(value, 2) for value in mean_interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.48, 4.48]
    """
    given = np.asarray(values, float)
    given = given[np.isfinite(given)]

    # One value has a mean, but says nothing of the spread
    if given.size == 0:
        return float("nan"), float("nan"), float("nan")
    mean = float(given.mean())
    if given.size == 1:
        return mean, float("nan"), float("nan")

    half = float(student.ppf(0.5 + level / 2, given.size - 1) * given.std(ddof=1) / np.sqrt(given.size))
    return mean, mean - half, mean + half
