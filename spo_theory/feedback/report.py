"""How well a judge finds first errors in labelled responses, and whether colouring with such a judge pays."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from spo_theory.feedback.verdict import Judgement
from spo_theory.validation import is_whole, problem, refuse


@dataclass(frozen=True)
class Rate:
    """A share ``found`` of ``of`` with its exact 95 % interval (Clopper-Pearson); NaN without anything behind it."""

    found: int
    of: int

    @property
    def share(self) -> float:
        """``found`` over ``of``."""
        return self.found / self.of if self.of else nan

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the 95 % interval.

        Example:
            >>> [round(bound, 3) for bound in Rate(0, 10).interval]
            [0.0, 0.308]
        """
        if not self.of:
            return nan, nan
        from scipy.stats import binomtest

        bounds = binomtest(self.found, self.of).proportion_ci(0.95)
        return float(bounds.low), float(bounds.high)


@dataclass(frozen=True)
class JudgeReport:
    """How a judge erred on labelled responses.

    miss: share of the wrong steps it read that it passed. false_alarm: share of the right steps it read that it called
    wrong. exact: share of judged responses whose first error it found. unjudged: share of responses without a
    judgement; they are in no other rate. step_success: share of steps right, given right steps before, by the labels.
    """

    miss: Rate
    false_alarm: Rate
    exact: Rate
    unjudged: Rate
    step_success: Rate


def judge_report(judgements: Sequence[Judgement], first_errors: Sequence[int], steps: Sequence[int]) -> JudgeReport:
    """Error rates of a judge on labelled responses.

    judgements: of the judge. first_errors: the truth, right steps before the first wrong one, equal to ``steps`` if
    none is wrong. steps: number of steps of each response, at least 1. All of equal length. A judge reads up to and
    including the step that it stops at; for one whose errors are independent between steps the first two rates are
    the maximum-likelihood estimates of docs/theory/judges.md. Steps behind the first wrong one count as wrong, as
    there. Raises `InputError` for labels outside the response.

    Example, three steps, the second one wrong; the judge stops at the first, then at the second:
        >>> report = judge_report([Judgement(0), Judgement(1)], [1, 1], [3, 3])
        >>> report.false_alarm, report.miss
        (Rate(found=1, of=2), Rate(found=0, of=1))
    """
    refuse(
        problem(len(judgements) == len(first_errors) == len(steps), "first_errors", len(first_errors), "as many labels")
        + [
            line
            for error, size in zip(first_errors, steps, strict=False)
            for line in problem(is_whole(error, 0) and error <= size, "first_error", error, f"from 0 to {size}")
        ]
    )

    passed = caught = alarms = right_read = exact = judged = 0
    for judgement, true, size in zip(judgements, first_errors, steps, strict=True):
        said = judgement.first_error
        if said is None:
            continue
        judged += 1
        exact += said == true

        # Right steps: all before the one it stops at, and that one too if it stops too early
        alarm = said < true
        alarms += alarm
        right_read += min(said, true) + alarm

        # Wrong steps: all from the first error to the one it stops at; that one it has caught
        passed += max(said - true, 0)
        caught += true <= said < size

    # The labels alone say how often a step is right where all before it were
    right = sum(first_errors)
    first_wrong = sum(error < size for error, size in zip(first_errors, steps, strict=True))
    return JudgeReport(
        miss=Rate(passed, passed + caught),
        false_alarm=Rate(alarms, right_read),
        exact=Rate(exact, judged),
        unjudged=Rate(len(judgements) - judged, len(judgements)),
        step_success=Rate(right, right + first_wrong),
    )


def colouring_pays(report: JudgeReport, horizon: int, group_size: int = 8, beta: float = 10.0) -> tuple[float, float]:
    """What colouring adds to the rate of log success on the stylized chain: with a perfect judge, and with this one.

    horizon: steps of the chain, each right with the labels' ``step_success``. group_size, beta: of rule ``spo``.
    Positive means that colouring speeds learning up, to first order and per unit of learning rate. Raises `InputError`
    where the report has no rates to compute with. Needs the extra ``theory``. Source: docs/theory/judges.md.
    """
    q = report.step_success.share
    rates = (report.miss.share, report.false_alarm.share)
    known = all(rate == rate for rate in rates)
    refuse(
        problem(0 < q < 1, "step_success", q, "strictly between 0 and 1 in the labels: some steps right, some wrong")
        + problem(known, "judgements", rates, "on right and on wrong steps: else an error rate has no estimate")
    )
    from spo_theory.methods.registry import rule
    from spo_theory.outcomes.chain import ReasoningChain
    from spo_theory.outcomes.judged import colouring_gain_function

    gain = colouring_gain_function(
        ReasoningChain(step_success=[q] * horizon), rule("spo", group_size=group_size, beta=beta)
    )
    return float(gain(0.0, 0.0)), float(gain(*rates))
