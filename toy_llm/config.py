"""What a training run is: every setting with its meaning, default and allowed values, in one place."""

from collections.abc import Collection, Mapping
from dataclasses import InitVar, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from spo_theory.allowed import (
    ABOVE_0,
    FLAG,
    INNER_SHARE,
    SHARE,
    TEXT,
    Allowed,
    instance,
    number,
    one_of,
    optional,
    whole,
)
from spo_theory.limits import SEED, TEMPERATURE, WORKERS, count
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.parts.rewards import Outcome
from spo_theory.validation import check, problem, refuse
from toy_llm import config_checks
from toy_llm.files import check_file
from toy_llm.problems.chain import MODULUS, STEPS, ChainTask
from toy_llm.problems.suites import GYM, TRAINED, mixture
from toy_llm.problems.task import Task
from toy_llm.settings import (
    BY_THE_NETWORK,
    IN_THE_CACHE,
    LEARNED_JUDGE,
    NETWORK_ON_THE_CHAIN,
    NOISY_JUDGE,
    OFFLINE,
    ON_SUITES,
    ON_THE_CHAIN,
    WITH_A_CHECKPOINT,
    Setting,
    described,
    device_problems,
    idle_problems,
    plain_values,
    refusals,
    settings_of,
    value_problems,
)
from toy_llm.starts.chain import ChainStart
from toy_llm.starts.start import WarmStart
from toy_llm.starts.suites import Size, StartKind, SuiteStart
from toy_llm.training.losses import Aggregation, KlEstimator, aggregation_problems
from toy_llm.training.rollout import Sampling

Judge = Literal["exact", "noisy", "learned"]
Mode = Literal["online", "offline"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "linear", "cosine"]
PolicyKind = Literal["transformer", "tabular"]

