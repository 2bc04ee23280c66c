"""Group filters: from which groups a method learns.

A filter maps a `spo_theory.group.Group` and its rewards ``(..., G)`` to a boolean ``(...)``. The advantages of a group
that is not kept are 0.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from spo_theory.group import Array, Group
from spo_theory.validation import check

TrainOn = Literal["all", "all_negative", "some_correct", "mixed"]
"""Names of the filters, for the command line."""


class GroupFilter(Protocol):
    """What every group filter is."""

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``: whether to learn from each group."""


@dataclass(frozen=True)
class EveryGroup:
    """Learn from every group."""

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``, all True."""
        return group.xp.ones_like(group.correct[..., 0])


@dataclass(frozen=True)
class AllNegativeGroups:
    """Learn from groups without a correct response only (the paper's offline runs, arXiv 2505.11595)."""

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        return group.all_negative[..., 0]


@dataclass(frozen=True)
class SomeCorrect:
    """Learn from groups that hold a correct response only."""

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        return ~group.all_negative[..., 0]


@dataclass(frozen=True)
class MixedGroups:
    """Learn from groups that hold both correct and incorrect responses only (DAPO, Reinforce-Rej)."""

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        wrong = ~group.correct
        if group.valid is not None:
            wrong = wrong & group.valid
        return group.xp.any(wrong, axis=-1) & ~group.all_negative[..., 0]


FILTERS: dict[str, GroupFilter] = {
    "all": EveryGroup(),
    "all_negative": AllNegativeGroups(),
    "some_correct": SomeCorrect(),
    "mixed": MixedGroups(),
}
"""The group filters by name."""


def group_filter(name: str) -> GroupFilter:
    """The filter called ``name``; raises `InputError` for an unknown one."""
    check(name in FILTERS, "train_on", name, " or ".join(FILTERS))
    return FILTERS[name]
