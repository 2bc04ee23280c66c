"""What the data say about a claim: a statistic, its interval and a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Finding:
    """What the data say about a claim."""

    statistic: str
    interval: str
    verdict: str


def verdict(passed: list[bool]) -> str:
    """All, some or none of a claim's parts hold."""
    if all(passed):
        return "holds"
    return "holds in part" if any(passed) else "does not hold"


def by_intervals(statistic: str, interval: str, effects: list[tuple[float, float]], null: float = 0.0) -> Finding:
    """A finding from the intervals of effects that the claim says are above ``null``."""
    above, below = [low > null for low, _ in effects], [high < null for _, high in effects]
    if any(above):
        return Finding(statistic, interval, verdict(above))
    if any(below):
        return Finding(statistic, interval, "does not hold")
    return Finding(statistic, f"{interval} (every one includes no effect: too few seeds)", "not testable here")


def pooled(parts: list[str]) -> str:
    """Several parts of a statistic in one line."""
    return "; ".join(parts)
