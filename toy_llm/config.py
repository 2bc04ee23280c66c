"""What a training run is: every setting with its meaning, default and allowed values, in one place."""

from dataclasses import dataclass, replace
from math import cos, pi
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from spo_theory.method import Method
from spo_theory.methods.conventions import CONVENTIONS
from spo_theory.methods.registry import rule
from spo_theory.parts.filters import TrainOn
from spo_theory.parts.rewards import RtsLength
from spo_theory.validation import InputError, problem, refuse
from toy_llm.files import check_writable
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suites import GYM, TRAINED, mixture
from toy_llm.problems.task import Task
from toy_llm.settings import (
    ABOVE_0,
    FLAG,
    FROM_0,
    INNER_SHARE,
    SHARE,
    Condition,
    Setting,
    described,
    idle_problems,
    one_of,
    optional,
    settings_of,
    value_problems,
    whole,
)
from toy_llm.starts.chain import ChainStart
from toy_llm.starts.start import WarmStart
from toy_llm.starts.suites import Size, StartKind, SuiteStart
from toy_llm.training.losses import Aggregation, KlEstimator
from toy_llm.training.rollout import Sampling

Judge = Literal["exact", "noisy", "learned"]
Mode = Literal["online", "offline"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "linear", "cosine"]
Scope = Literal["all_negative", "all_incorrect"]
PolicyKind = Literal["transformer", "tabular"]

ON_THE_CHAIN = Condition("with suites", lambda config: not config.suites)
ON_SUITES = Condition("without suites", lambda config: bool(config.suites))
BY_THE_NETWORK = Condition("for a tabular policy", lambda config: config.policy != "tabular")
NOISY_JUDGE = Condition("unless judge is noisy", lambda config: config.judge == "noisy")
LEARNED_JUDGE = Condition("unless judge is learned", lambda config: config.judge == "learned")
WITH_A_CHECKPOINT = Condition("without a checkpoint", lambda config: config.checkpoint is not None)

