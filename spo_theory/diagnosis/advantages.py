"""Which convention do the logged advantages follow, where do they deviate, and which of them are phantoms?"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from spo_theory.conformance.advantages.catalogue import exactly, known
from spo_theory.conformance.advantages.tolerances import allowed
from spo_theory.conformance.arrays import ROUNDING
from spo_theory.diagnosis.groups import Groups
from spo_theory.diagnosis.rollouts import Rollouts

MOST_STEPS = 40
"""Steps whose advantages are compared with every convention."""

PHANTOM_RANGE = 0.01
"""A range of rewards in a group is tiny below this share of the largest range of the run."""

PHANTOM_SIZE = 0.5
"""An advantage is of full size from here on."""


@dataclass(frozen=True)
class Logged:
    """What was found about logged advantages.

    names: conventions that fit best; several trainers share one. off: share of the groups that deviate from it beyond
    float32. furthest: the largest deviation. phantom: groups whose tiny differences of reward have advantages of full
    size. of_equal: groups of equal rewards with an advantage that is not 0, and the largest of those.
    """

    names: tuple[str, ...]
    off: float
    furthest: float
    phantom: int
    of_equal: int
    largest_of_equal: float


def squares(rollouts: Rollouts, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rewards, advantages and which count, ``(Q, G)``, of the groups of a step, and the numbers of these groups."""
    rows = np.flatnonzero(rollouts.step == step)
    rows = rows[np.argsort(rollouts.group[rows], kind="stable")]
    ids, group = np.unique(rollouts.group[rows], return_inverse=True)
    first = np.searchsorted(group, np.arange(len(ids)))
    place = np.arange(len(rows)) - first[group]
    shape = (len(ids), int(place.max(initial=-1)) + 1)
    rewards, advantages, valid = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    rewards[group, place] = rollouts.reward[rows]
    advantages[group, place] = rollouts.advantage[rows]
    valid[group, place] = True
    return rewards, advantages, valid, ids


def judge_logged(rollouts: Rollouts, groups: Groups) -> Logged | None:
    """What is to be said about the logged advantages; None if there are none."""
    there = np.isfinite(rollouts.advantage)
    if not there.any():
        return None
    steps = np.unique(rollouts.step[there])
    chosen = steps[np.linspace(0, len(steps) - 1, min(MOST_STEPS, len(steps))).astype(int)]
    batches = [squares(rollouts, int(step)) for step in chosen]

    # Every distinct formula once; the best one has the fewest groups that deviate
    table = known()
    scores: dict[Any, tuple[float, float]] = {}
    for formula in dict.fromkeys(table.values()):
        scores[formula] = _deviations(formula, batches)
    best = min(scores, key=lambda formula: scores[formula])
    off, furthest = scores[best]
    names = tuple(name for name, formula in table.items() if formula == best)

    # Phantoms, and rounding of equal rewards
    width = groups.high - groups.low
    loud = np.nan_to_num(groups.loudest, nan=0.0)
    phantom = (width > 0) & (width < PHANTOM_RANGE * width.max(initial=0.0)) & (loud >= PHANTOM_SIZE)
    of_equal = groups.equal & (loud > 0)
    return Logged(names, off, furthest, int(phantom.sum()), int(of_equal.sum()), float(loud[of_equal].max(initial=0.0)))


def _deviations(
    formula: Any, batches: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
) -> tuple[float, float]:
    """Share of groups that deviate from a convention beyond float32, and the largest deviation."""
    reference = partial(exactly, formula)
    wrong, total, furthest = 0, 0, 0.0
    for rewards, advantages, valid, _ in batches:
        exact = reference(rewards, valid)
        usable = valid & np.isfinite(advantages)
        off = np.where(usable, np.abs(advantages - exact), 0.0)
        limit = allowed(rewards, valid, exact, ROUNDING["float32"])

        # Equal rewards are a matter of rounding, which is told apart
        equal = np.where(valid, rewards, np.inf).min(-1) == np.where(valid, rewards, -np.inf).max(-1)
        bad = (off > 2 * limit).any(-1) & ~(equal & (np.abs(exact).max(-1) == 0))
        wrong += int(bad.sum())
        total += len(rewards)
        furthest = max(furthest, float(off[~equal].max(initial=0.0)))
    return wrong / max(total, 1), furthest
