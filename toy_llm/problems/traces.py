"""Attempts at problems, right and wrong: what imperfect solvers write, for warm starts and for judges to learn from."""

from collections.abc import Iterator

import torch

from spo_theory.validation import check
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suite import Question, Suite
from toy_llm.problems.task import Task, draws
from toy_llm.problems.tokens import END, ID, SEP, TOKENS, spell
from toy_llm.starts.chain import ChainStart, imperfect_traces

DIGITS = range(ID["0"], ID["9"] + 1)
NO_DIGITS = [token for token in range(len(TOKENS)) if token not in DIGITS and token != END]

LUCK = 32
"""Random numbers at hand for one attempt: three for each of at most 7 steps, the rest for rambling."""


def attempt(question: Question, accuracy: float, luck: Iterator[int], length: int) -> list[int]:
    """Tokens, at most ``length``, that a solver writes who gets each step right with probability ``accuracy``.

    A step goes on from the values *written* before it, so an error carries on. Of 10 wrong steps 8 have one digit
    replaced by another, 1 has a token that is no digit in its place, and 1 is closed by the wrong token: it ends the
    response too early, or the last one goes on, repeating its value until it has luck. ``luck``: random 64-bit numbers.

    >>> from toy_llm.problems.generators import chain
    >>> from toy_llm.problems.tokens import decode
    >>> question = chain([7, 5, 9], ["+", "+"], 10)
    >>> decode(attempt(question, 0.5, iter([0, 0, 0, 2**63, 0, 0]), 16))  # the second step should be 1
    '2;2end'
    """
    # Step by step, each from the values written so far.
    tokens: list[int] = []
    values: list[int] = []
    for step in range(question.steps):
        value = question.follow(values)
        word = spell(value)
        is_last = step == question.steps - 1
        closing, wrong_closing = (END, SEP) if is_last else (SEP, END)

        # Three random numbers a step, whatever happens in it.
        roll = next(luck) / 2**64
        kind = next(luck) % 10
        where = next(luck)
        if roll >= accuracy:
            place = where % len(word)
            shift = where // len(word)
            if kind == 9:
                closing = wrong_closing
            elif kind == 8 or word[place] not in DIGITS:
                word[place] = NO_DIGITS[shift % len(NO_DIGITS)]
            else:
                word[place] = DIGITS[(word[place] - DIGITS[0] + 1 + shift % 9) % 10]
                value = int("".join(TOKENS[token] for token in word))

        # Later steps go on from what was written, as a reader of the response would.
        tokens += [*word, closing]
        values.append(value)
        if closing == END:
            break

    # Whoever missed the end rambles on.
    while tokens[-1] != END and len(tokens) < length:
        tokens += [*spell(values[-1]), END if next(luck, 0) / 2**64 < accuracy else SEP]
    return tokens[:length]


def imperfect(
    task: Task, accuracy: float, stream: str, seed: int, start: int, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prompts ``(count, P)``, true responses ``(count, T)`` and attempts at them, same shape, by these arguments alone.

    A step of an attempt is right with probability ``accuracy``, as `attempt` or `toy_llm.starts.chain.imperfect_traces`
    says. Raises `InputError` for a task that is neither a suite nor a chain.

    >>> prompts, answers, attempts = imperfect(ChainTask(4), 0.99, "example", seed=0, start=0, count=100)
    >>> bool((attempts == answers).float().mean() > 0.9)
    True
    """
    # Luck of its own, so that a question is the same whoever tries it.
    key = [seed, len(stream), *stream.encode(), *b"attempts"]
    if isinstance(task, ChainTask):
        prompts, answers = task.questions(stream, seed, start, count)
        solver = ChainStart(task.horizon, task.modulus, accuracy=accuracy, carry_penalty=0.0)
        generator = torch.Generator().manual_seed(int(draws(key, start, 1, 1)[0, 0]) % 2**63)
        written, _, _ = imperfect_traces(prompts, solver, generator)
        return prompts, answers, written

    # Only a suite says how a step follows from those written before it.
    check(isinstance(task, Suite), "task", task, "a suite or a chain; for others give traces of your own")
    assert isinstance(task, Suite)

    # Attempts at free-form questions are as long as they are, and padded by the end.
    questions = task.ask(stream, seed, start, count)
    prompts, answers = task.tensors(questions)
    attempts = torch.full_like(answers, END)
    luck = draws(key, start, count, LUCK).tolist()
    for row, question, numbers in zip(attempts, questions, luck, strict=True):
        tokens = attempt(question, accuracy, iter(numbers), task.response_length)
        row[: len(tokens)] = torch.tensor(tokens)
    return prompts, answers, attempts
