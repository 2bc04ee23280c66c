"""The ten suites as experiments: sizes and starts, judges, colouring against noise, stored rollouts, a weak judge.

Every job trains one network with one rule and seed, then measures it on all ten suites; nothing is fitted. Rows of
the tables are either of the curve (column ``step``) or of the measurement at the end (columns ``suite``, ``metric``,
``k``, ``value``); what a run is stands in the other columns.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd
import torch

from paper_repro.jobs.job import Job
from toy_llm.config import TrainConfig
from toy_llm.evaluation import Evaluation, evaluate_suites
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.suites import SUITES, TRAINED
from toy_llm.training.loop import make_judge, make_policy, updates

CURVE = ("step", "success", "success_exact", "all_negative", "zero_advantage", "entropy", "response_length")
METRICS = ("success", "pass@k", "all_negative", "response_length", "ended")
ACCURACY = {"base": 0.4, "distilled": 0.7}
"""Step accuracy of the traces: a base start hardly ever solves a problem, a distilled one sometimes."""
RATES = {"adamw": 3e-4, "sgd": 0.03}
"""Learning rates, the same for every rule."""
SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class Run:
    """One training run on the mixture of the eight suites to train on; fields as in `TrainConfig`.

    rule: "none" for the start alone. beta, gamma: None for the paper's. accuracy: None for `ACCURACY`.
    """

    rule: str
    seed: int
    size: str = "small"
    start: str = "base"
    beta: float | None = None
    gamma: float | None = None
    miss: float = 0.0
    false_alarm: float = 0.0
    votes: int = 1
    mode: str = "online"
    train_on: str = "all"
    rts_length: str = "written"
    optimizer: str = "adamw"
    accuracy: float | None = None
    updates: int = 50
    start_updates: int | None = None
    questions: int = 64
    samples: int = 32

    def config(self) -> TrainConfig:
        """The training run; all share the seed of the start, so seeds differ in questions and sampling."""
        names = ("seed", "size", "start", "beta", "gamma", "mode", "train_on", "updates", "start_updates")
        judge = {"judge": "noisy", "miss": self.miss, "false_alarm": self.false_alarm, "votes": self.votes}
        return TrainConfig(
            suites=TRAINED,
            rule="grpo" if self.rule == "none" else self.rule,
            start_accuracy=ACCURACY[self.start] if self.accuracy is None else self.accuracy,
            optimizer=self.optimizer,  # type: ignore[arg-type]
            learning_rate=RATES[self.optimizer],
            noise_every=0,
            kl_every=0,
            rts_length=None if self.rts_length == "written" else self.rts_length,  # rules without colours have none
            **{name: getattr(self, name) for name in names},
            **(judge if self.miss or self.false_alarm else {}),  # type: ignore[arg-type]
        )


LABELS = (
    "size",
    "start",
    "rule",
    "seed",
    "beta",
    "gamma",
    "miss",
    "false_alarm",
    "votes",
    "mode",
    "train_on",
    "rts_length",
    "optimizer",
    "accuracy",
)
"""The fields of `Run` that say what a run is; columns of its table, in the order by which runs are sorted."""


def suite_run(run: Run) -> pd.DataFrame:
    """Train, then measure on all suites.

    Returns the rows of the curve (columns `CURVE`), then those of the measurement (suite, metric, k, value), all with
    the columns `LABELS`, which say what the run is.
    """
    torch.set_num_threads(1)
    config = run.config()
    policy = make_policy(config)
    rows = []
    if run.rule != "none":
        rows = list(updates(config, policy, judge=make_judge(config, policy.task)))
    curve = pd.DataFrame(rows, columns=list(CURVE)).astype(float)
    how = Evaluation(questions=run.questions, samples=run.samples, ks=_powers(run.samples), resamples=10)
    found = evaluate_suites({n: [TransformerPolicy(policy.model, s)] for n, s in SUITES.items()}, how)  # type: ignore[attr-defined]
    found = found[found["metric"].isin(METRICS)][["suite", "metric", "k", "value"]]
    labels = {name: value for name, value in asdict(run).items() if name in LABELS}
    labels |= {name: float("nan") for name in ("beta", "gamma", "accuracy") if labels[name] is None}
    return pd.concat([curve, found], ignore_index=True).assign(**labels)


def _powers(samples: int) -> tuple[int, ...]:
    """The powers of two up to ``samples``: the k of pass@k."""
    return tuple(2**i for i in range(samples.bit_length()) if 2**i <= samples)


@dataclass(frozen=True)
class WeakJudge:
    """A judge that is trained on bad traces of chains of 4 additions modulo 5, and the student it teaches.

    accuracy: share of right steps in those traces. seeds: of the student's training.
    """

    accuracy: float = 0.4
    seeds: tuple[int, ...] = (0, 1, 2)
    judge_updates: int = 200
    updates: int = 60

    def config(self) -> TrainConfig:
        """The student's run."""
        return TrainConfig(
            horizon=4, modulus=5, width=32, heads=2, questions=32, learning_rate=0.07, updates=self.updates, rule="spo"
        )


