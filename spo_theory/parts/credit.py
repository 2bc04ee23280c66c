"""Credit over steps: which steps of a response its advantage acts on.

A credit part maps a `spo_theory.group.Group` and advantages ``(..., G)`` to the advantage of every step
``(..., G, S)``.
"""

from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from array_api_compat import array_namespace

from spo_theory.group import Array, Group
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.validation import check, is_number


class Credit(Protocol):
    """What every credit part is."""

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""


@dataclass(frozen=True)
class WholeResponse:
    """The advantage of a response acts on all its steps (GRPO, arXiv 2402.03300).

    Example:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 1]), np.ones((2, 2)))
        >>> WholeResponse()(group, np.array([1.0, -1.0])).tolist()
        [[1.0, 1.0], [-1.0, -1.0]]
    """

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        xp = array_namespace(advantages)
        return xp.broadcast_to(advantages[..., None], (*advantages.shape, group.steps))


@dataclass(frozen=True)
class CorrectPrefix:
    """An incorrect response with a positive advantage is credited for the steps before its first error only.

    Its wrong step is then not reinforced together with the right ones. Source:
    docs/theory/statements.md#groups-and-pairs.

    Example, two wrong responses whose first errors are at steps 2 and 1:
        >>> import numpy as np
        >>> group = Group(np.array([False, False]), np.array([1, 0]), np.ones((2, 2)))
        >>> CorrectPrefix()(group, np.array([1.0, -1.0])).tolist()
        [[1.0, 0.0], [-1.0, -1.0]]
    """

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        xp = array_namespace(group.correct, group.first_error, advantages)
        spread = xp.broadcast_to(advantages[..., None], (*advantages.shape, group.steps))

        # Only praise is limited to the right prefix; blame acts on the whole response
        praised_although_wrong = (~group.correct & (advantages > 0))[..., None]
        step = xp.arange(group.steps, dtype=group.first_error.dtype)
        behind_the_prefix = step >= group.first_error[..., None]

        return xp.where(praised_although_wrong & behind_the_prefix, xp.zeros_like(spread), spread)


@dataclass(frozen=True)
class TokenMean:
    """The loss is a mean over all tokens of the group, so a response counts as much as it is long.

    The advantage of every step is multiplied by G times the length of the right response, over the number of tokens of
    the group: where all responses are as long as the right one, nothing changes. Without lengths of the right response
    the longest of the group stands for it. Source: DAPO, arXiv 2503.14476, Eq. 8; docs/theory/related.md#dapo.

    Example, a right response of two tokens and a wrong one of six:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 0]), np.array([[1.0, 1.0], [5.0, 1.0]]))
        >>> TokenMean()(group, np.array([1.0, -1.0])).tolist()
        [[1.5, 1.5], [-1.5, -1.5]]
    """

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        xp = array_namespace(advantages)
        tokens = response_lengths(group, advantages.dtype)
        if group.valid is not None:
            tokens = xp.where(group.valid, tokens, xp.zeros_like(tokens))
        total = xp.sum(tokens, axis=-1, keepdims=True)

        # A group without tokens has nothing to weigh
        usual = xp.max(tokens, axis=-1, keepdims=True)
        if group.true_lengths is not None:
            usual = xp.sum(xp.astype(group.true_lengths, advantages.dtype), axis=-1)
        counted = xp.sum(xp.astype(tokens > 0, advantages.dtype), axis=-1, keepdims=True)
        scale = usual * counted / xp.where(total > 0, total, xp.ones_like(total))

        return WholeResponse()(group, advantages * scale)


def response_lengths(group: Group, dtype: Any) -> Array:
    """Length ``(..., G)`` of every response of a group whose lengths are those of steps, in ``dtype``.

    Raises `InputError` where only numbers of steps are known.
    """
    check_step_lengths(group)
    return group.xp.sum(group.xp.astype(group.lengths, dtype), axis=-1)


def check_step_lengths(group: Group) -> None:
    """Raise `InputError` unless ``group`` knows the length of every single step."""
    per_step = group.lengths.ndim == group.correct.ndim + 1
    check(per_step, "lengths", f"of {group.lengths.ndim} axes", "the length of every step, (..., G, S)")


