"""How far rounding may carry a correct implementation away from its convention, from the dtype."""

from collections.abc import Callable

import numpy as np

Reference = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""A convention in exact arithmetic: rewards ``(Q, G)`` and the responses that count to advantages ``(Q, G)``."""


def slopes(rewards: np.ndarray, advantages: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Largest difference of advantages per difference of rewards in each group, ``(Q, 1)``; 0 if all rewards are equal.

    For a standardized advantage it is ``1 / (std + eps)``, for one without a scale 1.

    Example:
        >>> slopes(np.array([[0.0, 2.0]]), np.array([[-1.0, 1.0]]), np.ones((1, 2), dtype=bool)).tolist()
        [[1.0]]
    """
    gaps = np.abs(rewards[..., :, None] - rewards[..., None, :])
    steps = np.abs(advantages[..., :, None] - advantages[..., None, :])
    both = counted[..., :, None] & counted[..., None, :] & (gaps > 0)
    ratio = np.where(both, steps / np.where(both, gaps, 1.0), 0.0)
    return ratio.max((-1, -2))[..., None]


def allowed(
    rewards: np.ndarray, valid: np.ndarray | None, exact: np.ndarray, rounding: float, stable: bool = False
) -> np.ndarray:
    """How far each advantage ``(Q, G)`` may be from ``exact`` because of rounding.

    A sum of G rewards is off by up to G roundings of the largest one. The error of the mean reaches the advantage by
    the factor of `slopes`; everything after that is off by some roundings of the advantage itself.
    rounding: distance from 1 to the next number of the dtype. stable: the error of the mean may not be made larger by
    the slope, because a sum of differences to the smallest reward would not have it.
    """
    counted = np.ones(rewards.shape, dtype=bool) if valid is None else valid
    if not counted.any():
        return np.full(rewards.shape, 8 * rounding)

    # A convention over the batch sums all responses and has one slope
    size = np.where(counted, np.abs(rewards), 0.0).max(-1, keepdims=True)
    slope = slopes(rewards, exact, counted)
    flat = (slope == 0) & (np.abs(np.where(counted, exact, 0.0)).max(-1, keepdims=True) > 0)
    if flat.any():
        slope = np.full_like(slope, slope.max())
        size = np.full_like(size, size.max())
    if stable:
        slope = np.minimum(slope, 1.0)
    terms = counted.sum() if flat.any() else counted.sum(-1, keepdims=True)
    own = np.where(counted, np.abs(exact), 0.0).max(-1, keepdims=True)
    return np.broadcast_to((terms + 8) * rounding * (size * slope + own) + rounding * 1e-3, rewards.shape)
