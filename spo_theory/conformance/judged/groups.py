"""Judged groups on which rewards and step weights are tried, and how one that fails is made small."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Judged:
    """Groups ``(Q, G)`` of responses: ``correct``; ``first_error``, the right steps before the first wrong one, the
    number of steps if there is none; ``lengths``, the number of steps."""

    correct: np.ndarray
    first_error: np.ndarray
    lengths: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Boolean ``(Q, G, S)``: the steps that were written."""
        return np.arange(int(self.lengths.max())) < self.lengths[..., None]

    def rows(self, which: Any) -> "Judged":
        """Some groups, or all of them in another order."""
        return Judged(self.correct[which], self.first_error[which], self.lengths[which])

    def columns(self, which: Any) -> "Judged":
        """Some responses of every group, or all of them in another order."""
        return Judged(self.correct[:, which], self.first_error[:, which], self.lengths[:, which])


def make(seed: int, groups: int, size: int, steps: int, right: float) -> Judged:
    """Random groups in which a response is correct with probability ``right``; lengths from 1 to ``steps``."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, steps + 1, (groups, size))
    lengths[:, 0] = steps
    correct = generator.random((groups, size)) < right
    wrong_at = np.minimum(generator.integers(0, steps, (groups, size)), lengths - 1)
    return Judged(correct, np.where(correct, lengths, wrong_at), lengths)


def mixed() -> Iterator[Judged]:
    """Groups with correct and with wrong responses."""
    for size in (2, 4, 8):
        judged = make(size, 5, size, 4, 0.4)
        correct = judged.correct.copy()
        correct[:, 0], correct[:, -1] = True, False
        wrong_at = np.minimum(judged.first_error, judged.lengths - 1)
        yield Judged(correct, np.where(correct, judged.lengths, wrong_at), judged.lengths)


def all_wrong() -> Iterator[Judged]:
    """All-negative groups."""
    for size in (2, 4, 8):
        yield make(10 + size, 4, size, 5, 0.0)


def alike() -> Iterator[Judged]:
    """Groups in which all are correct, or all fail at the same step."""
    shape = (4, 4)
    first_error = np.broadcast_to(np.array([[4], [0], [1], [3]]), shape).copy()
    yield Judged(first_error == 4, first_error, np.full(shape, 4))


def every() -> Iterator[Judged]:
    """Mixed, all-negative and uniform groups side by side, in one batch."""
    for size in (2, 4):
        parts = [make(20 + size, 3, size, 4, right) for right in (0.0, 0.5, 1.0)]
        yield Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def ladder() -> Iterator[Judged]:
    """All-negative groups of two: one response failed one step later than the other."""
    for steps in (2, 5):
        first_error = np.array([[k, k + 1] for k in range(steps - 1)])
        yield Judged(np.zeros(first_error.shape, dtype=bool), first_error, np.full(first_error.shape, steps))


def smaller(judged: Judged) -> Iterator[Judged]:
    """A group or a response less, then shorter responses."""
    groups, size = judged.correct.shape
    for row in range(groups if groups > 1 else 0):
        yield judged.rows(np.arange(groups) != row)
    for column in range(size if size > 2 else 0):
        yield judged.columns(np.arange(size) != column)
    if judged.lengths.max() > 1:
        lengths = np.minimum(judged.lengths, judged.lengths.max() - 1)
        first_error = np.where(judged.correct, lengths, np.minimum(judged.first_error, lengths - 1))
        yield Judged(judged.correct, first_error, lengths)
