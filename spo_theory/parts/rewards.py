"""Rewards: outcome, plus or minus one, and colouring by the reasoning trajectory score (RTS), on any array library.

A reward part maps a `spo_theory.group.Group` to rewards ``(..., G)``; the last axis is the group. Paper: arXiv
2505.11595, Section 3.1, Eq. 2. The paper's prose and its theory reward later first errors more, so the logistic here
*increases* in RTS.
"""

from dataclasses import dataclass
from math import frexp
from typing import Any, Literal, Protocol

from array_api_compat import array_namespace

from spo_theory.allowed import ABOVE_0, FINITE, one_of
from spo_theory.group import Array, Group, float_dtype
from spo_theory.validation import is_number, problem, refuse

Scope = Literal["all_negative", "all_incorrect"]
Shape = Literal["logistic", "raw"]
RtsLength = Literal["written", "true"]
"""What RTS divides a right prefix by: the length of the response itself (the paper), or of the right one."""


class Reward(Protocol):
    """What every reward part is."""

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)`` in ``group.floating``; 0 for responses that do not count."""


def outcome_reward(correct: Array, dtype: Any = None) -> Array:
    """Reward 1 for a correct response and 0 for any other.

    ``correct``: boolean, any shape. Returns the same shape in ``dtype`` (default: the library's real dtype).

    Example:
        >>> import numpy as np
        >>> outcome_reward(np.array([True, False])).tolist()
        [1.0, 0.0]
    """
    xp = array_namespace(correct)
    return xp.astype(correct, dtype or float_dtype(xp))


def reasoning_trajectory_score(first_error: Array, lengths: Array, dtype: Any = None) -> Array:
    """RTS: the length of the correct prefix over the length of the whole response, in [0, 1].

    ``first_error``: integer ``(..., G)``, the number of correct steps before the first wrong one (equal to
    the number of steps if there is none). ``lengths``: either ``(..., G)``, the number of (equally long)
    steps, or ``(..., G, S)``, the length of every step, padded with zeros. An empty response scores 0.
    Source: paper, Section 3.1 (a first error at step 4 of 5 scores 3/5).

    Example:
        >>> import numpy as np
        >>> reasoning_trajectory_score(np.array([3, 0]), np.array([5, 5])).tolist()
        [0.6, 0.0]
    """
    xp = array_namespace(first_error, lengths)
    dtype = dtype or float_dtype(xp, lengths)

    # Length of the right prefix and of the whole: in tokens if steps have lengths, else in steps
    if lengths.ndim == first_error.ndim + 1:
        sizes = xp.astype(lengths, dtype)
        step = xp.arange(lengths.shape[-1], dtype=first_error.dtype)
        before = xp.where(step < first_error[..., None], sizes, xp.zeros_like(sizes))
        prefix = xp.sum(before, axis=-1)
        whole = xp.sum(sizes, axis=-1)
    else:
        prefix = xp.astype(first_error, dtype)
        whole = xp.astype(lengths, dtype)

    # An empty response is divided by 1, so that its score is 0 and not 0 / 0
    empty = whole <= 0
    return xp.where(empty, xp.zeros_like(prefix), prefix / xp.where(empty, xp.ones_like(whole), whole))


@dataclass(frozen=True)
class Colouring:
    """How an incorrect response is rewarded: ``1 / (1 + exp(-beta (RTS - gamma)))`` (paper, Eq. 2).

    beta: slope, > 0. gamma: the RTS that earns 1/2, any finite number. scope: ``all_negative`` colours only
    groups without a correct response (the paper's experiments); ``all_incorrect`` colours every incorrect
    response (Eq. 2 as printed). shape: ``logistic``, or ``raw`` for the RTS itself (the theorem's 0, 1/2, 1).

    The value is strictly below 1 in every dtype, and strictly increasing in RTS wherever the dtype can tell
    the two logistic values apart; beyond that (``beta (RTS - gamma)`` above about 16 in float32, 36 in
    float64) it is constant.

    grid: colours are rounded to multiples of it, a power of two such as 2^-12; 0 leaves them as they are. Sums of such
    colours are exact in float32, so a trainer that subtracts their mean keeps groups of equal colours silent.

    Example:
        >>> import numpy as np
        >>> Colouring().values(np.array([0.0, 0.5, 1.0])).round(3).tolist()
        [0.007, 0.5, 0.993]
        >>> (Colouring(grid=2**-12).values(np.array([0.0, 0.5, 1.0])) * 2**12).tolist()
        [27.0, 2048.0, 4069.0]
    """

    beta: float = 10.0
    gamma: float = 0.5
    scope: Scope = "all_negative"
    shape: Shape = "logistic"
    length: RtsLength = "written"
    grid: float = 0.0
    traced = ("beta", "gamma")

    def __post_init__(self) -> None:
        refuse(
            ABOVE_0.problems("beta", self.beta)
            + FINITE.problems("gamma", self.gamma)
            + one_of(Scope).problems("scope", self.scope)
            + one_of(Shape).problems("shape", self.shape)
            + one_of(RtsLength).problems("rts_length", self.length)
            + problem(_is_grid(self.grid), "grid", self.grid, "0, or a power of two from 2^-24 to 2^-1")
        )

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``: 1 if correct, the colour of its RTS for a response in the scope, 0 for any other."""
        lengths = group.lengths
        if self.length == "true" and group.true_lengths is not None:
            lengths = group.xp.broadcast_to(group.true_lengths, (*group.correct.shape, group.true_lengths.shape[-1]))

        rts = reasoning_trajectory_score(group.first_error, lengths, group.floating)
        return shaped_rewards(group.correct, rts, self, group.valid)

    def values(self, rts: Array) -> Array:
        """Reward of an incorrect response; ``rts`` floating, any shape, in [0, 1]; returns the same shape."""
        xp = array_namespace(rts)
        if self.shape == "raw":
            value = rts
        else:
            # below 32 bits beta itself may overflow, and infinity times the 0 at RTS = gamma is no number
            wide = rts if xp.finfo(rts.dtype).bits >= 32 else xp.astype(rts, xp.float32)
            z = self.beta * (wide - self.gamma)
            e = xp.exp(-xp.abs(z))  # in (0, 1]: neither branch overflows, and small values keep full precision
            value = xp.astype(xp.where(z < 0, e, xp.ones_like(e)) / (1 + e), rts.dtype)

        # Powers of two can be divided by and multiplied with exactly
        if self.grid:
            value = xp.round(value / self.grid) * self.grid
            value = xp.where(value < 1, value, xp.full_like(value, 1 - self.grid))

        # No incorrect response may earn what a correct one does, not even by rounding
        below_one = 1 - xp.finfo(rts.dtype).eps / 2  # the largest number below 1
        return xp.where(value >= below_one, xp.full_like(value, below_one), value)  # NaN stays what it is


def _is_grid(value: Any) -> bool:
    """Whether ``value`` is 0 or a power of two from 2^-24 to 2^-1."""
    return is_number(value) and (value == 0 or (2**-24 <= value <= 0.5 and frexp(value)[0] == 0.5))


def shaped_rewards(correct: Array, rts: Array, colouring: Colouring | None, valid: Array | None = None) -> Array:
    """Reward of each response of each group: 1 if correct, else 0 or its colour.

    ``correct``: boolean ``(..., G)``; ``rts``: floating ``(..., G)``; ``valid``: boolean ``(..., G)``, False for
    responses to ignore. Returns ``(..., G)`` in the dtype of ``rts``; ignored responses get 0.

    Example, a mixed group and an all-negative one:
        >>> import numpy as np
        >>> correct = np.array([[True, False], [False, False]])
        >>> rts = np.array([[1.0, 0.5], [0.5, 0.5]])
        >>> shaped_rewards(correct, rts, Colouring()).tolist()
        [[1.0, 0.0], [0.5, 0.5]]
    """
    xp = array_namespace(correct, rts)
    reward = outcome_reward(correct, rts.dtype)
    if colouring is not None:
        # In the scope all_negative one correct response that counts keeps its whole group from being coloured
        coloured = ~correct
        if colouring.scope == "all_negative":
            counted = correct if valid is None else correct & valid
            coloured = coloured & ~xp.any(counted, axis=-1, keepdims=True)
        reward = xp.where(coloured, colouring.values(rts), reward)
    return reward if valid is None else xp.where(valid, reward, xp.zeros_like(reward))


@dataclass(frozen=True)
class Outcome:
    """Reward 1 for a correct response, 0 for any other.

    Example:
        >>> import numpy as np
        >>> Outcome()(Group(np.array([True, False]), np.array([2, 0]), np.array([2, 2]))).tolist()
        [1.0, 0.0]
    """

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``."""
        return outcome_reward(group.counted_correct, group.floating)


@dataclass(frozen=True)
class PlusMinusOne:
    """Reward +1 for a correct response, -1 for any other (arXiv 2504.11343).

    Example:
        >>> import numpy as np
        >>> PlusMinusOne()(Group(np.array([True, False]), np.array([2, 0]), np.array([2, 2]))).tolist()
        [1.0, -1.0]
    """

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``; 0 for responses that do not count."""
        xp = group.xp
        signed = 2 * outcome_reward(group.correct, group.floating) - 1
        return signed if group.valid is None else xp.where(group.valid, signed, xp.zeros_like(signed))
