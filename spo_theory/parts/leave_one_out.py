"""A baseline that leaves one out twice: in the mean and in the standard deviation."""

from dataclasses import dataclass
from math import inf, isfinite

from array_api_compat import array_namespace

from spo_theory.group import Array
from spo_theory.parts.baselines import GroupAdvantage, GroupStatistics, check_span, finite_rewards
from spo_theory.validation import check


@dataclass(frozen=True)
class StandardizedLeaveOneOut(GroupStatistics):
    """``(r - m) / (s + eps)``, m and s the mean and the sample standard deviation of the *other* responses.

    Where the others are all equal nothing is divided. eps: at least 0. Source: NeMo-RL, advantage_estimator.py.

    Example:
        >>> import numpy as np
        >>> StandardizedLeaveOneOut()(np.array([1.0, 0.0, 0.0, 0.0])).round(3).tolist()
        [1.0, -0.577, -0.577, -0.577]
    """

    eps: float = 0.0
    silent_if_equal = True

    def __post_init__(self) -> None:
        check(isfinite(self.eps) and self.eps >= 0, "std_eps", self.eps, "a finite number, at least 0")

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`, G at least 2."""
        # Rewards in units of the group's range, so that squares neither overflow nor vanish
        xp = array_namespace(rewards)
        r = finite_rewards(rewards, valid)
        low, high, _, _ = GroupAdvantage().extremes(r, valid)
        check_span(low, high)
        span = xp.where(high > low, high - low, xp.ones_like(low))

        # How much better each of the others was, (..., G, G): differences know nothing of an offset
        better = (r[..., None, :] - r[..., :, None]) / span[..., None]
        other = xp.arange(r.shape[-1])[:, None] != xp.arange(r.shape[-1])[None, :]
        counted = xp.broadcast_to(other, better.shape)
        if valid is not None:
            counted = counted & valid[..., None, :] & valid[..., :, None]

        # A response without others is compared with nobody: its advantage is 0
        zeros = xp.zeros_like(better)
        number = xp.sum(xp.astype(counted, r.dtype), axis=-1)
        one = xp.ones_like(number)
        mean = xp.sum(xp.where(counted, better, zeros), axis=-1) / xp.where(number > 0, number, one)
        # Whether the others differ is decided by comparing them, which cannot be wrong by rounding
        top = xp.full_like(better, inf)
        lowest = xp.min(xp.where(counted, better, top), axis=-1)
        highest = xp.max(xp.where(counted, better, -top), axis=-1)
        varied = highest > lowest
        deviation = xp.where(counted, better - mean[..., None], zeros)
        squares = xp.where(varied, xp.sum(deviation * deviation, axis=-1), one)
        std = xp.sqrt(squares / xp.where(number > 1, number - 1, one))
        return xp.where(varied, -mean / (std + self.eps / span), -mean * span)
