"""Group filters: from which groups a method learns.

A filter maps a `spo_theory.group.Group` and its rewards ``(..., G)`` to a boolean ``(...)``. The advantages of a group
that is not kept are 0.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from spo_theory.allowed import one_of
from spo_theory.group import Array, Group

TrainOn = Literal["all", "all_negative", "some_correct", "some_incorrect", "mixed"]
"""Names of the filters, for the command line."""


class GroupFilter(Protocol):
    """What every group filter is."""

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``: whether to learn from each group."""


@dataclass(frozen=True)
class EveryGroup:
    """Learn from every group.

    Example, a group of each kind, all wrong, mixed and all correct:
        >>> import numpy as np
        >>> correct = np.array([[False, False], [True, False], [True, True]])
        >>> group = Group(correct, 2 * correct, np.full((3, 2), 2))
        >>> EveryGroup()(group, group.correct).tolist()
        [True, True, True]
    """

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``, all True."""
        return group.xp.ones_like(group.correct[..., 0])


@dataclass(frozen=True)
class AllNegativeGroups:
    """Learn from groups without a correct response only (the paper's offline runs, arXiv 2505.11595).

    Example, a group of each kind, all wrong, mixed and all correct:
        >>> import numpy as np
        >>> correct = np.array([[False, False], [True, False], [True, True]])
        >>> group = Group(correct, 2 * correct, np.full((3, 2), 2))
        >>> AllNegativeGroups()(group, group.correct).tolist()
        [True, False, False]
    """

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        return group.all_negative[..., 0]


@dataclass(frozen=True)
class SomeCorrect:
    """Learn only from groups that hold a correct response.

    Example, a group of each kind, all wrong, mixed and all correct:
        >>> import numpy as np
        >>> correct = np.array([[False, False], [True, False], [True, True]])
        >>> group = Group(correct, 2 * correct, np.full((3, 2), 2))
        >>> SomeCorrect()(group, group.correct).tolist()
        [False, True, True]
    """

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        return ~group.all_negative[..., 0]


@dataclass(frozen=True)
class SomeIncorrect:
    """Learn only from groups that hold an incorrect response.

    Source: the ablation of arXiv 2504.11343 that removes prompts with only correct responses.

    Example, a group of each kind, all wrong, mixed and all correct:
        >>> import numpy as np
        >>> correct = np.array([[False, False], [True, False], [True, True]])
        >>> group = Group(correct, 2 * correct, np.full((3, 2), 2))
        >>> SomeIncorrect()(group, group.correct).tolist()
        [True, True, False]
    """

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        # Responses that do not count are neither correct nor incorrect
        wrong = ~group.correct
        if group.valid is not None:
            wrong = wrong & group.valid
        return group.xp.any(wrong, axis=-1)


@dataclass(frozen=True)
class MixedGroups:
    """Learn only from groups that hold both correct and incorrect responses.

    Sources: DAPO, arXiv 2503.14476; Reinforce-Rej, arXiv 2504.11343.

    Example, a group of each kind, all wrong, mixed and all correct:
        >>> import numpy as np
        >>> correct = np.array([[False, False], [True, False], [True, True]])
        >>> group = Group(correct, 2 * correct, np.full((3, 2), 2))
        >>> MixedGroups()(group, group.correct).tolist()
        [False, True, False]
    """

    def __call__(self, group: Group, rewards: Array) -> Array:
        """Boolean ``(...)``."""
        return SomeCorrect()(group, rewards) & SomeIncorrect()(group, rewards)


FILTERS: dict[str, GroupFilter] = {
    "all": EveryGroup(),
    "all_negative": AllNegativeGroups(),
    "some_correct": SomeCorrect(),
    "some_incorrect": SomeIncorrect(),
    "mixed": MixedGroups(),
}
"""The group filters by name."""


def group_filter(name: str) -> GroupFilter:
    """The filter called ``name``; raises `InputError` for an unknown one.

    Example:
        >>> group_filter("mixed")
        MixedGroups()
    """
    one_of(TrainOn).check("train_on", name)
    return FILTERS[name]
