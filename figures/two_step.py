"""Figure: the paper's two-step model, its Fig. 2 beside the map of starting points."""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from figures import style


@style.styled
def draw(curves: pd.DataFrame, grid: pd.DataFrame, boundary: pd.DataFrame) -> Figure:
    """p and p q over iterations for each starting point of ``curves``, and where one coloured step is better.

    ``curves``: columns rule, start_p, start_q, step, p, success; one panel per starting point. ``grid``:
    columns p, q, gain (success after one coloured step minus after one GRPO step) on a rectangular grid.
    ``boundary``: columns p, q, the curve on which both first steps gain the same to first order.
    """
    style.need(curves, ["rule", "start_p", "start_q", "step", "p", "success"], "the two-step figure (curves)")
    style.need(grid, ["p", "q", "gain"], "the two-step figure (map)")
    starts = list(curves.groupby(["start_p", "start_q"], sort=False))
    figure = Figure(figsize=(3.0 * len(starts) + 3.8, 3.7), layout="constrained")
    axes = figure.subplots(1, len(starts) + 1, width_ratios=[1] * len(starts) + [1.2], squeeze=False)[0]
    for ax, ((p0, q0), one), letter in zip(axes, starts, "abcdefg", strict=False):
        for rule in style.rules_of(one):
            rows = one[one["rule"] == rule]
            ax.plot(rows["step"], rows["p"], color=style.colour(rule), linestyle=(0, (1.5, 1.2)), linewidth=1.4)
            ax.plot(rows["step"], rows["success"], color=style.colour(rule))
        ax.set(xlabel="iterations", ylim=(0, 1.02), xlim=(0, one["step"].max()))
        style.panel_letter(ax, letter, f"start p = {p0:g}, q = {q0:g}")
    axes[0].set_ylabel("probability")
    first = axes[0]
    for rule in style.rules_of(curves):
        first.plot([], [], color=style.colour(rule), label=f"{style.label(rule)}: pq (success)")
        first.plot([], [], color=style.colour(rule), linestyle=(0, (1.5, 1.2)), label=f"{style.label(rule)}: p")
    first.legend(loc="lower right")

    ax = axes[-1]
    table = grid.pivot_table(index="q", columns="p", values="gain").sort_index()
    values = table.to_numpy()
    p, q = table.columns.to_numpy(float), table.index.to_numpy(float)
    # Same share of both colours on either side of zero, so that the (small) losses stay visible
    norm = TwoSlopeNorm(0.0, min(values.min(), -1e-9), max(values.max(), 1e-9))
    mesh = ax.pcolormesh(p, q, values, cmap="RdBu", norm=norm, shading="nearest", rasterized=True)
    ax.contour(p, q, values, levels=[0.0], colors=style.INK, linewidths=1.4)
    ax.plot(boundary["p"], boundary["q"], color=style.INK, **style.THEORY_LINE)
    for (p0, q0), _ in starts:
        ax.plot(p0, q0, "o", color="white", markeredgecolor=style.INK, markersize=6, zorder=6)
    ax.set(xlabel="starting p: first step right", ylabel="starting q: second step right, given the first")
    ax.set(xlim=(p.min(), p.max()), ylim=(q.min(), q.max()))
    ax.grid(False)
    style.panel_letter(ax, "abcdefg"[len(starts)], "which first step gains more")
    bar = figure.colorbar(mesh, ax=ax, label="success after one step: SPO minus GRPO")
    bar.set_ticks([values.min(), values.min() / 2, 0.0, values.max() / 2, values.max()])
    bar.ax.set_yticklabels([f"{v:+.3f}" if v else "0" for v in bar.get_ticks()])
    lost = np.mean(values < 0)
    style.foot(
        figure,
        "Two steps, two responses per group, rewards 0, 1/2, 1, step size 1, exact updates. "
        f"Map: solid line, equal gain; dashed, 1 - p = q(1 - q); SPO's step gains less on {lost:.0%} of the square; "
        "circles: starts of the other panels.",
    )
    return figure
