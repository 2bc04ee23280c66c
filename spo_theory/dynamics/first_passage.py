"""When a curve first reaches a level."""

import numpy as np


def first_reach(step: np.ndarray, value: np.ndarray, level: float) -> float:
    """Step, linear between rows, at which ``value`` ``(N,)`` first reaches ``level``; NaN if it never does.

    ``step``: ``(N,)``, increasing, in any unit.
    """
    x, y = np.asarray(step, float), np.asarray(value, float)
    above = np.flatnonzero(y >= level)
    if above.size == 0:
        return float("nan")
    i = int(above[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (level - y[i - 1]) / (y[i] - y[i - 1]))
