"""The ten suites as experiments: sizes and starts, judges, colouring against noise, stored rollouts, a weak judge.

Every job trains one network with one rule and seed, then measures it on all ten suites; nothing is fitted. Rows of
the tables are either of the curve (column ``step``) or of the measurement at the end (columns ``suite``, ``metric``,
``k``, ``value``); what a run is stands in the other columns.
"""

from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any

import pandas as pd
import torch

from paper_repro.jobs import Job
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
    size: str = "medium"
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
        names = ("seed", "size", "start", "beta", "gamma", "mode", "train_on", "rts_length", "updates", "start_updates")
        judge = {"judge": "noisy", "miss": self.miss, "false_alarm": self.false_alarm, "votes": self.votes}
        return TrainConfig(
            suites=TRAINED,
            rule="grpo" if self.rule == "none" else self.rule,
            start_accuracy=ACCURACY[self.start] if self.accuracy is None else self.accuracy,
            optimizer=self.optimizer,  # type: ignore[arg-type]
            learning_rate=RATES[self.optimizer],
            noise_every=0,
            kl_every=0,
            **{name: getattr(self, name) for name in names},
            **(judge if self.miss or self.false_alarm else {}),  # type: ignore[arg-type]
        )


LABELS = tuple(f.name for f in fields(Run) if f.name not in ("updates", "start_updates", "questions", "samples"))


def suite_run(run: Run) -> pd.DataFrame:
    """Train, then measure on all suites; the rows of both, with what the run is."""
    torch.set_num_threads(1)
    config = run.config()
    policy, module = make_policy(config)
    rows = []
    if run.rule != "none":
        rows = list(updates(config, policy, module, judge=make_judge(config, policy.task)))
    curve = pd.DataFrame(rows, columns=list(CURVE)).astype(float)
    how = Evaluation(questions=run.questions, samples=run.samples, ks=_powers(run.samples), resamples=10)
    found = evaluate_suites({n: [TransformerPolicy(policy.model, s)] for n, s in SUITES.items()}, how)  # type: ignore[attr-defined]
    found = found[found["metric"].isin(METRICS)][["suite", "metric", "k", "value"]]
    labels = {name: value for name, value in asdict(run).items() if name in LABELS}
    labels |= {name: float("nan") for name in ("beta", "gamma", "accuracy") if labels[name] is None}
    return pd.concat([curve, found], ignore_index=True).assign(**labels)


def _powers(samples: int) -> tuple[int, ...]:
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
            horizon=4, modulus=5, width=32, heads=2, questions=32, learning_rate=0.01, updates=self.updates, rule="spo"
        )


def weak_judge(spec: WeakJudge) -> pd.DataFrame:
    """What the judge, its twin trained to solve, and the student solve: rows who, success, low, high, seeds, ..."""
    from toy_llm.judging.learned import JudgeSpec, train_judge, train_twin
    from toy_llm.judging.report import judge_beside_student
    from toy_llm.judging.step_judge import JudgeSource

    torch.set_num_threads(1)
    config = spec.config()
    how = JudgeSpec(width=32, heads=2, accuracy=spec.accuracy, updates=spec.judge_updates, batch=64, learning_rate=1e-2)
    task = config.task()
    judge, twin = train_judge(how, task), train_twin(how, task)
    start, _ = make_policy(config)
    students = []
    for seed in spec.seeds:
        student, module = make_policy(config)
        list(updates(replace(config, seed=seed), student, module, judge=JudgeSource("learned", lambda *_: judge)))
        students.append(student)
    found = judge_beside_student(judge, twin, [start], students, Evaluation(questions=256, samples=16, ks=()))
    judging = found.judging.set_index("step")
    return found.solving.assign(
        judge_accuracy=judging["accuracy"][0], miss=found.rates.miss, false_alarm=found.rates.false_alarm
    )


