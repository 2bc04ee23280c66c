"""Bay and Yearick, arXiv 2607.00152: GRPO's update is the group's std times a contrast, and what finite groups keep."""

from typing import Any

import numpy as np
from scipy.stats import binom

from spo_theory.allowed import INNER_SHARE, Allowed, checked, numbers
from spo_theory.limits import count
from spo_theory.validation import check

GROUP = Allowed(
    f"{count(2).words}, or infinite",
    lambda size: size == float("inf") or (size == int(size) and count(2).holds(int(size))),
)

REQUIRED_GROUP_SIZES = {0.5: (7, 11, 51), 0.3: (9, 14, 61), 0.1: (22, 36, 144), 0.05: (42, 69, 273)}
"""Printed group sizes that keep 90, 95 and 99 % of the infinite group's update, by success rate."""


@checked(group_size=GROUP)
def mean_group_std(group_size: float, p: Any) -> np.ndarray:
    """``c_G(p)``: mean standard deviation of G binary rewards of success rate ``p``, in an infinite group its limit.

    ``E[sqrt(k (G - k))] / G`` for k binomial, and ``sqrt(p (1 - p))`` for an infinite ``group_size``. ``p``: any shape,
    in [0, 1]. Raises `InputError` for other values.

    >>> [round(float(mean_group_std(size, 0.5)), 3) for size in (2, 64, float("inf"))]
    [0.25, 0.496, 0.5]
    """
    success = numbers("p", p)
    inside = (success >= 0) & (success <= 1 + 1e-9)  # a sum of probabilities may be above 1 by round-off
    check(bool(inside.all()), "p", success[~inside].tolist(), "between 0 and 1")
    success = np.minimum(success, 1.0)
    if np.isinf(group_size):
        return np.sqrt(success * (1 - success))

    # With k correct responses the standard deviation is sqrt(k (G - k)) / G
    correct = np.arange(int(group_size) + 1)
    chance = binom.pmf(correct, int(group_size), success[..., None])
    return chance @ np.sqrt(correct * (group_size - correct)) / group_size


@checked(p=INNER_SHARE)
def fidelity_expansion(group_size: Any, p: float) -> Any:
    """``1 - 1 / (8 G p (1 - p))``: share of the infinite group's update that a large group keeps.

    The first terms of an expansion in 1 / G. ``group_size``: G, a number or an array. ``p``: success rate, in (0, 1).
    Returns shares in the shape of ``group_size``. Raises `InputError` for other values.

    >>> fidelity_expansion(50, 0.5)
    0.99
    """
    check(bool((numbers("group_size", group_size, finite=False) > 0).all()), "group_size", group_size, "above 0")
    return 1 - 1 / (8 * group_size * p * (1 - p))