def weak_judge(spec: WeakJudge) -> pd.DataFrame:
    """What the judge, its twin trained to solve, and the student solve: rows who, success, low, high, seeds, ..."""
    from toy_llm.judging.learned import JudgeSpec, train_judge, train_twin
    from toy_llm.judging.report import judge_beside_student
    from toy_llm.judging.step_judge import JudgeSource

    # The twin sees the same traces as the judge, but learns to solve: it shows what the judge could solve itself
    torch.set_num_threads(1)
    config = spec.config()
    how = JudgeSpec(width=32, heads=2, accuracy=spec.accuracy, updates=spec.judge_updates, batch=64, learning_rate=1e-2)
    task = config.task()
    judge = train_judge(how, task)
    twin = train_twin(how, task)

    # All students share one warm start; seeds differ in questions and sampling
    start = make_policy(config)
    students = []
    for seed in spec.seeds:
        student = make_policy(config)
        list(updates(replace(config, seed=seed), student, judge=JudgeSource("learned", lambda *_: judge)))
        students.append(student)

    # One call measures them all in the same way, so that their rates can be held side by side
    found = judge_beside_student(judge, twin, [start], students, Evaluation(questions=256, samples=16, ks=()))
    judging = found.judging.set_index("step")
    return found.solving.assign(
        judge_accuracy=judging["accuracy"][0], miss=found.rates.miss, false_alarm=found.rates.false_alarm
    )


QUICK: dict[str, Any] = {"updates": 4, "start_updates": 60, "questions": 8, "samples": 8}
RULES = ("grpo", "spo", "spo_prefix")
SEEDS = range(6)  # with three, round-off decided verdicts
JUDGE_SEEDS = range(5)


NOISE = ((0.0, 0.0, 1), (0.2, 0.1, 1), (0.4, 0.2, 1), (0.4, 0.2, 5))
"""Judges: miss and false-alarm rate, and votes."""


def jobs(quick: bool) -> list[Job]:
    """The small network from the base start with every kind of experiment but two, which `more` has.

    The quick version has a network that has learnt next to nothing, to see that everything works.
    """
    if quick:
        runs = [_job(f"suites/{rule}-{seed}", "suites", Run(rule, seed, **QUICK)) for rule in RULES for seed in (0, 1)]
        return [_start("small", "base", QUICK), *runs]
    return [
        _start("small", "base", {}),
        *_rules(),
        *_other_lengths(),
        *_judges("spo", 0.6),
        *_offline(),
        Job("judges/weak", "weak_judge", weak_judge, {"spec": WeakJudge()}),
    ]


def more() -> list[Job]:
    """What only a full run has: larger networks, whose starts take long; more judges; several colourings."""
    return [
        *_sizes_and_starts(),
        *_judges("spo", 0.4),
        *_judges("spo_prefix", 0.6),
        *_judges("spo_prefix", 0.4),
        *_colours(),
    ]


