"""What a suite is: questions with a free number of steps in one vocabulary, as a task for the trainer.

A response writes the value of every step, steps separated by ``;``, then the end: ``mod10,7+5+9=`` wants ``2;1`` and
the end. Numbers are digits without leading zeros, so every step has exactly one right spelling and
`toy_llm.judging.exact` compares tokens. Prompts are padded before the equals sign to `PROMPT_LENGTH`, so that the h-th
number of all chains stands in one place; responses have at most `RESPONSE_LENGTH` tokens, which leaves room to ramble
(true ones need 14). All suites share these, so one network reads them all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from toy_llm.judging.exact import Verdict, judge_text, token_mask
from toy_llm.problems.tokens import END, PAD, SEP, TOKENS, spell

PROMPT_LENGTH = 20
RESPONSE_LENGTH = 16

Follow = Callable[[list[int]], int]
"""``written -> value``: what the next step should be, given the values written so far, right or wrong."""


@dataclass(frozen=True)
class Question:
    """A prompt (tokens, unpadded), the number of true steps, and what each should be after the ones before it.

    >>> double = Question(prompt=[], steps=3, follow=lambda written: 2 * written[-1] if written else 1)
    >>> double.values()
    [1, 2, 4]
    """

    prompt: list[int]
    steps: int
    follow: Follow

    def values(self) -> list[int]:
        """The true value of every step.

        Each from the true values before it: what a solver writes who never errs.
        """
        values: list[int] = []
        for _ in range(self.steps):
            values.append(self.follow(values))
        return values


Maker = Callable[[str, int, int, int], list[Question]]
"""``(stream, seed, start, count) -> questions``; question i depends on (stream, seed, i) alone."""


@dataclass(frozen=True)
class Suite:
    """A family of problems as a `toy_llm.problems.task.Task`.

    description: one line. horizon: most true steps of a question. held_out: not to be trained on. ``ask`` makes
    questions as `Question`; what it makes is decided by the name and the lengths.
    """

    name: str
    description: str
    horizon: int
    ask: Maker = field(repr=False)
    held_out: bool = False
    prompt_length: int = PROMPT_LENGTH
    response_length: int = RESPONSE_LENGTH
    vocabulary: int = len(TOKENS)
    end: int = END

    def questions(self, stream: str, seed: int, start: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts ``(count, P)``, padded before the equals sign, and true responses ``(count, T)``, by the end.

        Questions ``start`` to ``start + count - 1`` of a stream. Question i depends on (name, stream, seed, i) alone.
        """
        return self.tensors(self.ask(stream, seed, start, count))

    def tensors(self, questions: list[Question]) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts and true responses of given questions, as `questions` returns them.

        ``questions``: any number of them, also none; their prompts and responses must fit the lengths of the suite.
        """
        prompts = []
        answers = []
        for question in questions:
            # The padding stands before the equals sign, so that every response follows the same token.
            *text, equals = question.prompt
            padding = [PAD] * (self.prompt_length - len(question.prompt))
            prompts.append([*text, *padding, equals])

            # Every step is closed by the separator, the last one by the end.
            answer: list[int] = []
            for value in question.values():
                answer += [*spell(value), SEP]
            answer[-1] = END
            answers.append(answer + [END] * (self.response_length - len(answer)))

        # Without questions there is no row to tell the width.
        shape = (len(questions), -1) if questions else (0, 1)
        return (
            torch.tensor(prompts, dtype=torch.int64).reshape(*shape),
            torch.tensor(answers, dtype=torch.int64).reshape(*shape),
        )

    def answer_steps(self, answers: torch.Tensor) -> torch.Tensor:
        """Step ``(N, T)``, from 0, of each token of true responses ``(N, T)``, -1 for padding.

        A step ends with its separator, the last one with the end token, which belong to it.
        """
        # A closing token belongs to the step that it closes: the count is taken before it.
        closes = ((answers == SEP) | (answers == END)).long()
        return torch.where(token_mask(answers, END), closes.cumsum(-1) - closes, -1)

    def judge(self, responses: torch.Tensor, answers: torch.Tensor) -> Verdict:
        """What is right and wrong in any tokens ``(Q, G, T)``; see `toy_llm.judging.exact.judge_text`.

        ``answers``: true responses ``(Q, T)``. Nothing that is written is refused: what is no step is a wrong one.
        """
        return judge_text(responses, answers, SEP, END)
