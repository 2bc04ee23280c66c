"""What the closed forms share: checked probabilities, log-odds and the two scalings of a group's advantages."""

from typing import Any, Literal

import numpy as np

from spo_theory.allowed import numbers, one_of
from spo_theory.validation import check

Scale = Literal["std", "none"]
"""Whether advantages are divided by the group's standard deviation."""


def checked_probabilities(name: str, value: Any, closed: bool = False) -> np.ndarray:
    """``value`` as numbers strictly inside (0, 1), or in [0, 1] if ``closed``. Raises `InputError` otherwise.

    ``name``: of the parameter, for the message. ``value``: any shape. The message lists the numbers that are outside.
    """
    found = numbers(name, value, finite=False)
    inside = ((found >= 0) & (found <= 1)) if closed else ((found > 0) & (found < 1))
    allowed = "between 0 and 1" if closed else "strictly between 0 and 1"
    check(bool(inside.all()), name, found[~inside].tolist(), allowed)
    return found


def scale_problems(scale: str) -> list[str]:
    """What is wrong with the name of a scaling, as a list for `refuse`: empty for ``std`` and ``none``.

    >>> scale_problems("std")
    []
    """
    return one_of(Scale).problems("scale", scale)


def log_odds(p: np.ndarray) -> np.ndarray:
    """``log(p / (1 - p))`` for probabilities in (0, 1), any shape; precise for small ``p``.

    >>> float(log_odds(np.array(0.5)))
    0.0
    """
    return np.log(p) - np.log1p(-p)


def sigmoid(log_odds: Any) -> np.ndarray:
    """Probability of log-odds, any shape, without overflow; the inverse of `log_odds`.

    >>> sigmoid([-1000.0, 0.0, 1000.0]).round(12).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.exp(-np.logaddexp(0.0, -np.asarray(log_odds, dtype=float)))