@cache
def _starts(quick: bool) -> list[Job]:
    """One job for every size and start: it leaves the warm start on disk and measures it."""
    jobs: list[Job] = []
    sizes, kinds = (("small",), ("base",)) if quick else (SIZES[::-1], ("base", "distilled"))
    for kind in kinds:
        for size in sizes:  # the large one first: it takes longest, and teaches
            after = () if kind == "base" else tuple(f"suites/start-{s}-base" for s in dict.fromkeys(("large", size)))
            run = Run("none", 0, size, kind, **(QUICK if quick else {}))
            jobs.append(_job(f"suites/start-{size}-{kind}", "suites", run, after))
    return jobs


QUICK: dict[str, Any] = {"updates": 4, "start_updates": 60, "questions": 8, "samples": 8}


def _job(name: str, table: str, run: Run, after: tuple[str, ...] | None = None) -> Job:
    if after is None:
        after = (f"suites/start-{run.size}-{run.start}",)
    call = {"run": run}
    return Job(name, table, "paper_repro.suite_runs:suite_run", call, after=after, code=("spo_theory", "toy_llm"))


def jobs(quick: bool) -> list[Job]:
    """Every job; the quick version has a network that has learnt next to nothing, to see that everything works."""
    found = list(_starts(quick))
    rules = ("grpo", "spo", "spo_prefix")
    if quick:
        return found + [
            _job(f"suites/{r}-{seed}", "suites", Run(r, seed, "small", **QUICK)) for r in rules for seed in (0, 1)
        ]
    seeds = range(6)  # with three, round-off decided verdicts
    for kind in ("base", "distilled"):
        for size in SIZES:
            for r in rules if size == "medium" else rules[:2]:
                for seed in seeds:
                    found.append(_job(f"suites/{size}-{kind}-{r}-{seed}", "suites", Run(r, seed, size, kind)))
    for r in rules:
        for seed in seeds:
            found.append(_job(f"suites/medium-base-sgd-{r}-{seed}", "suites", Run(r, seed, optimizer="sgd")))
    for optimizer in ("adamw", "sgd"):
        for seed in seeds:
            run = Run("spo", seed, rts_length="true", optimizer=optimizer)
            found.append(_job(f"lengths/{optimizer}-{seed}", "suite_lengths", run))
    noise = ((0.0, 0.0, 1), (0.2, 0.1, 1), (0.4, 0.2, 1), (0.4, 0.2, 5))
    for r in ("spo", "spo_prefix"):
        for accuracy in (0.6, 0.4):  # where most and where nearly all groups are all-negative
            for miss, alarm, votes in noise:
                for seed in range(5):
                    run = Run(r, seed, "small", miss=miss, false_alarm=alarm, votes=votes, accuracy=accuracy)
                    found.append(_job(f"judges/{r}-{accuracy}-{miss}-{alarm}-{votes}-{seed}", "suite_judges", run))
    for beta, gamma in ((2.0, 0.5), (10.0, 0.25), (10.0, 0.5), (50.0, 0.5)):
        for miss, alarm in ((0.0, 0.0), (0.4, 0.2)):
            for seed in range(5):
                run = Run(
                    "spo_prefix", seed, "small", beta=beta, gamma=gamma, miss=miss, false_alarm=alarm, accuracy=0.6
                )
                found.append(_job(f"colours/{beta:g}-{gamma}-{miss}-{seed}", "suite_colours", run))
    for r, groups in (("spo", "all_negative"), ("spo_prefix", "all_negative"), ("grpo", "some_correct")):
        for seed in seeds:
            run = Run(r, seed, mode="offline", train_on=groups)
            found.append(_job(f"offline/{r}-{groups}-{seed}", "suite_offline", run))
    weak = Job(
        "judges/weak", "weak_judge", "paper_repro.suite_runs:weak_judge", {"spec": WeakJudge()},
        code=("spo_theory", "toy_llm"),
    )  # fmt: skip
    return [*found, weak]
