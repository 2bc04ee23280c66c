"""Group-relative advantages on any array library, exact zero for equal rewards in every dtype."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any, Literal, Protocol

from array_api_compat import array_namespace, is_array_api_obj, is_jax_array

from spo_theory.allowed import FROM_0, one_of, whole
from spo_theory.group import Array, Group, float_dtype
from spo_theory.validation import InputError, check, refuse

Scale = Literal["std", "none"]


def _is_traced(x: Array) -> bool:
    """Whether ``x`` has no values yet because jax is tracing (then values cannot be checked)."""
    if not is_jax_array(x):
        return False
    import jax

    return isinstance(x, jax.core.Tracer)


class GroupStatistics(ABC):
    """A baseline that is a function of the rewards of the group alone; the exact engine has a fast path for these.

    uses_log_prob: as in `Baseline`. silent_if_equal: whether a group of equal rewards has advantages 0, and in a group
    of two different rewards the better responses have advantages of at least 0, the worse ones of at most 0.
    """

    uses_log_prob = False
    silent_if_equal = False
    scale: Scale = "none"

    @abstractmethod
    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""

    def advantages(self, group: Group, rewards: Array) -> Array:
        """Advantages ``(..., G)`` of a group's rewards."""
        return self(rewards, group.valid)


@dataclass(frozen=True)
class GroupAdvantage(GroupStatistics):
    """``(r - mean) / (std + eps)`` over the group, or ``r - mean`` if ``scale`` is ``none``.

    ddof: 0 (population) or 1 (sample). eps: added to the standard deviation, >= 0. A group of equal rewards
    has advantage exactly 0. Source: GRPO, arXiv 2402.03300; mean only: Dr. GRPO, arXiv 2503.20783.

    Example:
        >>> import numpy as np
        >>> rewards = np.array([1.0, 0.0, 0.0, 0.0])
        >>> GroupAdvantage()(rewards).round(3).tolist()
        [1.732, -0.577, -0.577, -0.577]
        >>> GroupAdvantage(scale="none")(rewards).tolist()
        [0.75, -0.25, -0.25, -0.25]
    """

    ddof: int = 0
    eps: float = 0.0
    scale: Scale = "std"
    silent_if_equal = True

    def __post_init__(self) -> None:
        refuse(
            whole(0, 1).problems("ddof", self.ddof)
            + FROM_0.problems("std_eps", self.eps)
            + one_of(Scale).problems("scale", self.scale)
        )

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``, same shape; the last axis is the group.

        ``valid``: boolean ``(..., G)``; ignored responses get 0 and influence nothing. Integer rewards are
        taken as the library's real dtype. Raises `InputError` for NaN or infinite rewards and for rewards that
        span more than a quarter of the dtype's largest number; where jax is tracing, NaN rewards give NaN advantages
        instead. Rewards are first mapped to [0, 1] by the group's minimum and range: equal rewards then
        cancel exactly, and neither large offsets nor tiny differences lose precision.
        """
        r = finite_rewards(rewards, valid)
        xp = array_namespace(r)

        low, high, n, freedom = self.extremes(r, valid)
        check_span(low, high)

        # Map rewards to [0, 1]. A group of equal rewards has range 0; it is divided by 1 and set to 0 instead
        gap = high - low
        varied = ~(gap <= 0)  # true for NaN: a reward that is no number must not pass for a silent group
        span = xp.where(varied, gap, xp.ones_like(low))
        unit = xp.where(varied, (r - low) / span, xp.zeros_like(r))

        # Responses that do not count are 0 in the sum, and their advantage is 0 whatever the mean is
        if valid is not None:
            unit = xp.where(valid, unit, xp.zeros_like(unit))
        centred = unit - xp.sum(unit, axis=-1, keepdims=True) / n
        if valid is not None:
            centred = xp.where(valid, centred, xp.zeros_like(centred))

        # Without standardization the range is put back in
        if self.scale == "none":
            return centred * span

        # The root never sees 0, because its slope there is infinite: a silent group has std 1 and advantages 0 / 1
        variance = xp.sum(centred * centred, axis=-1, keepdims=True) / freedom
        std = xp.sqrt(xp.where(varied, variance, xp.ones_like(variance)))

        # Advantages have no unit, so only eps has to know the range. Without eps it is left out of the formula:
        # 0 / span has slope 0 / 0 at a range of 1e-300
        return centred / (std + self.eps / span if self.eps else std)

    def extremes(self, r: Array, valid: Array | None) -> tuple[Array, Array, Any, Any]:
        """Smallest and largest reward ``(..., 1)``, number of responses, and degrees of freedom of the variance.

        Both numbers are at least 1, so that a group in which nothing counts is not divided by 0.
        """
        xp = array_namespace(r)
        if valid is None:
            size = r.shape[-1]
            low = xp.min(r, axis=-1, keepdims=True)
            high = xp.max(r, axis=-1, keepdims=True)
            return low, high, size, max(size - self.ddof, 1)

        # Responses that do not count are replaced by infinities of the sign that cannot win
        top = xp.full_like(r, inf)
        low = xp.min(xp.where(valid, r, top), axis=-1, keepdims=True)
        high = xp.max(xp.where(valid, r, -top), axis=-1, keepdims=True)
        count = xp.sum(xp.astype(valid, r.dtype), axis=-1, keepdims=True)
        one = xp.ones_like(count)
        size = xp.where(count > 1, count, one)
        return low, high, size, xp.where(count > 1 + self.ddof, count - self.ddof, one)


def finite_rewards(rewards: Array, valid: Array | None = None) -> Array:
    """``rewards`` ``(..., G)`` as floating numbers, 0 where they do not count (``valid`` False).

    Raises `InputError` for NaN and infinite ones. Source: docs/theory/step-weights.md#contract.
    """
    is_group = is_array_api_obj(rewards) and rewards.ndim >= 1 and rewards.shape[-1] >= 1
    check(is_group, "rewards", rewards, "an array (..., G) with G at least 1")
    xp = array_namespace(rewards)
    r = xp.astype(rewards, float_dtype(xp, rewards))

    # A response that does not count may have any reward, even NaN: it must neither be refused nor matter
    if valid is not None:
        check(valid.shape[-1:] == r.shape[-1:], "valid.shape", tuple(valid.shape), f"{tuple(r.shape)}, like rewards")
        r = xp.where(valid, r, xp.zeros_like(r))

    # While jax is tracing there are no values to look at
    if not _is_traced(r):
        for bad, found in ((nan, xp.isnan(r)), (inf, r == inf), (-inf, r == -inf)):
            check(not bool(xp.any(found)), "rewards", bad, "finite numbers")
    return r


def check_span(low: Array, high: Array) -> None:
    """Refuse rewards whose range is more than a quarter of the dtype's largest number."""
    if _is_traced(low):
        return
    xp = array_namespace(low)
    most = float(xp.finfo(low.dtype).max) / 4  # beyond, 1 / range is subnormal and jax takes it as 0

    # Both sides are divided by 8, because the range itself may overflow
    if bool(xp.any(high / 8 - low / 8 > most / 8)):
        raise InputError(f"rewards that span more than {most:.3g} are not allowed in {low.dtype}: scale them down")


