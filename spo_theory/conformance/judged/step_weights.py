"""Functions from correctness, first errors and written steps to the weight of every step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from spo_theory.conformance.core import Complaint, Property, answers
from spo_theory.conformance.judged import groups
from spo_theory.conformance.judged import trial as common
from spo_theory.conformance.judged.groups import Judged
from spo_theory.conformance.judged.rewards import of
from spo_theory.conformance.judged.subject import ArraySubject
from spo_theory.conformance.judged.trial import Call, JudgedSetting, JudgedTrial
from spo_theory.group import Group
from spo_theory.methods.registry import rule

CANDIDATES: dict[str, dict[str, Any]] = {
    "grpo": {},
    "dr_grpo": {},
    "spo": {},
    "spo_prefix": {},
    "ngrpo": {},
    "reinforce_rej": {},
    "sign": {},
}
"""Rules that a function can be found to follow, with their default options."""


def weights_of(name: str, options: dict[str, Any], example: Judged) -> np.ndarray:
    """Weights ``(Q, G, S)`` of a rule on fresh groups, 0 for steps that were not written."""
    method = rule(name, group_size=example.correct.shape[-1], **options)
    lengths = example.mask.astype(float)
    weights = method.weights(Group(example.correct, example.first_error, lengths))
    return np.where(example.mask, np.asarray(weights), 0.0)


def trial(function: Callable[..., Any], name: str, *, numbers: dict[str, Any], **how: Any) -> JudgedTrial:
    """A function ``f(correct, first_error, mask)`` to weights ``(Q, G, S)``, with its convention.

    correct, first_error: ``(Q, G)``; mask: boolean ``(Q, G, S)``, the steps that were written. numbers: ``rule`` and
    its options; none: the rule it is found to follow. how: ``library`` and ``dtype``.
    """
    subject = ArraySubject(function, name, **how)
    if not numbers:
        found: dict[str, Call] = {known: partial(weights_of, known, options) for known, options in CANDIDATES.items()}
        return JudgedTrial(subject, True, found, None)
    chosen = numbers.pop("rule", "grpo")
    rule(chosen, **numbers)
    words = f"{chosen}({', '.join(f'{key}={value!r}' for key, value in numbers.items())})"
    return JudgedTrial(subject, True, {}, (words, partial(weights_of, chosen, numbers)))


def padding(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether steps that were not written have weight 0."""
    outside = np.where(example.mask, 0.0, call(example))
    return common.near(outside, np.zeros_like(outside), setting.rounding, "a step that was not written has a weight")


def silent(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether groups of equal responses have weights 0."""
    got = call(example)
    return common.near(got, np.zeros_like(got), setting.rounding, "a group of equal responses has weights")


def wrong_steps_are_not_praised(call: Call, example: Judged, setting: JudgedSetting) -> Complaint | None:
    """Whether no wrong step, and none after it, has a positive weight."""
    got = call(example)
    behind = np.arange(got.shape[-1]) >= example.first_error[..., None]
    praise = np.where(behind & ~example.correct[..., None], np.maximum(got, 0.0), 0.0)
    return common.near(praise, np.zeros_like(praise), setting.rounding, "a wrong step has a positive weight")


KNOWN = ("convention",)
PROPERTIES = (
    Property(
        "usable",
        "It answers with one number for every step.",
        "Other properties are judged on its answers.",
        of(groups.every),
        answers,
        "interface",
        universal=True,
    ),
    Property(
        "finite",
        "All weights are finite.",
        "One NaN weight makes the network NaN.",
        of(groups.every, groups.alike),
        common.finite,
        universal=True,
    ),
    Property(
        "padding",
        "Steps that were not written have weight 0.",
        "The policy learns to write padding.",
        of(groups.every),
        padding,
        universal=True,
    ),
    Property(
        "equal_responses_are_silent",
        "Groups of responses that are all correct, or all fail at one step, have weights 0.",
        "They carry no comparison.",
        of(groups.alike),
        silent,
        needs=KNOWN,
    ),
    Property(
        "wrong_steps_are_not_praised",
        "No wrong step, and none after it, has a positive weight.",
        "A whole response that is praised for its prefix reinforces its mistake too.",
        of(groups.all_wrong, groups.ladder),
        wrong_steps_are_not_praised,
        needs=KNOWN,
    ),
    Property(
        "groups_are_independent",
        "The weights of a group are the same whatever the other groups are.",
        "Questions would be mixed.",
        of(groups.every),
        common.groups_alone,
        needs=KNOWN,
    ),
    Property(
        "order_of_responses",
        "The order of the responses does not matter.",
        "Sampling order carries no information.",
        of(groups.every),
        common.order_of_responses,
        universal=True,
    ),
    Property(
        "values_in_mixed_groups",
        "Mixed groups have the weights of the convention.",
        "These groups teach most.",
        of(groups.mixed),
        common.values,
        needs=KNOWN,
    ),
    Property(
        "values_in_all_wrong_groups",
        "All-negative groups have the weights of the convention.",
        "Colouring and prefix credit act there.",
        of(groups.all_wrong, groups.ladder),
        common.values,
        needs=KNOWN,
    ),
)
"""All properties of step weights, in the order in which they are reported."""
