"""Functions from correctness, first errors and numbers of steps to rewards."""

from collections.abc import Callable
from typing import Any

import numpy as np

from spo_theory.allowed import among
from spo_theory.conformance.core import Complaint, Property, answers, texts
from spo_theory.conformance.judged import groups
from spo_theory.conformance.judged import trial as common
from spo_theory.conformance.judged.groups import Judged
from spo_theory.conformance.judged.subject import ArraySubject
from spo_theory.conformance.judged.trial import Call, JudgedSetting, JudgedTrial
from spo_theory.group import Group
from spo_theory.methods.conventions import READINGS
from spo_theory.parts.rewards import Colouring, Outcome, PlusMinusOne, Reward

REWARDS = ("outcome", "plus_minus_one", "colouring")


def as_call(reward: Reward) -> Call:
    """A reward part as a function of judged groups."""

    def call(example: Judged) -> np.ndarray:
        """Rewards ``(Q, G)`` in float64."""
        return np.asarray(reward(Group(example.correct, example.first_error, example.lengths, dtype=np.float64)))

    return call


def known() -> dict[str, Call]:
    """Rewards that a function can be found to follow, by what they are called."""
    found: dict[str, Call] = {"outcome": as_call(Outcome()), "plus_minus_one": as_call(PlusMinusOne())}
    for scope in ("all_negative", "all_incorrect"):
        found[f"colouring by RTS itself, scope {scope}"] = as_call(Colouring(scope=scope, shape="raw"))
        for beta, gamma in (*READINGS.values(), (5.0, 0.5)):
            words = f"colouring, beta {beta:g}, gamma {gamma:g}, scope {scope}"
            found[words] = as_call(Colouring(beta, gamma, scope))
    return found


def trial(function: Callable[..., Any], name: str, *, numbers: dict[str, Any], **how: Any) -> JudgedTrial:
    """A function ``f(correct, first_error, lengths)``, all ``(Q, G)``, to rewards, with its convention.

    numbers: ``reward`` (outcome, plus_minus_one or colouring) and, for a colouring, the fields of
    `spo_theory.parts.rewards.Colouring`. how: ``library`` and ``dtype``.
    """
    subject = ArraySubject(function, name, **how)
    if not numbers:
        return JudgedTrial(subject, False, known(), None)
    kind = numbers.pop("reward", "colouring")
    among(REWARDS).check("reward", kind)
    part: Reward = (
        Outcome() if kind == "outcome" else PlusMinusOne() if kind == "plus_minus_one" else Colouring(**numbers)
    )
    return JudgedTrial(subject, False, {}, (repr(part), as_call(part)))


def correct_earn_most(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether every wrong response earns less than every correct one."""
    got = call(example)
    if not example.correct.any() or example.correct.all():
        return None
    if got[example.correct].min() > got[~example.correct].max():
        return None
    return Complaint("a wrong response earns as much as a correct one", np.inf, texts(got), "less where wrong")


def later_errors_earn_more(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether in an all-negative group the response that came further earns more."""
    got = call(example)
    if (np.diff(got, axis=-1) > 0).all():
        return None
    return Complaint("a later first error earns no more", np.inf, texts(got), "increasing")


def only_correctness_counts(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether first errors have no influence in groups with a correct response."""
    mixed = example.correct.any(-1)
    early = Judged(example.correct, np.where(example.correct, example.first_error, 0), example.lengths)
    got, other = call(example), call(early)
    return common.near(other[mixed], got[mixed], setting.rounding, "first errors matter although one is correct")


def of(*families: Any) -> Any:
    """Examples from families of groups."""
    return lambda setting: (example for family in families for example in family())


KNOWN = ("convention",)
PROPERTIES = (
    Property(
        "usable",
        "It answers with one number for every response.",
        "Other properties are judged on its answers.",
        of(groups.every),
        answers,
        "interface",
        universal=True,
    ),
    Property(
        "finite",
        "All rewards are finite.",
        "One NaN reward makes a group NaN.",
        of(groups.every, groups.alike),
        common.finite,
        universal=True,
    ),
    Property(
        "correct_earn_most",
        "Every wrong response earns less than every correct one.",
        "Otherwise a wrong answer is preferred.",
        of(groups.every, groups.mixed),
        correct_earn_most,
        universal=True,
    ),
    Property(
        "later_errors_earn_more",
        "In an all-negative group a later first error earns more.",
        "Colouring the other way around teaches to fail early.",
        of(groups.ladder),
        later_errors_earn_more,
        needs=KNOWN,
    ),
    Property(
        "mixed_groups_are_not_coloured",
        "First errors have no influence in a group with a correct response.",
        "Partial credit next to a correct answer halves its advantage.",
        of(groups.mixed),
        only_correctness_counts,
        needs=KNOWN,
    ),
    Property(
        "groups_are_independent",
        "The rewards of a group are the same whatever the other groups are.",
        "Whether a group is all-negative must be asked of the group, not of the batch.",
        of(groups.every),
        common.groups_alone,
        needs=KNOWN,
    ),
    Property(
        "order_of_responses",
        "The order of the responses does not matter.",
        "Sampling order carries no information.",
        of(groups.every, groups.all_wrong),
        common.order_of_responses,
        universal=True,
    ),
    Property(
        "values_in_mixed_groups",
        "Mixed groups have the rewards of the convention.",
        "These groups teach most.",
        of(groups.mixed, groups.alike),
        common.values,
        needs=KNOWN,
    ),
    Property(
        "values_in_all_wrong_groups",
        "All-negative groups have the rewards of the convention.",
        "A wrong beta, gamma or length changes the colours.",
        of(groups.all_wrong, groups.ladder),
        common.values,
        needs=KNOWN,
    ),
)
"""All properties of rewards, in the order in which they are reported."""
