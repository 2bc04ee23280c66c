"""All groups of responses up to order, and how likely each is."""

from math import factorial, prod
from typing import Any

import numpy as np

from spo_theory.exact.compositions import compositions, member_classes


def all_groups(horizon: int, group_size: int) -> np.ndarray:
    """Outcome classes ``(C, G)`` of every group of ``group_size`` responses, up to order, each row in rising order.

    ``horizon``: number of steps H. A response of class k < H takes k right steps before its first wrong one; class H
    is correct. Two groups with the same responses in another order count as one, so there are ``comb(G + H, H)``
    rows. Source: docs/theory/step-weights.md#expected-weights.

    >>> all_groups(horizon=1, group_size=2).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    return member_classes(compositions(group_size, horizon + 1))


def group_probabilities(classes: np.ndarray, class_probs: Any) -> np.ndarray:
    """Probability ``(..., C)`` that a sampled group is, up to order, each of the rows of `all_groups`.

    ``classes``: ``(C, G)``. ``class_probs``: ``(..., K)``, probability of every class of response. The responses are
    drawn independently, so the probabilities of all groups sum to 1.
    Source: docs/theory/step-weights.md#expected-weights.

    >>> group_probabilities(all_groups(horizon=1, group_size=2), [0.25, 0.75]).tolist()
    [0.0625, 0.375, 0.5625]
    """
    p = np.asarray(class_probs, dtype=float)
    counts = np.stack([(classes == k).sum(1) for k in range(p.shape[-1])], axis=1)

    # The number of orders in which a group can be drawn, as an exact whole number
    orders = np.array([factorial(classes.shape[1]) // prod(map(factorial, row)) for row in counts.tolist()])
    return orders * np.prod(p[..., None, :] ** counts, axis=-1)
