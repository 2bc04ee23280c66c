"""Figures of the ten suites: success by suite and size, pass@k, judges, colouring against judge noise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import t as student

from figures import style

LABELS = [
    "size",
    "start",
    "rule",
    "seed",
    "miss",
    "false_alarm",
    "votes",
    "train_on",
    "mode",
    "rts_length",
    "optimizer",
]
START: dict[str, Any] = {"color": "0.45", "marker": "D"}
SIZES = ("small", "medium", "large")


def _interval(values: pd.Series) -> tuple[float, float]:
    """Mean over seeds and half its 95 % Student t interval (NaN below three seeds)."""
    n = len(values)
    half = student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n) if n > 2 else np.nan
    return float(values.mean()), float(half)


def _point(ax: Axes, x: float, values: pd.Series, color: str, marker: str = "o", across: bool = False) -> None:
    """Each seed faintly, their mean and its interval, at ``x`` (or at height ``x`` if ``across``)."""
    mean, half = _interval(values)
    place = np.full(len(values), x)
    seeds = (values, place) if across else (place, values)
    ax.plot(*seeds, ".", color=color, alpha=0.45, markersize=4, zorder=2)
    bar = None if np.isnan(half) else half
    x_bar, y_bar = (bar, None) if across else (None, bar)
    centre = (mean, x) if across else (x, mean)
    ax.errorbar(*centre, xerr=x_bar, yerr=y_bar, fmt=marker, color=color, markersize=5, capsize=2.5, zorder=3)


def _middle(table: pd.DataFrame) -> str:
    return "medium" if "medium" in set(table["size"]) else str(table["size"].iloc[0])


def _note(table: pd.DataFrame) -> str:
    n = table["seed"].nunique()
    bars = "bars: 95 % intervals of the mean (Student t)" if n > 2 else "too few for intervals"
    return f"Large marks: mean of {n} seeds; {bars}. Small dots: each seed."


def success(table: pd.DataFrame, suites: Sequence[str] | None = None) -> pd.DataFrame:
    """Success at the end by run and suite, with what the run is; of ``suites`` or all."""
    rows = table[(table["metric"] == "success") & table["suite"].notna()]
    return rows if suites is None else rows[rows["suite"].isin(suites)]


@style.styled
def draw(table: pd.DataFrame, trained: Sequence[str], offline: pd.DataFrame | None = None) -> Figure:
    """Success by suite (a), SPO's lead by size and start (b), training on stored rollouts (c).

    ``table``: columns of LABELS, suite, metric, value; rule "none" is the start. ``trained``: the suites trained on.
    """
    style.need(table, [*LABELS, "suite", "metric", "value"], "the suites figure")
    panels = 2 if offline is None else 3
    figure = Figure(figsize=(3.2 + 2.9 * (panels - 1), 4.6), layout="constrained")
    axes = figure.subplots(1, panels, width_ratios=[1.25, 1, 0.9][:panels])
    size = _middle(table)
    usual = table[table["optimizer"] == "adamw"]
    one = success(usual[(usual["size"] == size) & (usual["start"] == "base")])
    suites = list(dict.fromkeys(one["suite"]))
    rules = [r for r in style.rules_of(one) if r != "none"]
    for i, suite in enumerate(suites):
        here = one[one["suite"] == suite]
        for r, shift in zip(rules, np.linspace(-0.2, 0.2, len(rules)), strict=True):
            _point(axes[0], i + shift, here[here["rule"] == r]["value"], across=True, color=style.colour(r))
        before = here[here["rule"] == "none"]["value"]
        axes[0].plot(before, np.full(len(before), i), linestyle="", markersize=4, **START)
    axes[0].set_yticks(range(len(suites)), [s if s in trained else f"{s} (held out)" for s in suites])
    axes[0].invert_yaxis()
    axes[0].set(xlabel="success", xlim=(-0.02, None))
    style.panel_letter(axes[0], "a", f"by suite, {size} base network")

    mean = success(table, trained).groupby(["optimizer", "size", "start", "rule", "seed"])["value"].mean()
    places = [("adamw", s) for s in SIZES if s in set(table["size"])]
    places += [(o, s) for o, s in dict.fromkeys(zip(table["optimizer"], table["size"], strict=True)) if o != "adamw"]
    for start, shift, mark in (("base", -0.12, "o"), ("distilled", 0.12, "s")):
        for i, (optimizer, s) in enumerate(places):
            for r in rules[1:]:
                if (optimizer, s, start, r) in mean.index and (optimizer, s, start, "grpo") in mean.index:
                    lead = mean[optimizer, s, start, r] - mean[optimizer, s, start, "grpo"]
                    off = shift + 0.08 * (r != "spo")
                    _point(axes[1], i + off, lead, color=style.colour(r), marker=mark)
    axes[1].axhline(0, color="0.4", linewidth=0.8)
    axes[1].set_xticks(range(len(places)), [s if o == "adamw" else f"{s},\n{o.upper()}" for o, s in places])
    axes[1].set(xlabel="size of the network", ylabel="mean success of the trained suites, minus GRPO's")
    marks = [
        Line2D([], [], color="0.4", marker=m, linestyle="", label=f"{k} start")
        for k, m in (("base", "o"), ("distilled", "s"))
    ]
    axes[1].legend(handles=marks, loc="lower right")
    style.panel_letter(axes[1], "b", "lead by size and start")

    if offline is not None:
        names = {"all_negative": "all-\nnegative\ngroups", "some_correct": "groups\nwith a\ncorrect one"}
        stored = success(offline, trained).groupby(["train_on", "rule", "seed"])["value"].mean()
        kinds = list(dict.fromkeys(zip(offline["train_on"], offline["rule"], strict=True)))
        for i, (groups, r) in enumerate(kinds):
            _point(axes[2], i, stored[groups, r], color=style.colour(r))
        before = float(mean["adamw", size, "base", "none"].mean())
        axes[2].axhline(before, color=START["color"], linestyle="--", linewidth=1)
        axes[2].annotate("start", (len(kinds) - 0.6, before), xytext=(0, 3), textcoords="offset points", fontsize=8)
        axes[2].set_xticks(range(len(kinds)), [names[g] for g, _ in kinds], fontsize=7)
        axes[2].set(xlim=(-0.6, len(kinds) - 0.4), ylim=(0, None), ylabel="mean success of the trained suites")
        style.panel_letter(axes[2], "c", "on stored rollouts")
    handles = [Line2D([], [], color=style.colour(r), marker="o", linestyle="", label=style.label(r)) for r in rules]
    handles.append(Line2D([], [], linestyle="", label="before training", markersize=4, **START))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    style.foot(figure, _note(table[table["rule"] != "none"]))
    return figure


@style.styled
def draw_pass(table: pd.DataFrame, trained: Sequence[str]) -> Figure:
    """pass@k against k, mean over the trained suites, base and distilled start side by side."""
    style.need(table, [*LABELS, "suite", "metric", "k", "value"], "the pass@k figure")
    size = _middle(table)
    usual = table[(table["size"] == size) & (table["optimizer"] == "adamw")]
    rows = usual[(usual["metric"] == "pass@k") & usual["suite"].isin(trained)]
    starts = [s for s in ("base", "distilled") if s in set(rows["start"])]
    figure = Figure(figsize=(1.2 + 3.2 * len(starts), 3.6), layout="constrained")
    axes = figure.subplots(1, len(starts), sharey=True, squeeze=False)[0]
    for ax, start, letter in zip(axes, starts, "ab", strict=False):
        mean = rows[rows["start"] == start].groupby(["rule", "seed", "k"])["value"].mean().reset_index()
        for r in style.rules_of(mean):
            one = mean[mean["rule"] == r].assign(step=lambda t: t["k"].astype(float))
            if r == "none":
                ax.plot(one["step"], one["value"], linestyle="--", markersize=3.5, **START, label="before training")
                continue
            style.draw_seeds(ax, one, "value", r)
        ax.set_xscale("log", base=2)
        ks = sorted(set(mean["k"].astype(int)))
        ax.set_xticks(ks, labels=ks)
        ax.set(xlabel="k", ylim=(0, 1))
        style.panel_letter(ax, letter, f"{size} network, {start} start")
    axes[0].set_ylabel("pass@k, mean of the trained suites")
    rules = [r for r in style.rules_of(rows) if r != "none"]
    handles = [Line2D([], [], color=style.colour(r), label=style.label(r)) for r in rules]
    handles.append(Line2D([], [], linestyle="--", label="before training", markersize=3.5, **START))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    style.foot(figure, style.seeds_note(rows[rows["rule"] != "none"]) + " pass@k is the unbiased estimate.")
    return figure


TRUE_LENGTH = "SPO, RTS over the true length"


@style.styled
def draw_lengths(table: pd.DataFrame, lengths: pd.DataFrame) -> Figure:
    """Tokens per response and success over updates, a column for each optimizer; the usual size, base start.

    ``table``, ``lengths``: columns of LABELS, step, response_length, success_exact; ``lengths`` holds the runs whose
    RTS divides by the length of the true response.
    """
    shown = [*LABELS, "step", "response_length", "success_exact"]
    style.need(table, shown, "the lengths figure")
    style.need(lengths, shown, "the lengths figure")
    usual = table[(table["size"] == _middle(table)) & (table["start"] == "base")]
    curves = pd.concat([usual, lengths.assign(rule=TRUE_LENGTH)])
    curves = curves[curves["step"].notna()]
    optimizers = list(dict.fromkeys(curves["optimizer"]))
    figure, pairs = style.blocks(len(optimizers), (1.0, 1.0))
    for (top, bottom), optimizer, letters in zip(pairs, optimizers, ("ab", "cd"), strict=False):
        one = curves[curves["optimizer"] == optimizer]
        for ax, column in ((top, "response_length"), (bottom, "success_exact")):
            for r in style.rules_of(one):
                style.draw_seeds(ax, one[one["rule"] == r], column, r)
            ax.set_ylim(0, None)
        style.panel_letter(top, letters[0], {"adamw": "AdamW"}.get(optimizer, optimizer.upper()))
        style.panel_letter(bottom, letters[1], "success")
    pairs[0][0].set_ylabel("tokens per response")
    pairs[0][1].set_ylabel("success, mean of questions")
    handles = [Line2D([], [], color=style.colour(r), label=style.label(r)) for r in style.rules_of(curves)]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.foot(figure, style.seeds_note(curves))
    return figure


def judge_name(miss: float, false_alarm: float, votes: int) -> str:
    """A noisy judge in words."""
    if miss == 0 and false_alarm == 0:
        return "exact"
    return f"misses {miss:.0%},\nalarms {false_alarm:.0%}" + (f",\n{votes} votes" if votes > 1 else "")


@style.styled
def draw_judges(judges: pd.DataFrame, colours: pd.DataFrame, weak: pd.DataFrame, trained: Sequence[str]) -> Figure:
    """Success by judge, a panel for each start; by colouring with an exact and a noisy judge; and who solves what.

    ``judges``, ``colours``: also the column accuracy, the share of right steps in the traces of the start.
    """
    style.need(judges, [*LABELS, "accuracy", "suite", "metric", "value"], "the judges figure")
    style.need(colours, [*LABELS, "accuracy", "beta", "gamma", "suite", "metric", "value"], "the judges figure")
    style.need(weak, ["who", "success", "low", "high"], "the judges figure")
    starts = sorted(judges["accuracy"].unique(), reverse=True)
    figure = Figure(figsize=(6.0 + 3.3 * len(starts), 4.0), layout="constrained")
    axes = figure.subplots(1, len(starts) + 2, width_ratios=[1.1] * len(starts) + [1, 0.8])
    keys = ["miss", "false_alarm", "votes"]
    rules = style.rules_of(judges)
    for ax, accuracy, letter in zip(axes, starts, "abcdef", strict=False):
        one = judges[judges["accuracy"] == accuracy]
        mean = success(one, trained).groupby([*keys, "rule", "seed"])["value"].mean()
        kinds = sorted(set(zip(*(one[k] for k in keys), strict=True)))
        for i, kind in enumerate(kinds):
            for r, shift in zip(rules, np.linspace(-0.12, 0.12, len(rules)), strict=True):
                _point(ax, i + shift, mean[(*kind, r)], color=style.colour(r))
        ax.set_xticks(range(len(kinds)), [judge_name(*k) for k in kinds], fontsize=7)
        ax.set(ylabel="mean success of the trained suites", ylim=(0, None))
        style.panel_letter(ax, letter, f"start from {accuracy:.0%} right steps")
    handles = [Line2D([], [], color=style.colour(r), marker="o", linestyle="", label=style.label(r)) for r in rules]
    axes[0].legend(handles=handles)
    rest, last = axes[-2:], "abcdef"[len(starts) : len(starts) + 2]

    mean = success(colours, trained).groupby(["miss", "beta", "gamma", "seed"])["value"].mean()
    pairs = sorted(set(zip(colours["beta"], colours["gamma"], strict=True)))
    noisy = sorted(colours["miss"].unique())
    for miss, mark, shift, colour in zip(noisy, "os", (-0.1, 0.1), (style.GREEN, style.PURPLE), strict=False):
        for i, pair in enumerate(pairs):
            _point(rest[0], i + shift, mean[(miss, *pair)], color=colour, marker=mark)
    rest[0].set_xticks(range(len(pairs)), [f"β = {b:g}\nγ = {g:g}" for b, g in pairs], fontsize=7)
    rest[0].set(ylabel="mean success of the trained suites", ylim=(0, None))
    alarm = colours.groupby("miss")["false_alarm"].first()
    handles = [
        Line2D([], [], color=c, marker=m, linestyle="", label=judge_name(miss, alarm[miss], 1).replace("\n", " "))
        for miss, m, c in zip(noisy, "os", (style.GREEN, style.PURPLE), strict=False)
    ]
    rest[0].legend(handles=handles)
    style.panel_letter(rest[0], last[0], "colouring and judge noise")

    for i, row in enumerate(weak.to_dict("records")):
        bar = [[row["success"] - row["low"]], [row["high"] - row["success"]]]
        rest[1].errorbar(i, row["success"], yerr=bar, fmt="o", color=style.BLUE, capsize=2.5)
        rest[1].annotate(
            f"{row['success']:.0%}", (i, row["success"]), xytext=(0, 7), textcoords="offset points", ha="center"
        )
    rest[1].set_xticks(range(len(weak)), [w.replace(" ", "\n", 1) for w in weak["who"]], fontsize=7)
    rest[1].set(ylabel="success", ylim=(-0.03, 1.1), xlim=(-0.5, len(weak) - 0.5))
    style.panel_letter(rest[1], last[1], "a judge that cannot solve")
    style.foot(
        figure,
        f"a to {last[0]}: small network, base start; {last[0]}: from {colours['accuracy'].iloc[0]:.0%} right steps, "
        f"{style.label(colours['rule'].iloc[0])}. {_note(judges)} {last[1]}: chains of 4 additions modulo 5; a learned "
        f"judge of accuracy {weak['judge_accuracy'].iloc[0]:.0%} per step, its twin trained to solve on the same "
        f"traces; bars: 95 % bootstrap over questions and the student's {int(weak['seeds'].max())} seeds.",
    )
    return figure
