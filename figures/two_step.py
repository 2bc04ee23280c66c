"""Figure: the paper's two-step model, its Fig. 2 beside the map of starting points."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style, texts

_DOTS = (0, (1.5, 1.2))
_LINES = ("-", (0, (5, 1.5)), _DOTS)
_LITTLE = 1e-9
"""Least reach of the colours, where a map is 0 everywhere."""
_LEVELS = (-6, -4, -2, 2, 4, 6, 8)
"""Contours of the map, in thousandths."""


@style.styled
def draw(curves: pd.DataFrame, grid: pd.DataFrame, boundary: pd.DataFrame) -> Figure:
    """The paper's Fig. 2, the difference of the rules from several starts, and where one coloured step is better.

    ``curves``: columns rule, start_p, start_q, step (iterations), p, success; the first start is the paper's.
    ``grid``: columns p, q, gain (success after one coloured step minus after one GRPO step) on a rectangular grid.
    ``boundary``: columns p, q, the curve on which both first steps gain the same to first order. All but rule and step
    are probabilities or their differences.
    Returns the figure. Raises `ValueError` for curves or a grid without these columns or without rows.
    """
    style.need(curves, ["rule", "start_p", "start_q", "step", "p", "success"], "the two-step figure (curves)")
    style.need(grid, ["p", "q", "gain"], "the two-step figure (map)")

    # Starts keep the order of the table, whose first one is the paper's.
    starts = dict(iter(curves.groupby(["start_p", "start_q"], sort=False)))
    figure = Figure(figsize=(10.4, 3.9), layout="constrained")
    paths, leads, gains = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])

    # The published picture first, then what it does not show: other starts, and all of them.
    (p, q), paper = next(iter(starts.items()))
    _paths(paths, paper)
    texts.panel_letter(paths, "a", f"from p = {p:g}, q = {q:g} (paper, Fig. 2)")

    # Other starts as differences: in pairs of curves a small lead would not be seen.
    _leads(leads, starts, last=int(paper["step"].max()))
    texts.panel_letter(leads, "b", "lead of SPO")

    # Forecast and exact map in one panel: the dashed curve should lie near the line of equal gain.
    _gains(gains, grid)
    gains.plot(boundary["p"], boundary["q"], color=style.INK, **style.THEORY_LINE)
    for p, q in starts:
        gains.plot(p, q, "o", color="white", markeredgecolor=style.INK, markersize=6, zorder=6)
    texts.panel_letter(gains, "c", "which first iteration gains more")

    # On how much of the square SPO gains less cannot be read off the map.
    texts.foot(
        figure,
        "Two steps of accuracy p and q; groups of 2; rewards 0, 1/2, 1; step size 1; exact updates.\n"
        f"Map: solid line, equal gain; dashed, 1 - p = q(1 - q); SPO gains less on {(grid['gain'] < 0).mean():.0%} of "
        "the square (red). Circles: the starts of (a) and (b).",
    )
    return figure


def _paths(ax: Axes, paper: pd.DataFrame) -> None:
    """p and success of every rule from the paper's start."""
    for rule in style.rules_of(paper):
        rows = paper[paper["rule"] == rule]
        name = style.label(rule)
        ax.plot(rows["step"], rows["p"], color=style.colour(rule), linestyle=_DOTS, label=f"{name}: p")
        ax.plot(rows["step"], rows["success"], color=style.colour(rule), label=f"{name}: pq (success)")
    ax.set(xlabel="iterations", ylabel="probability", ylim=(0, 1.02), xlim=(0, paper["step"].max()))
    ax.legend(loc="lower right")


def _leads(ax: Axes, starts: dict, last: int) -> None:
    """Success under SPO minus that under GRPO from every start."""
    ax.axhline(0, color=style.INK, linewidth=0.8)
    for ((p, q), one), line in zip(starts.items(), _LINES, strict=False):
        wide = one.pivot_table(index="step", columns="rule", values="success")
        gap = wide["spo"] - wide["grpo"]
        ax.plot(gap.index, gap, color=style.INK, linestyle=line, label=f"from p = {p:g}, q = {q:g}")
    ax.set(xlabel="iterations", ylabel="pq under SPO minus pq under GRPO", xlim=(0, last))
    ax.legend(loc="upper right")


def _gains(ax: Axes, grid: pd.DataFrame) -> None:
    """The map of what the first iteration gains under SPO over GRPO, with its line of equal gain."""
    table = grid.pivot_table(index="q", columns="p", values="gain").sort_index()
    p = table.columns.to_numpy(float)
    q = table.index.to_numpy(float)

    # Gains are small: thousandths read better than four decimals. One scale on both sides of 0, so that equally strong
    # colours are equally large effects; lines with numbers keep small losses readable.
    values = 1000 * table.to_numpy()
    reach = max(np.abs(values).max(), _LITTLE)
    mesh = ax.pcolormesh(p, q, values, cmap="RdBu", vmin=-reach, vmax=reach, shading="nearest", rasterized=True)
    ax.contour(p, q, values, levels=[0.0], colors=style.INK, linewidths=1.4)
    levels = [level for level in _LEVELS if values.min() < level < values.max()]
    if levels:
        lines = ax.contour(p, q, values, levels=levels, colors=style.INK, linewidths=0.5, linestyles="-")
        ax.clabel(lines, fmt="%+d", fontsize=7)
    ax.set(xlabel="starting p", ylabel="starting q", xlim=(p.min(), p.max()), ylim=(q.min(), q.max()))
    ax.grid(False)

    ax.figure.colorbar(mesh, ax=ax, label="pq after one iteration,\nSPO minus GRPO (thousandths)", format="%+d")
