"""How good a step judge is: its error rates, and its own solving rate beside that of the student it taught."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch

from toy_llm.evaluation import Evaluation, evaluate
from toy_llm.judging.exact import Verdict
from toy_llm.judging.learned import HALF, LearnedJudge, read_steps, right_steps
from toy_llm.network.policy import Policy
from toy_llm.network.transformer_policy import TransformerPolicy


@dataclass(frozen=True)
class JudgedRates:
    """How a judge erred on incorrect responses.

    miss: passed share of the wrong steps it read. false_alarm: share of the right steps it read that it called
    wrong. first_error: share of responses whose first error it found exactly. wrong_read, right_read: steps
    behind the first two; responses: behind the third. A rate is NaN if nothing is behind it.
    """

    miss: float
    false_alarm: float
    first_error: float
    wrong_read: int
    right_read: int
    responses: int


def judged_rates(judged: torch.Tensor, verdict: Verdict) -> JudgedRates:
    """Error rates of any step judge from its judged first errors ``(Q, G)`` alone.

    A judge reads up to and including the step it stops at. For a judge whose errors are independent between
    steps these shares are the maximum-likelihood estimates of its two rates.

    >>> from toy_llm.problems.chain import ChainTask
    >>> verdict = ChainTask(3).judge(torch.tensor([[[2, 3, 7]]]), torch.tensor([[2, 1, 5]]))
    >>> judged_rates(torch.tensor([[1]]), verdict).first_error
    1.0
    """
    wrong = ~verdict.correct
    true = verdict.first_error
    stopped = (judged < verdict.steps) & wrong

    # Right steps: it reads all before the one it stops at, and that one too if it stops too early.
    alarms = int((stopped & (judged < true)).sum())
    right_read = int(torch.minimum(judged, true)[wrong].sum()) + alarms

    # Wrong steps: it passes all from the first error to the one it stops at.
    caught = int((stopped & (judged >= true)).sum())
    passed = int((torch.minimum(judged, verdict.steps) - true).clamp(min=0)[wrong].sum())
    responses = int(wrong.sum())
    return JudgedRates(
        miss=_share(passed, passed + caught),
        false_alarm=_share(alarms, right_read),
        first_error=_share(int((judged == true)[wrong].sum()), responses),
        wrong_read=passed + caught,
        right_read=right_read,
        responses=responses,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def judge_report(
    judge: LearnedJudge, prompts: torch.Tensor, responses: torch.Tensor, answers: torch.Tensor, verdict: Verdict
) -> pd.DataFrame:
    """How often a judge is right about the steps of given responses, correct ones included.

    A tidy DataFrame with the columns step (1..S, and 0 for all together), steps (those behind the numbers),
    accuracy, miss (share of wrong steps it passes), false_alarm (share of right steps it calls wrong). The steps up
    to the first error of each response count, whether or not the judge would have stopped before; for the rates
    with which it really errs, also behind an error it missed, see `judged_rates`. NaN where no
    step is.
    """
    # The truth, which steps count, and what the judge says of each by itself.
    right = right_steps(verdict)
    read = read_steps(verdict)
    passed = judge.log_right(prompts, responses, verdict) >= HALF
    number = torch.arange(1, right.shape[-1] + 1, device=right.device)
    rows = []
    for step in range(len(number) + 1):
        # Row 0 counts all steps together.
        counted = read & ((number == step) | (step == 0))
        rows.append(
            {
                "step": step,
                "steps": int(counted.sum()),
                "accuracy": float((passed == right)[counted].double().mean()),
                "miss": float(passed[counted & ~right].double().mean()),
                "false_alarm": float((~passed)[counted & right].double().mean()),
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Comparison:
    """A judge beside the student it taught.

    solving: tidy, one row each for ``judge`` (its own network writes whatever it finds rightest), ``judge's twin``
    (see `toy_llm.judging.learned.train_twin`), ``student at start`` and ``student trained``; columns who, success, low,
    high (bootstrap, see `toy_llm.evaluation.statistics.interval`), seeds, questions. judging: `judge_report` on
    responses of the student at its start. rates: `judged_rates` on the same.
    """

    solving: pd.DataFrame
    judging: pd.DataFrame
    rates: JudgedRates


def judge_beside_student(
    judge: LearnedJudge,
    twin: Policy,
    starts: Sequence[Policy],
    students: Sequence[Policy],
    settings: Evaluation | None = None,
) -> Comparison:
    """The judge's own solving rate and the rates of the students it taught, on the same held-out questions.

    ``starts`` and ``students``: policies before and after training with the judge (`toy_llm.training.loop.updates`),
    one per training seed, all for the judge's task. Judge and twin write their likeliest token each time
    (temperature 0.001); students are sampled as ``settings`` say. Raises `InputError` as `toy_llm.evaluation.evaluate`.
    """
    # Everybody answers the same questions; who writes its likeliest token needs one group only.
    settings = replace(Evaluation() if settings is None else settings, ks=())
    sharp = replace(settings, temperature=1e-3, samples=settings.update_rule.group_size)
    own = TransformerPolicy(judge.model, twin.task)
    measured: dict[str, tuple[Sequence[Policy], Evaluation]] = {
        "judge": ([own], sharp),
        "judge's twin": ([twin], sharp),
        "student at start": (starts, settings),
        "student trained": (students, settings),
    }
    frames = [evaluate(policies, who, how) for who, (policies, how) in measured.items()]
    rows = pd.concat([frame[frame.metric == "success"] for frame in frames], ignore_index=True)
    rows = rows.rename(columns={"suite": "who", "value": "success"})
    solving = rows[["who", "success", "low", "high", "seeds", "questions"]]

    # What the judge says of responses that the student writes before it has learnt.
    task = twin.task
    prompts, answers = task.questions(settings.stream, settings.seed, 0, settings.questions)
    generator = torch.Generator().manual_seed(settings.seed)
    responses = starts[0].sample(prompts, answers, settings.update_rule.group_size, generator).responses
    verdict = task.judge(responses, answers)
    asked = (prompts, responses, answers, verdict)
    return Comparison(solving, judge_report(judge, *asked), judged_rates(judge(*asked), verdict))
