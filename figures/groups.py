"""Figure: share of all-negative groups and gradient norm over training."""

from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from figures import style, texts
from figures.training import COLUMNS, draw_theory, legend, panels


@style.styled
def draw(curves: pd.DataFrame) -> Figure:
    """All-negative share (top) and gradient norm (bottom, logarithmic), one column per (H, optimizer).

    ``curves``: as for the training figure, with columns all_negative (share of groups, 0 to 1) and grad_norm (length
    of the gradient, 0 where no group gave one; such updates leave a gap on the logarithmic axis).
    Returns the figure. Raises `ValueError` for a table without these columns, without rows or without rows of
    source "network".
    """
    style.need(curves, [*COLUMNS, "all_negative", "grad_norm"], "the groups figure")
    found = panels(curves)
    if not found:
        raise ValueError("the groups figure needs rows with source 'network'")

    # Share above norm on a common x axis: where groups fall silent, the gradient below must shrink.
    figure, axes = style.blocks(len(found), heights=(1.0, 1.0))
    lowest = []
    for (name, one), (top, bottom), letter in zip(found, axes, ascii_lowercase, strict=False):
        network = one[one["source"] == "network"]
        for rule in style.rules_of(network):
            rows = network[network["rule"] == rule]
            style.draw_seeds(top, rows, "all_negative", rule)
            draw_theory(top, one, rule, "all_negative")
            lowest.append(_norms(bottom, rows, rule))
            draw_theory(bottom, one, rule, "grad_norm")
            lowest.append(_least(bottom, floor=LOWEST * lowest[-1]))

        # Axes are common to a row of panels, so the first panel alone has labels.
        top.set(ylim=(-0.02, 1.02), xlim=(0, network["step"].max()))
        texts.panel_letter(top, letter, name)
        if top.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            top.set_ylabel("share of\nall-negative groups")
            bottom.set_ylabel("gradient norm")

    # Single updates of almost no length would squeeze everything else: the axis ends below medians and theory.
    for _, bottom in axes:
        bottom.set_yscale("log")
        bottom.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        bottom.yaxis.set_major_formatter("{x:g}")
        bottom.yaxis.set_minor_locator(NullLocator())
        bottom.set_ylim(bottom=0.5 * np.nanmin(lowest))

    # The foot says what theory leaves out: sampling noise makes a gradient longer than its mean.
    network = curves[curves["source"] == "network"]
    legend(figure, style.rules_of(network))
    texts.foot(
        figure,
        f"{style.seeds_note(network)} In the gradient norm, bold is the median over seeds.\n"
        "The theory's norm is that of the mean gradient; a sampled gradient is longer by its noise.",
    )
    return figure


LOWEST = 0.02
"""How far below the least median the theory is followed."""


def _least(ax: Axes, floor: float) -> float:
    """The least value of the line that was drawn last, not below ``floor``."""
    values = np.asarray(ax.lines[-1].get_ydata(), float)
    return float(max(np.nanmin(values[values > 0], initial=np.inf), floor))


def _norms(ax: Axes, rows: pd.DataFrame, rule: str) -> float:
    """The gradient norm of every seed, faintly, and its median, where they are above 0; returns the least median."""
    norms = rows.assign(grad_norm=rows["grad_norm"].where(rows["grad_norm"] > 0))
    for _, seed in norms.groupby("seed"):
        ax.plot(seed["step"], seed["grad_norm"], color=style.colour(rule), linewidth=0.5, alpha=0.35)
    median = rows.groupby("step")["grad_norm"].median()
    ax.plot(
        median.index, median.where(median > 0), color=style.colour(rule), gid=f"median {rule}", label=style.label(rule)
    )
    return float(median[median > 0].min())
