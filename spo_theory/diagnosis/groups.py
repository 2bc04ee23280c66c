"""Groups of a run: counts of correct responses, equal rewards, zero advantages; and shares with intervals."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from spo_theory.diagnosis.rollouts import Rollouts

RESAMPLES = 1000
AT_ONCE = 2_000_000
"""Numbers of resamples in memory."""


@dataclass(frozen=True)
class Groups:
    """One entry for each group, in the order of its number.

    size: responses. right: correct ones. question, step: of the group. low, high: smallest and largest reward.
    loudest: largest absolute advantage, NaN where none is logged.
    """

    size: np.ndarray
    right: np.ndarray
    question: np.ndarray
    step: np.ndarray
    low: np.ndarray
    high: np.ndarray
    loudest: np.ndarray

    @property
    def all_wrong(self) -> np.ndarray:
        """Groups without a correct response."""
        return self.right == 0

    @property
    def all_right(self) -> np.ndarray:
        """Groups of correct responses only."""
        return self.right == self.size

    @property
    def mixed(self) -> np.ndarray:
        """Groups with both."""
        return ~self.all_wrong & ~self.all_right

    @property
    def equal(self) -> np.ndarray:
        """Groups of equal rewards: their advantages are 0, whatever the responses were."""
        return self.low == self.high


def groups_of(rollouts: Rollouts) -> Groups:
    """The groups of rollouts.

    Example:
        >>> from spo_theory.diagnosis.rollouts import Columns
        >>> columns = Columns("table")
        >>> for question, reward in (("a", 1.0), ("a", 0.0), ("b", 0.0), ("b", 0.0)):
        ...     columns.add(question, 0, reward == 1, reward)
        >>> groups = groups_of(columns.finish())
        >>> groups.mixed.tolist(), groups.all_wrong.tolist()
        ([True, False], [False, True])
    """
    order = np.argsort(rollouts.group, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(rollouts.group[order]) > 0]) if len(order) else np.zeros(0, int)
    if not len(order):
        empty = np.zeros(0)
        return Groups(empty, empty, empty, empty, empty, empty, empty)
    reward = rollouts.reward[order]
    return Groups(
        np.diff(np.r_[first, len(order)]),
        np.add.reduceat(rollouts.correct[order].astype(np.int64), first),
        rollouts.question[order][first],
        rollouts.step[order][first],
        np.minimum.reduceat(reward, first),
        np.maximum.reduceat(reward, first),
        np.maximum.reduceat(np.abs(rollouts.advantage[order]), first),
    )


def pooled(rollouts: Rollouts) -> Rollouts:
    """The same rollouts, with all responses to one question in one step as one group.

    A trainer may ask a question in several groups of a step; the policy is the same, so larger groups can be judged.

    Example:
        >>> from spo_theory.diagnosis.rollouts import Columns
        >>> columns = Columns("table")
        >>> for group in (1, 2):
        ...     columns.add("a", 0, True, 1.0, group=group)
        >>> pooled(columns.finish()).group.tolist()
        [0, 0]
    """
    pairs = np.stack([rollouts.step, rollouts.question], axis=1)
    _, group = np.unique(pairs, axis=0, return_inverse=True)
    return replace(rollouts, group=group.reshape(-1))


@dataclass(frozen=True)
class Estimate:
    """A mean over groups with a 95 % interval from resampled questions."""

    value: float
    low: float
    high: float

    def percent(self) -> str:
        """As percentages, such as ``66.7 % [35, 90]``."""
        return f"{100 * self.value:.1f} % [{100 * self.low:.0f}, {100 * self.high:.0f}]"


def mean_with_interval(values: np.ndarray, question: np.ndarray, seed: int = 0) -> Estimate:
    """The mean of ``values`` of groups, with a percentile bootstrap over questions.

    Groups of one question stay together, because they are alike. Where all values are equal, and so no resample
    differs, and the value is 0 or 1, the interval is that of a share never seen among so many questions.

    Example:
        >>> mean_with_interval(np.array([1.0, 1.0, 1.0]), np.array([0, 1, 2])).percent()
        '100.0 % [29, 100]'
    """
    values = np.asarray(values, dtype=float)
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan)
    _, number = np.unique(question, return_inverse=True)
    total = np.bincount(number, values)
    count = np.bincount(number).astype(float)
    mean = float(total.sum() / count.sum())
    if np.ptp(values) == 0 and mean in (0.0, 1.0):
        never = 1 - 0.025 ** (1 / len(total))
        return Estimate(mean, 0.0 if mean == 0 else 1 - never, never if mean == 0 else 1.0)

    sums = resampled_sums(np.stack([total, count], axis=1), seed)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Estimate(mean, float(low), float(high))


def resampled_sums(of_questions: np.ndarray, seed: int = 0) -> np.ndarray:
    """Sums ``(RESAMPLES, C)`` of columns over resampled questions.

    ``of_questions``: numbers ``(N, C)`` of N questions. Returns a row for each resample of N of them.

    Example:
        >>> resampled_sums(np.array([[2.0, 1.0], [2.0, 1.0]]))[0].tolist()
        [4.0, 2.0]
    """
    # Questions with the same numbers are interchangeable: a resample is how often each kind of question is drawn
    kinds, multiplicity = np.unique(of_questions, axis=0, return_counts=True)
    questions = len(of_questions)
    generator = np.random.default_rng(seed)
    sums = []
    at_once = max(AT_ONCE // len(kinds), 1)
    for start in range(0, RESAMPLES, at_once):
        resamples = min(at_once, RESAMPLES - start)
        drawn = generator.multinomial(questions, multiplicity / questions, size=resamples)
        sums.append(drawn @ kinds)
    return np.concatenate(sums)


def none_right(size: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    """For each group, the share of its subsets of ``k`` responses without a correct one; NaN for groups below k.

    Its mean is the unbiased estimate of the all-wrong share at group size k, 1 - pass@k (arXiv 2107.03374).

    Example:
        >>> none_right(np.array([4]), np.array([1]), 2).round(3).tolist()
        [0.5]
    """
    wrong = size - right
    enough = size >= k
    possible = enough & (wrong >= k)
    n, w = np.where(possible, size, k), np.where(possible, wrong, k)
    logs = gammaln(w + 1) - gammaln(w - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    return np.where(enough, np.where(possible, np.exp(logs), 0.0), np.nan)


def spread_of_difficulty(groups: Groups) -> tuple[float, float]:
    """Mean success and standard deviation of success between questions, both unbiased up to the root.

    The second moment comes from pairs of responses of one group, so that sampling noise is not taken for difficulty.

    Example:
        >>> two = Groups(*(np.array(v) for v in ([4, 4], [0, 4], [0, 1], [0, 0], [0, 1], [0, 1], [0, 0])))
        >>> spread_of_difficulty(two)
        (0.5, 0.5)
    """
    pairs = groups.size >= 2
    n, c = groups.size[pairs], groups.right[pairs]
    mean = float((c / n).mean())
    second = float((c * (c - 1) / (n * (n - 1))).mean())
    return mean, float(np.sqrt(max(second - mean**2, 0.0)))
