"""How questions of the suites are drawn: chains of operators, sums by columns, recurrences, brackets."""

from collections.abc import Callable, Iterator

from toy_llm.problems.suite import Maker, Question
from toy_llm.problems.task import draws
from toy_llm.problems.tokens import encode

DRAWS = 32
"""Random numbers at hand for one question; the hungriest suite takes 14."""


class Dice:
    """Random whole numbers for one question, from random 64-bit numbers."""

    def __init__(self, bits: Iterator[int]) -> None:
        self.bits = bits

    def between(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included.

        Every number is as likely as the others, but for a part in 2^60.
        """
        return low + next(self.bits) % (high - low + 1)

    def several(self, count: int, low: int, high: int) -> list[int]:
        """``count`` numbers from ``low`` to ``high``."""
        return [self.between(low, high) for _ in range(count)]


Draw = Callable[[Dice], Question]
"""One question from its dice."""


def questions_of(name: str, draw: Draw) -> Maker:
    """The questions that ``draw`` makes of dice thrown for (name, stream, seed, index) alone.

    ``name``: of the suite. Returns a maker of questions: question i has its own dice, so batches of any size and order
    hold the same questions.
    """

    def ask(stream: str, seed: int, start: int, count: int) -> list[Question]:
        # With its length the stream cannot be mistaken for a part of the name.
        entropy = [seed, len(stream), *stream.encode(), *name.encode()]
        return [draw(Dice(iter(row))) for row in draws(entropy, start, count, DRAWS).tolist()]

    return ask


def chain(numbers: list[int], operators: list[str], modulus: int) -> Question:
    """Operators from left to right, without precedence, modulo ``modulus``; the running values are the steps.

    >>> chain([7, 5, 9], ["+", "+"], 10).values()
    [2, 1]
    """
    # The text is what the network reads; the steps follow from the same numbers.
    pairs = zip(operators, numbers[1:], strict=True)
    text = str(numbers[0]) + "".join(f"{operator}{number}" for operator, number in pairs)

    def follow(written: list[int]) -> int:
        step = len(written)
        left = written[-1] if written else numbers[0]
        return _apply(operators[step], left, numbers[step + 1], modulus)

    return Question(encode(f"mod{modulus:02},{text}="), len(operators), follow)


def chains(operators: str, moduli: tuple[int, ...], least: int, most: int, lowest: int = 0) -> Draw:
    """Chains of ``least`` to ``most`` steps; numbers from ``lowest`` to 9 that are below the modulus.

    ``operators``: characters of + - x, all equally likely. ``moduli``: likewise. Returns a function that draws a
    question from dice.
    """

    def draw(dice: Dice) -> Question:
        # The order of these throws decides what every question is: it must not change.
        steps = dice.between(least, most)
        modulus = moduli[dice.between(0, len(moduli) - 1)]
        numbers = dice.several(steps + 1, lowest, min(9, modulus - 1))
        return chain(numbers, [operators[dice.between(0, len(operators) - 1)] for _ in range(steps)], modulus)

    return draw


def carry(dice: Dice) -> Question:
    """Column sums from the right, each with the carry of the one before, then the sum of the two numbers.

    >>> dice = Dice(iter([0, 3, 4, 6, 7]))  # two columns, then the digits of 44 and 77, the first digits less 1
    >>> carry(dice).values()
    [11, 12, 121]
    """
    # Two numbers of equally many digits, the first digit not 0.
    columns = dice.between(2, 3)
    upper = [dice.between(1, 9), *dice.several(columns - 1, 0, 9)]
    lower = [dice.between(1, 9), *dice.several(columns - 1, 0, 9)]
    text = "".join(map(str, upper)) + "+" + "".join(map(str, lower))

    def follow(written: list[int]) -> int:
        # A column adds the carry of the sum that was written to its right.
        step = len(written)
        if step < columns:
            carried = written[-1] // 10 if written else 0
            return upper[columns - 1 - step] + lower[columns - 1 - step] + carried

        # The last step reads the digits off the column sums; the leftmost sum is written whole.
        digits = [value % 10 for value in written[: columns - 1]]
        tail = sum(digit * 10**place for place, digit in enumerate(digits))
        return written[columns - 1] * 10 ** (columns - 1) + tail

    return Question(encode(text + "="), columns + 1, follow)


def recurrence(dice: Dice) -> Question:
    """``mod m, rec a,b,start,n``: n times x becomes a x + b modulo m.

    m is 5 or 7 and n from 2 to 4; each application is a step, which continues from the value written before it.
    """
    # Prime moduli: every factor can be undone, so that no value written before is without effect.
    modulus = (5, 7)[dice.between(0, 1)]
    steps = dice.between(2, 4)
    factor = dice.between(2, modulus - 1)
    summand = dice.between(0, modulus - 1)
    start = dice.between(0, modulus - 1)

    def follow(written: list[int]) -> int:
        # From the value written before, right or wrong.
        return (factor * (written[-1] if written else start) + summand) % modulus

    return Question(encode(f"mod{modulus:02},rec{factor},{summand},{start},{steps}="), steps, follow)


def nested(dice: Dice) -> Question:
    """A fully bracketed expression of + and - modulo 10; a step is the value of the next bracket to close.

    It has 2 or 3 brackets. A step reads the values written for the brackets inside its own, right or wrong.
    """
    # Of each bracket, in the order in which they close: the operator, and its two sides. A side is a digit, or, below
    # zero, -1 - step, where step is the one whose value it is.
    operators = dice.between(2, 3)
    brackets: list[tuple[str, int, int]] = []

    def grow(count: int) -> tuple[str, int]:
        """Text of an expression with ``count`` operators, and the side that stands for it."""
        if count == 0:
            digit = dice.between(0, 9)
            return str(digit), digit

        # One operator is this bracket's own; the others are shared out to its sides.
        on_left = dice.between(0, count - 1)
        left_text, left = grow(on_left)
        operator = "+-"[dice.between(0, 1)]
        right_text, right = grow(count - 1 - on_left)
        brackets.append((operator, left, right))
        return f"({left_text}{operator}{right_text})", -len(brackets)

    text, _ = grow(operators)

    def follow(written: list[int]) -> int:
        operator, *sides = brackets[len(written)]
        left, right = (side if side >= 0 else written[-1 - side] for side in sides)
        return _apply(operator, left, right, 10)

    return Question(encode(f"mod10,{text}="), operators, follow)


def _apply(operator: str, left: int, right: int, modulus: int) -> int:
    value = {"+": left + right, "-": left - right, "x": left * right}[operator]
    return value % modulus
