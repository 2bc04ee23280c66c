"""Questions of a fixed pool, without those whose responses were all right the last time (docs/theory/remedies.md).

What is remembered is part of a run's checkpoint, so that a resumed run asks the same questions.
"""

from typing import Any

import numpy as np
import torch

from spo_theory.parts.samplers import HistoryResampling
from toy_llm.config import TrainConfig
from toy_llm.problems.task import Task


class History:
    """Which questions of a pool are still to be asked in this epoch, and which are left out of the next one.

    >>> from toy_llm.problems.chain import ChainTask
    >>> history = History(HistoryResampling(pool=2), ChainTask(2), seed=0)
    >>> _ = history.ask(2)
    >>> history.record(torch.tensor([True, False]))  # one of them needs no more training for now
    >>> _ = history.ask(1)
    >>> history.epoch, history.left_out.sum()
    (1, np.int64(1))
    """

    def __init__(self, sampler: HistoryResampling, task: Task, seed: int) -> None:
        self.sampler = sampler
        self.seed = seed
        self.questions = task.questions("train", seed, 0, sampler.pool)
        self.epoch = 0
        self.place = 0
        self.left_out = np.zeros(sampler.pool, bool)
        self.solved = np.zeros(sampler.pool, bool)
        self.asked = np.zeros(0, int)

    def order(self) -> np.ndarray:
        """The questions of this epoch in the order in which they are asked; it depends on (seed, epoch) alone."""
        entropy = [self.seed, self.epoch, *b"history"]
        shuffled = np.random.default_rng(entropy).permutation(self.sampler.pool)
        return shuffled[~self.left_out[shuffled]]

    def ask(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts ``(count, P)`` and true responses ``(count, T)`` of the next questions.

        A batch may reach into the next epoch; what it leaves out is decided by the batches before this one.
        """
        found: list[int] = []
        while len(found) < count:
            order = self.order()
            if self.place >= len(order):
                self._next_epoch()
                continue
            part = order[self.place : self.place + count - len(found)]
            self.place += len(part)
            found += part.tolist()
        self.asked = np.array(found)
        prompts, answers = self.questions
        return prompts[self.asked], answers[self.asked]

    def record(self, all_right: torch.Tensor) -> None:
        """Remember of which of the questions just asked all responses were right, boolean ``(count,)``."""
        self.solved[self.asked] = all_right.cpu().numpy()

    def _next_epoch(self) -> None:
        """Leave out what was solved; what was left out comes back, or stays away for ever."""
        before = self.left_out
        self.left_out = (self.solved & ~before) if self.sampler.left_out == "once" else (self.solved | before)
        if self.left_out.all():
            self.left_out = np.zeros_like(before)
        self.solved = np.zeros_like(self.solved)
        self.epoch += 1
        self.place = 0

    def state(self) -> dict[str, Any]:
        """All that is remembered, as plain values for a checkpoint."""
        return {
            "epoch": self.epoch,
            "place": self.place,
            "left_out": torch.from_numpy(self.left_out.copy()),
            "solved": torch.from_numpy(self.solved.copy()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.epoch = state["epoch"]
        self.place = state["place"]
        self.left_out = state["left_out"].numpy().copy()
        self.solved = state["solved"].numpy().copy()


class NoHistory:
    """For runs whose questions are all fresh: nothing is remembered, and no questions are chosen."""

    def ask(self, count: int) -> None:
        """No questions: the sampler of batches makes fresh ones."""

    def record(self, all_right: torch.Tensor) -> None:
        """Nothing is remembered."""

    def state(self) -> None:
        """Nothing to keep in a checkpoint."""


def history_of(config: TrainConfig, task: Task, state: dict[str, Any] | None) -> History | NoHistory:
    """The history of a run, continued from ``state`` if there is one."""
    sampler = config.make_rule().sampler
    if not isinstance(sampler, HistoryResampling) or config.mode == "offline":
        return NoHistory()
    history = History(sampler, task, config.seed)
    if state is not None:
        history.restore(state)
    return history
