"""Ten suites of multi-step problems with exactly checkable steps, in one small vocabulary.

A response writes the value of every step, steps separated by ``;``, then the end: ``mod10,7+5+9=`` wants ``2;1`` and
the end. Numbers are digits without leading zeros, so every step has exactly one right spelling and
`toy_llm.judging.exact` compares tokens. Prompts are padded before the equals sign to `PROMPT_LENGTH`, so that the h-th
number of all chains stands in one place; responses have at most `RESPONSE_LENGTH` tokens, which leaves room to ramble
(true ones need 14). All suites share these, so one network reads them all.

``SUITES`` holds the ten by name. Those with ``held_out`` are for evaluation only. `mixture` joins several.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from spo_theory.validation import InputError, problem, refuse
from toy_llm.judging.exact import Verdict, judge_text, token_mask
from toy_llm.problems.chain import draws

TOKENS = ("pad", "end", ";", "=", *"0123456789", "+", "-", "x", "(", ")", ",", "mod", "rec")
ID = {token: i for i, token in enumerate(TOKENS)}
PAD, END, SEP = ID["pad"], ID["end"], ID[";"]
PROMPT_LENGTH, RESPONSE_LENGTH = 20, 16
DRAWS = 32  # random numbers at hand for one question; the hungriest suite takes 14

Follow = Callable[[list[int]], int]
"""``written -> value``: what the next step should be, given the values written so far, right or wrong."""


@dataclass(frozen=True)
class Question:
    """A prompt (tokens, unpadded), the number of true steps, and what each should be after the ones before it."""

    prompt: list[int]
    steps: int
    follow: Follow

    def values(self) -> list[int]:
        """The true value of every step."""
        values: list[int] = []
        for _ in range(self.steps):
            values.append(self.follow(values))
        return values


Maker = Callable[[str, int, int, int], list[Question]]
"""``(stream, seed, start, count) -> questions``; question i depends on (stream, seed, i) alone."""


def encode(text: str) -> list[int]:
    """Tokens of a text; longer tokens such as ``mod`` are matched before single characters, spaces are ignored."""
    tokens, at = [], 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        token = next((t for t in sorted(TOKENS, key=len, reverse=True) if text.startswith(t, at)), None)
        if token is None:
            raise InputError(f"text {text!r} has no token at {text[at:]!r}; tokens: {' '.join(TOKENS)}")
        tokens.append(ID[token])
        at += len(token)
    return tokens


def decode(tokens: list[int]) -> str:
    """Text of tokens, without padding, up to and including the first end; anything unknown is ``?``."""
    words = [TOKENS[t] if 0 <= t < len(TOKENS) else "?" for t in tokens]
    if "end" in words:
        words = words[: words.index("end") + 1]
    return "".join(w for w in words if w != "pad")


def spell(value: int) -> list[int]:
    """Tokens of a whole number: a minus sign if it is below zero, then its digits."""
    return [ID[c] for c in str(value)]


@dataclass(frozen=True)
class Suite:
    """A family of problems as a `toy_llm.problems.chain.Task`.

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
        """Prompts ``(count, P)``, padded before the equals sign, and true responses ``(count, T)``, by the end."""
        return self.tensors(self.ask(stream, seed, start, count))

    def tensors(self, questions: list[Question]) -> tuple[torch.Tensor, torch.Tensor]:
        """Prompts and true responses of given questions, as `questions` returns them."""
        prompts, answers = [], []
        for question in questions:
            *text, equals = question.prompt
            prompts.append([*text, *[PAD] * (self.prompt_length - len(question.prompt)), equals])
            answer: list[int] = []
            for value in question.values():
                answer += [*spell(value), SEP]
            answer[-1] = END
            answers.append(answer + [END] * (self.response_length - len(answer)))
        shape = (len(questions), -1) if questions else (0, 1)
        return (
            torch.tensor(prompts, dtype=torch.int64).reshape(*shape),
            torch.tensor(answers, dtype=torch.int64).reshape(*shape),
        )

    def answer_steps(self, answers: torch.Tensor) -> torch.Tensor:
        """Step ``(N, T)``, from 0, of each token of true responses ``(N, T)``, -1 for padding."""
        closes = ((answers == SEP) | (answers == END)).long()
        return torch.where(token_mask(answers, END), closes.cumsum(-1) - closes, -1)

    def judge(self, responses: torch.Tensor, answers: torch.Tensor) -> Verdict:
        """What is right and wrong in any tokens ``(Q, G, T)``; see `toy_llm.judging.exact.judge_text`."""
        return judge_text(responses, answers, SEP, END)


