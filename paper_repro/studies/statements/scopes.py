"""Figures of the statements about the scope of colouring: where it helps, and what it costs at the end."""

from itertools import product

import numpy as np
import pandas as pd

from paper_repro.studies.statements.picture import Picture, equal_steps, joined, series
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.scopes import log_success_rate

ROUND_OFF = 1e-15  # a gain of this size has no sign
HALVINGS = 20  # of a grid interval of 0.012: the boundary is known to 1e-8


def boundaries() -> pd.DataFrame:
    """Starts of the two-step model where colouring and GRPO raise success equally fast, by group size and scope."""
    second = np.linspace(0.02, 0.98, 49)
    frames = [series("1 - p = q (1 - q)", 1 - second * (1 - second), second)]
    for scope, size in (("all_negative", 8), ("all_incorrect", 2), ("all_incorrect", 4), ("all_incorrect", 16)):
        p, q = equal_rates(scope, size, second)
        frames.append(series(f"{scope}, G = {size}", p, q, "points" if scope == "all_negative" else "line"))
    return joined(frames)


def equal_rates(scope: str, group_size: int, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every accuracy of step 2 the smallest one of step 1 at which colouring stops helping, where there is one.

    scope: which groups are coloured. second: accuracies of step 2 ``(N,)``, strictly between 0 and 1.
    Returns the accuracies of step 1 and those of step 2 that they belong to, both ``(M,)`` with M at most N.
    """
    coloured = rule("spo", group_size=group_size, beta=5.0, scope=scope)
    plain = rule("grpo", group_size=group_size)

    def gain(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """What colouring adds to the rate of log success where the steps have accuracies p and q."""
        chain = ReasoningChain(step_success=np.stack([p, q], axis=-1))
        return log_success_rate(chain, coloured) - log_success_rate(chain, plain)

    # signs on a grid first: where they change from a gain to a loss lies a boundary
    first = np.linspace(0.02, 0.995, 80)
    gains = gain(np.tile(first, len(second)), np.repeat(second, len(first))).reshape(len(second), len(first))
    falls = (gains[:, :-1] > ROUND_OFF) & (gains[:, 1:] < -ROUND_OFF)
    found = falls.any(1)
    left = falls.argmax(1)[found]

    # bisection between the two grid points, for all accuracies of step 2 at once
    low = first[left]
    high = first[left + 1]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        helps = gain(middle, second[found]) > 0
        low = np.where(helps, middle, low)
        high = np.where(helps, high, middle)
    return (low + high) / 2, second[found]


def end_of_training() -> pd.DataFrame:
    """Rate of log success over GRPO's against success, equal steps, beta = 5, by scope, G and H."""
    success = np.linspace(0.3, 0.995, 60)
    frames = []
    for (scope, size), horizon in product((("all_negative", 8), ("all_incorrect", 8), ("all_incorrect", 2)), (2, 4, 6)):
        chain = equal_steps(success, horizon)
        coloured = log_success_rate(chain, rule("spo", group_size=size, beta=5.0, scope=scope))
        ratio = coloured / log_success_rate(chain, rule("grpo", group_size=size))
        frames.append(series(f"H = {horizon}", success, ratio, panel=f"{scope}, G = {size}"))
    return joined(frames)


PICTURES = (
    Picture(
        boundaries,
        title="Where colouring stops helping, by scope and group size",
        caption=(
            "Left of a curve colouring raises success faster than GRPO, to first order. With scope all_negative "
            "(points) the curve is the closed form (black) for every G, beta and gamma; with scope all_incorrect it is "
            "the same for pairs, G = 2 (dark, on the black one), and moves left as the group grows (beta = 5, gamma = "
            "1/2)."
        ),
        axes={"xlabel": "p, accuracy of step 1", "ylabel": "q, accuracy of step 2", "xlim": (0.4, 1.0)},
        statements=("first_order_boundary", "always_faster", "boundary_of_any_group", "boundary_with_all_incorrect"),
    ),
    Picture(
        end_of_training,
        title="What colouring does late in training, by scope and group size",
        caption=(
            "Rate at which log success rises, over GRPO's; beta = 5, gamma = 1/2. With scope all_incorrect colouring "
            "is slower than GRPO from success 0.6 on at G = 8, and faster everywhere at G = 2."
        ),
        axes={"xlabel": "success probability P", "ylabel": "rate of log success over GRPO's", "zero": 1.0},
        statements=("all_incorrect_slows_the_end", "all_incorrect_slows_every_end", "pairs_are_faster_on_equal_steps"),
    ),
)
