"""Samplers: where groups come from, which part of a question is asked, and how often each batch is used.

A question of S steps is asked whole, or in part: the first ``given`` steps of its solution stand in the prompt already
(a hint), only the first ``asked`` steps count (an easier question), or the solution itself is learnt (imitation). A
sampler lists these portions and says how likely each is. Derived in docs/theory/remedies.md.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, get_args

from array_api_compat import array_namespace

from spo_theory.group import Array
from spo_theory.validation import is_number, is_whole, problem, refuse

Depth = Literal["uniform", "adaptive"]
Lengths = Literal["mixed", "curriculum"]
LeftOut = Literal["once", "forever"]


class Portions(NamedTuple):
    """Ways to ask a question of S steps, one entry each.

    given: steps of the solution that stand in the prompt. asked: the steps before this one count. taught: the solution
    is learnt instead of sampled responses. All are numpy arrays ``(W,)``.
    """

    given: Array
    asked: Array
    taught: Array

    def learnt(self, steps: int) -> Array:
        """Boolean ``(W, S)``: steps that are neither given nor behind those asked for."""
        import numpy as np

        step = np.arange(steps)
        return (step >= self.given[:, None]) & (step < self.asked[:, None])


class Sampler(Protocol):
    """What every sampler is."""

    @property
    def inner_updates(self) -> int:
        """Gradient steps on each batch, at least 1."""

    @property
    def whole(self) -> bool:
        """Whether every question is asked whole: then there is one portion."""

    @property
    def looks(self) -> bool:
        """Whether the chances of the portions depend on the policy: then it is tried on the reference solutions."""

    @property
    def resamples(self) -> bool:
        """Whether groups that the method's filter does not keep are replaced by others."""

    def portions(self, steps: int) -> Portions:
        """The ways to ask a question of ``steps`` steps, S."""

    def chances(self, step_success: Array) -> Array:
        """Probability ``(..., W)`` of each portion, given that of each step ``(..., S)`` to be right."""


def _check_inner(inner_updates: int) -> list[str]:
    return problem(is_whole(inner_updates, 1), "inner_updates", inner_updates, "a whole number, at least 1")


@dataclass(frozen=True)
class FreshGroups:
    """New groups from the current policy for every batch, of whole questions.

    inner_updates: gradient steps on each batch, at least 1. From the second on, the policy is no longer the one that
    sampled, and the importance ratio of the objective matters. Raises `InputError` for other values.
    Source: docs/theory/clipping.md.

    Example:
        >>> FreshGroups(inner_updates=4).inner_updates
        4
    """

    inner_updates: int = 1
    whole = True
    looks = False
    resamples = False

    def __post_init__(self) -> None:
        refuse(_check_inner(self.inner_updates))

    def portions(self, steps: int) -> Portions:
        """The whole question."""
        import numpy as np

        return Portions(np.array([0]), np.array([steps]), np.array([False]))

    def chances(self, step_success: Array) -> Array:
        """Probability 1 ``(..., 1)``."""
        xp = array_namespace(step_success)
        return xp.ones_like(step_success[..., :1])


@dataclass(frozen=True)
class DynamicSampling(FreshGroups):
    """New groups, sampled again until the batch holds only groups that the method's filter keeps.

    What is thrown away still costs rollouts. inner_updates: as in `FreshGroups`. most_batches: how often at most a
    whole batch is sampled where groups are really drawn; places that are still free then stay empty. The exact theory
    has no such limit. Raises `InputError` for values below 1. Source: DAPO, arXiv 2503.14476;
    docs/theory/step-weights.md#resampling.

    Example:
        >>> DynamicSampling().most_batches
        10
    """

    most_batches: int = 10
    resamples = True

    def __post_init__(self) -> None:
        many = is_whole(self.most_batches, 1)
        problems = problem(many, "most_batches", self.most_batches, "a whole number, at least 1")
        refuse(_check_inner(self.inner_updates) + problems)


@dataclass(frozen=True)
class HistoryResampling(FreshGroups):
    """Whole questions of a fixed pool, epoch after epoch, without those whose responses were all right the last time.

    pool: number of questions. left_out: ``once``, a question that is left out comes back after one epoch, or
    ``forever``. Where no question is left, all come back. inner_updates: as in `FreshGroups`. A trainer has to remember
    which questions are left out. Source: SRPO, arXiv 2504.14286; docs/theory/remedies.md#history.

    Example:
        >>> HistoryResampling(pool=64).left_out
        'once'
    """

    pool: int = field(default=256, kw_only=True)
    left_out: LeftOut = field(default="once", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            problem(is_whole(self.pool, 1), "pool", self.pool, "a whole number, at least 1")
            + problem(self.left_out in get_args(LeftOut), "left_out", self.left_out, " or ".join(get_args(LeftOut)))
        )


