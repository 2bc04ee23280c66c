"""Figures: predicted against measured half times of all cells, and the errors of forecasts by level of the ladder."""

from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from figures import style, texts
from figures.training import LADDER

OPTIMIZERS = {"sgd": ("SGD", "o"), "adam": ("Adam", "^"), "adamw": ("AdamW", "v")}
"""Label and marker by optimizer."""
LEVELS = {"chain": "chain\nalone", "kernel": "frozen\nkernel", "mean_field": "exact\ngradients", "noisy": "with\nnoise"}
"""Levels of the ladder below an axis."""
TIMES = ["predicted_half", "measured_half"]


def best(comparison: pd.DataFrame) -> pd.DataFrame:
    """The most complete level of every cell (experiment and rule) with both half times.

    ``comparison``: columns experiment, rule, level, predicted_half and measured_half (updates).
    """
    known = comparison.dropna(subset=TIMES)
    order = known["level"].map(LADDER.index).sort_values(kind="stable")
    return known.loc[order.index].groupby(["experiment", "rule"], sort=False).tail(1)


@style.styled
def draw_times(comparison: pd.DataFrame) -> Figure:
    """Predicted against measured updates to half success, a point per cell, both axes logarithmic.

    ``comparison``: columns of `best`, optimizer, collapsed (runs), and predicted_low, predicted_high, measured_low,
    measured_high (updates): 95 % intervals of the means, missing for a single curve. Returns the figure. Raises
    `ValueError` without these columns or without a cell that reaches half success in both.
    """
    ends = [f"{which}_{end}" for which in ("predicted", "measured") for end in ("low", "high")]
    style.need(comparison, ["experiment", "rule", "level", "optimizer", "collapsed", *TIMES, *ends], "the figure")
    table = best(comparison)
    style.need(table, TIMES, "the figure of half times")

    figure = Figure(figsize=(6.2, 5.6), layout="constrained")
    ax = figure.subplots()
    for row in table.to_dict("records"):
        # An interval that goes below no update at all has no place on a logarithmic axis
        x = row["measured_half"]
        y = row["predicted_half"]
        across = [[max(0.0, x - max(row["measured_low"], 0.2 * x))], [max(0.0, row["measured_high"] - x)]]
        along = [[max(0.0, y - max(row["predicted_low"], 0.2 * y))], [max(0.0, row["predicted_high"] - y)]]
        ax.errorbar(
            x,
            y,
            xerr=np.nan_to_num(across),
            yerr=np.nan_to_num(along),
            color=style.colour(row["rule"]),
            marker=OPTIMIZERS[row["optimizer"]][1],
            markerfacecolor="none" if row["collapsed"] > 0 else style.colour(row["rule"]),
            markersize=5,
            elinewidth=0.8,
            linewidth=0,
            zorder=3,
        )

    # The identity, and a tenth to each side of it
    ends_of_axis = np.array([0.7 * table[TIMES].to_numpy().min(), 1.4 * table[TIMES].to_numpy().max()])
    ax.plot(ends_of_axis, ends_of_axis, color=style.INK, linewidth=0.8, gid="identity")
    ax.fill_between(ends_of_axis, ends_of_axis / 1.1, ends_of_axis * 1.1, color=style.GREY, alpha=0.2, linewidth=0)
    ax.set(xscale="log", yscale="log", xlim=ends_of_axis, ylim=ends_of_axis, aspect="equal")
    ax.set(xlabel="measured updates to half success", ylabel="predicted updates to half success")

    # Numbers of updates as people write them, 20 and not 2 x 10^1, also where the axis spans less than a decade
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())

    handles = [
        Line2D([], [], color=style.colour(r), marker="s", lw=0, label=style.label(r)) for r in style.rules_of(table)
    ]
    used = [name for name in OPTIMIZERS if (table["optimizer"] == name).any()]
    handles += [Line2D([], [], color=style.INK, marker=OPTIMIZERS[o][1], lw=0, label=OPTIMIZERS[o][0]) for o in used]
    if (table["collapsed"] > 0).any():
        handles.append(Line2D([], [], color=style.INK, marker="o", mfc="none", lw=0, label="some runs collapse later"))
    ax.legend(handles=handles, loc="upper left")
    left_out = len(comparison[["experiment", "rule"]].drop_duplicates()) - len(table)
    never = f" Left out, because half success is not reached within the run: {left_out}." if left_out else ""
    texts.foot(
        figure,
        f"{len(table)} cells (setting and rule), each by its most complete forecast. Points: medians. Bars: 95 % "
        "intervals of the mean over runs and over forecasts (Student t), cut at a fifth of the median. "
        f"Line: identity; band: 10 % off.{never}",
    )
    return figure


@style.styled
def draw_errors(comparison: pd.DataFrame) -> Figure:
    """How far predicted half times are off by level of the ladder, a panel per optimizer, a point per cell.

    ``comparison``: columns experiment, rule, level, optimizer, ratio (predicted over measured) and collapsed (runs).
    Returns the figure. Raises `ValueError` without these columns or without a ratio.
    """
    style.need(comparison, ["experiment", "rule", "level", "optimizer", "ratio", "collapsed"], "the figure of errors")
    table = comparison.dropna(subset=["ratio"])
    style.need(table, ["ratio"], "the figure of errors")
    used = [name for name in OPTIMIZERS if (table["optimizer"] == name).any()]
    levels = [name for name in LADDER if (table["level"] == name).any()]

    figure = Figure(figsize=(2.9 * len(used) + 1.2, 3.6), layout="constrained")
    for ax, optimizer, letter in zip(
        figure.subplots(1, len(used), sharey=True, squeeze=False)[0], used, ascii_lowercase, strict=False
    ):
        for place, level in enumerate(levels):
            one = table[(table["optimizer"] == optimizer) & (table["level"] == level)]
            error = 100 * (one["ratio"] - 1)

            # Side by side, so that equal errors do not hide each other
            aside = np.linspace(-0.25, 0.25, len(one)) if len(one) > 1 else np.zeros(len(one))
            for x, y, rule, collapsed in zip(place + aside, error, one["rule"], one["collapsed"], strict=True):
                face = "none" if collapsed > 0 else style.colour(rule)
                ax.plot(x, y, marker="o", markersize=4, color=style.colour(rule), markerfacecolor=face)
            if len(one):
                ax.hlines(error.median(), place - 0.35, place + 0.35, color=style.INK, gid=f"median {level}")
        ax.axhline(0, color=style.INK, linewidth=0.8)
        ax.set_xticks(range(len(levels)), [LEVELS[level] for level in levels])
        ax.set_yscale("symlog", linthresh=5)
        ax.set_yticks([-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50], minor=False)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:+g}" if value else "0")
        ax.yaxis.minorticks_off()
        texts.panel_letter(ax, letter, OPTIMIZERS[optimizer][0])
    figure.axes[0].set_ylabel("predicted minus measured\nhalf time, per cent")
    handles = [
        Line2D([], [], color=style.colour(r), marker="o", lw=0, label=style.label(r)) for r in style.rules_of(table)
    ]
    if (table["collapsed"] > 0).any():
        handles.append(Line2D([], [], color=style.INK, marker="o", mfc="none", lw=0, label="some runs collapse later"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    texts.foot(
        figure, "A point per cell (setting and rule), of the median over warm starts. Bars: median of the cells."
    )
    return figure
