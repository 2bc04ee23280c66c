"""What a training run is: every setting with its meaning, default and allowed values, in one place."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import cos, isfinite, pi
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import torch

from spo_theory.method import Method
from spo_theory.methods.conventions import CONVENTIONS
from spo_theory.methods.registry import rule
from spo_theory.parts.filters import TrainOn
from spo_theory.parts.rewards import RtsLength
from spo_theory.validation import InputError, problem, refuse
from toy_llm.files import check_writable
from toy_llm.problems.chain import ChainTask, Task
from toy_llm.problems.suites import GYM, TRAINED, mixture
from toy_llm.starts.chain import WarmStart
from toy_llm.starts.suites import Size, Start, SuiteStart
from toy_llm.training.losses import Aggregation, KlEstimator


class Allowed(NamedTuple):
    """Which values a setting may have, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and isfinite(value)


def whole(least: int) -> Allowed:
    """Whole numbers from ``least``."""
    return Allowed(
        f"a whole number, at least {least}",
        lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= least,
    )


def one_of(kind: Any) -> Allowed:
    """The values of a ``Literal``."""
    return Allowed(" or ".join(map(str, get_args(kind))), lambda v: v in get_args(kind))


ABOVE_0 = Allowed("a finite number above 0", lambda v: _is_number(v) and v > 0)
FROM_0 = Allowed("a finite number, at least 0", lambda v: _is_number(v) and v >= 0)
SHARE = Allowed("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
RULE = Allowed(", ".join(rule.names()), lambda _: True)  # the rule checks itself, and its convention
CONVENTION = Allowed(", ".join(CONVENTIONS), lambda _: True)
FLAG = Allowed("True or False", lambda v: isinstance(v, bool))


def optional(allowed: Allowed) -> Allowed:
    """``allowed``, or None."""
    return Allowed(f"{allowed.words}, or None", lambda v: v is None or allowed.holds(v))


def described(words: str) -> Allowed:
    """Values that another part checks (the task, the warm start, the rule); said here for the help."""
    return Allowed(words, lambda _: True)


class Setting(NamedTuple):
    """What ``spo train --help`` says about a field of `TrainConfig`, and what `TrainConfig.validate` checks."""

    group: str
    text: str
    allowed: Allowed


Judge = Literal["exact", "noisy", "learned"]
Mode = Literal["online", "offline"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "linear", "cosine"]
Scope = Literal["all_negative", "all_incorrect"]
PolicyKind = Literal["transformer", "tabular"]


@dataclass(frozen=True)
class TrainConfig:
    """One training run; every field is an option of ``spo train``, which explains them."""

    suites: Annotated[
        tuple[str, ...],
        Setting(
            "problems",
            "Train on these suites of problems with free-form responses (several are mixed), instead of the default: "
            "chained addition, one token a step.",
            described(" or ".join((*TRAINED, GYM))),
        ),
    ] = ()
    horizon: Annotated[int, Setting("problems", "Steps per question, H.", described("at least 1"))] = 6
    modulus: Annotated[int, Setting("problems", "Numbers are added modulo this.", described("2 to 1000"))] = 10

    size: Annotated[
        Size, Setting("network", "Network for suites; its sizes stand for 7B, 14B and 32B.", one_of(Size))
    ] = "medium"
    start: Annotated[
        Start,
        Setting(
            "network",
            "Warm start for suites: base learnt from imperfect traces, distilled from a large network's own.",
            one_of(Start),
        ),
    ] = "base"
    layers: Annotated[int, Setting("network", "Transformer layers.", described("at least 1"))] = 2
    width: Annotated[int, Setting("network", "Transformer width.", described("a multiple of heads"))] = 64
    heads: Annotated[int, Setting("network", "Attention heads.", described("at least 1"))] = 4
    output_scale: Annotated[
        float,
        Setting(
            "network",
            "Logits are multiplied by this and the head starts smaller: larger keeps the kernel steadier.",
            described("above 0"),
        ),
    ] = 6.0
    start_accuracy: Annotated[
        float,
        Setting("network", "Probability of a right step after the warm start.", described("strictly between 0 and 1")),
    ] = 0.375
    start_updates: Annotated[
        int | None,
        Setting(
            "network",
            "Gradient steps of the warm start, for suites of its first course; its own number by default.",
            optional(whole(1)),
        ),
    ] = None
    start_seed: Annotated[int, Setting("network", "Seed of the warm start.", whole(0))] = 0
    policy: Annotated[
        PolicyKind, Setting("network", "What is trained: the network, or one log-odds per step.", one_of(PolicyKind))
    ] = "transformer"

    rule: Annotated[
        str,
        Setting("update rule", "How groups become advantages.", RULE),
    ] = "spo"
    group_size: Annotated[int, Setting("update rule", "Responses per question, G.", described("at least 2"))] = 8
    beta: Annotated[
        float | None,
        Setting(
            "update rule",
            "Slope of the colouring, the paper's 10 by default.",
            described("above 0; coloured rules only"),
        ),
    ] = None
    gamma: Annotated[
        float | None,
        Setting(
            "update rule", "RTS that earns half a reward, the paper's 0.5 by default.", described("coloured rules only")
        ),
    ] = None
    scope: Annotated[
        Scope | None,
        Setting("update rule", "Which groups are coloured, all_negative by default.", described("coloured rules only")),
    ] = None
    rts_length: Annotated[
        RtsLength,
        Setting(
            "update rule",
            "RTS divides the length of the right prefix by that of the response as written (the paper), or of the "
            "true one, so that ending early is no gain; coloured rules on suites only.",
            one_of(RtsLength),
        ),
    ] = "written"
    convention: Annotated[
        str | None,
        Setting("update rule", "Advantage convention of a known trainer, paper by default.", CONVENTION),
    ] = None

    judge: Annotated[
        Judge,
        Setting(
            "step judge",
            "Who tells the rule where incorrect responses go wrong: the truth, the truth with seeded errors, or a "
            "small transformer trained on labelled traces (outcomes are always known exactly).",
            one_of(Judge),
        ),
    ] = "exact"
    miss: Annotated[float, Setting("step judge", "Chance that the noisy judge passes a wrong step.", SHARE)] = 0.0
    false_alarm: Annotated[
        float, Setting("step judge", "Chance that the noisy judge calls a right step wrong.", SHARE)
    ] = 0.0
    votes: Annotated[
        int, Setting("step judge", "Noisy judgments of each response, of which the majority counts.", whole(1))
    ] = 1
    judge_accuracy: Annotated[
        float | None,
        Setting(
            "step judge",
            "Share of right steps in the traces that the learned judge is trained on, 0.7 by default.",
            Allowed("strictly between 0 and 1, or None", lambda v: v is None or (_is_number(v) and 0 < v < 1)),
        ),
    ] = None
    judge_updates: Annotated[
        int | None, Setting("step judge", "Gradient steps of the learned judge, 600 by default.", optional(whole(1)))
    ] = None

    mode: Annotated[
        Mode,
        Setting(
            "rollouts",
            "Train on fresh rollouts of the current policy, or on a stored set of the start policy's, judged once.",
            one_of(Mode),
        ),
    ] = "online"
    stored_batches: Annotated[
        int, Setting("rollouts", "Batches in the stored set, reused in turn (offline only).", whole(1))
    ] = 16
    train_on: Annotated[
        TrainOn,
        Setting("rollouts", "Groups to learn from; the others' advantages are set to 0.", one_of(TrainOn)),
    ] = "all"
    questions: Annotated[int, Setting("rollouts", "Questions per update.", whole(1))] = 64
    temperature: Annotated[float, Setting("rollouts", "Sampling temperature.", ABOVE_0)] = 1.0
    seed: Annotated[int, Setting("rollouts", "Seed of questions and sampling.", whole(0))] = 0

    clip_low: Annotated[float, Setting("loss", "The ratio is clipped below 1 - clip_low.", FROM_0)] = 0.2
    clip_high: Annotated[float, Setting("loss", "The ratio is clipped above 1 + clip_high.", FROM_0)] = 0.2
    aggregation: Annotated[
        Aggregation,
        Setting(
            "loss",
            "How tokens are weighed: summed per response (what the theory describes), averaged per response (GRPO), "
            "over all tokens of the batch (DAPO), or summed and divided by the longest response (Dr. GRPO).",
            one_of(Aggregation),
        ),
    ] = "sum"
    kl_coef: Annotated[float, Setting("loss", "Weight of the KL penalty to the start, per token.", FROM_0)] = 0.0
    kl_estimator: Annotated[KlEstimator, Setting("loss", "Estimator of the KL penalty.", one_of(KlEstimator))] = "k3"

    updates: Annotated[int, Setting("optimizer", "Updates to make.", whole(0))] = 300
    optimizer: Annotated[
        Optimizer, Setting("optimizer", "Plain SGD, Adam or AdamW with torch's defaults.", one_of(Optimizer))
    ] = "sgd"
    learning_rate: Annotated[float, Setting("optimizer", "Step size.", ABOVE_0)] = 0.003
    schedule: Annotated[
        Schedule,
        Setting("optimizer", "Step size after the warmup: constant, or falling to 0 at the end.", one_of(Schedule)),
    ] = "constant"
    warmup: Annotated[
        int, Setting("optimizer", "Updates over which the step size rises to its full value.", whole(0))
    ] = 0
    weight_decay: Annotated[
        float,
        Setting("optimizer", "Pull of the weights to 0: added to the gradient, but apart from it in adamw.", FROM_0),
    ] = 0.0
    inner_epochs: Annotated[int, Setting("optimizer", "Passes over each batch of rollouts.", whole(1))] = 1
    minibatches: Annotated[
        int, Setting("optimizer", "Gradient steps per pass, each on its share of the questions.", whole(1))
    ] = 1
    max_grad_norm: Annotated[
        float | None, Setting("optimizer", "Clip the gradient to this length.", optional(ABOVE_0))
    ] = None
    noise_every: Annotated[
        int,
        Setting("optimizer", "Measure the gradient's signal and noise every so many updates, 0 for never.", whole(0)),
    ] = 10
    kl_every: Annotated[
        int,
        Setting(
            "optimizer",
            "Measure the divergence from the start every so many updates and at the end, 0 for never; always with a "
            "penalty on it.",
            whole(0),
        ),
    ] = 10

    device: Annotated[str, Setting("run", "Torch device.", described("a device of this machine"))] = "cpu"
    cache_dir: Annotated[
        str, Setting("run", "Where warm starts and stored rollouts are kept.", described("a folder"))
    ] = ".cache/warmstart"
    checkpoint: Annotated[str | None, Setting("run", "Where to keep the state of the run.", described("a file"))] = None
    checkpoint_every: Annotated[
        int, Setting("run", "Write the checkpoint every so many updates, 0 for only at the end.", whole(0))
    ] = 0
    resume: Annotated[
        bool, Setting("run", "Continue from the checkpoint if there is one: the curve is the same to the bit.", FLAG)
    ] = False
    progress: Annotated[bool, Setting("hidden", "Show a progress bar.", FLAG)] = False

    def task(self) -> Task:
        """The problems of this run; raises `InputError` if there are no such."""
        return mixture(self.suites) if self.suites else ChainTask(self.horizon, self.modulus)

    def warm_start(self) -> WarmStart | SuiteStart:
        """The warm start of this run; the one for suites learns them all, and those of this run."""
        if self.suites:
            suites = (*TRAINED, *(name for name in self.suites if name not in TRAINED))
            spec = SuiteStart(self.size, self.start, suites, self.start_accuracy, seed=self.start_seed)
            most = self.start_updates
            return spec if most is None else replace(spec, learn=most, adapt=min(most, spec.adapt))
        chain = WarmStart(
            self.horizon,
            self.modulus,
            self.layers,
            self.width,
            self.heads,
            self.output_scale,
            self.start_accuracy,
            seed=self.start_seed,
        )
        return chain if self.start_updates is None else replace(chain, updates=self.start_updates)

    def make_rule(self) -> Method:
        """The update rule of this run; raises `InputError` if its options make no sense."""
        names = ("beta", "gamma", "scope", "convention", "rts_length", "train_on", "clip_low", "clip_high")
        given = {name: getattr(self, name) for name in names}
        changed = {name: value for name, value in given.items() if value != getattr(type(self), name)}
        return rule(self.rule, group_size=self.group_size, **changed)

    def learning_rate_at(self, update: int) -> float:
        """Step size of an update, counted from 0: a linear rise over ``warmup`` updates, then the schedule."""
        rise = min((update + 1) / self.warmup, 1.0) if self.warmup else 1.0
        done = max(0, update - self.warmup) / max(1, self.updates - self.warmup)
        fall = {"constant": 1.0, "linear": 1.0 - done, "cosine": (1.0 + cos(pi * done)) / 2}
        return self.learning_rate * (rise * fall[self.schedule])

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each."""
        lines = []
        for name, about in settings().items():
            lines += problem(about.allowed.holds(getattr(self, name)), name, getattr(self, name), about.allowed.words)
        if not lines:
            divides = self.questions % self.minibatches == 0
            lines += problem(divides, "minibatches", self.minibatches, f"a divisor of questions ({self.questions})")
        for judge, names in (
            ("noisy", ("miss", "false_alarm", "votes")),
            ("learned", ("judge_accuracy", "judge_updates")),
        ):
            for name in names:
                value, usual = getattr(self, name), getattr(type(self), name)
                lines += problem(self.judge == judge or value == usual, name, value, f"{usual} unless judge is {judge}")
        if self.policy == "tabular":
            lines += problem(self.temperature == 1.0, "temperature", self.temperature, "1 for a tabular policy")
        fixed = (
            ("horizon", "modulus", "layers", "width", "heads", "output_scale")
            if self.suites
            else ("size", "start", "rts_length")
        )
        for name in fixed:
            value, usual = getattr(self, name), getattr(type(self), name)
            lines += problem(value == usual, name, value, f"{usual} {'with' if self.suites else 'without'} suites")
        if self.suites:
            lines += problem(self.policy == "transformer", "policy", self.policy, "transformer with suites")
        lines += self.warm_start().problems()
        for attempt in (self.task, self.make_rule):
            try:
                attempt()
            except InputError as error:
                lines += str(error).splitlines()
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            lines.append(f"device = {self.device!r} is not allowed: {str(error).splitlines()[0]}")
        if self.checkpoint is None:
            lines += problem(not self.resume, "resume", self.resume, "False without a checkpoint")
            lines += problem(
                self.checkpoint_every == 0, "checkpoint_every", self.checkpoint_every, "0 without a checkpoint"
            )
        else:
            lines += problem(not Path(self.checkpoint).is_dir(), "checkpoint", self.checkpoint, "a file, not a folder")
        return lines

    def validate(self) -> None:
        """Refuse bad settings, all problems at once, before any work."""
        refuse(self.problems())
        if self.checkpoint is not None:
            check_writable("checkpoint", Path(self.checkpoint).parent)


def settings() -> dict[str, Setting]:
    """What is known of every field of `TrainConfig`, in order."""
    hints = get_type_hints(TrainConfig, include_extras=True)
    return {f.name: hints[f.name].__metadata__[0] for f in fields(TrainConfig)}