RULES = described(", ".join(rule.names()))  # a rule checks its own options
CONVENTION = described(", ".join(CONVENTIONS))
RULE_OPTIONS = ("beta", "gamma", "scope", "convention", "rts_length", "train_on", "clip_low", "clip_high")


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
    horizon: Annotated[int, Setting("problems", "Steps per question, H.", described("at least 1"), ON_THE_CHAIN)] = 6
    modulus: Annotated[
        int, Setting("problems", "Numbers are added modulo this.", described("2 to 1000"), ON_THE_CHAIN)
    ] = 10

    size: Annotated[
        Size, Setting("network", "Network for suites; its sizes stand for 7B, 14B and 32B.", one_of(Size), ON_SUITES)
    ] = "medium"
    start: Annotated[
        StartKind,
        Setting(
            "network",
            "Warm start for suites: base learnt from imperfect traces, distilled from a large network's own.",
            one_of(StartKind),
            ON_SUITES,
        ),
    ] = "base"
    layers: Annotated[int, Setting("network", "Transformer layers.", described("at least 1"), ON_THE_CHAIN)] = 2
    width: Annotated[int, Setting("network", "Transformer width.", described("a multiple of heads"), ON_THE_CHAIN)] = 64
    heads: Annotated[int, Setting("network", "Attention heads.", described("at least 1"), ON_THE_CHAIN)] = 4
    output_scale: Annotated[
        float,
        Setting(
            "network",
            "Logits are multiplied by this and the head starts smaller: larger keeps the kernel steadier.",
            described("above 0"),
            ON_THE_CHAIN,
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
        PolicyKind,
        Setting("network", "What is trained: the network, or one log-odds per step.", one_of(PolicyKind), ON_THE_CHAIN),
    ] = "transformer"

    rule: Annotated[
        str,
        Setting("update rule", "How groups become advantages.", RULES),
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
            ON_SUITES,
        ),
    ] = "written"
    convention: Annotated[
        str | None,
        Setting(
            "update rule",
            "Advantage convention of a known trainer, paper by default.",
            CONVENTION,
        ),
    ] = None

    rule_options: Annotated[
        tuple[tuple[str, Any], ...],
        Setting(
            "hidden",
            "Further options of the rule: names and values.",
            described("pairs of an option of the rule and its value"),
        ),
    ] = ()

    judge: Annotated[
        Judge,
        Setting(
            "step judge",
            "Who tells the rule where incorrect responses go wrong: the truth, the truth with seeded errors, or a "
            "small transformer trained on labelled traces (outcomes are always known exactly).",
            one_of(Judge),
        ),
    ] = "exact"
    miss: Annotated[
        float, Setting("step judge", "Chance that the noisy judge passes a wrong step.", SHARE, NOISY_JUDGE)
    ] = 0.0
    false_alarm: Annotated[
        float, Setting("step judge", "Chance that the noisy judge calls a right step wrong.", SHARE, NOISY_JUDGE)
    ] = 0.0
    votes: Annotated[
        int,
        Setting("step judge", "Noisy judgments of each response, of which the majority counts.", whole(1), NOISY_JUDGE),
    ] = 1
    judge_accuracy: Annotated[
        float | None,
        Setting(
            "step judge",
            "Share of right steps in the traces that the learned judge is trained on, 0.7 by default.",
            optional(INNER_SHARE),
            LEARNED_JUDGE,
        ),
    ] = None
    judge_updates: Annotated[
        int | None,
        Setting(
            "step judge", "Gradient steps of the learned judge, 600 by default.", optional(whole(1)), LEARNED_JUDGE
        ),
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
    temperature: Annotated[float, Setting("rollouts", "Sampling temperature.", ABOVE_0, BY_THE_NETWORK)] = 1.0
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
        int,
        Setting(
            "run", "Write the checkpoint every so many updates, 0 for only at the end.", whole(0), WITH_A_CHECKPOINT
        ),
    ] = 0
    resume: Annotated[
        bool,
        Setting(
            "run",
            "Continue from the checkpoint if there is one: the curve is the same to the bit.",
            FLAG,
            WITH_A_CHECKPOINT,
        ),
    ] = False
    progress: Annotated[bool, Setting("hidden", "Show a progress bar.", FLAG)] = False

    def task(self) -> Task:
        """The problems of this run; raises `InputError` if there are no such."""
        return mixture(self.suites) if self.suites else ChainTask(self.horizon, self.modulus)

    def warm_start(self) -> WarmStart:
        """The warm start of this run; the one for suites learns the eight to train on, and those of this run.

        >>> TrainConfig(horizon=4, start_accuracy=0.3).warm_start().accuracy
        0.3
        """
        if self.suites:
            suites = (*TRAINED, *(name for name in self.suites if name not in TRAINED))
            spec = SuiteStart(self.size, self.start, suites, self.start_accuracy, seed=self.start_seed)
            if self.start_updates is None:
                return spec
            return replace(spec, learn=self.start_updates, adapt=min(self.start_updates, spec.adapt))
        chain = ChainStart(
            horizon=self.horizon,
            modulus=self.modulus,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            output_scale=self.output_scale,
            accuracy=self.start_accuracy,
            seed=self.start_seed,
        )
        return chain if self.start_updates is None else replace(chain, updates=self.start_updates)

    def make_rule(self) -> Method:
        """The update rule of this run; raises `InputError` if its options make no sense.

        >>> TrainConfig(rule="spo", beta=5.0).make_rule().reward.beta
        5.0
        """
        options = {name: getattr(self, name) for name in RULE_OPTIONS}
        changed = {name: value for name, value in options.items() if value != getattr(type(self), name)}
        return rule(self.rule, group_size=self.group_size, **changed, **dict(self.rule_options))

    def sampling(self) -> Sampling:
        """How the batches of this run are sampled."""
        return Sampling(self.group_size, self.questions, self.temperature, self.seed, self.device)

    def learning_rate_at(self, update: int) -> float:
        """Step size of an update, counted from 0: a linear rise over ``warmup`` updates, then the schedule.

        >>> config = TrainConfig(updates=4, learning_rate=1.0, schedule="linear")
        >>> [config.learning_rate_at(update) for update in range(4)]
        [1.0, 0.75, 0.5, 0.25]
        """
        rise = min((update + 1) / self.warmup, 1.0) if self.warmup else 1.0
        done = max(0, update - self.warmup) / max(1, self.updates - self.warmup)
        fall = {"constant": 1.0, "linear": 1.0 - done, "cosine": (1.0 + cos(pi * done)) / 2}
        return self.learning_rate * (rise * fall[self.schedule])

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each.

        >>> TrainConfig(questions=6, minibatches=4).problems()
        ['minibatches = 4 is not allowed: minibatches must be a divisor of questions (6)']
        """
        # Each setting by itself, then those that would have no effect in this run.
        lines = value_problems(self)
        if not lines:
            divides = self.questions % self.minibatches == 0
            lines += problem(divides, "minibatches", self.minibatches, f"a divisor of questions ({self.questions})")
        lines += idle_problems(self)

        # The parts that a run is made of check their own settings.
        lines += self.warm_start().problems()
        for make in (self.task, self.make_rule):
            try:
                make()
            except InputError as error:
                lines += str(error).splitlines()

        # What only this machine knows.
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            lines.append(f"device = {self.device!r} is not allowed: {str(error).splitlines()[0]}")
        is_folder = self.checkpoint is not None and Path(self.checkpoint).is_dir()
        return lines + problem(not is_folder, "checkpoint", self.checkpoint, "a file, not a folder")

    def validate(self) -> None:
        """Refuse bad settings with `InputError`, all problems at once, before any work."""
        refuse(self.problems())
        if self.checkpoint is not None:
            check_writable("checkpoint", Path(self.checkpoint).parent)


def settings() -> dict[str, Setting]:
    """What is known of every field of `TrainConfig`, in order."""
    return settings_of(TrainConfig)
