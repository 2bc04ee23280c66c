"""Rollouts of a run as columns of numbers; texts are not kept."""

from array import array
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

MOST_NAMED = 5
"""Bad rows that are named; the others are counted."""


@dataclass(frozen=True)
class Rollouts:
    """One entry for each response, in the order in which they were read.

    group: number of its group, from 0; a group is a question in a step. question: number of its question; the same
    question may be asked in several steps. step: of training. reward: NaN where it is unknown. correct: the outcome.
    advantage, length (tokens), log_prob (nats): NaN where it is unknown. first_error: right steps before the first
    wrong one, and steps: of the response; -1 where it is unknown.
    source: which format was read. notes: what was assumed. bad: rows that were left out, by reason, with their number
    and the first ones by file and line.
    """

    group: np.ndarray
    question: np.ndarray
    step: np.ndarray
    reward: np.ndarray
    correct: np.ndarray
    advantage: np.ndarray
    length: np.ndarray
    log_prob: np.ndarray
    first_error: np.ndarray
    steps: np.ndarray
    source: str = "table"
    notes: list[str] = field(default_factory=list)
    bad: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of responses."""
        return len(self.group)


class Columns:
    """Grows the columns of `Rollouts` row by row, some 70 bytes each."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.notes: list[str] = []
        self.bad: dict[str, tuple[int, list[str]]] = {}
        self._groups: dict[Hashable, int] = {}
        self._questions: dict[Hashable, int] = {}
        self._whole = {name: array("q") for name in ("group", "question", "step", "correct", "first_error", "steps")}
        self._real = {name: array("d") for name in ("reward", "advantage", "length", "log_prob")}

    def add(
        self,
        question: Hashable,
        step: int,
        correct: bool,
        reward: float,
        *,
        group: Hashable = None,
        advantage: float = np.nan,
        length: float = np.nan,
        log_prob: float = np.nan,
        first_error: int = -1,
        steps: int = -1,
    ) -> None:
        """Add one response; its group is ``group``, or else the question in this step."""
        key = (step, question) if group is None else (step, group)
        values = (
            self._groups.setdefault(key, len(self._groups)),
            self._questions.setdefault(question, len(self._questions)),
            step,
            int(correct),
            first_error,
            steps,
        )
        for column, value in zip(self._whole.values(), values, strict=True):
            column.append(value)
        for numbers, number in zip(self._real.values(), (reward, advantage, length, log_prob), strict=True):
            numbers.append(number)

    def refuse(self, reason: str, where: str) -> None:
        """Count a row that cannot be used, and remember where the first ones stand."""
        number, named = self.bad.get(reason, (0, []))
        if len(named) < MOST_NAMED:
            named = [*named, where]
        self.bad[reason] = (number + 1, named)

    def finish(self) -> Rollouts:
        """The rollouts."""
        whole = {name: np.frombuffer(values, dtype=np.int64) if values else np.zeros(0, np.int64)
                 for name, values in self._whole.items()}  # fmt: skip
        real = {name: np.frombuffer(values) if values else np.zeros(0) for name, values in self._real.items()}
        whole["correct"] = whole["correct"].astype(bool)
        return Rollouts(**whole, **real, source=self.source, notes=self.notes, bad=self.bad)
