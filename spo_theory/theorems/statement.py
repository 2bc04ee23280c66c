"""What a statement about the rules is, and what its check finds (docs/theory/statements.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

Status = Literal["proved", "observed", "refuted"]


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: whether the statement held everywhere it was checked, where, and where it failed.

    checked: the places, in words. counterexample: the first place where it failed, empty if it held.
    """

    holds: bool
    checked: str
    counterexample: str = ""


@dataclass(frozen=True)
class Statement:
    """A statement about the rules: its name, its text, how it is known, where it is checked, and the check.

    status: "proved": proof in docs/theory/statements.md, the check confirms it on the code. "observed": checked at the
    places that ``checked`` names only, and the text claims no more. "refuted": the check finds a counterexample.

    counterexamples: generator of the places where the statement fails, each described in a line. The burden of proof is
    on the status: a statement that holds is checked with ``if not error <= tolerance``, a refuted one with
    ``if gain < -tolerance``. So a quantity that is no number (NaN) never confirms what the status says.
    """

    name: str
    text: str
    status: Status
    checked: str
    counterexamples: Callable[[], Iterator[str]]

    def check(self) -> Verdict:
        """Look for a counterexample; the search stops at the first one."""
        first = next(self.counterexamples(), "")
        return Verdict(not first, self.checked, first)


def statement(text: str, status: Status, checked: str) -> Callable[[Callable[[], Iterator[str]]], Statement]:
    """Make the decorated generator of counterexamples a `Statement` that carries the function's name.

    >>> @statement("Every even number is a sum of two ones.", "refuted", checked="2, 4, 6")
    ... def sums_of_ones():
    ...     yield from (f"{n} is not" for n in (2, 4, 6) if n != 1 + 1)
    >>> sums_of_ones.check()
    Verdict(holds=False, checked='2, 4, 6', counterexample='4 is not')
    """

    def enter(counterexamples: Callable[[], Iterator[str]]) -> Statement:
        """Wrap the generator under its own name."""
        return Statement(counterexamples.__name__, text, status, checked, counterexamples)

    return enter


def statements_of(topic: ModuleType) -> tuple[Statement, ...]:
    """All statements of a module, in the order of its source.

    ``topic``: a module with decorated generators, see `statement`.
    """
    return tuple(value for value in vars(topic).values() if isinstance(value, Statement))
