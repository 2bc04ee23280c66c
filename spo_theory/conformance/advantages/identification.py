"""Which convention does a function follow? The named ones that fit, or its own numbers, or the nearest one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from spo_theory.conformance.advantages import batches
from spo_theory.conformance.advantages.batches import Batch
from spo_theory.conformance.advantages.catalogue import exactly, known
from spo_theory.conformance.advantages.subject import Subject
from spo_theory.conformance.advantages.tolerances import Reference, allowed, slopes
from spo_theory.conformance.arrays import ROUNDING
from spo_theory.conformance.core import Unusable
from spo_theory.parts.baselines import GroupAdvantage

PROBES: dict[str, Callable[[tuple[int, ...]], Any]] = {
    "0/1 rewards": batches.binary,
    "graded rewards": batches.graded,
    "colours": batches.colours,
    "tiny differences": batches.tiny,
}
"""Families of rewards that tell conventions apart."""


@dataclass(frozen=True)
class Identification:
    """What a function follows.

    names: the conventions that fit everywhere; several trainers may share one. described: in words; for a function
    that fits none, its own numbers if it is a standardized advantage, else "".
    reference: the convention in exact arithmetic, None if nothing fits. nearest: the name that comes closest where
    nothing fits. differences: by family of rewards, the largest difference to the nearest one.
    """

    names: tuple[str, ...] = ()
    described: str = ""
    reference: Reference | None = None
    nearest: str = ""
    differences: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """One sentence."""
        if self.names:
            others = f" (the same as {', '.join(self.names[1:])})" if len(self.names) > 1 else ""
            return f"follows convention {self.names[0]}: {self.described}{others}"
        if self.described:
            return f"follows no named convention: {self.described}"
        where = ", ".join(f"{family} by {off:.3g}" for family, off in self.differences.items() if off)
        return f"follows no known convention; the nearest is {self.nearest}, which differs on {where}"


def probes(subject: Subject, sizes: tuple[int, ...]) -> dict[str, list[tuple[Batch, np.ndarray]]]:
    """Batches and what the function answers, by family; those it cannot answer are left out."""
    answers: dict[str, list[tuple[Batch, np.ndarray]]] = {}
    for family, make in PROBES.items():
        answers[family] = []
        for batch in make(sizes):
            seen = Batch(subject.rounded(batch.rewards))
            try:
                answers[family].append((seen, subject(seen.rewards)))
            except Unusable:
                continue
    return answers


def excess(reference: Reference, answers: list[tuple[Batch, np.ndarray]], rounding: float) -> tuple[float, float]:
    """By how many tolerances, and by how much, the answers are off at most."""
    ratio, difference = 0.0, 0.0
    for batch, got in answers:
        exact = reference(batch.rewards, None)
        off = np.where(np.isfinite(got), np.abs(got - exact), np.inf)
        ratio = max(ratio, float((off / allowed(batch.rewards, None, exact, rounding)).max()))
        difference = max(difference, float(off.max()))
    return ratio, difference


def identify(subject: Subject, sizes: tuple[int, ...] = (2, 3, 4, 8)) -> Identification:
    """The convention of a function from rewards to advantages; see `Identification`.

    subject: the function, or a `Subject` that says how to call it. sizes: group sizes to try.

    Example:
        >>> str(identify(Subject(lambda r: (r - r.mean(-1, keepdims=True)) / (r.std(-1, keepdims=True) + 1e-6))))
        "follows convention art: GroupAdvantage(ddof=0, eps=1e-06, scale='std')"
    """
    if not isinstance(subject, Subject):
        subject = Subject(subject)
        subject.settle()
    sizes = (subject.group_size,) if subject.group_size else sizes
    answers = probes(subject, sizes)
    rounding = max(ROUNDING[subject.dtype], ROUNDING.get(subject.output, 0.0))

    # A function that never answers follows nothing
    table = known()
    if not any(answers.values()):
        return Identification(nearest="none", differences=dict.fromkeys(PROBES, np.inf))

    # Many trainers share one convention, which is judged once
    by_formula = {
        formula: {family: excess(partial(exactly, formula), seen, rounding) for family, seen in answers.items()}
        for formula in dict.fromkeys(table.values())
    }
    off = {name: by_formula[formula] for name, formula in table.items()}
    fits = tuple(name for name, families in off.items() if all(ratio <= 1 for ratio, _ in families.values()))
    if fits:
        return Identification(fits, repr(table[fits[0]]), partial(exactly, table[fits[0]]))

    # Perhaps it standardizes with numbers of its own
    formula = own_numbers(answers, rounding)
    if formula is not None:
        return Identification((), repr(formula), partial(exactly, formula))

    # The nearest is the one that fits in most families, then the one that is least off
    def distance(name: str) -> tuple[int, float]:
        """Families that do not fit, and the sum of what they are off, cut so that one family cannot decide alone."""
        families = off[name].values()
        return sum(ratio > 1 for ratio, _ in families), sum(min(far, 10.0) for _, far in families)

    nearest = min(table, key=distance)
    differences = {family: far if ratio > 1 else 0.0 for family, (ratio, far) in off[nearest].items()}
    return Identification(nearest=nearest, differences=differences)


def own_numbers(answers: dict[str, list[tuple[Batch, np.ndarray]]], rounding: float) -> GroupAdvantage | None:
    """The ``ddof`` and ``eps`` of a standardized advantage, if the answers are one; else None.

    The slope of advantages in rewards is ``1 / (std + eps)``: eps is read off where differences are tiny.
    """
    for ddof in (0, 1):
        found = []
        for batch, got in answers["tiny differences"]:
            if not np.isfinite(got).all():
                continue
            slope = slopes(batch.rewards, got, batch.counted)
            std = batch.rewards.std(-1, ddof=ddof, keepdims=True)
            found += list((1 / slope[slope > 0] - std[slope > 0]).ravel())
        if not found:
            continue

        # The smallest differences show eps best; two digits are what rounding leaves
        eps = max(float(f"{sorted(found)[len(found) // 4]:.2g}"), 0.0)
        formula = GroupAdvantage(ddof, eps)
        if all(excess(partial(exactly, formula), seen, rounding)[0] <= 1 for seen in answers.values()):
            return formula
    return None