@dataclass(frozen=True)
class HintedGroups:
    """The first steps of the solution are given; the policy goes on from there.

    depth: ``uniform``, every number of given steps from 0 to S - 1 is equally likely (R3, arXiv 2402.05808);
    ``adaptive``, the fewest from which the rest succeeds with probability ``threshold`` or more, S - 1 if there is no
    such number. threshold: in (0, 1]. inner_updates: as in `FreshGroups`. Derived in docs/theory/remedies.md#hints.

    Example, two steps that are right with probability 1/2:
        >>> import numpy as np
        >>> HintedGroups(depth="adaptive", threshold=0.25).chances(np.array([0.5, 0.5])).tolist()
        [1.0, 0.0]
        >>> HintedGroups(depth="adaptive", threshold=0.4).chances(np.array([0.5, 0.5])).tolist()
        [0.0, 1.0]
    """

    depth: Depth = "adaptive"
    threshold: float = 0.25
    inner_updates: int = field(default=1, kw_only=True)
    whole = False
    resamples = False

    def __post_init__(self) -> None:
        refuse(
            problem(self.depth in get_args(Depth), "depth", self.depth, " or ".join(get_args(Depth)))
            + _check_threshold(self.threshold)
            + _check_inner(self.inner_updates)
        )

    @property
    def looks(self) -> bool:
        """Whether the depth depends on the policy."""
        return self.depth == "adaptive"

    def portions(self, steps: int) -> Portions:
        """All depths from 0 to S - 1, in this order."""
        import numpy as np

        return Portions(np.arange(steps), np.full(steps, steps), np.zeros(steps, bool))

    def chances(self, step_success: Array) -> Array:
        """Probability ``(..., S)`` of each depth."""
        if not self.looks:
            return _equal(step_success)

        # What is left behind d given steps succeeds with the product of the last ones
        xp = array_namespace(step_success)
        rest = xp.flip(products(xp.flip(step_success, axis=-1)), axis=-1)
        good = rest >= self.threshold
        return _first(xp.concat([good[..., :-1], xp.ones_like(good[..., :1])], axis=-1), step_success)


@dataclass(frozen=True)
class ShorterQuestions:
    """Easier questions that share their steps with the hard one: only the first steps are asked for.

    lengths: ``mixed``, every length from 1 to S is equally likely (2601.15158); ``curriculum``, the longest question
    that succeeds with probability ``threshold`` or more, one step if there is none. threshold: in (0, 1].
    inner_updates: as in `FreshGroups`. Derived in docs/theory/remedies.md#easier-questions.

    Example, two steps that are right with probability 1/2:
        >>> import numpy as np
        >>> ShorterQuestions().chances(np.array([0.5, 0.5])).tolist()
        [0.5, 0.5]
        >>> ShorterQuestions("curriculum", threshold=0.4).chances(np.array([0.5, 0.5])).tolist()
        [1.0, 0.0]
    """

    lengths: Lengths = "mixed"
    threshold: float = 0.25
    inner_updates: int = field(default=1, kw_only=True)
    whole = False
    resamples = False

    def __post_init__(self) -> None:
        refuse(
            problem(self.lengths in get_args(Lengths), "lengths", self.lengths, " or ".join(get_args(Lengths)))
            + _check_threshold(self.threshold)
            + _check_inner(self.inner_updates)
        )

    @property
    def looks(self) -> bool:
        """Whether the length depends on the policy."""
        return self.lengths == "curriculum"

    def portions(self, steps: int) -> Portions:
        """All lengths from 1 to S, in this order."""
        import numpy as np

        return Portions(np.zeros(steps, int), np.arange(1, steps + 1), np.zeros(steps, bool))

    def chances(self, step_success: Array) -> Array:
        """Probability ``(..., S)`` of each length."""
        if not self.looks:
            return _equal(step_success)

        # Longer questions are never easier, so the longest good one is the last before the first bad one
        xp = array_namespace(step_success)
        good = products(step_success) >= self.threshold
        first = xp.ones_like(good[..., :1])
        good = xp.concat([first, good[..., 1:]], axis=-1)
        stop = xp.concat([~good[..., 1:], first], axis=-1)
        return _first(stop, step_success)


@dataclass(frozen=True)
class ReferenceSolutions:
    """A share of the questions is taught by their reference solution, the others by groups of rollouts.

    share: of the questions taught, in (0, 1]; 1 is imitation alone. inner_updates: as in `FreshGroups`.
    Derived in docs/theory/remedies.md#imitation.

    Example:
        >>> import numpy as np
        >>> ReferenceSolutions(share=0.25).chances(np.array([0.5, 0.5])).tolist()
        [0.75, 0.25]
    """

    share: float = 1.0
    inner_updates: int = field(default=1, kw_only=True)
    whole = False
    looks = False
    resamples = False

    def __post_init__(self) -> None:
        inside = is_number(self.share) and 0 < self.share <= 1
        refuse(problem(inside, "share", self.share, "a number above 0, at most 1") + _check_inner(self.inner_updates))

    def portions(self, steps: int) -> Portions:
        """The whole question sampled, and its solution."""
        import numpy as np

        return Portions(np.array([0, 0]), np.array([steps, steps]), np.array([False, True]))

    def chances(self, step_success: Array) -> Array:
        """Probability ``(..., 2)`` of each."""
        xp = array_namespace(step_success)
        one = xp.ones_like(step_success[..., :1])
        return xp.concat([(1 - self.share) * one, self.share * one], axis=-1)


def _check_threshold(threshold: float) -> list[str]:
    inside = is_number(threshold) and 0 < threshold <= 1
    return problem(inside, "threshold", threshold, "a number above 0, at most 1")


def _equal(step_success: Array) -> Array:
    """Equal chances ``(..., S)`` for as many portions as there are steps."""
    xp = array_namespace(step_success)
    return xp.ones_like(step_success) / step_success.shape[-1]


def products(values: Array) -> Array:
    """Products of the first values ``(..., S)``: entry s is that of the first s + 1."""
    xp = array_namespace(values)
    found = [values[..., 0]]
    for s in range(1, values.shape[-1]):
        found.append(found[-1] * values[..., s])
    return xp.stack(found, axis=-1)


def _first(holds: Array, like: Array) -> Array:
    """1 at the first true entry of ``holds`` ``(..., S)``, 0 elsewhere, in the dtype of ``like``."""
    xp = array_namespace(like)
    before = xp.cumulative_sum(xp.astype(holds, xp.int64), axis=-1)
    return xp.astype(holds & (before == 1), like.dtype)
