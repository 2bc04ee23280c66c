"""Signal to noise of rules at other group sizes, from subsets of the responses that are there, without bias.

Derived in docs/diagnosis.md#signal-to-noise.
"""

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.stats import hypergeom

from spo_theory import rule
from spo_theory.diagnosis.groups import Estimate, Groups, resampled_sums
from spo_theory.diagnosis.remedies import RULES, judged_groups, weights_of
from spo_theory.diagnosis.rollouts import Rollouts
from spo_theory.group import Group

BATCH = 1000
"""Rollouts of the batch whose signal to noise is told."""

MOST_SUBSETS = 40
"""Subsets of a group that are looked at; where there are more, these are drawn at random."""

MOST_GROUPS = 2000
"""Judged groups that are looked at; where there are more, these are drawn at random."""

AT_ONCE = 2_000_000
"""Step weights in memory."""

SPARE = 2
"""Responses outside a subset that judged steps need: a square needs two that are independent."""


class Signal(NamedTuple):
    """What a group of ``k`` responses teaches under a rule.

    gain: mean over groups of the first-order rise of log-odds. noise: its standard deviation between groups. batch:
    signal to noise of a batch of 1,000 rollouts, mean over standard deviation. best: share of the resamples in which
    no other size of this rule is better.
    """

    name: str
    k: int
    gain: float
    noise: float
    batch: Estimate
    best: float


class Moments(NamedTuple):
    """Unbiased estimates for each group: of the gain ``(N,)`` and of its square ``(N,)``, and its question ``(N,)``."""

    gain: np.ndarray
    square: np.ndarray
    question: np.ndarray


def signal_of_outcomes(groups: Groups) -> list[Signal]:
    """What outcomes alone say about GRPO: a response is one step, and the gain is that of the log-odds of success.

    Sizes 2, 4, 8, ... and the most common group size; groups below it are left out, so that all sizes are judged by the
    same groups. [] if no group has two responses.

    Example, two groups of two, of which one is mixed:
        >>> two = Groups(*(np.array(v) for v in ([2, 2], [0, 1], [0, 1], [0, 0], [0, 0], [0, 1], [0, 0])))
        >>> [one] = signal_of_outcomes(two)
        >>> one.k, one.gain, one.noise
        (2, 0.25, 0.25)
    """
    largest = _most_common(groups.size)
    enough = groups.size >= largest
    size, right = groups.size[enough], groups.right[enough]
    moments = {}
    for k in _sizes(largest):
        # The gain of a group depends on its number of correct responses alone, whose law in a subset is known
        correct = np.arange(k) < np.arange(k + 1)[:, None]
        advantages = rule("grpo", group_size=k).advantages(correct, correct.astype(int), np.ones(correct.shape))
        gain = (advantages * correct).mean(-1)
        chance = hypergeom.pmf(np.arange(k + 1), size[:, None], right[:, None], k)
        moments[k] = Moments(chance @ gain, chance @ gain**2, groups.question[enough])
    return _signals("grpo", moments)


def signal_of_steps(rollouts: Rollouts, groups: Groups, seed: int = 0) -> list[Signal]:
    """What judged steps say about each rule of `RULES`; the gain is that of the steps which a fresh response takes.

    Sizes 2, 4, 8, ... and the most common group size less two: the responses left over say which steps are taken.
    seed: of the groups and subsets that are drawn where there are many. [] where groups are too small or not judged.
    """
    if not len(groups.size) or not (rollouts.first_error >= 0).any():
        return []
    every = np.ones(len(groups.size), dtype=bool)
    judged = list(judged_groups(rollouts, groups, every))
    sizes = [np.full(len(questions), group.correct.shape[-1]) for questions, group in judged]
    common = _most_common(np.concatenate(sizes) if sizes else np.zeros(0, dtype=int))
    judged = [(question, group) for question, group in judged if group.correct.shape[-1] == common]
    found = []
    for name in RULES:
        moments = {k: _moments(name, k, *judged[0], np.random.default_rng(seed)) for k in _sizes(common - SPARE)}
        found += _signals(name, moments)
    return found


def _most_common(sizes: np.ndarray) -> int:
    """The most common group size, the larger one of two; 0 without groups."""
    counts = np.bincount(sizes.astype(int)) if len(sizes) else np.zeros(1)
    return int(len(counts) - 1 - np.argmax(counts[::-1]))


def _sizes(largest: int) -> list[int]:
    """Group sizes 2, 4, 8, ... below ``largest``, and that; [] if it is below 2."""
    return [k for k in (2 ** np.arange(1, 20)).tolist() if k < largest] + [largest] * (largest >= 2)


def subsets(size: int, k: int, generator: np.random.Generator) -> np.ndarray:
    """Subsets ``(M, k)`` of ``size`` numbers: all, or `MOST_SUBSETS` drawn at random.

    Example:
        >>> subsets(3, 2, np.random.default_rng(0)).tolist()
        [[0, 1], [0, 2], [1, 2]]
    """
    if comb(size, k) <= MOST_SUBSETS:
        return np.array(list(combinations(range(size), k)))
    return np.array([generator.permutation(size)[:k] for _ in range(MOST_SUBSETS)])