@dataclass(frozen=True)
class VirtualCorrect(GroupStatistics):
    """One more response of reward 1 counts in the statistics: wrong responses of a silent group are pushed down.

    otherwise: the statistics. Source: NGRPO, arXiv 2509.18851.

    Example:
        >>> import numpy as np
        >>> VirtualCorrect()(np.zeros(4)).tolist()
        [-0.5, -0.5, -0.5, -0.5]
    """

    otherwise: GroupAdvantage = field(default_factory=GroupAdvantage)

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        r = finite_rewards(rewards, valid)
        xp = array_namespace(r)
        one_more = xp.ones_like(r[..., :1])
        seen = None if valid is None else xp.concat([valid, xp.astype(one_more, valid.dtype)], axis=-1)
        return self.otherwise(xp.concat([r, one_more], axis=-1), seen)[..., :-1]


@dataclass(frozen=True)
class Signed(GroupStatistics):
    """``2 r - 1`` whatever the group is: the sign of the outcome (arXiv 2605.07689).

    Example:
        >>> import numpy as np
        >>> Signed()(np.array([1.0, 0.0])).tolist()
        [1.0, -1.0]
    """

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``; arguments and errors as in `GroupAdvantage`."""
        signed = 2 * finite_rewards(rewards, valid) - 1
        xp = array_namespace(signed)
        return signed if valid is None else xp.where(valid, signed, xp.zeros_like(signed))


class Baseline(Protocol):
    """What every baseline is: it turns the rewards of a group into advantages."""

    uses_log_prob: bool
    """Whether advantages depend on the probabilities of the responses, not only on their rewards."""

    def advantages(self, group: Group, rewards: Array) -> Array:
        """Advantages ``(..., G)`` from a group and its rewards ``(..., G)``."""


@dataclass(frozen=True)
class Raw:
    """No baseline: the reward is the advantage (Reinforce, arXiv 2504.11343).

    Example:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 0]), np.array([2, 2]))
        >>> Raw().advantages(group, np.array([1.0, -1.0])).tolist()
        [1.0, -1.0]
    """

    uses_log_prob = False

    def advantages(self, group: Group, rewards: Array) -> Array:
        """Advantages ``(..., G)``."""
        return rewards


@dataclass(frozen=True)
class PositivePart:
    """The positive part of the reward: responses with a reward below 0 are not used (RAFT, arXiv 2504.11343).

    Example:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 0]), np.array([2, 2]))
        >>> PositivePart().advantages(group, np.array([1.0, -1.0])).tolist()
        [1.0, 0.0]
    """

    uses_log_prob = False

    def advantages(self, group: Group, rewards: Array) -> Array:
        """Advantages ``(..., G)``."""
        xp = array_namespace(rewards)
        return xp.where(rewards > 0, rewards, xp.zeros_like(rewards))


@dataclass(frozen=True)
class ConfidencePenalty:
    """In an all-negative group ``-c / (1 - c)``, c the probability that the policy gave to the response.

    That is the gradient of ``log(1 - c)``, the likelihood that the response is not the answer. Other groups have the
    advantages of ``otherwise``. Source: after LENS, arXiv 2510.08696, whose exact weight is not reproduced.

    Example, two wrong responses that the policy gave probabilities 1/4 and 1/2:
        >>> import numpy as np
        >>> log_prob = np.log([[0.5, 0.5], [0.5, 1.0]])
        >>> group = Group(np.array([False, False]), np.array([1, 0]), np.array([2, 2]), log_prob=log_prob)
        >>> ConfidencePenalty().advantages(group, np.zeros(2)).round(3).tolist()
        [-0.333, -1.0]
    """

    otherwise: GroupAdvantage = field(default_factory=GroupAdvantage)
    uses_log_prob = True

    def advantages(self, group: Group, rewards: Array) -> Array:
        """Advantages ``(..., G)``; raises `InputError` if the group has no log-probabilities."""
        check(group.log_prob is not None, "log_prob", group.log_prob, "given: the penalty weighs by confidence")
        xp = array_namespace(group.correct, rewards)
        relative = self.otherwise(rewards, group.valid)

        # All responses of an all-negative group, but for those that do not count
        penalized = group.all_negative & xp.ones_like(group.correct)
        if group.valid is not None:
            penalized = penalized & group.valid

        return xp.where(penalized, -confidence_odds(xp.sum(group.log_prob, axis=-1)), relative)


def confidence_odds(log_prob: Array) -> Array:
    """``c / (1 - c)`` of responses with log-probabilities ``log c`` below 0, any shape: the weight of a penalized one.

    Precise up to the largest probability below 1, where ``1 - c`` itself has no digit left.

    Example:
        >>> import numpy as np
        >>> confidence_odds(np.array([np.log(0.5), -1e-20])).tolist()
        [1.0, 1e+20]
    """
    # The exponential of a long response's log-probability may underflow to 0, and then the odds are 0
    xp = array_namespace(log_prob)
    confidence = xp.exp(log_prob)
    return confidence / xp.where(confidence < 0.5, 1 - confidence, -xp.expm1(log_prob))
