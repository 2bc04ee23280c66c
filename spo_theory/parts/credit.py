"""Credit over steps: which steps of a response its advantage acts on.

A credit part maps a `spo_theory.group.Group` and advantages ``(..., G)`` to the advantage of every step
``(..., G, S)``.
"""

from dataclasses import dataclass
from typing import Protocol

from array_api_compat import array_namespace

from spo_theory.group import Array, Group


class Credit(Protocol):
    """What every credit part is."""

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""


@dataclass(frozen=True)
class WholeResponse:
    """The advantage of a response acts on all its steps (GRPO, arXiv 2402.03300).

    Example:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 1]), np.ones((2, 2)))
        >>> WholeResponse()(group, np.array([1.0, -1.0])).tolist()
        [[1.0, 1.0], [-1.0, -1.0]]
    """

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        xp = array_namespace(advantages)
        return xp.broadcast_to(advantages[..., None], (*advantages.shape, group.steps))


@dataclass(frozen=True)
class CorrectPrefix:
    """An incorrect response with a positive advantage is credited for the steps before its first error only.

    Its wrong step is then not reinforced together with the right ones. Source:
    docs/theory/statements.md#groups-and-pairs.

    Example, two wrong responses whose first errors are at steps 2 and 1:
        >>> import numpy as np
        >>> group = Group(np.array([False, False]), np.array([1, 0]), np.ones((2, 2)))
        >>> CorrectPrefix()(group, np.array([1.0, -1.0])).tolist()
        [[1.0, 0.0], [-1.0, -1.0]]
    """

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step."""
        xp = array_namespace(group.correct, group.first_error, advantages)
        spread = xp.broadcast_to(advantages[..., None], (*advantages.shape, group.steps))

        # Only praise is limited to the right prefix; blame acts on the whole response
        praised_although_wrong = (~group.correct & (advantages > 0))[..., None]
        step = xp.arange(group.steps, dtype=group.first_error.dtype)
        behind_the_prefix = step >= group.first_error[..., None]

        return xp.where(praised_although_wrong & behind_the_prefix, xp.zeros_like(spread), spread)