def _moments(name: str, k: int, question: np.ndarray, group: Group, generator: np.random.Generator) -> Moments:
    """Gain and its square of subsets of ``k`` responses of each group ``(Q, n)``."""
    chosen = np.arange(len(question))
    if len(question) > MOST_GROUPS:
        chosen = generator.choice(len(question), MOST_GROUPS, replace=False)

    # Responses of a log may be sorted, so that subsets by place would not be random
    size = group.correct.shape[-1]
    order = generator.permuted(np.tile(np.arange(size), (len(chosen), 1)), axis=1)
    rows = chosen[:, None]
    correct, first_error = group.correct[rows, order], group.first_error[rows, order]
    lengths = group.lengths[rows, order]

    places = subsets(size, k, generator)
    at_once = max(AT_ONCE // (len(places) * k * group.steps), 1)
    gains, squares = [], []
    for start in range(0, len(chosen), at_once):
        some = slice(start, start + at_once)
        gain, square = gains_of_subsets(name, places, correct[some], first_error[some], lengths[some])
        gains.append(gain)
        squares.append(square)
    return Moments(np.concatenate(gains), np.concatenate(squares), question[chosen])


def gains_of_subsets(
    name: str, places: np.ndarray, correct: np.ndarray, first_error: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unbiased gain ``(Q,)`` and square of the gain ``(Q,)`` of a group of k responses.

    ``name``: of `RULES`. ``places``: subsets ``(M, k)`` of the n responses, n at least k + 2. ``correct``,
    ``first_error`` ``(Q, n)``; ``lengths`` of steps ``(Q, n, S)``. Derived in docs/diagnosis.md#signal-to-noise.

    Example, of four responses that all fail at the first step nothing is learnt:
        >>> places = np.array([[0, 1], [2, 3]])
        >>> wrong, first, lengths = np.zeros((1, 4), bool), np.zeros((1, 4), int), np.ones((1, 4, 2))
        >>> [float(moment[0]) for moment in gains_of_subsets("grpo", places, wrong, first, lengths)]
        [0.0, 0.0]
    """
    step = np.arange(lengths.shape[-1])
    reached = ((step <= first_error[..., None]) & (lengths > 0)).astype(float)
    right = ((step < first_error[..., None]) & (lengths > 0)).astype(float)

    # One group of k for every subset; its weights on right steps, and on all steps that were reached without an error
    k = places.shape[-1]
    inside = Group(correct[:, places], first_error[:, places], lengths[:, places])
    weights = weights_of(name, inside)
    on_right = (weights * right[:, places]).sum(-2) / k
    on_reached = (weights * reached[:, places]).sum(-2) / k

    # Against each response outside: it takes the step in Q of the cases, and takes it rightly in Q q of them
    gain = on_right @ np.swapaxes(reached, -1, -2) - on_reached @ np.swapaxes(right, -1, -2)
    outside = np.ones((len(places), correct.shape[-1]))
    np.put_along_axis(outside, places, 0.0, axis=1)
    others = outside.sum(-1)
    total = (gain * outside).sum(-1)
    squares = (gain**2 * outside).sum(-1)
    return (total / others).mean(-1), ((total**2 - squares) / (others * (others - 1))).mean(-1)


def _signals(name: str, moments: dict[int, Moments]) -> list[Signal]:
    """Signal to noise at each size, with intervals from resampled questions."""
    if not moments:
        return []
    _, number = np.unique(next(iter(moments.values())).question, return_inverse=True)
    columns = [np.bincount(number).astype(float)]
    for one in moments.values():
        columns += [np.bincount(number, one.gain), np.bincount(number, one.square)]
    of_questions = np.stack(columns, axis=1)

    # All sizes stand in one resample, so that it can be said which one is best in it
    sizes = np.array(list(moments))
    gain, noise = _mean_and_deviation(of_questions.sum(0, keepdims=True))
    resampled = _ratio(*_mean_and_deviation(resampled_sums(of_questions)), sizes)
    value = _ratio(gain, noise, sizes)[0]
    best = resampled >= np.max(resampled, axis=1, keepdims=True, initial=-np.inf, where=np.isfinite(resampled))
    found = []
    for i, k in enumerate(moments):
        low, high = np.nanquantile(resampled[:, i], [0.025, 0.975]) if np.isfinite(value[i]) else (np.nan, np.nan)
        batch = Estimate(float(value[i]), float(low), float(high))
        found.append(Signal(name, k, float(gain[0, i]), float(noise[0, i]), batch, float(best[:, i].mean())))
    return found


def _mean_and_deviation(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation ``(B, K)`` of the gain from sums ``(B, 1 + 2 K)``."""
    mean = sums[:, 1::2] / sums[:, :1]
    square = sums[:, 2::2] / sums[:, :1]
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _ratio(mean: np.ndarray, deviation: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Signal to noise ``(B, K)`` of a batch; 0 without any gain, NaN where there is gain and no noise."""
    undecided = np.where(mean == 0, 0.0, np.nan)
    noisy = deviation > 1e-9 * np.abs(mean)
    ratio = np.divide(mean, deviation, out=undecided, where=noisy)
    return ratio * np.sqrt(BATCH / sizes)
