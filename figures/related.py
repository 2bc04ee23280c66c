"""Figure: three claims of related papers: several right paths, fresh or stored data, weights and graded rewards."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import BLUE, GREY, INK, colour, label, styled

ROOM = 0.05
"""Factor below the curves on a logarithmic axis that a legend needs."""
LINES = {"path_1": (0, ()), "path_2": (0, (5, 2)), "path_3": (0, (1, 1.5))}


@styled
def draw(paths: pd.DataFrame, curves: pd.DataFrame, two_by_two: pd.DataFrame) -> Figure:
    """Draw the three panels.

    paths: columns rule, step, path_1 to path_3 (chance of each right path). curves: start, rule, data, step, success.
    two_by_two: variant and updates to half success.
    """
    figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.8), layout="constrained")
    _paths(axes[0], paths)
    _data(axes[1], curves[curves["start"] == "far"])
    _variants(axes[2], two_by_two)
    return figure


def _paths(ax: Axes, table: pd.DataFrame) -> None:
    """Chance of each right path against updates, a colour for each rule."""
    for rule, rows in table.groupby("rule", sort=False):
        for path, line in LINES.items():
            name = f"{label(str(rule))}, path {path[-1]}"
            ax.plot(rows["step"], rows[path], color=colour(str(rule)), linestyle=line, label=name, gid=f"{rule} {path}")
    ax.set(yscale="log", xlabel="updates", ylabel="chance of each right path", title="One question, three right paths")
    ax.set_ylim(bottom=ROOM * ax.get_ylim()[0])
    ax.legend(loc="lower left", fontsize=7)


def _data(ax: Axes, table: pd.DataFrame) -> None:
    """Success against updates of imitation and pairs, on fresh and on stored data."""
    names = {"best_of_n": "imitation of the best", "dpo": "DPO"}
    for (rule, data), rows in table.groupby(["rule", "data"], sort=False):
        line = "-" if data == "on policy" else "--"
        name = f"{names[str(rule)]}, {'fresh' if data == 'on policy' else 'stored'} data"
        ax.plot(
            rows["step"], rows["success"], color=colour(str(rule)), linestyle=line, label=name, gid=f"{rule} {data}"
        )
    start = table["success"].iloc[0]
    ax.axhline(start, color=GREY, linewidth=0.8)
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "fontsize": 7}
    ax.annotate(f"start, P = {start:.3f}", (0.98, start), **place)
    ax.set(yscale="log", xlabel="updates", ylabel="success probability P", title="A start far from success, G = 4")
    ax.set_ylim(bottom=ROOM * ax.get_ylim()[0])
    ax.legend(loc="lower right", fontsize=7)


def _variants(ax: Axes, table: pd.DataFrame) -> None:
    """Updates to half success of every variant, the numbers beside the bars."""
    bars = ax.barh(table["variant"], table["updates"], color=[GREY, GREY, BLUE, BLUE][: len(table)])
    ax.bar_label(bars, fmt="%.0f", padding=3, color=INK)
    ax.invert_yaxis()
    ax.set(xlabel="updates until P = 1/2", title="Token-weighted, H = 5, G = 8")
    ax.margins(x=0.15)
    ax.grid(visible=False, axis="y")