@dataclass(frozen=True)
class ProcessReward:
    """Process supervision: rewards of steps, standardized over all steps of the group, act on what led to them.

    A right step earns 1 and any other 0; a step's advantage is the sum of the standardized rewards of the steps from
    it on. The advantages of responses are not used. statistics: how rewards are standardized. Source: GRPO with process
    supervision, arXiv 2402.03300, Section 4.1.3; docs/theory/related.md#process-rewards.

    Example, two responses of two steps, the second one wrong at its second step:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 1]), np.ones((2, 2)))
        >>> ProcessReward()(group, np.zeros(2)).round(3).tolist()
        [[1.155, 0.577], [-1.155, -1.732]]
    """

    statistics: GroupAdvantage = field(default_factory=GroupAdvantage)

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        check_step_lengths(group)
        xp = array_namespace(advantages, group.first_error)
        step = xp.arange(group.steps, dtype=group.first_error.dtype)
        right = xp.astype(step < group.first_error[..., None], advantages.dtype)
        written = group.lengths > 0
        if group.valid is not None:
            written = written & group.valid[..., None]

        # All steps of the group are compared with each other, as responses are elsewhere
        flat = (*right.shape[:-2], right.shape[-2] * right.shape[-1])
        standardized = self.statistics(xp.reshape(right, flat), xp.reshape(written, flat))

        # A step is responsible for its own reward and for those behind it
        later = xp.astype(step[:, None] >= step[None, :], advantages.dtype)
        return xp.matmul(xp.reshape(standardized, right.shape), later)


@dataclass(frozen=True)
class SpreadWeighted:
    """Steps at which the responses of the group are in different states count more.

    A response is right so far, has gone wrong, or is over; the spread of a step is the chance that two responses are in
    different states before it. Step s is multiplied by ``1 + (alpha - 1) (d_s - min d) / (max d - min d)`` over the
    steps of the group, d the spread. alpha: factor of the most informative step, at least 1. Source: after TW-GRPO,
    arXiv 2505.24718, whose spread is that of token distributions; docs/theory/related.md#token-weights.
    Raises `InputError` for an alpha below 1.

    Example, two responses of which one goes wrong at its first step:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 0]), np.ones((2, 2)))
        >>> SpreadWeighted(alpha=1.5)(group, np.array([1.0, -1.0])).tolist()
        [[1.0, 1.5], [-1.0, -1.5]]
    """

    alpha: float = 1.7

    def __post_init__(self) -> None:
        check(is_number(self.alpha) and self.alpha >= 1, "alpha", self.alpha, "a finite number, at least 1")

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        check_step_lengths(group)
        xp = array_namespace(advantages, group.first_error)
        counts = xp.ones_like(group.correct) if group.valid is None else group.valid
        number = xp.sum(xp.astype(counts, advantages.dtype), axis=-1, keepdims=True)

        # In which state each response is before each step
        step = xp.arange(group.steps, dtype=group.first_error.dtype)
        written = (group.lengths > 0) & counts[..., None]
        right = written & (step <= group.first_error[..., None])
        states = (right, written & ~right, ~written & counts[..., None])

        # The chance that two responses are in different states
        spread = xp.ones_like(advantages[..., :1, None] * xp.astype(step, advantages.dtype))
        for state in states:
            share = xp.sum(xp.astype(state, advantages.dtype), axis=-2, keepdims=True) / number[..., None]
            spread = spread - share * share

        # A step that nobody wrote informs nobody; it must not be the smallest one either
        anybody = xp.any(written, axis=-2, keepdims=True)
        low = xp.min(xp.where(anybody, spread, xp.full_like(spread, inf)), axis=-1, keepdims=True)
        high = xp.max(xp.where(anybody, spread, xp.full_like(spread, -inf)), axis=-1, keepdims=True)
        varied = high - low > SAME_SPREAD
        place = xp.where(
            varied, (spread - low) / xp.where(varied, high - low, xp.ones_like(low)), xp.zeros_like(spread)
        )
        return WholeResponse()(group, advantages) * (1 + (self.alpha - 1) * place)


SAME_SPREAD = 1e-6
"""Spreads of a group that differ less are equal: shares of responses differ by more than rounding."""
