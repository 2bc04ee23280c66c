"""Attempts at problems, right and wrong: what imperfect solvers write, for warm starts and for judges to learn from."""

from collections.abc import Iterator

import torch

from spo_theory.validation import check
from toy_llm.problems.chain import ChainTask, Task, draws
from toy_llm.problems.suites import END, ID, SEP, TOKENS, Question, Suite, spell
from toy_llm.starts.chain import WarmStart, imperfect_traces

LUCK = 32
"""Random numbers at hand for one attempt: three for each of at most 7 steps, the rest for rambling."""


def attempt(question: Question, accuracy: float, luck: Iterator[int], length: int) -> list[int]:
    """Tokens, at most ``length``, that a solver writes who gets each step right with probability ``accuracy``.

    A step goes on from the values *written* before it, so an error carries on. Of 10 wrong steps 8 have one digit
    replaced by another, 1 has a token that is no digit in its place, and 1 is closed by the wrong token: it ends the
    response too early, or the last one goes on, repeating its value until it has luck. ``luck``: random 64-bit numbers.
    """
    digits, others = (
        range(ID["0"], ID["9"] + 1),
        [t for t in range(len(TOKENS)) if t not in range(ID["0"], ID["9"] + 1)],
    )
    tokens: list[int] = []
    values: list[int] = []
    for h in range(question.steps):
        value = question.follow(values)
        word, last = spell(value), h == question.steps - 1
        closing = END if last else SEP
        roll, kind, where = next(luck) / 2**64, next(luck) % 10, next(luck)
        if roll >= accuracy:
            place, shift = where % len(word), where // len(word)
            if kind == 9:
                closing = SEP if last else END
            elif kind == 8 or word[place] not in digits:
                word[place] = [t for t in others if t != END][shift % (len(others) - 1)]
            else:
                word[place] = digits[(word[place] - digits[0] + 1 + shift % 9) % 10]
                value = int("".join(TOKENS[t] for t in word))
        tokens += [*word, closing]
        values.append(value)
        if closing == END:
            break
    while tokens[-1] != END and len(tokens) < length:
        tokens += [*spell(values[-1]), END if next(luck, 0) / 2**64 < accuracy else SEP]
    return tokens[:length]


def imperfect(
    task: Task, accuracy: float, stream: str, seed: int, start: int, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prompts ``(count, P)``, true responses ``(count, T)`` and attempts at them, same shape, by these arguments alone.

    A step of an attempt is right with probability ``accuracy``, as `attempt` or `toy_llm.starts.chain.imperfect_traces`
    says. Raises `InputError` for a task that is neither a suite nor a chain.
    """
    key = [seed, len(stream), *stream.encode(), *b"attempts"]
    if isinstance(task, ChainTask):
        prompts, answers = task.questions(stream, seed, start, count)
        spec = WarmStart(task.horizon, task.modulus, accuracy=accuracy, carry_penalty=0.0)
        generator = torch.Generator().manual_seed(int(draws(key, start, 1, 1)[0, 0]) % 2**63)
        return prompts, answers, imperfect_traces(prompts, spec, generator)[0]
    check(isinstance(task, Suite), "task", task, "a suite or a chain; for others give traces of your own")
    assert isinstance(task, Suite)
    questions = task.ask(stream, seed, start, count)
    prompts, answers = task.tensors(questions)
    attempts = torch.full_like(answers, END)
    luck = draws(key, start, count, LUCK).tolist()
    for row, question, numbers in zip(attempts, questions, luck, strict=True):
        tokens = attempt(question, accuracy, iter(numbers), task.response_length)
        row[: len(tokens)] = torch.tensor(tokens)
    return prompts, answers, attempts
