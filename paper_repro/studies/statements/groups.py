"""Figures of the statements about single groups: which ones are silent, and which ones colouring changes."""

import numpy as np
import pandas as pd

from figures.style import label
from paper_repro.studies.statements.picture import Picture, joined, series
from spo_theory.exact.groups import all_groups
from spo_theory.methods.registry import rule
from spo_theory.theorems.groups import group_advantages


def silence(horizon: int = 4, group_size: int = 4) -> pd.DataFrame:
    """Smallest and largest max |advantage| of all-negative groups by the number of different first errors in them."""
    classes = all_groups(horizon, group_size)
    negative = classes[(classes < horizon).all(1)]
    different = np.array([len(set(row)) for row in negative.tolist()])
    frames = []
    for name in ("grpo", "spo"):
        advantages = group_advantages(rule(name, group_size=group_size), negative, horizon)
        largest = np.abs(advantages).max(1)
        for count in np.unique(different):
            found = largest[different == count]
            frames.append(series(label(name), [count, count], [found.min(), found.max()], "points"))
    return joined(frames)


def mixed_groups(horizon: int = 4, group_size: int = 6) -> pd.DataFrame:
    """Largest change of an advantage that colouring makes in a group with n correct responses, by scope."""
    classes = all_groups(horizon, group_size)
    correct = (classes == horizon).sum(1)
    counts = range(group_size + 1)
    plain = group_advantages(rule("grpo", group_size=group_size), classes, horizon)
    frames = []
    for scope in ("all_negative", "all_incorrect"):
        coloured = rule("spo", group_size=group_size, beta=5.0, scope=scope)
        change = np.abs(group_advantages(coloured, classes, horizon) - plain)
        largest = [change[correct == count].max() for count in counts]
        frames.append(series(f"scope {scope}", counts, largest, "points"))
    return joined(frames)


PICTURES = (
    Picture(
        silence,
        title="Which all-negative groups give an update",
        caption=(
            "Every all-negative group of 4 responses of 4 steps. Of each the largest advantage is taken, and drawn are "
            "the smallest and the largest of these. Under GRPO they are 0. Under colouring they are 0 only where all "
            "responses fail at the same step. Points of the two rules are moved apart."
        ),
        axes={"xlabel": "different first errors in the group", "ylabel": "largest |advantage|", "apart": 0.12},
        statements=("grpo_is_silent", "colouring_speaks"),
    ),
    Picture(
        mixed_groups,
        title="What colouring changes in groups with a correct response",
        caption=(
            "Over every group of 6 responses of 4 steps. With scope all_negative colouring changes only groups "
            "without a correct response. Points of the two scopes are moved apart."
        ),
        axes={"xlabel": "correct responses in the group", "ylabel": "largest change of an advantage", "apart": 0.16},
        statements=("all_negative_scope_keeps_mixed_groups", "all_incorrect_scope_keeps_mixed_groups"),
    ),
)
