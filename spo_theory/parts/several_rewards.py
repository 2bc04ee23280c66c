"""Several rewards at once: their sum, each standardized by itself, and a common scale for the batch.

Derived in docs/theory/related.md#multi-objective.
"""

from dataclasses import dataclass, field

from array_api_compat import array_namespace

from spo_theory.group import Array, Group
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.credit import response_lengths
from spo_theory.parts.rewards import Outcome, Reward, reasoning_trajectory_score
from spo_theory.validation import check, is_number


@dataclass(frozen=True)
class RightPrefix:
    """The RTS of every response: the share of it before its first error, 1 for a correct one.

    Example:
        >>> import numpy as np
        >>> RightPrefix()(Group(np.array([True, False]), np.array([2, 1]), np.ones((2, 2)))).tolist()
        [1.0, 0.5]
    """

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``."""
        rts = reasoning_trajectory_score(group.first_error, group.lengths, group.floating)
        return rts if group.valid is None else group.xp.where(group.valid, rts, group.xp.zeros_like(rts))


@dataclass(frozen=True)
class Brevity:
    """Minus the length of a response, in lengths of the right one; minus its length where that is not known.

    Example:
        >>> import numpy as np
        >>> lengths = np.array([[4.0, 1.0], [6.0, 4.0]])
        >>> Brevity()(Group(np.array([True, False]), np.array([2, 0]), lengths, np.array([[4.0, 1.0]]))).tolist()
        [-1.0, -2.0]
    """

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``."""
        xp = group.xp
        length = response_lengths(group, group.floating)
        if group.true_lengths is not None:
            length = length / xp.sum(xp.astype(group.true_lengths, group.floating), axis=-1)
        return -length if group.valid is None else xp.where(group.valid, -length, xp.zeros_like(length))


@dataclass(frozen=True)
class WeightedSum:
    """A sum of several rewards with weights.

    components: the rewards. weights: one finite number for each of them. Raises `InputError` for other numbers.
    Source: MO-GRPO, arXiv 2503.21819; docs/theory/related.md#multi-objective.

    Example:
        >>> import numpy as np
        >>> both = WeightedSum((Outcome(), RightPrefix()), (1.0, 0.5))
        >>> both(Group(np.array([True, False]), np.array([2, 1]), np.ones((2, 2)))).tolist()
        [1.5, 0.25]
    """

    components: tuple[Reward, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = len(self.components) == len(self.weights) and all(map(is_number, self.weights))
        check(numbers, "weights", self.weights, f"{len(self.components)} finite numbers")

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``."""
        total = group.xp.zeros_like(Outcome()(group))
        for component, weight in zip(self.components, self.weights, strict=True):
            total = total + weight * component(group)
        return total


@dataclass(frozen=True)
class NormalizedEach:
    """Every component of a sum of rewards standardized over the group by itself, then summed with the weights.

    reward: the sum. statistics: how each component is standardized. So a component that hardly varies in a group counts
    as much as one that varies a lot. Source: GDPO as in TRL's ``normalize_then_sum``;
    docs/theory/related.md#multi-objective.

    Example, a component that varies a thousand times less than the outcome counts as much:
        >>> import numpy as np
        >>> both = WeightedSum((Outcome(), RightPrefix()), (1.0, 1.0))
        >>> group = Group(np.array([True, False]), np.array([1000, 999]), np.ones((2, 1000)))
        >>> NormalizedEach(both).advantages(group, both(group)).tolist()
        [2.0, -2.0]
    """

    reward: WeightedSum
    statistics: GroupAdvantage = field(default_factory=GroupAdvantage)
    uses_log_prob = False

    def advantages(self, group: Group, rewards: Array) -> Array:
        """Advantages ``(..., G)``; the rewards are made anew, one component after the other."""
        total = group.xp.zeros_like(rewards)
        for component, weight in zip(self.reward.components, self.reward.weights, strict=True):
            total = total + weight * self.statistics(component(group), group.valid)
        return total


@dataclass(frozen=True)
class BatchScale:
    """All questions of a batch over the root mean square of its advantages.

    The advantages of a group sum to 0, so this is standardizing them over the batch. A batch without advantages keeps
    its scale. Source: GDPO; docs/theory/related.md#multi-objective.

    Example:
        >>> import numpy as np
        >>> advantages = np.array([[3.0, -3.0], [1.0, -1.0]])
        >>> BatchScale()(advantages, advantages).round(3).tolist()
        [0.447, 0.447]
    """

    def __call__(self, rewards: Array, advantages: Array) -> Array:
        """Weight ``(..., Q)`` of each question, the same for all of a batch."""
        xp = array_namespace(advantages)
        square = xp.mean(advantages * advantages, axis=(-2, -1))
        size = xp.sqrt(xp.where(square > 0, square, xp.ones_like(square)))
        return xp.broadcast_to((1 / size)[..., None], advantages.shape[:-1])
