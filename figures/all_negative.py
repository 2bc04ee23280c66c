"""Figure: how often a group has no correct response, against step accuracy."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style, texts


def _family(ax: Axes, table: pd.DataFrame, by: str, symbol: str) -> None:
    """One curve for each value of the column ``by``, dark to light; ``symbol`` stands for the column in the legend."""
    shades = style.ladder(list(table[by]))
    for value, one in table.groupby(by):
        ax.plot(one["step_success"], one["all_negative"], color=shades[value], label=f"{symbol} = {value}")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability that a step is right")
    ax.legend(loc="lower left")


@style.styled
def draw(table: pd.DataFrame, group_size: int = 8, horizon: int = 6) -> Figure:
    """Probability of an all-negative group against step accuracy.

    ``table``: columns step_success and all_negative (probabilities), horizon (steps), group_size (responses).
    Left: every horizon at ``group_size``; right: every group size at ``horizon``.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, ["step_success", "horizon", "group_size", "all_negative"], "the all-negative figure")

    # One probability on both panels: a common axis lets the two families be compared.
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _family(left, table[table["group_size"] == group_size], "horizon", "H")
    _family(right, table[table["horizon"] == horizon], "group_size", "G")

    # The axis is common, so its label stands once; the foot says why the probability matters.
    left.set_ylabel("probability that a group is all-negative")
    texts.panel_letter(left, "a", f"steps per question H, groups of G = {group_size}")
    texts.panel_letter(right, "b", f"responses per group G, H = {horizon} steps")
    texts.foot(
        figure, "Exact: one question, H steps of equal accuracy. GRPO learns nothing from an all-negative group."
    )
    return figure
