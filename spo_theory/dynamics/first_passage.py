"""When a curve first reaches a level."""

import numpy as np

from spo_theory.allowed import FINITE, numbers
from spo_theory.validation import check


def first_reach(step: np.ndarray, value: np.ndarray, level: float) -> float:
    """Step, linear between rows, at which ``value`` ``(N,)`` first reaches ``level``; NaN if it never does.

    ``step``: ``(N,)``, increasing, in any unit; the answer has the same unit. ``level``: in the unit of ``value``.
    A curve that starts at the level or above has reached it at its first step. Raises `InputError` for other shapes.

    Example:
        >>> first_reach(np.array([0, 10, 20]), np.array([0.2, 0.4, 0.6]), level=0.5)
        15.0
    """
    FINITE.check("level", level)
    x = numbers("step", step)
    y = numbers("value", value, finite=False)
    check(x.ndim == 1 and x.shape == y.shape, "value.shape", y.shape, f"{x.shape}, one for each step")
    above = np.flatnonzero(y >= level)
    if above.size == 0:
        return float("nan")

    # The level lies between the first row above it and the row before; the first row has no row before
    i = int(above[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (level - y[i - 1]) / (y[i] - y[i - 1]))
