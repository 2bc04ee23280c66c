"""Groups from a tree search with PUCT and self-evaluation, and what the search says of a step.

Derived in docs/theory/related.md#tree-search.
"""

from dataclasses import dataclass, field

from array_api_compat import array_namespace

from spo_theory.group import Array, Group
from spo_theory.parts.samplers import FreshGroups, products
from spo_theory.parts.step_pairs import StepVerdict
from spo_theory.validation import is_number, problem, refuse


def _check_confidence(confidence: float) -> list[str]:
    inside = is_number(confidence) and 0 <= confidence <= 1
    return problem(inside, "confidence", confidence, "a number from 0 to 1")


@dataclass(frozen=True)
class TreeSearch(FreshGroups):
    """The G responses of a group are the simulations of one tree search, each of which knows those before it.

    Behind a right prefix that was visited, the search takes the right or the wrong step, whichever has the larger
    ``Q + puct p sqrt(N) / (1 + n)``: p its probability, N and n the visits of the prefix and of the step, Q the mean
    outcome of its visits (1 or -1; 0 without visits) plus its self-evaluation. From the first prefix that was not
    visited on, the policy writes.

    puct: at least 0.
    confidence: self-evaluation of a right step, that of a wrong one is 1 less it; 0.5: none.
    inner_updates: as in `FreshGroups`.

    Raises `InputError` for values outside. Source: arXiv 2405.00451; docs/theory/related.md#tree-search.

    Example, after one response that failed at the first of two steps, the search begins with the right one:
        >>> import numpy as np
        >>> depth, wrong = TreeSearch().descend(np.array([1, 0, 0]), np.array([0.5, 0.5]))
        >>> int(depth), bool(wrong)
        (1, False)
    """

    puct: float = field(default=1.0, kw_only=True)
    confidence: float = field(default=0.9, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        fine = is_number(self.puct) and self.puct >= 0
        refuse(problem(fine, "puct", self.puct, "a finite number, at least 0") + _check_confidence(self.confidence))

    def descend(self, visits: Array, success: Array) -> tuple[Array, Array]:
        """Where the next response goes in the tree: right steps ``(...)`` and whether a wrong one follows ``(...)``.

        ``visits`` ``(..., H + 1)``: responses so far, by their right steps. ``success`` ``(..., H)``: probability of
        each right step. Where no wrong step follows, the policy goes on by itself.
        """
        xp = array_namespace(success)
        visits = xp.astype(visits, success.dtype)
        at_least = xp.flip(xp.cumulative_sum(xp.flip(visits, axis=-1), axis=-1), axis=-1)
        of_prefix, of_right, of_wrong = at_least[..., :-1], at_least[..., 1:], visits[..., :-1]

        # A wrong step never leads to success; a right one does in the share of its visits
        one = xp.ones_like(of_right)
        outcome = 2 * visits[..., -1:] / xp.where(of_right > 0, of_right, one) - 1
        value_right = self.confidence + xp.where(of_right > 0, outcome, 0 * one)
        value_wrong = 1 - self.confidence - xp.where(of_wrong > 0, one, 0 * one)
        wide = self.puct * xp.sqrt(of_prefix)
        right = value_right + wide * success / (1 + of_right) >= value_wrong + wide * (1 - success) / (1 + of_wrong)

        # Down to the first prefix that is new, or behind which the wrong step is taken
        on_track = xp.astype((of_prefix > 0) & right, xp.int64)
        depth = xp.sum(products(on_track), axis=-1)
        steps = xp.arange(success.shape[-1], dtype=depth.dtype)
        stopped = (steps == depth[..., None]) & (of_prefix > 0)
        return depth, xp.any(stopped, axis=-1)

    def law(self, visits: Array, success: Array) -> Array:
        """Probability ``(..., H + 1)`` of the right steps of the next response; arguments as of `descend`.

        Example, the first response is the policy's own:
            >>> import numpy as np
            >>> TreeSearch().law(np.zeros(2), np.array([0.25])).tolist()
            [0.75, 0.25]
        """
        xp = array_namespace(success)
        depth, wrong = self.descend(visits, success)
        steps = xp.arange(success.shape[-1] + 1, dtype=depth.dtype)
        taken = xp.where(steps[:-1] < depth[..., None], xp.ones_like(success), success)
        end = steps == depth[..., None]
        reached = products(taken)
        reached = xp.concat([xp.ones_like(reached[..., :1]), reached], axis=-1)
        stop = xp.concat([1 - taken, xp.ones_like(taken[..., :1])], axis=-1)
        return xp.where(wrong[..., None], xp.astype(end, success.dtype), reached * stop)

    def draw(self, luck: Array, success: Array) -> Array:
        """Right steps ``(..., G)`` of the responses of a group; ``luck`` ``(..., G)``: uniform numbers in [0, 1).

        ``success`` ``(..., H)``: probability of each right step.
        """
        xp = array_namespace(luck, success)
        steps = xp.arange(success.shape[-1] + 1)
        visits = xp.zeros((*luck.shape[:-1], success.shape[-1] + 1), dtype=success.dtype)
        success = xp.broadcast_to(success, (*luck.shape[:-1], success.shape[-1]))
        found = []
        for i in range(luck.shape[-1]):
            chance = xp.cumulative_sum(self.law(visits, success), axis=-1)[..., :-1]
            found.append(xp.sum(xp.astype(luck[..., i, None] >= chance, xp.int64), axis=-1))
            visits = visits + xp.astype(found[-1][..., None] == steps, success.dtype)
        return xp.stack(found, axis=-1)


@dataclass(frozen=True)
class SearchVerdict:
    """What a tree search says of every step: 1 for the sibling of larger value, -1 for the other, 0 where they tie.

    The values are those of `TreeSearch`, without its bonus. No judge decides: where no response behind the right step
    is correct, it is the self-evaluation alone.

    confidence: as in `TreeSearch`. Source: docs/theory/related.md#tree-search.

    Example, without self-evaluation nothing is learnt where all responses fail:
        >>> import numpy as np
        >>> group = Group(np.array([False, False]), np.array([1, 0]), np.ones((2, 2)))
        >>> bool(SearchVerdict(confidence=0.5)(group, np.zeros(2)).any())
        False
        >>> SearchVerdict(confidence=0.9)(group, np.zeros(2)).tolist()
        [[1.0, -1.0], [-1.0, 0.0]]
    """

    confidence: float = 0.9

    def __post_init__(self) -> None:
        refuse(_check_confidence(self.confidence))

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Verdict ``(..., G, S)`` on each step, in the place of its advantage."""
        xp = array_namespace(advantages, group.first_error)
        verdict = StepVerdict()(group, advantages)
        right = xp.astype(verdict > 0, verdict.dtype)
        number = xp.sum(right, axis=-2, keepdims=True)
        correct = xp.astype(group.counted_correct, verdict.dtype)[..., None]
        share = xp.sum(right * correct, axis=-2, keepdims=True) / xp.where(number > 0, number, xp.ones_like(number))
        return verdict * xp.sign(2 * self.confidence - 1 + 2 * share)
