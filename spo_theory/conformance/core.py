"""What a property is, and what the check says of a function: complaints, verdicts, findings."""

import builtins
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

Verdict = Literal["holds", "fails", "does not apply"]
Severity = Literal["formula", "rounding", "interface"]
"""What a failure says: the formula is another one, the arithmetic loses too much, or callers meet a surprise."""


class Unusable(Exception):
    """What a function gave back cannot be read: it raised, or the shape is another."""


@dataclass(frozen=True)
class Complaint:
    """Why an example contradicts a property.

    words: one sentence. excess: by how many times the tolerance was exceeded; infinite where there is none to speak of.
    got, wanted: what the function gave back and what was expected, as short texts.
    """

    words: str
    excess: float
    got: str = ""
    wanted: str = ""


LOST_DIGITS = 100.0
"""Another formula is off by more tolerances than this somewhere; what is off by fewer is the right one, done badly."""


@dataclass(frozen=True)
class Property:
    """One promise that a function keeps or breaks.

    name: short, with underscores. meaning: one sentence. why: why a trainer that breaks it is in trouble.
    severity: what a failure says.
    needs: what a function or its setting must have for the property to apply, such as ``mask`` or ``convention``.
    examples: from the setting to the inputs it is tried on. complaint: judges one example; None: nothing to complain.
    universal: whether every function of this kind must keep it, also one whose convention is not known.
    """

    name: str
    meaning: str
    why: str
    examples: Callable[[Any], Iterable[Any]]
    complaint: Callable[[Any, Any, Any], Complaint | None]
    severity: Severity = "formula"
    needs: tuple[str, ...] = ()
    universal: bool = False


@dataclass(frozen=True)
class Finding:
    """What the check says of one property.

    reason: why it does not apply, or what was found. tried: number of examples. excess: of the worst one, in
    tolerances. counterexample: the shrunken example as Python that can be pasted, "" if the property holds.
    """

    property: Property
    verdict: Verdict
    reason: str = ""
    tried: int = 0
    excess: float = 0.0
    got: str = ""
    wanted: str = ""
    counterexample: str = ""

    @builtins.property  # the field of this name is in the way
    def severity(self) -> Severity:
        """What the failure says: a formula that is off by less than `LOST_DIGITS` tolerances has lost digits."""
        lost = self.property.severity == "formula" and self.excess < LOST_DIGITS
        return "rounding" if lost else self.property.severity


def texts(values: np.ndarray) -> str:
    """An array in a few words: rounded, and cut after some numbers."""
    flat = np.asarray(values, dtype=float)
    return np.array2string(flat, precision=6, threshold=24, separator=", ", max_line_width=10_000).replace("\n", "")


def answers(call: Callable[..., Any], example: Any, setting: Any) -> Complaint | None:
    """Whether a function answers at all; the complaint of the property ``usable`` of every kind."""
    try:
        call(example)
    except Unusable as error:
        return Complaint(str(error), np.inf)
    return None


class Trial(Protocol):
    """A function of some kind, ready to be judged by the properties of that kind.

    call: the function on one example, as a property's ``complaint`` takes it. reference: its convention, called in the
    same way; None if it is not known. setting: what properties are told.
    """

    call: Callable[..., Any]
    reference: Callable[..., Any] | None
    setting: Any

    def missing(self, need: str) -> str:
        """Why a property with this need cannot be judged, or ""."""

    def seen(self, example: Any) -> Any:
        """The example as the function sees it, in its dtype."""

    def smaller(self, example: Any) -> Iterable[Any]:
        """Simpler examples, the boldest changes first."""

    def snippet(self, example: Any) -> str:
        """A call of the function on the example, as Python that can be pasted."""
