"""Which way a method pushes right and wrong steps, by the kind of group: for the page of methods."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np

from spo_theory.group import Group
from spo_theory.method import Method

GROUP_SIZE = 4
STEPS = 3

COLUMNS = (
    "all-negative: right steps",
    "all-negative: wrong step",
    "mixed: correct",
    "mixed: right steps of wrong ones",
    "mixed: wrong step",
    "all-positive",
)
"""Kinds of groups, and of steps in them. A wrong step is the first wrong one of its response."""


def pushes(method: Method) -> list[str]:
    """For each of `COLUMNS` the signs of the step weights in all groups of 4 responses of 3 steps.

    ``+``: pushed up in some groups and down in none; ``-``: the other way round; ``+-``: both occur; ``0``: neither.
    Every step has probability 1/2, responses have the length of the right one.

    >>> from spo_theory.methods.registry import rule
    >>> pushes(rule("grpo"))
    ['0', '0', '+', '-', '-', '0']
    """
    classes = np.array(list(combinations_with_replacement(range(STEPS + 1), GROUP_SIZE)))
    weights = replace(method, group_size=GROUP_SIZE).weights(_group(classes))

    # What each weight acts on
    step = np.arange(STEPS)
    right = step < classes[..., None]
    wrong = step == classes[..., None]
    correct = (classes == STEPS)[..., None]
    number = (classes == STEPS).sum(1)[:, None, None]
    negative = number == 0
    positive = number == GROUP_SIZE
    mixed = ~negative & ~positive
    places = (
        negative & right,
        negative & wrong,
        mixed & right & correct,
        mixed & right & ~correct,
        mixed & wrong,
        positive & right,
    )
    return [_signs(weights[np.broadcast_to(place, weights.shape)]) for place in places]


def _group(classes: np.ndarray) -> Group:
    """Judged groups of responses of the given ``classes`` ``(C, G)``: right steps before the first wrong one."""
    step = np.arange(STEPS)
    lengths = np.ones((*classes.shape, STEPS))
    taken = np.where(step <= classes[..., None], np.log(0.5), 0.0)
    return Group(classes == STEPS, classes, lengths, true_lengths=lengths, log_prob=taken)


def _signs(weights: np.ndarray) -> str:
    """Which signs occur among ``weights``; rounding is none."""
    up = "+" if weights.max() > 1e-12 else ""
    down = "-" if weights.min() < -1e-12 else ""
    return up + down or "0"