class _Dice:
    """Random whole numbers for one question."""

    def __init__(self, bits: Iterator[int]) -> None:
        self.bits = bits

    def between(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return low + next(self.bits) % (high - low + 1)

    def several(self, count: int, low: int, high: int) -> list[int]:
        return [self.between(low, high) for _ in range(count)]


def _ask(name: str, draw: Callable[[_Dice], Question]) -> Maker:
    """Questions from dice that are thrown for (name, stream, seed, index) alone."""

    def ask(stream: str, seed: int, start: int, count: int) -> list[Question]:
        entropy = [seed, len(stream), *stream.encode(), *name.encode()]
        return [draw(_Dice(iter(row))) for row in draws(entropy, start, count, DRAWS).tolist()]

    return ask


def _apply(operator: str, left: int, right: int, modulus: int) -> int:
    value = {"+": left + right, "-": left - right, "x": left * right}[operator]
    return value % modulus


def _chain(numbers: list[int], operators: list[str], modulus: int) -> Question:
    """Operators from left to right, without precedence, modulo ``modulus``; the running values are the steps."""
    text = str(numbers[0]) + "".join(f"{o}{n}" for o, n in zip(operators, numbers[1:], strict=True))

    def follow(written: list[int]) -> int:
        h = len(written)
        left = written[-1] if written else numbers[0]
        return _apply(operators[h], left, numbers[h + 1], modulus)

    return Question(encode(f"mod{modulus:02},{text}="), len(operators), follow)


def _chains(operators: str, moduli: tuple[int, ...], least: int, most: int, lowest: int = 0) -> Callable:
    """Chains of ``least`` to ``most`` steps; digits from ``lowest`` to 9, below the modulus."""

    def draw(dice: _Dice) -> Question:
        steps = dice.between(least, most)
        modulus = moduli[dice.between(0, len(moduli) - 1)]
        numbers = dice.several(steps + 1, lowest, min(9, modulus - 1))
        return _chain(numbers, [operators[dice.between(0, len(operators) - 1)] for _ in range(steps)], modulus)

    return draw


def _carry(dice: _Dice) -> Question:
    """Column sums from the right, each with the carry of the one before, then the sum of the two numbers."""
    columns = dice.between(2, 3)
    a, b = ([dice.between(1, 9), *dice.several(columns - 1, 0, 9)] for _ in range(2))

    def follow(written: list[int]) -> int:
        h = len(written)
        if h < columns:
            carry = written[-1] // 10 if written else 0
            return a[columns - 1 - h] + b[columns - 1 - h] + carry
        digits = [w % 10 for w in written[: columns - 1]]
        return written[columns - 1] * 10 ** (columns - 1) + sum(d * 10**i for i, d in enumerate(digits))

    text = "".join(map(str, a)) + "+" + "".join(map(str, b))
    return Question(encode(text + "="), columns + 1, follow)


def _recurrence(dice: _Dice) -> Question:
    """``mod m, rec a,b,start,n``: n times x becomes a x + b modulo m."""
    modulus, steps = (5, 7)[dice.between(0, 1)], dice.between(2, 4)
    a, b, start = dice.between(2, modulus - 1), dice.between(0, modulus - 1), dice.between(0, modulus - 1)

    def follow(written: list[int]) -> int:
        return (a * (written[-1] if written else start) + b) % modulus

    return Question(encode(f"mod{modulus:02},rec{a},{b},{start},{steps}="), steps, follow)


def _nested(dice: _Dice) -> Question:
    """A fully bracketed expression modulo 10; a step is the value of the next bracket to close."""
    operators = dice.between(2, 3)
    reduced: list[tuple[str, int, int]] = []  # operator, left and right: a digit, or -1 - step whose value it is

    def grow(count: int) -> tuple[str, int]:
        if count == 0:
            digit = dice.between(0, 9)
            return str(digit), digit
        on_left = dice.between(0, count - 1)
        left, x = grow(on_left)
        operator = "+-"[dice.between(0, 1)]
        right, y = grow(count - 1 - on_left)
        reduced.append((operator, x, y))
        return f"({left}{operator}{right})", -len(reduced)

    text, _ = grow(operators)

    def follow(written: list[int]) -> int:
        operator, x, y = reduced[len(written)]
        left, right = (v if v >= 0 else written[-1 - v] for v in (x, y))
        return _apply(operator, left, right, 10)

    return Question(encode(f"mod10,{text}="), operators, follow)


MODULI = (5, 6, 7, 8, 9, 10, 12)


def _suite(
    name: str, description: str, horizon: int, draw: Callable[[_Dice], Question], held_out: bool = False
) -> Suite:
    return Suite(name, description, horizon, _ask(name, draw), held_out)


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        _suite("add", "chains of + modulo 10, 2 to 4 steps", 4, _chains("+", (10,), 2, 4)),
        _suite("subtract", "chains of - modulo 10, 2 to 4 steps", 4, _chains("-", (10,), 2, 4)),
        _suite("multiply", "chains of x modulo 7, factors 1 to 6, 2 to 4 steps", 4, _chains("x", (7,), 2, 4, 1)),
        _suite(
            "mixed", "chains of +, - and x modulo 7 from left to right, 2 to 4 steps", 4, _chains("+-x", (7,), 2, 4)
        ),
        _suite("moduli", "chains of + modulo 5 to 10 or 12, 2 to 4 steps", 4, _chains("+", MODULI, 2, 4)),
        _suite("carry", "addition of 2 or 3 digits: column sums with carries, then the sum", 4, _carry),
        _suite("recurrence", "x becomes a x + b modulo 5 or 7, 2 to 4 times", 4, _recurrence),
        _suite("nested", "bracketed expressions of + and - modulo 10, 2 or 3 brackets", 3, _nested),
        _suite(
            "longer", "chains of + modulo 10, 6 or 7 steps: longer than any trained", 7, _chains("+", (10,), 6, 7), True
        ),
        _suite(
            "unseen", "chains of + modulo 11, 2 to 4 steps: a modulus never trained", 4, _chains("+", (11,), 2, 4), True
        ),
    )
}
"""The ten suites by name."""