def _job(name: str, table: str, run: Run, after: tuple[str, ...] | None = None) -> Job:
    """One run, by default after the job that leaves its warm start on disk."""
    if after is None:
        after = (_start(run.size, run.start, {}).name,)
    return Job(name, table, suite_run, {"run": run}, after=after)


def _start(size: str, kind: str, options: dict[str, Any]) -> Job:
    """The job that leaves the warm start of a size and kind on disk and measures it."""
    usual = (size, kind) == ("small", "base")
    name = ("suites" if usual else "sizes") + f"/start-{size}-{kind}"

    # The large base network writes the traces that distilled ones learn from
    taught_by = ("large", size) if kind == "distilled" else ()
    after = tuple(_start(one, "base", {}).name for one in dict.fromkeys(taught_by))
    return _job(name, "suites", Run("none", 0, size, kind, **options), after)


def _rules() -> list[Job]:
    """Every rule, with both optimizers."""
    return [
        _job(f"suites/{optimizer}-{rule}-{seed}", "suites", Run(rule, seed, optimizer=optimizer))
        for optimizer in RATES
        for rule in RULES
        for seed in SEEDS
    ]


def _sizes_and_starts() -> list[Job]:
    """GRPO and SPO at every size from both starts but that of the default run, the largest first: it takes longest."""
    found = []
    for kind in ("base", "distilled"):
        for size in SIZES[::-1]:
            if (size, kind) != ("small", "base"):
                found.append(_start(size, kind, {}))
                for rule in RULES[:2]:
                    for seed in SEEDS:
                        run = Run(rule, seed, size, kind)
                        found.append(_job(f"sizes/{size}-{kind}-{rule}-{seed}", "suites", run))
    return found


def _other_lengths() -> list[Job]:
    """SPO whose RTS divides by the length of the true response."""
    return [
        _job(f"lengths/{opt}-{seed}", "suite_lengths", Run("spo", seed, rts_length="true", optimizer=opt))
        for opt in ("adamw", "sgd")
        for seed in SEEDS
    ]


def _judges(rule: str, accuracy: float) -> list[Job]:
    """Judges that err; ``accuracy``: 0.6 for a start where most groups are all-negative, 0.4 where nearly all are."""
    found = []
    for miss, alarm, votes in NOISE:
        for seed in JUDGE_SEEDS:
            judged: dict[str, Any] = {"miss": miss, "false_alarm": alarm, "votes": votes, "accuracy": accuracy}
            name = f"judges/{rule}-{accuracy}/{miss}-{alarm}-{votes}-{seed}"
            found.append(_job(name, "suite_judges", Run(rule, seed, **judged)))
    return found


def _colours() -> list[Job]:
    """Several slopes and thresholds of the colouring, each with an exact and with a noisy judge."""
    found = []
    for beta, gamma in ((2.0, 0.5), (10.0, 0.25), (10.0, 0.5), (50.0, 0.5)):
        for miss, alarm in ((0.0, 0.0), (0.4, 0.2)):
            for seed in JUDGE_SEEDS:
                judged: dict[str, Any] = {"miss": miss, "false_alarm": alarm, "accuracy": 0.6}
                run = Run("spo_prefix", seed, beta=beta, gamma=gamma, **judged)
                found.append(_job(f"colours/{beta:g}-{gamma}-{miss}-{seed}", "suite_colours", run))
    return found


def _offline() -> list[Job]:
    """Training on one stored set of the start's rollouts: all-negative groups alone, or the others alone."""
    chosen = (("spo", "all_negative"), ("spo_prefix", "all_negative"), ("grpo", "some_correct"))
    return [
        _job(f"offline/{rule}-{groups}-{seed}", "suite_offline", Run(rule, seed, mode="offline", train_on=groups))
        for rule, groups in chosen
        for seed in SEEDS
    ]
