"""Weights across questions: how much each question of a batch counts.

Such a part maps the rewards of a batch ``(..., Q, G)`` to the weight of each question ``(..., Q)``.
"""

from dataclasses import dataclass
from typing import Protocol

from array_api_compat import array_namespace

from spo_theory.group import Array


class Across(Protocol):
    """What every weighting across questions is."""

    def __call__(self, rewards: Array) -> Array:
        """Weight ``(..., Q)`` of each question."""


@dataclass(frozen=True)
class Independent:
    """Every question counts the same, whatever the others did.

    Example:
        >>> import numpy as np
        >>> Independent()(np.array([[1.0, 0.0], [0.0, 0.0]])).tolist()
        [1.0, 1.0]
    """

    def __call__(self, rewards: Array) -> Array:
        """Weight 1 ``(..., Q)`` of each question."""
        xp = array_namespace(rewards)
        return xp.ones_like(rewards[..., 0])
