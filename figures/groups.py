"""Figure: share of all-negative groups and gradient norm over training."""

from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from figures import style
from figures.training import COLUMNS, draw_theory, legend, panels


@style.styled
def draw(curves: pd.DataFrame) -> Figure:
    """All-negative share (top) and gradient norm (bottom, logarithmic), one column per (H, optimizer).

    ``curves``: as for the training figure, with columns all_negative and grad_norm (0 where no group gave a
    gradient; such updates leave a gap on the logarithmic axis).
    """
    style.need(curves, [*COLUMNS, "all_negative", "grad_norm"], "the groups figure")
    found = panels(curves)
    if not found:
        raise ValueError("the groups figure needs rows with source 'network'")
    figure, axes = style.blocks(len(found), heights=(1.0, 1.0))
    lowest = []
    for (name, one), (top, bottom), letter in zip(found, axes, ascii_lowercase, strict=False):
        network = one[one["source"] == "network"]
        for rule in style.rules_of(network):
            rows = network[network["rule"] == rule]
            style.draw_seeds(top, rows, "all_negative", rule)
            draw_theory(top, one, rule, "all_negative")
            norms = rows.assign(grad_norm=rows["grad_norm"].where(rows["grad_norm"] > 0))
            for _, seed in norms.groupby("seed"):
                bottom.plot(seed["step"], seed["grad_norm"], color=style.colour(rule), linewidth=0.5, alpha=0.35)
            median = rows.groupby("step")["grad_norm"].median()
            bottom.plot(median.index, median.where(median > 0), color=style.colour(rule), gid=f"median {rule}")
            lowest.append(median[median > 0].min())
            draw_theory(bottom, one, rule, "grad_norm")
        top.set(ylim=(-0.02, 1.02), xlim=(0, network["step"].max()))
        bottom.set_yscale("log")
        bottom.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        bottom.yaxis.set_major_formatter("{x:g}")
        bottom.yaxis.set_minor_locator(NullLocator())
        style.panel_letter(top, letter, name)
        if top.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            top.set_ylabel("share of\nall-negative groups")
            bottom.set_ylabel("gradient norm")
    floor = 0.5 * np.nanmin(lowest)  # single near-zero updates would otherwise squeeze everything else
    for _, bottom in axes:
        bottom.set_ylim(bottom=floor)
    network = curves[curves["source"] == "network"]
    legend(figure, style.rules_of(network))
    style.foot(
        figure,
        f"{style.seeds_note(network)} In the gradient norm, bold is the median over seeds.\n"
        "The theory's norm is that of the mean gradient; a sampled gradient is longer by its noise.",
    )
    return figure
