"""Baselines of other methods: functions of the rewards of a group alone, beside those of `spo_theory.parts.baselines`.

All are meant for outcome rewards, 1 for a correct response and 0 for any other; `LeaveOneOut` takes any rewards.
Derived in docs/theory/related.md.
"""

from dataclasses import dataclass
from math import inf

from array_api_compat import array_namespace

from spo_theory.group import Array
from spo_theory.parts.baselines import GroupAdvantage, GroupStatistics, finite_rewards
from spo_theory.validation import check, is_number, is_whole


def _counted(valid: Array | None, rewards: Array) -> Array:
    """Number of responses that count, ``(..., 1)``."""
    xp = array_namespace(rewards)
    counts = xp.ones_like(rewards) if valid is None else xp.astype(valid, rewards.dtype)
    return xp.sum(counts, axis=-1, keepdims=True)


def _only(valid: Array | None, advantages: Array) -> Array:
    """``advantages`` with 0 for responses that do not count."""
    if valid is None:
        return advantages
    xp = array_namespace(advantages)
    return xp.where(valid, advantages, xp.zeros_like(advantages))


@dataclass(frozen=True)
class LeaveOneOut(GroupStatistics):
    """Reward minus the mean reward of the *other* responses: ``G / (G - 1) (r - mean)``.

    The mean of the others does not depend on the response, so the update is the gradient of the mean reward without
    bias. Source: RLOO, arXiv 2402.14740.

    Example:
        >>> import numpy as np
        >>> LeaveOneOut()(np.array([1.0, 0.0, 0.0])).tolist()
        [1.0, -0.5, -0.5]
    """

    silent_if_equal = True

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        centred = GroupAdvantage(scale="none")(rewards, valid)
        xp = array_namespace(centred)
        count = _counted(valid, centred)

        # A response without others has advantage 0 already; it is not divided by 0
        others = xp.where(count > 1, count - 1, xp.ones_like(count))
        return count / others * centred


@dataclass(frozen=True)
class OverMean(GroupStatistics):
    """``(r - mean) / mean``, 0 in a group whose mean is 0: the group's share of the gradient of log success.

    Source: MaxRL, arXiv 2602.02710.

    Example:
        >>> import numpy as np
        >>> OverMean()(np.array([1.0, 0.0, 0.0, 0.0])).tolist()
        [3.0, -1.0, -1.0, -1.0]
    """

    silent_if_equal = True

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``, at least 0; arguments and errors as in `GroupAdvantage`."""
        centred = GroupAdvantage(scale="none")(rewards, valid)
        xp = array_namespace(centred)
        total = xp.sum(finite_rewards(rewards, valid), axis=-1, keepdims=True)
        mean = total / xp.maximum(_counted(valid, centred), xp.ones_like(total))
        return centred / xp.where(mean > 0, mean, xp.ones_like(mean))


@dataclass(frozen=True)
class MarginalPassAtK(GroupStatistics):
    """What a response adds to the success of k attempts: k times the chance that k - 1 others of the group all fail.

    A correct response earns it, any other earns 0. The update is the gradient of pass@k, ``1 - (1 - P)^k``, without
    bias. k: attempts, at least 1; a group must have as many responses. Source: arXiv 2505.15201, its estimator that
    leaves the response out of k - 1 others; docs/theory/related.md#pass-at-k.

    Example, one and then two correct of four, two attempts:
        >>> import numpy as np
        >>> MarginalPassAtK(k=2)(np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])).round(3).tolist()
        [[2.0, 0.0, 0.0, 0.0], [1.333, 1.333, 0.0, 0.0]]
    """

    k: int = 2

    def __post_init__(self) -> None:
        check(is_whole(self.k, 1), "k", self.k, "a whole number, at least 1")

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        r = finite_rewards(rewards, valid)
        xp = array_namespace(r)
        count = _counted(valid, r)
        wrong = count - xp.sum(r, axis=-1, keepdims=True)

        # The others are drawn without replacement: each that fails leaves one less that can
        chance = xp.ones_like(wrong)
        for drawn in range(self.k - 1):
            left = xp.maximum(count - 1 - drawn, xp.ones_like(count))
            chance = chance * xp.maximum(wrong - drawn, xp.zeros_like(wrong)) / left
        return self.k * chance * r


@dataclass(frozen=True)
class FlooredMean(GroupStatistics):
    """Reward minus the group mean or ``threshold``, whichever is larger: nothing below the threshold is pushed up.

    threshold: the least reward of a good response. Source: CoRPO, arXiv 2511.04439; docs/theory/related.md#corpo.
    Raises `InputError` for a threshold that is no finite number.

    Example:
        >>> import numpy as np
        >>> FlooredMean()(np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])).tolist()
        [[0.5, -0.5, -0.5, -0.5], [0.25, 0.25, 0.25, -0.75]]
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        check(is_number(self.threshold), "threshold", self.threshold, "a finite number")

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        r = finite_rewards(rewards, valid)
        xp = array_namespace(r)
        count = _counted(valid, r)
        mean = xp.sum(r, axis=-1, keepdims=True) / xp.maximum(count, xp.ones_like(count))
        return _only(valid, r - xp.maximum(mean, xp.full_like(mean, self.threshold)))


