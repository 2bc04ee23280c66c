"""What the data say about a claim: a statistic, its interval and a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Finding:
    """What the data say about a claim.

    statistic: the numbers, in words.
    interval: how sure they are, in words; empty if the claim was not tested.
    verdict: one of `paper_repro.report.schema.VERDICTS`.
    """

    statistic: str
    interval: str
    verdict: str


def verdict(passed: list[bool]) -> str:
    """The verdict on a claim of several parts, from whether each part holds: all, some or none.

    >>> verdict([True, False])
    'holds in part'
    """
    if all(passed):
        return "holds"
    return "holds in part" if any(passed) else "does not hold"


def by_intervals(statistic: str, interval: str, effects: list[tuple[float, float]], null: float = 0.0) -> Finding:
    """A finding from the intervals of effects that the claim says are above ``null``.

    statistic, interval: what the finding says. effects: the lower and upper end of each. The claim holds if every
    interval lies above ``null``, in part if some do; it does not hold if none lies above and one lies below; if all
    include ``null`` it is "not testable here", because there are too few seeds.

    >>> by_intervals("lead 0.2", "[0.1, 0.3]", [(0.1, 0.3)]).verdict
    'holds'
    >>> by_intervals("lead 0.1", "[-0.1, 0.3]", [(-0.1, 0.3)]).verdict
    'not testable here'
    """
    above = [low > null for low, _ in effects]
    below = [high < null for _, high in effects]
    if any(above):
        return Finding(statistic, interval, verdict(above))
    if any(below):
        return Finding(statistic, interval, "does not hold")
    return Finding(statistic, f"{interval} (every one includes no effect: too few seeds)", "not testable here")


def pooled(parts: list[str]) -> str:
    """Several parts of a statistic in one line.

    >>> pooled(["SGD +0.1", "Adam +0.2"])
    'SGD +0.1; Adam +0.2'
    """
    return "; ".join(parts)