WIDTH = Allowed("a multiple of heads", count().holds)
FOLDER = instance((str, Path), "the name of a folder")
FILE = instance((str, Path), "the name of a file")
SUITES = Allowed(
    " or ".join((*TRAINED, GYM)),
    lambda names: isinstance(names, tuple) and all(isinstance(name, str) for name in names),
)
RULES = described(", ".join(rule.names()))  # a rule checks its own options
NAMED_OPTIONS = ("beta", "gamma", "scope", "rts_length", "convention", "train_on", "clip_low", "clip_high")
"""Options of update rules that `TrainConfig` also takes by their own names, in its order."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run; every field is an option of ``spo train``, which explains them.

    The options of the update rule (``rule.options(name)``) are in ``rule_options``, sorted pairs of name and value; a
    mapping is taken too. Some may be given by their own names, ``TrainConfig(rule="spo", beta=5.0)``; None stands for
    not given. Raises `InputError` if ``rule_options`` is neither; all other values are checked by `validate`.

    >>> TrainConfig(rule="spo", beta=5.0, rule_options={"shape": "raw"}).rule_options
    (('beta', 5.0), ('shape', 'raw'))
    """

    suites: Annotated[
        tuple[str, ...],
        Setting(
            "problems",
            "Train on these suites of problems with free-form responses (several are mixed), instead of the default: "
            "chained addition, one token a step.",
            SUITES,
        ),
    ] = ()
    horizon: Annotated[int, Setting("problems", "Steps per question, H.", STEPS, ON_THE_CHAIN)] = 6
    modulus: Annotated[int, Setting("problems", "Numbers are added modulo this.", MODULUS, ON_THE_CHAIN)] = 10

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
    layers: Annotated[int, Setting("network", "Transformer layers.", count(), NETWORK_ON_THE_CHAIN)] = 2
    width: Annotated[int, Setting("network", "Transformer width.", WIDTH, NETWORK_ON_THE_CHAIN)] = 64
    heads: Annotated[int, Setting("network", "Attention heads.", count(), NETWORK_ON_THE_CHAIN)] = 4
    output_scale: Annotated[
        float,
        Setting(
            "network",
            "Logits are multiplied by this and the head starts smaller: larger keeps the features steadier.",
            number(1e-3, 1e3),
            NETWORK_ON_THE_CHAIN,
        ),
    ] = 1.0
    start_accuracy: Annotated[
        float,
        Setting("network", "Probability of a right step after the warm start.", INNER_SHARE),
    ] = 0.375
    start_updates: Annotated[
        int | None,
        Setting(
            "network",
            "Gradient steps of the warm start, for suites of its first course; its own number by default.",
            optional(count()),
            BY_THE_NETWORK,
        ),
    ] = None
    start_seed: Annotated[int, Setting("network", "Seed of the warm start.", SEED, BY_THE_NETWORK)] = 0
    policy: Annotated[
        PolicyKind,
        Setting("network", "What is trained: the network, or one log-odds per step.", one_of(PolicyKind), ON_THE_CHAIN),
    ] = "transformer"

    rule: Annotated[
        str,
        Setting("update rule", "How groups become advantages.", RULES),
    ] = "spo"
    group_size: Annotated[int, Setting("update rule", "Responses per question, G.", count(2))] = 8
    rule_options: Annotated[
        Mapping[str, Any] | tuple[tuple[str, Any], ...],
        Setting(
            "hidden", "Options of the update rule by name, beside its group size.", described("options of the rule")
        ),
    ] = ()
    beta: InitVar[float | None] = None
    gamma: InitVar[float | None] = None
    scope: InitVar[str | None] = None
    rts_length: InitVar[str | None] = None
    convention: InitVar[str | None] = None
    train_on: InitVar[str | None] = None
    clip_low: InitVar[float | None] = None
    clip_high: InitVar[float | None] = None

    coloured_updates: Annotated[
        int | None,
        Setting(
            "rollouts",
            "Updates in which the rule colours incorrect responses, all by default; later ones see outcomes alone.",
            optional(whole(0)),
        ),
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
    miss: Annotated[
        float, Setting("step judge", "Chance that the noisy judge passes a wrong step.", SHARE, NOISY_JUDGE)
    ] = 0.0
    false_alarm: Annotated[
        float, Setting("step judge", "Chance that the noisy judge calls a right step wrong.", SHARE, NOISY_JUDGE)
    ] = 0.0
    votes: Annotated[
        int,
        Setting(
            "step judge", "Noisy judgments of each response, of which the majority counts.", whole(1, 1001), NOISY_JUDGE
        ),
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
        Setting("step judge", "Gradient steps of the learned judge, 600 by default.", optional(count()), LEARNED_JUDGE),
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
        int, Setting("rollouts", "Batches in the stored set, reused in turn.", count(), OFFLINE)
    ] = 16
    questions: Annotated[int, Setting("rollouts", "Questions per update.", count())] = 64
    temperature: Annotated[float, Setting("rollouts", "Sampling temperature.", TEMPERATURE, BY_THE_NETWORK)] = 1.0
    seed: Annotated[int, Setting("rollouts", "Seed of questions and sampling.", SEED)] = 0

    aggregation: Annotated[
        Aggregation,
        Setting(
            "loss",
            "How tokens are weighed: summed per response (what the theory describes), averaged per response (GRPO), "
            "over all tokens of the batch (DAPO), or summed and divided by the longest response (Dr. GRPO).",
            one_of(Aggregation),
        ),
    ] = "sum"
    kl_coef: Annotated[float, Setting("loss", "Weight of the KL penalty to the start, per token.", number(0, 1e6))] = (
        0.0
    )
    kl_estimator: Annotated[KlEstimator, Setting("loss", "Estimator of the KL penalty.", one_of(KlEstimator))] = "k3"

    updates: Annotated[int, Setting("optimizer", "Updates to make.", count(0))] = 300
    optimizer: Annotated[
        Optimizer, Setting("optimizer", "Plain SGD, Adam or AdamW with torch's defaults.", one_of(Optimizer))
    ] = "sgd"
    learning_rate: Annotated[float, Setting("optimizer", "Step size.", ABOVE_0)] = 0.02
    schedule: Annotated[
        Schedule,
        Setting("optimizer", "Step size after the warmup: constant, or falling to 0 at the end.", one_of(Schedule)),
    ] = "constant"
    warmup: Annotated[
        int, Setting("optimizer", "Updates over which the step size rises to its full value.", count(0))
    ] = 0
    weight_decay: Annotated[
        float,
        Setting(
            "optimizer", "Pull of the weights to 0: added to the gradient, but apart from it in adamw.", number(0, 1e6)
        ),
    ] = 0.0
    inner_epochs: Annotated[
        int, Setting("optimizer", "Passes over each batch of rollouts; 1: the inner updates of the rule.", count())
    ] = 1
    minibatches: Annotated[
        int, Setting("optimizer", "Gradient steps per pass, each on its share of the questions.", count())
    ] = 1
    max_grad_norm: Annotated[
        float | None, Setting("optimizer", "Clip the gradient to this length.", optional(ABOVE_0))
    ] = None
    noise_every: Annotated[
        int,
        Setting("optimizer", "Measure the gradient's signal and noise every so many updates, 0 for never.", count(0)),
    ] = 10
    kl_every: Annotated[
        int,
        Setting(
            "optimizer",
            "Measure the divergence from the start every so many updates and at the end, 0 for never; always with a "
            "penalty on it.",
            count(0),
        ),
    ] = 10

    device: Annotated[str, Setting("run", "Torch device.", TEXT, BY_THE_NETWORK)] = "cpu"
    cache_dir: Annotated[
        str, Setting("run", "Where warm starts and stored rollouts are kept.", FOLDER, IN_THE_CACHE)
    ] = ".cache/warmstart"
    checkpoint: Annotated[str | None, Setting("run", "Where to keep the state of the run.", optional(FILE))] = None
    checkpoint_every: Annotated[
        int,
        Setting(
            "run", "Write the checkpoint every so many updates, 0 for only at the end.", count(0), WITH_A_CHECKPOINT
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
    threads: Annotated[
        int, Setting("run", "Threads of torch; a second one helps little, and harms beside a busy process.", WORKERS)
    ] = 1
    progress: Annotated[bool, Setting("hidden", "Show a progress bar.", FLAG)] = False

    def __post_init__(self, *by_name: Any) -> None:
        """Bring all values into one form, so that equal runs are equal and have equal hashes."""
        plain_values(self)
        pairs = self.rule_options.items() if isinstance(self.rule_options, Mapping) else self.rule_options
        fits = isinstance(pairs, Collection) and all(isinstance(p, tuple) and len(p) == 2 for p in pairs)
        check(fits, "rule_options", self.rule_options, "a mapping, or pairs of name and value")

        named = zip(NAMED_OPTIONS, by_name, strict=True)
        options = dict(pairs) | {name: value for name, value in named if value is not None}
        proper = all(isinstance(name, str) and name != "group_size" for name in options)
        check(proper, "rule_options", self.rule_options, "options by name; group_size is a setting of its own")
        object.__setattr__(self, "rule_options", tuple(sorted(options.items())))

    def task(self) -> Task:
        """The problems of this run; raises `InputError` if there are no such."""
        return mixture(self.suites) if self.suites else ChainTask(self.horizon, self.modulus)

    def warm_start(self) -> WarmStart:
        """The warm start of this run; the one for suites learns the eight to train on, and those of this run.

        >>> TrainConfig(horizon=4, start_accuracy=0.3).warm_start().accuracy
        0.3
        """
        # A start that has learnt all suites to train on serves every mixture of them.
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
        return rule(self.rule, group_size=self.group_size, **dict(self.rule_options))

    def rule_in(self, update: int) -> Method:
        """The update rule of an update, counted from 0: without colours from ``coloured_updates`` on.

        >>> config = TrainConfig(coloured_updates=2)
        >>> [config.rule_in(update).colouring is None for update in range(4)]
        [False, False, True, True]
        """
        made = self.make_rule()
        if self.coloured_updates is None or update < self.coloured_updates:
            return made
        return replace(made, reward=Outcome())

    def sampling(self) -> Sampling:
        """How the batches of this run are sampled."""
        sampler = self.make_rule().sampler
        return Sampling(self.group_size, self.questions, self.temperature, self.seed, self.device, sampler)

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each.

        >>> TrainConfig(questions=6, minibatches=4).problems()
        ['minibatches = 4 is not allowed: minibatches must be a divisor of questions (6)']
        """
        # Each setting by itself, then those that clash, and those that would have no effect in this run.
        lines = value_problems(self) or config_checks.clashes(self)
        lines += idle_problems(self)
        if lines:
            return lines + refusals(self.make_rule)

        # The parts that a run is made of check their own settings; they need values of the right kind.
        lines += self.warm_start().problems() or refusals(self.task)
        lines += refusals(lambda: refuse(aggregation_problems(self.make_rule().objective, self.aggregation)))

        # What only this machine knows.
        if not lines:
            lines += config_checks.too_large(self)
        lines += device_problems(self.device)
        is_folder = self.checkpoint is not None and Path(self.checkpoint).is_dir()
        return lines + problem(not is_folder, "checkpoint", self.checkpoint, "a file, not a folder")

    def validate(self) -> None:
        """Refuse bad settings with `InputError`, all problems at once, before any work."""
        refuse(self.problems())
        check_file("checkpoint", self.checkpoint)


def settings() -> dict[str, Setting]:
    """What is known of every field of `TrainConfig`, in order."""
    return settings_of(TrainConfig)
