"""What is measured in one setting of a claim, and what that decides: intervals, p-values, Holm's correction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import nct
from scipy.stats import t as student

from paper_repro.forecast.statistics import mean_interval

HOLDS = "holds"
REVERSED = "reversed"
FAILS = "fails"
UNDECIDED = "undecided"
OUTCOMES = (HOLDS, REVERSED, FAILS, UNDECIDED)
"""What a setting says: as claimed, surely the other way, surely not as claimed, or that too little was measured."""

LEVEL = 0.05
"""Chance, for a claim that is true in none of its settings, of being said to hold or to be reversed in any."""
LEAST = 3
"""Runs below which a setting decides nothing: at two, Student's factor is 12.7 and the spread is a guess."""
POWER = 0.8
"""Chance with which as many runs as are said to decide do decide, if mean and spread are as measured."""
MOST = 1000
"""Runs beyond which no number is named."""

Direction = Literal["above", "below", "equal"]


@dataclass(frozen=True)
class Effect:
    """One number that a claim is about, measured in one setting.

    setting: in words. estimate, low, high: of the effect, in ``unit``, with the ends of its 95 % interval, which is of
    this setting alone. n: values that it is made of, and ``of`` what these are, such as "warm starts". test: how it was
    tested. null: the value that says that there is no effect. direction: on which side of it the claim puts the effect.
    p: two-sided p-value; NaN if the interval decides. d: distance from ``null`` in standard deviations of one value,
    positive in the claimed direction. opposite: the outcome on the other side of ``null``. counts: whether the verdict
    counts it. note: what a reader must know. outcome, p_holm: set by `decide`.
    """

    setting: str
    estimate: float
    low: float
    high: float
    n: int
    unit: str
    test: str
    null: float = 0.0
    direction: Direction = "above"
    of: str = "seeds"
    p: float = float("nan")
    d: float = float("nan")
    opposite: str = REVERSED
    counts: bool = True
    note: str = ""
    outcome: str = ""
    p_holm: float = float("nan")


def exact(
    setting: str, estimate: float, unit: str = "", *, null: float = 0.0, direction: Direction = "above"
) -> Effect:
    """An effect that was computed and not sampled.

    It holds on the claimed side of ``null``, is reversed on the other one, and fails at ``null`` or if it is NaN.

    >>> exact("the paper's start", 0.1).outcome, exact("the paper's start", 0.0).outcome
    ('holds', 'fails')
    """
    above = estimate - null
    claimed = {"above": above > 0, "below": above < 0, "equal": above == 0}[direction]
    other = {"above": above < 0, "below": above > 0, "equal": False}[direction]
    outcome = HOLDS if claimed else REVERSED if other else FAILS
    return Effect(
        setting,
        estimate=estimate,
        low=estimate,
        high=estimate,
        n=0,
        of="",
        unit=unit,
        test="exact",
        null=null,
        direction=direction,
        outcome=outcome,
    )


def of_values(
    setting: str,
    values: pd.Series | np.ndarray,
    unit: str,
    *,
    null: float = 0.0,
    direction: Direction = "above",
    of: str = "seeds",
    ratio: bool = False,
    opposite: str = REVERSED,
    counts: bool = True,
    note: str = "",
) -> Effect:
    """An effect from independent values by Student's t: their mean, its 95 % interval and its p-value against ``null``.

    values: one per seed or warm start; missing ones are left out. ratio: whether they are ratios, which are averaged
    and tested by their logarithms. Other arguments are those of `Effect`.

    >>> one = of_values("4 steps", np.array([1.0, 2.0, 3.0]), "updates")
    >>> one.estimate, round(one.p, 3)
    (2.0, 0.074)
    """
    given = np.asarray(values, float)
    given = given[np.isfinite(given)]
    scaled = np.log(given) if ratio else given
    centre = float(np.log(null)) if ratio else null
    mean, low, high = mean_interval(scaled)

    # Without any spread, a mean off the null is as sure as can be, and a mean on it decides nothing
    spread = float(scaled.std(ddof=1)) if scaled.size > 1 else float("nan")
    away = mean - centre
    if spread > 0:
        p = float(2 * student.sf(abs(away) / spread * np.sqrt(scaled.size), scaled.size - 1))
        d = away / spread
    else:
        p = float("nan") if np.isnan(spread) else float(away == 0)
        d = float(np.sign(away)) * float("inf") if away else 0.0
    estimate, low, high = (float(np.exp(end)) if ratio else float(end) for end in (mean, low, high))

    test = f"Student t over {of}" + (", of the logarithm" if ratio else "")
    return Effect(
        setting,
        estimate,
        low,
        high,
        n=scaled.size,
        unit=unit,
        test=test,
        null=null,
        direction=direction,
        of=of,
        p=p,
        d=-d if direction == "below" else d,
        opposite=opposite,
        counts=counts,
        note=note,
    )


