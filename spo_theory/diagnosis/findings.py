"""From rollouts to a diagnosis: shares, group sizes, advantages, trends, remedies."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spo_theory.diagnosis.advantages import Logged, judge_logged
from spo_theory.diagnosis.groups import (
    Estimate,
    Groups,
    groups_of,
    mean_with_interval,
    pooled,
    spread_of_difficulty,
)
from spo_theory.diagnosis.remedies import AtSize, Remedy, other_sizes, remedies
from spo_theory.diagnosis.rollouts import Rollouts
from spo_theory.diagnosis.signal import Signal, signal_of_outcomes, signal_of_steps
from spo_theory.validation import check

SHARES = ("all wrong", "all right", "mixed", "equal rewards")
MOST_PARTS = 12
"""Parts in which a run is shown over time."""


@dataclass(frozen=True)
class Part:
    """Shares of one part of the run, steps ``first`` to ``last``."""

    first: int
    last: int
    groups: int
    shares: dict[str, Estimate]


@dataclass(frozen=True)
class Diagnosis:
    """What the log of a run says.

    shares: of groups, over the run. parts: the same over time. sizes: what other group sizes would do. success, spread:
    mean success and its standard deviation between questions. independent: all-wrong share that questions of one and
    the same difficulty would have. stuck_wrong, stuck_right: questions asked in several steps that were always all
    wrong or all right, and ``repeated``, how many were asked in several steps. drift: change of the mean length of
    wrong responses from the first to the last step, NaN if unknown. logged: of the advantages. remedies: of rules.
    outcome_signal, step_signal: signal to noise at other group sizes, from outcomes alone and from judged steps.
    """

    rollouts: Rollouts
    groups: Groups
    shares: dict[str, Estimate]
    parts: list[Part]
    sizes: list[AtSize]
    success: float
    spread: float
    independent: float
    repeated: int
    stuck_wrong: int
    stuck_right: int
    drift: Estimate
    logged: Logged | None
    remedies: list[Remedy]
    outcome_signal: list[Signal]
    step_signal: list[Signal]

    @property
    def taught_nothing(self) -> int:
        """Responses in groups of equal rewards."""
        return int(self.groups.size[self.groups.equal].sum())

    @property
    def resampling(self) -> float:
        """Groups to sample for one that is mixed, as dynamic sampling does; infinite if none is."""
        mixed = self.shares["mixed"].value
        return 1 / mixed if mixed > 0 else float("inf")

    def rows(self) -> list[dict[str, Any]]:
        """A tidy table: quantity, part of the run or group size or rule, value, low, high."""

        def row(quantity: str, of: str, value: float, low: float = np.nan, high: float = np.nan) -> dict[str, Any]:
            """One row."""
            return {"quantity": quantity, "of": of, "value": value, "low": low, "high": high}

        table = [row(f"share {name}", "run", *_three(estimate)) for name, estimate in self.shares.items()]
        for part in self.parts:
            of = f"steps {part.first} to {part.last}"
            table += [row(f"share {name}", of, *_three(estimate)) for name, estimate in part.shares.items()]
        for size in self.sizes:
            table.append(row("share all wrong", f"group size {size.k}", *_three(size.all_wrong)))
            table.append(row("share mixed", f"group size {size.k}", *_three(size.mixed)))
            table.append(row("useful groups in 1000 responses", f"group size {size.k}", size.useful))
        for remedy in self.remedies:
            table.append(row("share of all-wrong groups woken", remedy.name, *_three(remedy.woken)))
            table.append(row("mean weight of right steps", remedy.name, remedy.right))
            table.append(row("mean weight of wrong steps", remedy.name, remedy.wrong))
            table.append(row("mean weight of correct responses in mixed groups", remedy.name, remedy.mixed))
        for seen, signals in (("outcomes", self.outcome_signal), ("steps", self.step_signal)):
            for one in signals:
                of = f"{one.name}, group size {one.k}, {seen}"
                table.append(row("signal to noise of 1000 rollouts", of, *_three(one.batch)))
                table.append(row("gain of a group", of, one.gain))
                table.append(row("share of resamples in which this size is best", of, one.best))
        table.append(row("success", "questions", self.success))
        table.append(row("spread of success", "questions", self.spread))
        table.append(row("responses", "run", float(len(self.rollouts))))
        table.append(row("responses that taught nothing", "run", float(self.taught_nothing)))
        table.append(row("groups sampled for a mixed one", "run", self.resampling))
        table.append(row("drift of the length of wrong responses", "run", *_three(self.drift)))
        for reason, (number, _) in self.rollouts.bad.items():
            table.append(row(f"rows left out: {reason}", "run", float(number)))
        return table

    def __str__(self) -> str:
        """The summary for a terminal."""
        from spo_theory.diagnosis.summary import summary

        return summary(self)


def _three(estimate: Estimate) -> tuple[float, float, float]:
    """Value, low and high."""
    return estimate.value, estimate.low, estimate.high


def diagnose(rollouts: Rollouts) -> Diagnosis:
    """Say what the log of a run shows.

    rollouts: from `spo_theory.diagnosis.read_rollouts`. Raises `InputError` if no row could be used.

    Example, one mixed and one all-wrong group:
        >>> from spo_theory.diagnosis.rollouts import Columns
        >>> columns = Columns("table")
        >>> for question, reward in (("a", 1.0), ("a", 0.0), ("b", 0.0), ("b", 0.0)):
        ...     columns.add(question, 0, reward == 1, reward)
        >>> found = diagnose(columns.finish())
        >>> found.shares["all wrong"].value, found.resampling, found.taught_nothing
        (0.5, 2.0, 2)
    """
    reasons = "; ".join(f"{number} rows: {reason}" for reason, (number, _) in rollouts.bad.items())
    check(len(rollouts) > 0, "logs", f"no usable row ({reasons})", "rows with a group and a reward")
    groups = groups_of(rollouts)
    mean, spread = spread_of_difficulty(groups)

    # What other group sizes would do is told from all responses to a question under one policy
    together = pooled(rollouts)
    pools = groups_of(together)
    repeated, stuck_wrong, stuck_right = _stuck(groups)
    return Diagnosis(
        rollouts,
        groups,
        _shares(groups, np.ones(len(groups.size), dtype=bool)),
        _parts(groups),
        other_sizes(pools),
        mean,
        spread,
        float(np.mean((1 - mean) ** groups.size)),
        repeated,
        stuck_wrong,
        stuck_right,
        _drift(rollouts),
        judge_logged(rollouts, groups),
        remedies(rollouts, groups),
        signal_of_outcomes(pools),
        signal_of_steps(together, pools),
    )


def _shares(groups: Groups, which: np.ndarray) -> dict[str, Estimate]:
    """The four shares of some groups."""
    flags = (groups.all_wrong, groups.all_right, groups.mixed, groups.equal)
    question = groups.question[which]
    return {name: mean_with_interval(flag[which], question) for name, flag in zip(SHARES, flags, strict=True)}


def _parts(groups: Groups) -> list[Part]:
    """The run in parts of about the same number of steps; [] if it has one step."""
    steps = np.unique(groups.step)
    if len(steps) < 2:
        return []
    parts = []
    for some in np.array_split(steps, min(MOST_PARTS, len(steps))):
        which = (groups.step >= some[0]) & (groups.step <= some[-1])
        parts.append(Part(int(some[0]), int(some[-1]), int(which.sum()), _shares(groups, which)))
    return parts


def _stuck(groups: Groups) -> tuple[int, int, int]:
    """Questions asked in several steps: all of them, those that were always all wrong, and always all right."""
    number = int(groups.question.max(initial=-1)) + 1
    asked = np.bincount(groups.question, minlength=number)
    wrong = np.bincount(groups.question, groups.all_wrong, minlength=number)
    right = np.bincount(groups.question, groups.all_right, minlength=number)
    several = asked >= 2
    return int(several.sum()), int((several & (wrong == asked)).sum()), int((several & (right == asked)).sum())


def _drift(rollouts: Rollouts) -> Estimate:
    """Slope of the length of wrong responses over steps, times the length of the run, with a 95 % interval."""
    rows = ~rollouts.correct & np.isfinite(rollouts.length)
    steps = np.unique(rollouts.step[rows])
    if len(steps) < 3:
        return Estimate(np.nan, np.nan, np.nan)

    # One mean a step, because responses of one step share a policy; then a straight line through them
    from scipy.stats import linregress, t

    means = [rollouts.length[rows & (rollouts.step == step)].mean() for step in steps]
    line = linregress(steps, means)
    run = float(steps[-1] - steps[0])
    half = float(t.ppf(0.975, len(steps) - 2) * line.stderr * run)
    change = float(line.slope * run)
    return Estimate(change, change - half, change + half)
