"""Figure: exact expected advantage of each outcome class, GRPO against colouring."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures import style, texts

_LOOK: dict[tuple[str, str], dict[str, Any]] = {
    # Drawn first and larger: GRPO lies under SPO where no group is all-negative.
    ("grpo", "none"): {"marker": "o", "markersize": 8, "linewidth": 2.6, "label": "GRPO"},
    ("spo", "all_negative"): {"marker": "s", "label": "SPO, all-negative groups coloured"},
    ("spo", "all_incorrect"): {
        "marker": "^",
        "markerfacecolor": "white",
        "linestyle": (0, (4, 2)),
        "label": "SPO, every incorrect response coloured",
    },
}
_USUAL: dict[str, Any] = {"markersize": 4.5, "linewidth": 1.2}


@style.styled
def draw(table: pd.DataFrame, setting: str = "") -> Figure:
    """Expected advantage against outcome class, one panel per group size.

    ``table``: columns rule ("grpo" or "spo"), scope (of the colouring; "none" for GRPO), group_size (responses),
    horizon (steps, the same in all rows), outcome_class (correct steps before the first error), advantage (a pure
    number).
    ``setting``: a sentence on the chain and the colouring, for the foot of the figure.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows, `KeyError` for
    another rule or scope.
    """
    need = ["rule", "scope", "group_size", "horizon", "outcome_class", "advantage"]
    style.need(table, need, "the expected-advantage figure")

    # Advantages of all group sizes on one axis: their size is what the panels compare.
    sizes = sorted(table["group_size"].unique())
    figure = Figure(figsize=(2.2 * len(sizes) + 0.6, 3.7), layout="constrained")
    axes = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    horizon = int(table["horizon"].iloc[0])

    # The class of correct responses is shaded: left of it lie the incorrect ones, whose order is the point.
    for ax, size, letter in zip(axes, sizes, "abcdefgh", strict=False):
        ax.axhline(0, color=style.INK, linewidth=0.8)
        ax.axvspan(horizon - 0.5, horizon + 0.5, color="#eeeeee", zorder=0)
        for (rule, scope), one in table[table["group_size"] == size].groupby(["rule", "scope"], sort=False):
            look = _USUAL | _LOOK[rule, scope]
            ax.plot(one["outcome_class"], one["advantage"], color=style.colour(rule), **look)
        ax.set_xlim(-0.4, horizon + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("correct steps before\nthe first error")
        texts.panel_letter(ax, letter, f"G = {size}")

    # All panels have the same lines: one legend for the figure.
    axes[0].set_ylabel("expected advantage")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    shaded = f"Shaded: all {horizon} steps right, a correct response."
    texts.foot(figure, " ".join(text for text in (setting, shaded, _coinciding(table)) if text))
    return figure


def _coinciding(table: pd.DataFrame) -> str:
    """In which panels both curves of colouring are one, in a sentence."""
    coloured = table[table["scope"] != "none"]
    wide = coloured.pivot_table(index=["group_size", "outcome_class"], columns="scope", values="advantage")
    same = [
        str(size)
        for size, one in wide.groupby("group_size")
        if one.shape[1] == 2 and np.allclose(one.iloc[:, 0], one.iloc[:, 1])
    ]
    return f"At G = {', '.join(same)} both curves of SPO coincide." if same else ""
