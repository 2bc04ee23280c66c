"""Figure: pass@k against k before and after training, from each start."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style, texts
from figures.suites.runs import COLUMNS, START, usual_size


@style.styled
def draw(table: pd.DataFrame, trained: Sequence[str]) -> Figure:
    """pass@k against k, mean over the trained suites, base and distilled start side by side.

    ``table``: columns of `figures.suites.runs.COLUMNS`, suite, metric, k (responses), value (a probability); rule
    "none" is the start. ``trained``: the suites trained on.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, [*COLUMNS, "suite", "metric", "k", "value"], "the pass@k figure")

    # Only runs that differ in nothing but rule, seed and start belong into one mean.
    size = usual_size(table)
    usual = table[(table["size"] == size) & (table["optimizer"] == "adamw")]
    rows = usual[(usual["metric"] == "pass@k") & usual["suite"].isin(trained)]
    starts = [start for start in ("base", "distilled") if start in set(rows["start"])]
    figure = Figure(figsize=(1.2 + 3.2 * len(starts), 3.6), layout="constrained")
    axes = figure.subplots(1, len(starts), sharey=True, squeeze=False)[0]

    # `draw_seeds` takes its x values from a column step: here k stands in for it.
    for ax, start, letter in zip(axes, starts, "ab", strict=False):
        mean = rows[rows["start"] == start].groupby(["rule", "seed", "k"])["value"].mean().reset_index()
        for rule in style.rules_of(mean):
            one = mean[mean["rule"] == rule].assign(step=lambda part: part["k"].astype(float))
            if rule == "none":
                ax.plot(one["step"], one["value"], linestyle="--", markersize=3.5, **START)
            else:
                style.draw_seeds(ax, one, "value", rule)
        ax.set_xscale("log", base=2)
        ks = sorted(set(mean["k"].astype(int)))
        ax.set_xticks(ks, labels=ks)
        ax.set(xlabel="k", ylim=(0, 1))
        texts.panel_letter(ax, letter, f"{size} network, {start} start")
    axes[0].set_ylabel("pass@k, mean of the trained suites")

    # The start is no rule, so it has a handle of its own.
    rules = [rule for rule in style.rules_of(rows) if rule != "none"]
    handles = [Line2D([], [], color=style.colour(rule), label=style.label(rule)) for rule in rules]
    handles.append(Line2D([], [], linestyle="--", label="before training", markersize=3.5, **START))
    figure.legend(handles=handles, loc="outside upper center", ncols=2 * len(starts))
    texts.foot(figure, style.seeds_note(rows[rows["rule"] != "none"]) + " pass@k is the unbiased estimate.")
    return figure
