"""The default problems: chained addition modulo m, H steps of one token.

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

from spo_theory.allowed import whole
from spo_theory.validation import refuse
from toy_llm.judging.exact import Verdict, judge
from toy_llm.problems.task import ROW, draws
from toy_llm.settings import plain_values, problems_of

STEPS = whole(1, ROW - 1)
"""Steps of a question: it has one number more, and at most `ROW` random ones."""

MODULUS = whole(2, 1000)


@dataclass(frozen=True)
class ChainTask:
    """Chained addition of ``horizon + 1`` numbers modulo ``modulus``, from 2 to 1000.

    Raises `InputError` for a horizon below 1 or above 1023, and for another modulus.

    >>> prompts, answers = ChainTask(horizon=3, modulus=10).questions("train", seed=0, start=0, count=1)
    >>> prompts, answers
    (tensor([[ 3,  0,  9,  0, 10]]), tensor([[3, 2, 2]]))
    """

    horizon: int
    modulus: int = 10

    def __post_init__(self) -> None:
        plain_values(self)
        refuse(problems_of(self, horizon=STEPS, modulus=MODULUS))

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

        Question i of a stream depends on (stream, seed, i) alone, see `toy_llm.problems.task.Task.questions`.
        """
        # The sizes are part of the entropy: chains of other sizes share no numbers.
        entropy = [seed, *stream.encode(), self.horizon, self.modulus]
        bits = draws(entropy, start, count, self.horizon + 1)
        numbers = torch.from_numpy((bits % np.uint64(self.modulus)).astype(np.int64))

        # The equals sign is one more token behind the numbers; the steps are their running sums.
        equals = torch.full((count, 1), self.modulus)
        answers = numbers.cumsum(1)[:, 1:] % self.modulus
        return torch.cat([numbers, equals], dim=1), answers

    def answer_steps(self, answers: torch.Tensor) -> torch.Tensor:
        """Step h for token h of true values ``(N, H)``."""
        return torch.arange(answers.shape[-1], device=answers.device).expand_as(answers)

    def judge(self, responses: torch.Tensor, answers: torch.Tensor) -> Verdict:
        """Every token of ``responses`` ``(Q, G, H)`` is a step; see `toy_llm.judging.exact.judge`.

        ``answers``: true running values ``(Q, H)``. Every response has H steps of one token, and all of it is written.
        """
        # All tokens are written, and each is a step of length 1.
        correct, first_error = judge(responses, answers)
        ones = torch.ones_like(responses)
        return Verdict(correct, first_error, ones.sum(-1), ones, ones.bool(), self.answer_steps(responses))
