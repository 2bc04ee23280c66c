"""Figure: success on the ten suites, the lead over GRPO by size and start, and training on stored rollouts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style, texts
from figures.suites.runs import COLUMNS, START, draw_point, rule_marks, seeds_note, success, usual_size

SIZES = ("small", "medium", "large")
STARTS = (("base", -0.12, "o"), ("distilled", 0.12, "s"))
"""The starts, each with its place beside a tick and its marker."""

GROUPS = {"all_negative": "all-\nnegative\ngroups", "some_correct": "groups\nwith a\ncorrect one"}
LEAD = "mean success of the trained suites, minus GRPO's"
MEAN = "mean success of the trained suites"


@style.styled
def draw(table: pd.DataFrame, trained: Sequence[str], offline: pd.DataFrame | None = None) -> Figure:
    """Success by suite (a), SPO's lead by size and start (b), training on stored rollouts (c).

    ``table``, ``offline``: columns of `figures.suites.runs.COLUMNS`, suite, metric, value (a probability); rule "none"
    is the start. ``trained``: the suites trained on. Without ``offline`` there is no panel (c).
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, [*COLUMNS, "suite", "metric", "value"], "the suites figure")

    # Panel (a) is of the usual runs alone: other sizes and starts come in (b).
    panels = 2 if offline is None else 3
    figure = Figure(figsize=(3.2 + 2.9 * (panels - 1), 4.6), layout="constrained")
    axes = figure.subplots(1, panels, width_ratios=[1.25, 1, 0.9][:panels])
    size = usual_size(table)
    usual = table[(table["optimizer"] == "adamw") & (table["size"] == size) & (table["start"] == "base")]
    rules = [r for r in style.rules_of(success(usual)) if r != "none"]

    # Held-out suites are shown here only: all means below are of the suites trained on.
    _by_suite(axes[0], success(usual), rules, trained)
    texts.panel_letter(axes[0], "a", f"by suite, {size} base, AdamW")

    mean = success(table, trained).groupby(["optimizer", "size", "start", "rule", "seed"])["value"].mean()
    _leads(axes[1], table, mean, rules[1:])
    texts.panel_letter(axes[1], "b", "lead by size and start")

    # The success before training is the level that stored rollouts have to beat.
    if offline is not None:
        _stored(axes[2], success(offline, trained), before=float(mean["adamw", size, "base", "none"].mean()))
        texts.panel_letter(axes[2], "c", "stored rollouts, AdamW")

    # The start is no rule, so it has a handle of its own.
    before = Line2D([], [], linestyle="", label="before training", markersize=4, **START)
    figure.legend(handles=[*rule_marks(rules), before], loc="outside upper center", ncols=4)
    texts.foot(figure, f"{seeds_note(table[table['rule'] != 'none'])} AdamW where no optimizer is named.")
    return figure


def _by_suite(ax: Axes, rows: pd.DataFrame, rules: Sequence[str], trained: Sequence[str]) -> None:
    """One line for each suite: every rule, and the start."""
    suites = list(dict.fromkeys(rows["suite"]))
    shifts = np.linspace(-0.2, 0.2, len(rules))
    for i, suite in enumerate(suites):
        one = rows[rows["suite"] == suite]
        for rule, shift in zip(rules, shifts, strict=True):
            draw_point(ax, i + shift, one[one["rule"] == rule]["value"], across=True, color=style.colour(rule))
        before = one[one["rule"] == "none"]["value"]
        ax.plot(before, np.full(len(before), i), linestyle="", markersize=4, **START)
    ax.set_yticks(range(len(suites)), [s if s in trained else f"{s} (held out)" for s in suites])
    ax.invert_yaxis()
    ax.set(xlabel="success", xlim=(-0.02, None))


def _leads(ax: Axes, table: pd.DataFrame, mean: pd.Series, rules: Sequence[str]) -> None:
    """For every optimizer and size what ``rules`` gain over GRPO with the same seed, from each start."""
    # AdamW by size first; runs with another optimizer are exceptions and stand behind, by name.
    places = [("adamw", size) for size in SIZES if size in set(table["size"])]
    tried = dict.fromkeys(zip(table["optimizer"], table["size"], strict=True))
    places += [(optimizer, size) for optimizer, size in tried if optimizer != "adamw"]

    # Differences between runs of one seed: what seeds have in common drops out.
    for start, shift, marker in STARTS:
        for i, (optimizer, size) in enumerate(places):
            for rule in rules:
                run = (optimizer, size, start)
                if (*run, rule) in mean.index and (*run, "grpo") in mean.index:
                    lead = mean[(*run, rule)] - mean[(*run, "grpo")]
                    beside = shift + 0.08 * (rule != "spo")
                    draw_point(ax, i + beside, lead, color=style.colour(rule), marker=marker)

    # Colours are those of the rules, so the starts differ by marker and have a legend here.
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set_xticks(range(len(places)), [s if o == "adamw" else f"{s},\n{o.upper()}" for o, s in places])
    ax.set(xlabel="size of the network", ylabel=LEAD, xlim=(-0.6, len(places) - 0.4))
    marks = [
        Line2D([], [], color="0.4", marker=marker, linestyle="", label=f"{start} start") for start, _, marker in STARTS
    ]
    ax.legend(handles=marks, loc="lower right")


def _stored(ax: Axes, rows: pd.DataFrame, before: float) -> None:
    """Success after training on a stored set of rollouts, by the groups that were used; ``before``: the start's."""
    stored = rows.groupby(["train_on", "rule", "seed"])["value"].mean()
    kinds = list(dict.fromkeys(zip(rows["train_on"], rows["rule"], strict=True)))
    for i, (groups, rule) in enumerate(kinds):
        draw_point(ax, i, stored[groups, rule], color=style.colour(rule))
    ax.axhline(before, color=START["color"], linestyle="--", linewidth=1)
    place: dict[str, Any] = {"xytext": (-2, 3), "textcoords": "offset points", "ha": "right", "fontsize": 8}
    ax.annotate("start", (len(kinds) - 0.4, before), **place)
    ax.set_xticks(range(len(kinds)), [GROUPS[groups] for groups, _ in kinds], fontsize=7)
    ax.set(xlim=(-0.6, len(kinds) - 0.4), ylim=(0, None), ylabel=MEAN)
