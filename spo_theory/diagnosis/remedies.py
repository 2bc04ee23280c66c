"""What would help these groups: other group sizes, dynamic sampling, and rules that speak in all-wrong groups."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from spo_theory import rule
from spo_theory.diagnosis.groups import Estimate, Groups, mean_with_interval, none_right
from spo_theory.diagnosis.rollouts import Rollouts
from spo_theory.group import Group

RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "grpo": ("grpo", {}),
    "ngrpo": ("ngrpo", {}),
    "spo, all-wrong groups": ("spo", {}),
    "spo, every wrong response": ("spo", {"scope": "all_incorrect"}),
    "spo_prefix": ("spo_prefix", {}),
}
"""Rules that are tried on the groups of the log, with their options."""


class AtSize(NamedTuple):
    """What another group size would do. all_wrong, mixed: shares. useful: mixed groups in 1,000 responses."""

    k: int
    all_wrong: Estimate
    mixed: Estimate
    useful: float


class Remedy(NamedTuple):
    """What a rule does to the groups. woken: share of all-wrong groups with a step weight that is not 0.

    right, wrong: mean weight of right and of wrong steps in all-wrong groups. praised: share of all-wrong groups in
    which a wrong step has a positive weight. mixed: mean weight of the steps of correct responses in mixed groups, NaN
    if there is none.
    """

    name: str
    woken: Estimate
    right: float
    wrong: float
    praised: float
    mixed: float


def other_sizes(groups: Groups) -> list[AtSize]:
    """Group sizes 2, 4, 8, ... up to the number of samples, from the subsets of the responses that are there."""
    largest = int(groups.size.max(initial=0))
    sizes = sorted({k for k in (2 ** np.arange(1, 20)).tolist() if k < largest} | {largest})
    found = []
    for k in sizes:
        enough = groups.size >= k
        if k < 2 or not enough.any():
            continue
        size, right, question = groups.size[enough], groups.right[enough], groups.question[enough]
        none = none_right(size, right, k)
        all_ = none_right(size, size - right, k)
        mixed = mean_with_interval(1 - none - all_, question)
        found.append(AtSize(k, mean_with_interval(none, question), mixed, 1000 / k * mixed.value))
    return found


def judged_groups(rollouts: Rollouts, groups: Groups, which: np.ndarray) -> Iterator[tuple[np.ndarray, Group]]:
    """Of the groups ``which``, those whose steps were judged, one size at a time: questions ``(Q,)`` and the groups."""
    known = rollouts.first_error >= 0
    order = np.argsort(rollouts.group, kind="stable")
    edges = np.r_[0, np.cumsum(groups.size)]
    judged = np.minimum.reduceat(known[order].astype(np.int64), edges[:-1]).astype(bool)
    for size in np.unique(groups.size[which & judged]):
        chosen = np.flatnonzero(which & judged & (groups.size == size))
        if size < 2:
            continue
        rows = order[edges[chosen][:, None] + np.arange(size)]
        steps = rollouts.steps[rows]
        lengths = (np.arange(int(steps.max())) < steps[..., None]).astype(float)
        yield groups.question[chosen], Group(rollouts.correct[rows], rollouts.first_error[rows], lengths)


def remedies(rollouts: Rollouts, groups: Groups) -> list[Remedy]:
    """What each rule of `RULES` does to the all-wrong groups whose steps were judged; [] if none was."""
    if not len(groups.size) or not (rollouts.first_error >= 0).any():
        return []
    wrong = list(judged_groups(rollouts, groups, groups.all_wrong))
    mixed = list(judged_groups(rollouts, groups, groups.mixed))
    return [_remedy(name, wrong, mixed) for name in RULES] if wrong else []


def weights_of(name: str, group: Group) -> np.ndarray:
    """Step weights ``(Q, G, S)`` of a rule of `RULES`, 0 where no step was written."""
    known, options = RULES[name]
    weights = rule(known, group_size=group.correct.shape[-1], **options).weights(group)
    return np.where(group.lengths > 0, np.asarray(weights), 0.0)


def _remedy(name: str, all_wrong: list[tuple[np.ndarray, Group]], mixed: list[tuple[np.ndarray, Group]]) -> Remedy:
    """What one rule does."""
    woken, praised, questions = [], [], []
    right, wrong, correct = [], [], [np.zeros(0)]
    for question, group in all_wrong:
        weights = weights_of(name, group)
        written = group.lengths > 0
        before_error = written & (np.arange(group.steps) < group.first_error[..., None])
        behind = written & ~before_error
        woken.append((np.abs(weights) > 1e-12).any((-1, -2)))
        praised.append((behind & (weights > 1e-12)).any((-1, -2)))
        questions.append(question)
        right.append(weights[before_error])
        wrong.append(weights[behind])

    # In mixed groups the question is what is left of the advantage of correct responses
    for _, group in mixed:
        correct.append(weights_of(name, group)[(group.lengths > 0) & group.correct[..., None]])
    return Remedy(
        name,
        mean_with_interval(np.concatenate(woken), np.concatenate(questions)),
        _mean(right),
        _mean(wrong),
        float(np.concatenate(praised).mean()),
        _mean(correct),
    )


def _mean(parts: list[np.ndarray]) -> float:
    """The mean of all numbers, NaN if there is none."""
    together = np.concatenate(parts)
    return float(together.mean()) if len(together) else float("nan")
