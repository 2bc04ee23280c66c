"""Figure: the paper's two-step model, its Fig. 2 beside the map of starting points."""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from figures import style

_DOTS = (0, (1.5, 1.2))


@style.styled
def draw(curves: pd.DataFrame, grid: pd.DataFrame, boundary: pd.DataFrame) -> Figure:
    """The paper's Fig. 2, the difference of the rules from several starts, and where one coloured step is better.

    ``curves``: columns rule, start_p, start_q, step, p, success; the first starting point is the paper's. ``grid``:
    columns p, q, gain (success after one coloured step minus after one GRPO step) on a rectangular grid.
    ``boundary``: columns p, q, the curve on which both first steps gain the same to first order.
    """
    style.need(curves, ["rule", "start_p", "start_q", "step", "p", "success"], "the two-step figure (curves)")
    style.need(grid, ["p", "q", "gain"], "the two-step figure (map)")
    starts = list(curves.groupby(["start_p", "start_q"], sort=False))
    figure = Figure(figsize=(10.4, 3.9), layout="constrained")
    first, second, ax = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])

    (p0, q0), paper = starts[0]
    for rule in style.rules_of(paper):
        rows, name = paper[paper["rule"] == rule], style.label(rule)
        first.plot(rows["step"], rows["p"], color=style.colour(rule), linestyle=_DOTS, label=f"{name}: p")
        first.plot(rows["step"], rows["success"], color=style.colour(rule), label=f"{name}: pq (success)")
    first.set(xlabel="iterations", ylabel="probability", ylim=(0, 1.02), xlim=(0, paper["step"].max()))
    first.legend(loc="lower right")
    style.panel_letter(first, "a", f"from p = {p0:g}, q = {q0:g} (paper, Fig. 2)")

    second.axhline(0, color=style.INK, linewidth=0.8)
    for ((p0, q0), one), line in zip(starts, ["-", (0, (5, 1.5)), _DOTS], strict=False):
        wide = one.pivot_table(index="step", columns="rule", values="success")
        gap = wide["spo"] - wide["grpo"]
        second.plot(gap.index, gap, color=style.INK, linestyle=line, label=f"from p = {p0:g}, q = {q0:g}")
    second.set(xlabel="iterations", ylabel="pq under SPO minus pq under GRPO", xlim=(0, paper["step"].max()))
    second.legend(loc="upper right")
    style.panel_letter(second, "b", "lead of SPO")

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
    ax.set(xlabel="starting p", ylabel="starting q")
    ax.set(xlim=(p.min(), p.max()), ylim=(q.min(), q.max()))
    ax.grid(False)
    style.panel_letter(ax, "c", "which first iteration gains more")
    bar = figure.colorbar(mesh, ax=ax, label="pq after one iteration,\nSPO minus GRPO (thousandths)")
    bar.set_ticks([values.min(), 0.0, values.max() / 2, values.max()])
    bar.ax.set_yticklabels([f"{1000 * v:+.1f}" if v else "0" for v in bar.get_ticks()])
    style.foot(
        figure,
        "Two steps of accuracy p and q; groups of 2; rewards 0, 1/2, 1; step size 1; exact updates.\n"
        f"Map: solid line, equal gain; dashed, 1 - p = q(1 - q); SPO gains less on {np.mean(values < 0):.0%} of the "
        "square (red). Circles: the starts of (a) and (b).",
    )
    return figure
