"""What training needs of a family of problems, and the default one: chained addition modulo m, H one-token steps.

Worked example with H = 3 and m = 10. The numbers 7, 5, 9, 4 give the prompt ``7 5 9 4 =``; the only correct
response is ``2 1 5``: 7 + 5 = 12, 12 + 9 = 21, 21 + 4 = 25, each modulo 10.

- Response ``2 1 5``: no error, correct, first_error = 3.
- Response ``2 3 7``: the second step is wrong (it should be 1); the third continues from it. first_error = 1,
  one correct step of three, RTS = 1/3.

A response is correct when *every* step equals the true running value. Two errors can cancel so that only the
last number is right; the stylized model has no class for such a lucky guess, and it earns no outcome reward.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch

from spo_theory.validation import problem, refuse
from toy_llm.judging.exact import Verdict, judge


class Task(Protocol):
    """A family of problems with exactly checkable, multi-step responses."""

    @property
    def name(self) -> str:
        """What the family is called."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""

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

        Question i of a stream depends on (stream, seed, i) alone.
        """

    def answer_steps(self, answers: torch.Tensor) -> torch.Tensor:
        """Step ``(N, T)``, from 0, that each token of true responses ``(N, T)`` belongs to, -1 for padding."""

    def judge(self, responses: torch.Tensor, answers: torch.Tensor) -> Verdict:
        """What is right and wrong in ``responses`` ``(Q, G, T)``, given true responses ``(Q, T)``."""


def _mix(x: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers (the splitmix64 finalizer), so that neighbouring counters share nothing."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@lru_cache(maxsize=1024)
def _key(entropy: tuple[int, ...]) -> np.uint64:
    return np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]


def draws(entropy: list[int], start: int, count: int, width: int) -> np.ndarray:
    """Random 64-bit numbers ``(count, width)``, uint64; row i depends on (entropy, start + i) alone, width <= 1024."""
    key = _key(tuple(entropy))
    index = np.arange(start, start + count, dtype=np.uint64)[:, None] * np.uint64(1024)
    counter = index + np.arange(width, dtype=np.uint64)
    with np.errstate(over="ignore"):
        return _mix(_mix(counter * np.uint64(0x9E3779B97F4A7C15)) + key)


@dataclass(frozen=True)
class ChainTask:
    """Chained addition of ``horizon + 1`` numbers modulo ``modulus``, from 2 to 1000."""

    horizon: int
    modulus: int = 10

    def __post_init__(self) -> None:
        refuse(
            problem(isinstance(self.horizon, int) and self.horizon >= 1, "horizon", self.horizon, "at least 1")
            + problem(isinstance(self.modulus, int) and 2 <= self.modulus <= 1000, "modulus", self.modulus, "2 to 1000")
        )

    @property
    def name(self) -> str:
        """What the family is called."""
        return "chain"

    @property
    def vocabulary(self) -> int:
        """Number of tokens: the numbers 0..m-1 and the equals sign, token m."""
        return self.modulus + 1

    @property
    def prompt_length(self) -> int:
        """Tokens of a prompt: the numbers and the equals sign."""
        return self.horizon + 2

    @property
    def response_length(self) -> int:
        """Tokens of every response, H."""
        return self.horizon

    @property
    def end(self) -> None:
        """No token ends a response: it ends after H tokens."""
        return None

    def questions(self, stream: str, seed: int, start: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts ``(count, H + 2)`` and true running values ``(count, H)``, int64.

        Question i of a stream depends on (stream, seed, i) alone; ``stream`` names what they are for
        ("train", "measure", ...), so streams never share questions by shifting a seed.
        """
        entropy = [seed, *stream.encode(), self.horizon, self.modulus]
        bits = draws(entropy, start, count, self.horizon + 1)
        numbers = torch.from_numpy((bits % np.uint64(self.modulus)).astype(np.int64))
        equals = torch.full((count, 1), self.modulus)
        return torch.cat([numbers, equals], dim=1), numbers.cumsum(1)[:, 1:] % self.modulus

    def answer_steps(self, answers: torch.Tensor) -> torch.Tensor:
        """Step h for token h of true values ``(N, H)``."""
        return torch.arange(answers.shape[-1], device=answers.device).expand_as(answers)

    def judge(self, responses: torch.Tensor, answers: torch.Tensor) -> Verdict:
        """Every token of ``responses`` ``(Q, G, H)`` is a step; see `toy_llm.judging.exact.judge`."""
        correct, first_error = judge(responses, answers)
        ones = torch.ones_like(responses)
        return Verdict(correct, first_error, ones.sum(-1), ones, ones.bool(), self.answer_steps(responses))
