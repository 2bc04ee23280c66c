"""What the three kinds of functions of judged groups share: how they are called, shrunk and written down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from spo_theory.conformance.core import Complaint, texts
from spo_theory.conformance.judged.groups import Judged, smaller
from spo_theory.conformance.judged.subject import ArraySubject

Call = Callable[[Judged], np.ndarray]


@dataclass(frozen=True)
class JudgedSetting:
    """What is known of the function: its convention, what that is called, and the rounding of its dtype."""

    reference: Call | None
    convention: str
    rounding: float


@dataclass(frozen=True)
class Identified:
    """Which convention a function follows, as one sentence."""

    text: str

    def __str__(self) -> str:
        """The sentence."""
        return self.text


class JudgedTrial:
    """See `spo_theory.conformance.core.Trial`. ``weights``: whether it gives a number for every step."""

    def __init__(
        self, subject: ArraySubject, weights: bool, found: dict[str, Call], chosen: tuple[str, Call] | None
    ) -> None:
        self.subject = subject
        self.weights = weights
        self.identified: Identified | None = None
        name, self.reference = chosen or self._identify(found)
        self.setting = JudgedSetting(self.reference, name, subject.rounding)

    def _identify(self, found: dict[str, Call]) -> tuple[str, Call | None]:
        """The first convention that fits everywhere."""
        from spo_theory.conformance.judged import groups

        examples = [*groups.mixed(), *groups.all_wrong(), *groups.every()]
        for name, reference in found.items():
            setting = JudgedSetting(reference, name, self.subject.rounding)
            try:
                if not any(values(self.call, example, setting) for example in examples):
                    self.identified = Identified(f"follows {name}")
                    return name, reference
            except Exception:
                continue
        self.identified = Identified(f"follows none of {', '.join(found)}")
        return "no known convention", None

    def call(self, example: Judged) -> np.ndarray:
        """Rewards ``(Q, G)`` or weights ``(Q, G, S)`` of judged groups."""
        shape = example.mask.shape if self.weights else example.correct.shape
        return self.subject(*self._arrays(example).values(), shape=shape)

    def _arrays(self, example: Judged) -> dict[str, np.ndarray]:
        """The arguments by name."""
        last = {"mask": example.mask} if self.weights else {"lengths": example.lengths}
        return {"correct": example.correct, "first_error": example.first_error, **last}

    def missing(self, need: str) -> str:
        """Why a property cannot be judged, or ""."""
        return "no convention is known" if need == "convention" and self.reference is None else ""

    def seen(self, example: Judged) -> Judged:
        """The example itself: it has no floating numbers."""
        return example

    def smaller(self, example: Judged) -> Iterable[Judged]:
        """Simpler groups."""
        return smaller(example)

    def snippet(self, example: Judged) -> str:
        """The call as Python."""
        return self.subject.snippet(**self._arrays(example))


def near(got: np.ndarray, wanted: np.ndarray, rounding: float, words: str) -> Complaint | None:
    """A complaint if numbers differ by more than some roundings of the largest."""
    limit = 64 * rounding * max(float(np.abs(wanted).max(initial=0.0)), 1.0)
    excess = np.where(np.isfinite(got), np.abs(got - wanted) / limit, np.inf)
    return Complaint(words, float(excess.max()), texts(got), texts(wanted)) if (excess > 1).any() else None


def values(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether the numbers are those of the convention."""
    assert setting.reference is not None
    return near(call(example), setting.reference(example), setting.rounding, f"not those of {setting.convention}")


def finite(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether all numbers are finite."""
    got = call(example)
    return None if np.isfinite(got).all() else Complaint("NaN or infinite", np.inf, texts(got), "finite")


def groups_alone(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether a group has the same numbers without the others; steps that nobody of it wrote are left out."""
    got = call(example)
    for row in range(len(example.correct)):
        alone = call(example.rows(slice(row, row + 1)))[0]
        of_row = got[row][..., : alone.shape[-1]] if got.ndim > 2 else got[row]
        found = near(alone, of_row, setting.rounding, "a group alone has other numbers")
        if found:
            return found
    return None


def order_of_responses(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether the order of the responses in a group does not matter."""
    turned = call(example.columns(slice(None, None, -1)))[:, ::-1]
    return near(turned, call(example), setting.rounding, "another order of responses gives something else")
