"""Bay and Yearick, arXiv 2607.00152: GRPO's update is the group's std times a contrast, and what finite groups keep."""

from typing import Any

import numpy as np
from scipy.stats import binom

REQUIRED_GROUP_SIZES = {0.5: (7, 11, 51), 0.3: (9, 14, 61), 0.1: (22, 36, 144), 0.05: (42, 69, 273)}
"""Printed group sizes that keep 90, 95 and 99 % of the infinite group's update, by success rate."""


def mean_group_std(group_size: float, p: Any) -> np.ndarray:
    """``c_G(p)``: mean standard deviation of G binary rewards of success rate ``p``, in an infinite group its limit.

    ``E[sqrt(k (G - k))] / G`` for k binomial, and ``sqrt(p (1 - p))`` for an infinite ``group_size``. ``p``: any shape,
    in [0, 1].

    >>> [round(float(mean_group_std(size, 0.5)), 3) for size in (2, 64, float("inf"))]
    [0.25, 0.496, 0.5]
    """
    success = np.asarray(p, dtype=float)
    if np.isinf(group_size):
        return np.sqrt(success * (1 - success))

    # With k correct responses the standard deviation is sqrt(k (G - k)) / G
    correct = np.arange(int(group_size) + 1)
    chance = binom.pmf(correct, int(group_size), success[..., None])
    return chance @ np.sqrt(correct * (group_size - correct)) / group_size


def fidelity_expansion(group_size: Any, p: float) -> Any:
    """``1 - 1 / (8 G p (1 - p))``: share of the infinite group's update that a large group keeps.

    The first terms of an expansion in 1 / G. ``group_size``: G, a number or an array. ``p``: success rate, in (0, 1).
    Returns shares in the shape of ``group_size``.

    >>> fidelity_expansion(50, 0.5)
    0.99
    """
    return 1 - 1 / (8 * group_size * p * (1 - p))
