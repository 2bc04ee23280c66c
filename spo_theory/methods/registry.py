"""Named update rules as frozen values: reward shaping and group advantage, one place for theory and training."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from array_api_compat import array_namespace

from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.rewards import (
    Array,
    Colouring,
    Scope,
    Shape,
    float_dtype,
    reasoning_trajectory_score,
    shaped_rewards,
)
from spo_theory.validation import InputError, check

CONVENTIONS: dict[str, GroupAdvantage] = {
    "paper": GroupAdvantage(ddof=0, eps=0.0),  # arXiv 2505.11595, Section 2
    "trl": GroupAdvantage(ddof=1, eps=1e-4),  # huggingface/trl, grpo_trainer.py
    "verl": GroupAdvantage(ddof=1, eps=1e-6),  # volcengine/verl, core_algos.py
    "nano_aha": GroupAdvantage(ddof=0, eps=1e-4),  # McGill-NLP/nano-aha-moment
    "tiny_grpo": GroupAdvantage(ddof=1, eps=1e-8),  # open-thought/tiny-grpo
    "grpo_zero": GroupAdvantage(ddof=0, eps=1e-4),  # policy-gradient/GRPO-Zero
    "composer": GroupAdvantage(ddof=1, eps=1e-8),  # Wodlfvllf/grpo-composer, core
    "composer_verl": GroupAdvantage(ddof=1, eps=1e-6),  # Wodlfvllf/grpo-composer, its functions for verl
    "reasoning_gym": GroupAdvantage(ddof=1, eps=1e-6),  # open-thought/reasoning-gym trains with verl
    "rasbt": GroupAdvantage(ddof=1, eps=1e-4),  # rasbt/reasoning-from-scratch
    "oat_grpo": GroupAdvantage(ddof=1, eps=1e-8),  # sail-sg/understand-r1-zero, critic_type=grpo
    "dr_grpo": GroupAdvantage(scale="none"),  # sail-sg/understand-r1-zero, Dr. GRPO
    "tinker": GroupAdvantage(scale="none"),  # thinking-machines-lab/tinker-cookbook
    "nanochat": GroupAdvantage(scale="none"),  # karpathy/nanochat
}
"""Advantage conventions of known trainers, by name."""

READINGS: dict[str, tuple[float, float]] = {"threshold": (10.0, 0.5), "literal": (0.5, 10.0)}
"""The two readings (beta, gamma) of the values 10 and 0.5 that the paper prints without saying which is which:
``threshold`` (slope 10 around RTS 1/2) and ``literal`` (the order in which its sentence names them)."""


Credit = Literal["response", "prefix"]
Penalty = Literal["none", "confidence"]


@dataclass(frozen=True)
class Rule:
    """An update rule: how rewards are shaped and turned into advantages.

    group_size: responses per question, G >= 2. colouring: None for the plain outcome reward. credit: which
    steps a response's advantage acts on: all (``response``), or, if an incorrect response has a positive
    advantage, only those before its first error (``prefix``): its wrong step is not reinforced with the rest.
    penalty: ``confidence`` gives a response of an all-negative group the advantage ``-c / (1 - c)``, c the probability
    the policy gave to it: the gradient of ``log(1 - c)``, the likelihood that it is not the answer.
    """

    name: str
    group_size: int = 8
    colouring: Colouring | None = None
    advantage: GroupAdvantage = field(default_factory=GroupAdvantage)
    credit: Credit = "response"
    penalty: Penalty = "none"

    def __post_init__(self) -> None:
        check(self.credit in get_args(Credit), "credit", self.credit, " or ".join(get_args(Credit)))
        check(self.penalty in get_args(Penalty), "penalty", self.penalty, " or ".join(get_args(Penalty)))
        alone = self.penalty == "none" and self.advantage.baseline == "mean"
        check(self.colouring is None or alone, "colouring", self.colouring, "None with a penalty or another baseline")
        whole = isinstance(self.group_size, int) and not isinstance(self.group_size, bool)
        check(whole and self.group_size >= 2, "group_size", self.group_size, "a whole number, at least 2")

    def rewards(
        self,
        correct: Array,
        first_error: Array,
        lengths: Array,
        valid: Array | None = None,
        dtype: Any = None,
    ) -> Array:
        """Shaped rewards ``(..., G)`` of responses.

        ``correct``: boolean ``(..., G)``. ``first_error``: integer ``(..., G)``, correct steps before the first
        wrong one. ``lengths``: steps per response ``(..., G)`` or the length of each step ``(..., G, S)``.
        ``valid``: boolean ``(..., G)``, False for responses to ignore. ``dtype``: of the result.
        """
        xp = array_namespace(correct, first_error, lengths)
        dtype = dtype or float_dtype(xp, lengths)
        rts = reasoning_trajectory_score(first_error, lengths, dtype)
        return shaped_rewards(correct, rts, self.colouring, valid)

    def advantages(
        self,
        correct: Array,
        first_error: Array,
        lengths: Array,
        valid: Array | None = None,
        dtype: Any = None,
        confidence: Array | None = None,
    ) -> Array:
        """Advantages ``(..., G)`` of responses; arguments as in `rewards`, the last axis is the group.

        ``confidence``: probability ``(..., G)`` the policy gave to each response, for a rule with that penalty.
        Raises `InputError` if the last axis is not ``group_size``, or if ``confidence`` is needed and missing.
        """
        check(
            correct.shape[-1] == self.group_size,
            "correct.shape[-1]",
            correct.shape[-1],
            f"{self.group_size}, the rule's group_size",
        )
        relative = self.advantage(self.rewards(correct, first_error, lengths, valid, dtype), valid)
        if self.penalty == "none":
            return relative
        check(confidence is not None, "confidence", confidence, f"given for rule {self.name!r}")
        xp = array_namespace(correct, relative)
        counted = correct if valid is None else correct & valid
        silent = ~xp.any(counted, axis=-1, keepdims=True) & (xp.ones_like(correct) if valid is None else valid)
        return xp.where(silent, -confidence_odds(confidence), relative)

    def step_advantages(self, correct: Array, first_error: Array, advantages: Array, steps: int) -> Array:
        """Advantage ``(..., G, steps)`` that acts on each step, from `advantages` ``(..., G)``."""
        xp = array_namespace(correct, first_error, advantages)
        spread = xp.broadcast_to(advantages[..., None], (*advantages.shape, steps))
        if self.credit == "response":
            return spread
        step = xp.arange(steps, dtype=first_error.dtype)
        masked = (~correct & (advantages > 0))[..., None] & (step >= first_error[..., None])
        return xp.where(masked, xp.zeros_like(spread), spread)


def confidence_odds(confidence: Array) -> Array:
    """``c / (1 - c)`` for probabilities below 1, any shape: the weight of a penalized response."""
    return confidence / (1 - confidence)


class Registry:
    """The rules by name; call it to build one: ``rule("spo", group_size=8, beta=5.0)``."""

    def __init__(self) -> None:
        self._builders: dict[str, Callable[..., Rule]] = {}

    def register(self, builder: Callable[..., Rule]) -> Callable[..., Rule]:
        """Add ``builder`` under its function name; refuse a name that is taken."""
        name = builder.__name__
        check(name not in self._builders, "rule name", name, "new: it is registered already")
        self._builders[name] = builder
        return builder

    def names(self) -> list[str]:
        """Names of all rules, in the order they were registered."""
        return list(self._builders)

    def describe(self, name: str) -> str:
        """First line of the documentation of rule ``name``."""
        return (inspect.getdoc(self._builder(name)) or "").splitlines()[0]

    def _builder(self, name: str) -> Callable[..., Rule]:
        check(name in self._builders, "rule", name, f"one of {', '.join(self._builders)}")
        return self._builders[name]

    def __call__(self, name: str, /, **options: Any) -> Rule:
        """Build rule ``name``; options are those of its builder.

        Raises `InputError` for an unknown rule, an unknown option or a value out of range.
        """
        builder = self._builder(name)
        allowed = list(inspect.signature(builder).parameters)
        for option in options:
            if option not in allowed:
                raise InputError(f"option {option!r} is not allowed for rule {name!r}: use {', '.join(allowed)}")
        return builder(**options)


rule = Registry()


def _advantage(convention: str, std_eps: float | None, ddof: int | None) -> GroupAdvantage:
    check(convention in CONVENTIONS, "convention", convention, f"one of {', '.join(CONVENTIONS)}")
    base = CONVENTIONS[convention]
    return GroupAdvantage(
        ddof=base.ddof if ddof is None else ddof,
        eps=base.eps if std_eps is None else std_eps,
        scale=base.scale,
    )


@rule.register
def grpo(group_size: int = 8, convention: str = "paper", std_eps: float | None = None, ddof: int | None = None) -> Rule:
    """GRPO: outcome reward, group-standardized advantage (arXiv 2402.03300)."""
    return Rule("grpo", group_size, None, _advantage(convention, std_eps, ddof))


@rule.register
def spo(
    group_size: int = 8,
    beta: float | None = None,
    gamma: float | None = None,
    scope: Scope = "all_negative",
    shape: Shape = "logistic",
    reading: str = "threshold",
    convention: str = "paper",
    std_eps: float | None = None,
    ddof: int | None = None,
) -> Rule:
    """SPO: GRPO with coloured incorrect responses (arXiv 2505.11595).

    ``beta`` and ``gamma`` override ``reading``.
    """
    check(reading in READINGS, "reading", reading, f"one of {', '.join(READINGS)}")
    slope, threshold = READINGS[reading]
    colouring = Colouring(slope if beta is None else beta, threshold if gamma is None else gamma, scope, shape)
    return Rule("spo", group_size, colouring, _advantage(convention, std_eps, ddof))


@rule.register
def dr_grpo(group_size: int = 8) -> Rule:
    """Dr. GRPO: outcome reward minus the group mean, not divided by the std (arXiv 2503.20783)."""
    return Rule("dr_grpo", group_size, None, CONVENTIONS["dr_grpo"])


@rule.register
def spo_prefix(
    group_size: int = 8,
    beta: float | None = None,
    gamma: float | None = None,
    scope: Scope = "all_negative",
    shape: Shape = "logistic",
    reading: str = "threshold",
    convention: str = "paper",
    std_eps: float | None = None,
    ddof: int | None = None,
) -> Rule:
    """SPO that credits an incorrect response only for its correct prefix (docs/theory/statements.md).

    Options as for ``spo``. Not in the paper: it removes the cost that colouring has for late steps.
    """
    plain = spo(group_size, beta, gamma, scope, shape, reading, convention, std_eps, ddof)
    return replace(plain, name="spo_prefix", credit="prefix")


@rule.register
def ngrpo(
    group_size: int = 8, convention: str = "paper", std_eps: float | None = None, ddof: int | None = None
) -> Rule:
    """NGRPO: a virtual correct response counts in every group's mean and std (arXiv 2509.18851)."""
    return Rule("ngrpo", group_size, None, replace(_advantage(convention, std_eps, ddof), baseline="virtual"))


@rule.register
def sign(group_size: int = 8) -> Rule:
    """Sign: advantage 2 r - 1, whatever the group (arXiv 2605.07689)."""
    return Rule("sign", group_size, None, GroupAdvantage(scale="none", baseline="half"))


@rule.register
def lens(group_size: int = 8, convention: str = "paper", std_eps: float | None = None, ddof: int | None = None) -> Rule:
    """LENS-like: GRPO that penalizes confident wrong responses of all-negative groups (after arXiv 2510.08696).

    The paper's exact weight is not reproduced: this is the maximum-likelihood one, see `Rule`.
    """
    return Rule("lens", group_size, None, _advantage(convention, std_eps, ddof), penalty="confidence")
