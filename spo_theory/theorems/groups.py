"""Statements about single groups: which ones are silent, and which ones colouring changes
(docs/theory/statements.md#groups-and-pairs)."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from spo_theory.exact.groups import all_groups
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.theorems.statement import statement

SIZES = tuple(product((1, 2, 4, 6), (2, 3, 5, 8)))  # (H, G)
EVERY_GROUP = "every group of G = 2, 3, 5, 8 responses of H = 1, 2, 4, 6 steps"
BETAS_AND_GAMMAS = ((10.0, 0.5), (0.5, 10.0), (5.0, 0.5), (100.0, 0.9))


def group_advantages(coloured: Method, classes: np.ndarray, horizon: int) -> np.ndarray:
    """Advantages ``(C, G)`` of groups of outcome classes ``(C, G)``; all steps are equally long.

    Class k below ``horizon`` has its first error at step k (from 0); class ``horizon`` is correct.

    >>> group_advantages(rule("grpo", group_size=2), np.array([[2, 0], [1, 0]]), horizon=2).tolist()
    [[1.0, -1.0], [0.0, 0.0]]
    """
    return coloured.advantages(classes == horizon, classes, np.full(classes.shape, horizon))


@statement("GRPO and Dr. GRPO make no update from an all-negative group.", "proved", checked=EVERY_GROUP)
def grpo_is_silent() -> Iterator[str]:
    """All-negative groups with an advantage that is not exactly 0, under GRPO in two conventions and Dr. GRPO."""
    for horizon, group_size in SIZES:
        classes = all_groups(horizon, group_size)
        negative = classes[(classes < horizon).all(1)]

        # the second convention adds a constant to the std and divides by G - 1: neither may break the silence
        for plain in (
            rule("grpo", group_size=group_size),
            rule("dr_grpo", group_size=group_size),
            rule("grpo", group_size=group_size, convention="trl"),
        ):
            silent = (group_advantages(plain, negative, horizon) == 0).all(1)
            speaks = ~silent
            yield from (f"{plain.name}, first errors {row.tolist()}" for row in negative[speaks])


@statement(
    "Under colouring whose colours are different numbers, an all-negative group is silent if and only if all its "
    "responses fail at the same step.",
    "proved",
    checked=f"{EVERY_GROUP}, {len(BETAS_AND_GAMMAS)} pairs (beta, gamma)",
)
def colouring_speaks() -> Iterator[str]:
    """All-negative groups that are silent with several first errors, or that speak with a single one."""
    for (horizon, group_size), (beta, gamma) in product(SIZES, BETAS_AND_GAMMAS):
        classes = all_groups(horizon, group_size)
        negative = classes[(classes < horizon).all(1)]
        coloured = rule("spo", group_size=group_size, beta=beta, gamma=gamma)

        silent = (group_advantages(coloured, negative, horizon) == 0).all(1)
        same_step = (negative == negative[:, :1]).all(1)
        yield from (f"first errors {row.tolist()}" for row in negative[silent != same_step])


def changes_by_colouring(scope: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Largest change of an advantage that colouring with this scope makes in every group of `SIZES`.

    ``scope``: ``all_negative`` or ``all_incorrect``. Yields for every size and every pair of `BETAS_AND_GAMMAS` where
    it was, the groups ``(C, G)`` and the changes ``(C,)``.
    """
    for (horizon, group_size), (beta, gamma) in product(SIZES, BETAS_AND_GAMMAS):
        classes = all_groups(horizon, group_size)
        coloured = rule("spo", group_size=group_size, beta=beta, gamma=gamma, scope=scope)

        before = group_advantages(rule("grpo", group_size=group_size), classes, horizon)
        after = group_advantages(coloured, classes, horizon)
        where = f"H = {horizon}, G = {group_size}, beta = {beta:g}, gamma = {gamma:g}"
        yield where, classes, np.abs(after - before).max(1)


@statement(
    "Colouring with scope all_negative changes an advantage of every all-negative group that fails at different steps, "
    "and none of any other group.",
    "proved",
    checked=f"{EVERY_GROUP}, {len(BETAS_AND_GAMMAS)} pairs (beta, gamma), to the bit",
)
def all_negative_scope_keeps_mixed_groups() -> Iterator[str]:
    """Groups that change and should not, or should and do not."""
    for where, classes, change in changes_by_colouring("all_negative"):
        horizon = int(classes.max())
        negative = (classes < horizon).all(1)
        several_steps = (classes != classes[:, :1]).any(1)
        right = np.where(negative & several_steps, change > 0, change == 0)
        yield from (f"{where}, first errors {row.tolist()}" for row in classes[~right])


@statement(
    "Colouring with scope all_incorrect never changes a group that has a correct response.",
    "refuted",
    checked=f"{EVERY_GROUP}, {len(BETAS_AND_GAMMAS)} pairs (beta, gamma)",
)
def all_incorrect_scope_keeps_mixed_groups() -> Iterator[str]:
    """Groups with a correct response that colouring changes."""
    for where, classes, change in changes_by_colouring("all_incorrect"):
        changed = (classes == classes.max()).any(1) & (change > 0)
        yield from (f"{where}, first errors {row.tolist()}" for row in classes[changed])