def weaker(first: Effect, second: Effect) -> Effect:
    """The one of two effects that is less surely as claimed: both must be, where a claim has two conditions.

    Both by Student's t from as many values.

    >>> sure, unsure = (of_values(name, [mean - 1, mean, mean + 1], "") for name, mean in (("sure", 9), ("unsure", 1)))
    >>> weaker(sure, unsure).setting
    'unsure'
    """
    return second if second.d < first.d else first


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order of ``p_values``; NaN stays NaN and is not counted.

    Tests whose adjusted value is below a level are wrong in any of them with at most that chance, however the tests
    depend on each other (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, float)
    adjusted = np.full(given.shape, np.nan)
    largest = 0.0
    tests = int(np.isfinite(given).sum())
    for place, index in enumerate(np.argsort(given)[:tests]):
        largest = max(largest, min(1.0, (tests - place) * given[index]))
        adjusted[index] = largest
    return [float(value) for value in adjusted]


def decide(effects: Iterable[Effect]) -> list[Effect]:
    """The effects with their outcomes; those that count are corrected for being several by `holm`.

    An effect whose outcome is known already keeps it. One without a p-value is judged by its interval.

    >>> [one.outcome for one in decide([of_values("4 steps", np.array([1.0, 1.1, 1.2]), "updates")])]
    ['holds']
    """
    # What does not count is told without being corrected, and makes nobody else's test harder
    given = list(effects)
    tested = [one for one in given if one.counts and not one.outcome and np.isfinite(one.p)]
    adjusted = dict(zip(map(id, tested), holm([one.p for one in tested]), strict=True))
    return [_decided(one, adjusted.get(id(one), one.p)) for one in given]


def _decided(effect: Effect, p: float) -> Effect:
    """One effect with its outcome; ``p``: its corrected p-value, NaN if its interval decides."""
    if effect.outcome:
        return effect
    sure = p < LEVEL if np.isfinite(p) else not effect.low <= effect.null <= effect.high
    if np.isnan(effect.low) or effect.n < LEAST:
        sure = False
    above = effect.estimate > effect.null
    claimed = above == (effect.direction == "above")
    outcome = UNDECIDED if not sure else HOLDS if claimed else effect.opposite
    return replace(effect, outcome=outcome, p_holm=p)


def runs_to_decide(effect: Effect, tests: int) -> int | None:
    """How many values like those of ``effect`` would decide it with the chance `POWER`, if all stays as measured.

    tests: how many are corrected together. Counts of the same kind as ``effect.n`` (``effect.of``). None if there are
    too few to know their spread, or if more than `MOST` are needed. The power of a t test at the level that Holm's
    correction asks of the surest of ``tests``.

    >>> one = of_values("4 steps", np.array([0.0, 1.0, 2.0]), "updates")
    >>> runs_to_decide(one, tests=1)
    10
    """
    if effect.n < LEAST or not np.isfinite(effect.d) or effect.d == 0:
        return None
    n = np.arange(2, MOST + 1)
    edge = student.ppf(1 - LEVEL / tests / 2, n - 1)
    power = nct.sf(edge, n - 1, abs(effect.d) * np.sqrt(n))
    enough = n[power >= POWER]
    return int(enough[0]) if enough.size else None
