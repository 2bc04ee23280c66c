"""Weights across questions: how much each question of a batch counts.

Such a part maps rewards and advantages of a batch ``(..., Q, G)`` to the weight of each question ``(..., Q)``.
"""

from dataclasses import dataclass
from typing import Protocol

from array_api_compat import array_namespace

from spo_theory.group import Array
from spo_theory.validation import check, is_number


class Across(Protocol):
    """What every weighting across questions is."""

    def __call__(self, rewards: Array, advantages: Array) -> Array:
        """Weight ``(..., Q)`` of each question."""


@dataclass(frozen=True)
class Independent:
    """Every question counts the same, whatever the others did.

    Example:
        >>> import numpy as np
        >>> rewards = np.array([[1.0, 0.0], [0.0, 0.0]])
        >>> Independent()(rewards, rewards).tolist()
        [1.0, 1.0]
    """

    def __call__(self, rewards: Array, advantages: Array) -> Array:
        """Weight 1 ``(..., Q)`` of each question."""
        xp = array_namespace(rewards)
        return xp.ones_like(rewards[..., 0])


@dataclass(frozen=True)
class VariancePenalty:
    """Questions that go well count less, and questions that go badly more: a penalty on the gap between the two kinds.

    The kinds are inferred: questions whose mean reward is above that of the batch, and the others. With their mean
    rewards R_1 and R_2, the value is the mean reward less ``strength (R_1 - R_2)^2 / 4``, the variance between two
    kinds; the weights are its derivatives in the mean reward of each question. strength: at least 0. Raises
    `InputError` for other values. Source: group-invariant learning, arXiv 2310.11971;
    docs/theory/related.md#group-invariant.

    Example, an easy question and two hard ones:
        >>> import numpy as np
        >>> rewards = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
        >>> VariancePenalty(strength=0.5)(rewards, rewards).tolist()
        [0.25, 1.375, 1.375]
    """

    strength: float = 0.5

    def __post_init__(self) -> None:
        fine = is_number(self.strength) and self.strength >= 0
        check(fine, "strength", self.strength, "a finite number, at least 0")

    def __call__(self, rewards: Array, advantages: Array) -> Array:
        """Weight ``(..., Q)`` of each question."""
        xp = array_namespace(rewards)
        of_question = xp.mean(rewards, axis=-1)
        above = of_question > xp.mean(of_question, axis=-1, keepdims=True)

        # Where all questions go alike there is one kind, and nothing to penalize
        good = xp.astype(above, rewards.dtype)
        bad = 1 - good
        number_good = xp.sum(good, axis=-1, keepdims=True)
        number_bad = xp.sum(bad, axis=-1, keepdims=True)
        share_good = good / xp.maximum(number_good, xp.ones_like(number_good))
        share_bad = bad / xp.maximum(number_bad, xp.ones_like(number_bad))
        gap = xp.sum((share_good - share_bad) * of_question, axis=-1, keepdims=True)
        gap = xp.where(number_good > 0, gap, xp.zeros_like(gap))

        return 1 - self.strength / 2 * gap * of_question.shape[-1] * (share_good - share_bad)
