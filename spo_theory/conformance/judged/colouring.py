"""Functions from RTS to the reward of a wrong response."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spo_theory.conformance.arrays import rounded
from spo_theory.conformance.core import Complaint, Property, Unusable, texts
from spo_theory.conformance.judged.subject import ArraySubject
from spo_theory.conformance.judged.trial import Identified, near
from spo_theory.methods.conventions import READINGS
from spo_theory.parts.rewards import Colouring

Call = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ColourSetting:
    """What is known of a colouring. colouring: its convention. rounding: of its dtype."""

    colouring: Colouring | None
    convention: str
    rounding: float


class ColourTrial:
    """See `spo_theory.conformance.core.Trial`; made by `trial`."""

    def __init__(self, subject: ArraySubject, colouring: Colouring | None) -> None:
        self.subject = subject
        self.identified: Identified | None = None
        if colouring is None:
            colouring = self._identify()
            words = f"follows {colouring}" if colouring else "follows no colouring with the paper's numbers"
            self.identified = Identified(words)
        self.reference = None if colouring is None else colouring.values
        self.setting = ColourSetting(
            colouring, repr(colouring) if colouring else "no known colouring", subject.rounding
        )

    def _identify(self) -> Colouring | None:
        """A colouring with the numbers of the paper, or by RTS itself, that fits."""
        rts = self.seen(np.linspace(0, 1, 11))
        try:
            got = self.call(rts)
        except Unusable:
            return None
        found = [Colouring(shape="raw"), *(Colouring(*pair) for pair in (*READINGS.values(), (5.0, 0.5)))]
        return next((one for one in found if not near(got, one.values(rts), self.subject.rounding, "")), None)

    def call(self, example: np.ndarray) -> np.ndarray:
        """Colours of RTS values."""
        return self.subject(example, shape=example.shape)

    def missing(self, need: str) -> str:
        """Why a property cannot be judged, or ""."""
        return "no colouring is known" if need == "convention" and self.reference is None else ""

    def seen(self, example: np.ndarray) -> np.ndarray:
        """RTS values in the dtype of the function."""
        return rounded(example, self.subject.library, self.subject.dtype)

    def smaller(self, example: np.ndarray) -> Iterator[np.ndarray]:
        """Fewer values."""
        for place in range(len(example) if len(example) > 1 else 0):
            yield np.delete(example, place)

    def snippet(self, example: np.ndarray) -> str:
        """The call as Python."""
        return self.subject.snippet(rts=example)


def trial(function: Callable[..., Any], name: str, *, numbers: dict[str, Any], **how: Any) -> ColourTrial:
    """A function ``f(rts)`` with its colouring.

    numbers: fields of `spo_theory.parts.rewards.Colouring`; none: those of the paper that fit. how: ``library``,
    ``dtype``.
    """
    return ColourTrial(ArraySubject(function, name, **how), Colouring(**numbers) if numbers else None)


def usable(call: Call, rts: np.ndarray, setting: ColourSetting) -> Complaint | None:
    """Whether it answers with one finite number for every RTS."""
    try:
        got = call(rts)
    except Unusable as error:
        return Complaint(str(error), np.inf)
    return None if np.isfinite(got).all() else Complaint("NaN or infinite", np.inf, texts(got), "finite")


def increasing(call: Call, rts: np.ndarray, setting: ColourSetting) -> Complaint | None:
    """Whether a larger RTS has a larger colour."""
    got = call(rts)
    if (np.diff(got) > 0).all():
        return None
    return Complaint("a larger RTS has no larger colour", np.inf, texts(got), "increasing")


def below_one(call: Call, rts: np.ndarray, setting: ColourSetting) -> Complaint | None:
    """Whether all colours are from 0 to below 1."""
    got = call(rts)
    if ((got >= 0) & (got < 1)).all():
        return None
    return Complaint("a colour is not from 0 to below 1", np.inf, texts(got), "0 <= colour < 1")


def values(call: Call, rts: np.ndarray, setting: ColourSetting) -> Complaint | None:
    """Whether colours are those of the convention."""
    assert setting.colouring is not None
    return near(
        call(rts), np.asarray(setting.colouring.values(rts)), setting.rounding, f"not those of {setting.convention}"
    )


def each_alone(call: Call, rts: np.ndarray, setting: ColourSetting) -> Complaint | None:
    """Whether a colour depends on its own RTS alone."""
    alone = np.concatenate([call(rts[place : place + 1]) for place in range(len(rts))])
    return near(alone, call(rts), setting.rounding, "a colour depends on the other responses")


def fifths(setting: ColourSetting) -> Iterable[np.ndarray]:
    """First errors at each step of five, and of eleven."""
    return [np.arange(5) / 5, np.arange(11) / 11]


def ends(setting: ColourSetting) -> Iterable[np.ndarray]:
    """RTS 0, 1 and next to it."""
    return [np.array([0.0, 0.5, 0.999, 1.0])]


PROPERTIES = (
    Property(
        "usable",
        "It answers with one finite number for every RTS.",
        "Other properties are judged on its answers.",
        lambda setting: [*fifths(setting), *ends(setting)],
        usable,
        "interface",
        universal=True,
    ),
    Property(
        "increasing",
        "A larger RTS has a larger colour.",
        "The paper's Eq. 2 with the sign as printed elsewhere rewards early errors.",
        fifths,
        increasing,
        universal=True,
    ),
    Property(
        "below_one",
        "Colours are from 0 to below 1, the reward of a correct response.",
        "Trainers tell wrong responses from correct ones by a reward below 1.",
        lambda setting: [*fifths(setting), *ends(setting)],
        below_one,
        needs=("convention",),
    ),
    Property(
        "each_alone",
        "A colour depends on the RTS of its own response alone.",
        "Colours would change with the batch.",
        fifths,
        each_alone,
        universal=True,
    ),
    Property(
        "values",
        "Colours are those of the convention.",
        "A wrong slope or threshold.",
        lambda setting: [*fifths(setting), *ends(setting)],
        values,
        needs=("convention",),
    ),
)
"""All properties of colourings, in the order in which they are reported."""
