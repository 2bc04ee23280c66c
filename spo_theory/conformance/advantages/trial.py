"""A function from rewards to advantages, ready to be judged, and the convention it is compared with."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from spo_theory.conformance.advantages.batches import Batch, smaller
from spo_theory.conformance.advantages.catalogue import exactly, named, own
from spo_theory.conformance.advantages.complaints import Setting
from spo_theory.conformance.advantages.identification import Identification, identify
from spo_theory.conformance.advantages.properties import PROPERTIES as PROPERTIES
from spo_theory.conformance.advantages.subject import Layout, Subject
from spo_theory.conformance.advantages.tolerances import Reference
from spo_theory.conformance.arrays import ROUNDING
from spo_theory.validation import check

SIZES = (2, 3, 4, 8, 16, 64)
"""Group sizes that are tried; jax compiles for each of them, so it gets fewer."""

SIZES_OF_JAX = (2, 3, 8)


class AdvantageTrial:
    """See `spo_theory.conformance.core.Trial`; made by `trial`."""

    def __init__(self, subject: Subject, setting: Setting, identified: Identification | None) -> None:
        self.call = subject
        self.setting = setting
        self.identified = identified
        self.reference = None if setting.reference is None else self._convention

    def _convention(
        self, rewards: np.ndarray, valid: np.ndarray | None = None, order: np.ndarray | None = None
    ) -> np.ndarray:
        """The convention, called as the function is."""
        assert self.setting.reference is not None
        return self.setting.reference(rewards, valid)

    def missing(self, need: str) -> str:
        """Why a property cannot be judged, or ""."""
        if need == "convention" and self.setting.reference is None:
            return "no convention is known"
        if need == "mask" and not self.call.takes_masks:
            return "the function has no parameter for the responses that count (--mask)"
        if need == "uids" and not self.call.has_ids:
            return "only for functions that are told the group of each response (--layout uids)"
        return ""

    def seen(self, example: Batch) -> Batch:
        """The batch in the dtype of the function."""
        return Batch(self.call.rounded(example.rewards), example.valid)

    def smaller(self, example: Batch) -> Iterable[Batch]:
        """Simpler batches."""
        return smaller(example, keep_size=self.call.group_size is not None)

    def snippet(self, example: Batch) -> str:
        """The call as Python."""
        return self.call.snippet(example.rewards, example.valid)


def subject_of(
    function: Callable[..., Any],
    name: str = "",
    layout: Layout = "grouped",
    library: str = "numpy",
    dtype: str | None = None,
    mask: str | None = None,
    group_size: int | None = None,
) -> Subject:
    """A function ready to be called with groups; arguments as in `spo_theory.conformance.check`."""
    dtype = dtype or ("float64" if library == "list" else "float32")
    subject = Subject(function, name, layout, library, dtype, mask, group_size)
    subject.settle()
    return subject


def trial(
    function: Callable[..., Any],
    name: str,
    convention: str | None = None,
    *,
    sizes: Sequence[int] | None = None,
    numbers: dict[str, Any],
    **how: Any,
) -> AdvantageTrial:
    """A function with its convention: the named one, that of ``numbers``, or the one that it is found to follow.

    numbers: of `spo_theory.conformance.advantages.catalogue.own`. how: of `subject_of`. sizes: group sizes to try.
    """
    check(not numbers or convention is None, "convention", convention, f"left out with {', '.join(numbers)}")
    subject = subject_of(function, name, **how)
    tried = tuple(sizes or (SIZES_OF_JAX if subject.library == "jax" else SIZES))
    if subject.group_size is not None:
        tried = (subject.group_size,)
    found: Identification | None = None
    reference: Reference | None
    if convention is not None:
        reference = named(convention)
        followed = convention
    elif numbers:
        formula = own(**numbers)
        reference = partial(exactly, formula)
        followed = repr(formula)
    else:
        found = identify(subject, tuple(size for size in tried if size <= 8) or tried)
        reference = found.reference
        followed = found.names[0] if found.names else found.described
    rounding = max(ROUNDING[subject.dtype], ROUNDING.get(subject.output, 0.0))
    setting = Setting(reference, followed or "no known convention", subject.dtype, rounding, tried)
    return AdvantageTrial(subject, setting, found)