TRAINED = tuple(name for name, suite in SUITES.items() if not suite.held_out)
"""Names of the suites to train on."""


GYM = "chain_sum"
"""Problems of the package reasoning-gym; see `toy_llm.problems.reasoning_gym`."""


def names_problems(names: tuple[str, ...], training: bool = False) -> list[str]:
    """What is wrong with names of suites, one line each; those held out are wrong for ``training``."""
    known = [n for n in (*SUITES, GYM) if not (training and n in SUITES and SUITES[n].held_out)]
    what = "names of suites to train on" if training else "names of suites"
    lines = problem(
        len(names) > 0 and len(set(names)) == len(names), "suites", names, f"different {what}, at least one"
    )
    return lines + [line for name in names for line in problem(name in known, "suites", name, " or ".join(known))]


def suite(name: str) -> Suite:
    """The suite of that name; raises `InputError` that lists the names, or if its package is missing."""
    refuse(problem(name in SUITES or name == GYM, "suite", name, " or ".join((*SUITES, GYM))))
    if name == GYM:
        from toy_llm.problems.reasoning_gym import chain_sum

        return chain_sum()
    return SUITES[name]


def mixture(names: tuple[str, ...] = TRAINED) -> Suite:
    """Questions of several suites, each drawn with the same probability, as one task; that suite itself if it is one.

    Raises `InputError` for unknown names, or none, all at once.
    """
    refuse(names_problems(names))
    parts = [suite(name) for name in names]
    if len(parts) == 1:
        return parts[0]

    def ask(stream: str, seed: int, start: int, count: int) -> list[Question]:
        entropy = [seed, len(stream), *stream.encode(), *b"mixture of suites"]
        chosen = draws(entropy, start, count, 1)[:, 0] % len(parts)
        return [parts[k].ask(stream, seed, start + i, 1)[0] for i, k in enumerate(chosen.tolist())]

    return Suite(
        "+".join(names),
        f"{len(names)} suites, mixed",
        max(part.horizon for part in parts),
        ask,
        any(part.held_out for part in parts),
    )
