"""What training needs of a family of problems, and random numbers that depend on their place alone."""

from functools import lru_cache
from typing import Protocol

import numpy as np
import torch

from toy_llm.judging.exact import Verdict

ROW = 1024
"""Most random numbers for one question."""


class Task(Protocol):
    """A family of problems with exactly checkable, multi-step responses."""

    @property
    def name(self) -> str:
        """What the family is called."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens, V."""

    @property
    def prompt_length(self) -> int:
        """Tokens of every prompt, P; shorter ones are padded with an ordinary token."""

    @property
    def response_length(self) -> int:
        """Most tokens of a response, T."""

    @property
    def horizon(self) -> int:
        """Most steps of a true response, S."""

    @property
    def end(self) -> int | None:
        """Token that ends a response; None if all responses have ``response_length`` tokens."""

    def questions(self, stream: str, seed: int, start: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts ``(count, P)`` and true responses ``(count, T)``, int64, after the end padded with ``end``.

        Question i of a stream depends on (stream, seed, i) alone; ``stream`` names what the questions are for
        ("train", "measure", ...), so that two uses never share questions by shifting a seed.
        """

    def answer_steps(self, answers: torch.Tensor) -> torch.Tensor:
        """Step ``(N, T)``, from 0, that each token of true responses ``(N, T)`` belongs to, -1 for padding.

        By it the probabilities of true tokens are gathered into those of true steps.
        """

    def judge(self, responses: torch.Tensor, answers: torch.Tensor) -> Verdict:
        """What is right and wrong in ``responses`` ``(Q, G, T)``, given true responses ``(Q, T)``.

        Any tokens are judged, never refused. Steps, their lengths and the first error are found token by token.
        """


def draws(entropy: list[int], start: int, count: int, width: int) -> np.ndarray:
    """Random 64-bit numbers ``(count, width)``, uint64, ``width`` at most 1024; row i is that of question start + i.

    A row depends on (entropy, start + i) alone, so questions may be made in any order and in batches of any size.

    >>> bool((draws([0], 5, 1, 3) == draws([0], 0, 10, 3)[5:6]).all())
    True
    """
    # The entropy gives one key; the counter below makes the numbers of each place differ.
    key = _key(tuple(entropy))

    # Every number has a place of its own: its question's row, then its column.
    index = np.arange(start, start + count, dtype=np.uint64)[:, None] * np.uint64(ROW)
    counter = index + np.arange(width, dtype=np.uint64)
    with np.errstate(over="ignore"):  # wrapping around at 2^64 is wanted
        return _mix(_mix(counter * np.uint64(0x9E3779B97F4A7C15)) + key)


def _mix(x: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers (the splitmix64 finalizer), so that neighbouring counters share nothing."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@lru_cache(maxsize=1024)
def _key(entropy: tuple[int, ...]) -> np.uint64:
    return np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
