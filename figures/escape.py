"""Figure: updates to half success against the number of steps H, theory with Monte Carlo on top."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from figures import style


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """Median, smallest and largest over seeds; a run that never arrived counts as infinitely long."""
    filled = table.assign(updates=table["updates"].fillna(np.inf))
    grouped = filled.groupby("horizon")["updates"]
    return pd.DataFrame({"median": grouped.median(), "low": grouped.min(), "high": grouped.max()})


@style.styled
def draw(table: pd.DataFrame, setting: str = "") -> Figure:
    """Updates until success reaches 1/2 against H: logarithmic axis left, linear axis and SPO alone right.

    ``table``: columns source ("theory" or "monte_carlo"), rule, group_size, horizon, seed, updates (NaN: never).
    """
    style.need(table, ["source", "rule", "group_size", "horizon", "seed", "updates"], "the escape figure")
    sizes = sorted(table["group_size"].unique())
    marker = dict(zip(sizes, ["o", "s", "^", "D"], strict=False))
    shift = dict(zip(sizes, np.linspace(-0.09, 0.09, len(sizes)) if len(sizes) > 1 else [0.0], strict=True))
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    for ax, rules in ((left, style.rules_of(table)), (right, ["spo"])):
        for rule in rules:
            for size in sizes:
                one = table[(table["rule"] == rule) & (table["group_size"] == size)]
                theory = one[one["source"] == "theory"].sort_values("horizon")
                ax.plot(
                    theory["horizon"],
                    theory["updates"],
                    color=style.dark(rule),
                    **(style.THEORY_LINE | {"linestyle": (0, (4, 2)) if size == sizes[0] else (0, (1.5, 1.2))}),
                )
                seeds = _summary(one[one["source"] == "monte_carlo"])
                seeds = seeds[np.isfinite(seeds["median"])]
                high = seeds["high"].where(np.isfinite(seeds["high"]), seeds["median"])
                ax.errorbar(
                    seeds.index + shift[size],
                    seeds["median"],
                    yerr=[seeds["median"] - seeds["low"], high - seeds["median"]],
                    fmt=marker[size],
                    color=style.colour(rule),
                    markersize=4.5,
                    elinewidth=1.2,
                    capsize=2,
                    zorder=5,
                    markerfacecolor="white" if size != sizes[0] else None,
                )
        ax.set_xlabel("steps per question, H")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(yscale="log", ylabel="updates until success reaches 1/2")
    right.set_ylim(bottom=0)
    style.panel_letter(left, "a", "every rule, logarithmic axis")
    style.panel_letter(right, "b", "SPO alone, linear axis")
    handles = []
    for rule in style.rules_of(table):
        for size in sizes:
            first = size == sizes[0]
            handles.append(
                Line2D(
                    [],
                    [],
                    color=style.colour(rule),
                    marker=marker[size],
                    markersize=4.5,
                    markerfacecolor=None if first else "white",
                    linestyle=(0, (4, 2)) if first else (0, (1.5, 1.2)),
                    linewidth=1.2,
                    label=f"{style.label(rule)}, G = {size}",
                )
            )
    left.legend(handles=handles, loc="upper left")
    n = table.loc[table["source"] == "monte_carlo", "seed"].nunique()
    style.foot(
        figure,
        f"Lines: exact theory. Points: median of {n} seeds of sampled groups; bars: smallest to largest seed."
        + (f"\n{setting}" if setting else ""),
    )
    return figure