@dataclass(frozen=True)
class BestOfGroup(GroupStatistics):
    """The whole weight of the group on its best response; equally good ones share it, and all others have 0.

    Source: best-of-N in arXiv 2404.14367; docs/theory/related.md#likelihood.

    Example:
        >>> import numpy as np
        >>> BestOfGroup()(np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
        [[4.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    """

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        r = finite_rewards(rewards, valid)
        xp = array_namespace(r)
        counted = r if valid is None else xp.where(valid, r, xp.full_like(r, -inf))
        best = counted == xp.max(counted, axis=-1, keepdims=True)
        if valid is not None:
            best = best & valid
        number = xp.sum(xp.astype(best, r.dtype), axis=-1, keepdims=True)
        share = _counted(valid, r) / xp.maximum(number, xp.ones_like(number))
        return xp.where(best, share, xp.zeros_like(r))


@dataclass(frozen=True)
class ExponentialWeight(GroupStatistics):
    """``exp(r / reward_temperature)``: every response is imitated, better ones more.

    reward_temperature: above 0. Source: reward-weighted regression, in the form of arXiv 2404.14367;
    docs/theory/related.md#likelihood. Raises `InputError` for other temperatures.

    Example:
        >>> import numpy as np
        >>> ExponentialWeight()(np.array([1.0, 0.0])).round(3).tolist()
        [2.718, 1.0]
    """

    reward_temperature: float = 1.0

    def __post_init__(self) -> None:
        fine = is_number(self.reward_temperature) and self.reward_temperature > 0
        check(fine, "reward_temperature", self.reward_temperature, "a finite number above 0")

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        r = finite_rewards(rewards, valid)
        return _only(valid, array_namespace(r).exp(r / self.reward_temperature))


@dataclass(frozen=True)
class PairsWon(GroupStatistics):
    """Twice the share of the others that a response beats: the log-likelihood of the preferred one of every pair.

    Source: Pref-FT in arXiv 2404.14367; docs/theory/related.md#likelihood.

    Example:
        >>> import numpy as np
        >>> PairsWon()(np.array([1.0, 0.0, 0.0])).tolist()
        [2.0, 0.0, 0.0]
    """

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        r = finite_rewards(rewards, valid)
        xp = array_namespace(r)
        better = r[..., :, None] > r[..., None, :]
        if valid is not None:
            better = better & valid[..., :, None] & valid[..., None, :]
        won = xp.sum(xp.astype(better, r.dtype), axis=-1)
        others = _counted(valid, r) - 1
        return 2 * won / xp.maximum(others, xp.ones_like(others))
