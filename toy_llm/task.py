"""Chained addition modulo m: a question needs H steps, one visible token each.

Worked example with H = 3 and m = 10. The numbers 7, 5, 9, 4 give the prompt ``7 5 9 4 =``; the only correct
response is ``2 1 5``: 7 + 5 = 12, 12 + 9 = 21, 21 + 4 = 25, each modulo 10.

- Response ``2 1 5``: no error, correct, first_error = 3.
- Response ``2 3 7``: the second step is wrong (it should be 1); the third continues from it. first_error = 1,
  one correct step of three, RTS = 1/3.

A response is correct when *every* step equals the true running value. Two errors can cancel so that only the
last number is right; the stylized model has no class for such a lucky guess, and it earns no outcome reward.
"""

from dataclasses import dataclass

import numpy as np
import torch

from spo_theory.checks import problem, refuse


def _mix(x: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers (the splitmix64 finalizer), so that neighbouring counters share nothing."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


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
    def vocabulary(self) -> int:
        """Number of tokens: the numbers 0..m-1 and the equals sign, token m."""
        return self.modulus + 1

    @property
    def prompt_length(self) -> int:
        """Tokens of a prompt: the numbers and the equals sign."""
        return self.horizon + 2

    def questions(self, stream: str, seed: int, start: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts ``(count, H + 2)`` and true running values ``(count, H)``, int64.

        Question i of a stream depends on (stream, seed, i) alone; ``stream`` names what they are for
        ("train", "measure", ...), so streams never share questions by shifting a seed.
        """
        entropy = [seed, *stream.encode(), self.horizon, self.modulus]
        key = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
        index = np.arange(start, start + count, dtype=np.uint64)[:, None] * np.uint64(1024)
        counter = index + np.arange(self.horizon + 1, dtype=np.uint64)
        with np.errstate(over="ignore"):
            bits = _mix(_mix(counter * np.uint64(0x9E3779B97F4A7C15)) + key)
        numbers = torch.from_numpy((bits % np.uint64(self.modulus)).astype(np.int64))
        equals = torch.full((count, 1), self.modulus)
        return torch.cat([numbers, equals], dim=1), numbers.cumsum(1)[:, 1:] % self.modulus
