"""Figure: training with judges that err, what their errors cost by colouring, and a judge that cannot solve."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style, texts
from figures.suites.runs import COLUMNS, draw_point, rule_marks, seeds_note, success

MEAN = "mean success of the trained suites"
JUDGE_LOOKS = ((style.INK, "o", -0.1), (style.GREY, "s", 0.1))
"""Colour, marker and place beside a tick of the exact and of the noisy judge."""


def judge_name(miss: float, false_alarm: float, votes: int) -> str:
    """A noisy judge in words: the shares of errors it misses and of right steps it blames, and its votes.

    >>> judge_name(0.1, 0.05, votes=1)
    'misses 10%,\\nalarms 5%'
    """
    if miss == 0 and false_alarm == 0:
        return "exact"
    return f"misses {miss:.0%},\nalarms {false_alarm:.0%}" + (f",\n{votes} votes" if votes > 1 else "")


@style.styled
def draw(
    judges: pd.DataFrame, weak: pd.DataFrame, trained: Sequence[str], colours: pd.DataFrame | None = None
) -> Figure:
    """Success by judge, a panel for each start; by colouring with an exact and a noisy judge; and who solves what.

    ``judges``: columns of `figures.suites.runs.COLUMNS`, suite, metric, value (a probability), and accuracy, the share
    of right steps in the traces of the start. ``weak``: columns who, success, low, high, judge_accuracy (probabilities)
    and seeds (a number). ``trained``: the suites trained on. ``colours``: columns of ``judges``, beta, gamma;
    without it there is no panel by colouring.
    Returns the figure. Raises `ValueError` for a table without these columns (the last two apart) or without rows.
    """
    own = [*COLUMNS, "accuracy", "suite", "metric", "value"]
    style.need(judges, own, "the judges figure")
    if colours is not None:
        style.need(colours, [*own, "beta", "gamma"], "the judges figure")
    style.need(weak, ["who", "success", "low", "high"], "the judges figure")

    # One panel for each start, one by colouring if it was tried, and the last one is always there
    starts = sorted(judges["accuracy"].unique(), reverse=True)
    widths = [1.1] * len(starts) + [1.0] * (colours is not None) + [0.8]
    figure = Figure(figsize=(3.0 * len(widths) + 0.3 * len(starts), 4.0), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths)
    letters = "abcdef"[: len(widths)]

    # All starts show the same rules, in the same colours: the legend stands in the first panel alone.
    for ax, accuracy, letter in zip(axes, starts, letters, strict=False):
        _by_judge(ax, success(judges[judges["accuracy"] == accuracy], trained), style.rules_of(judges))
        texts.panel_letter(ax, letter, f"start from {accuracy:.0%} right steps")
    axes[0].legend(handles=rule_marks(style.rules_of(judges)))

    # What a judge's errors cost may depend on the colouring; the last panel asks whether a judge must be able to solve.
    suites = f"{letters[0]} to {letters[-2]}" if len(widths) > 2 else letters[0]
    told = f"{suites}: small network, base start"
    if colours is not None:
        _by_colouring(axes[-2], success(colours, trained))
        texts.panel_letter(axes[-2], letters[-2], "colouring and judge noise")
        told += f"; {letters[-2]}: from {colours['accuracy'].iloc[0]:.0%} right steps, "
        told += style.label(colours["rule"].iloc[0])
    _who_solves(axes[-1], weak)
    texts.panel_letter(axes[-1], letters[-1], "a judge that cannot solve")

    # The panels are of different networks and worlds, so the foot says which is of what.
    texts.foot(
        figure,
        f"{told}. {seeds_note(judges)} {letters[-1]}: chains of 4 additions "
        f"modulo 5; a learned judge of accuracy {weak['judge_accuracy'].iloc[0]:.0%} per step, its twin trained to "
        "solve on the same traces; bars: 95 % bootstrap over questions and the student's "
        f"{int(weak['seeds'].max())} seeds.",
    )
    return figure


def _by_judge(ax: Axes, rows: pd.DataFrame, rules: Sequence[str]) -> None:
    """Success of every rule under every judge."""
    keys = ["miss", "false_alarm", "votes"]
    mean = rows.groupby([*keys, "rule", "seed"])["value"].mean()
    kinds = sorted(set(zip(*(rows[key] for key in keys), strict=True)))
    shifts = np.linspace(-0.12, 0.12, len(rules))
    for i, kind in enumerate(kinds):
        for rule, shift in zip(rules, shifts, strict=True):
            draw_point(ax, i + shift, mean[(*kind, rule)], color=style.colour(rule))
    ax.set_xticks(range(len(kinds)), [judge_name(*kind) for kind in kinds], fontsize=7)
    ax.set(ylabel=MEAN, ylim=(0, None))


def _by_colouring(ax: Axes, rows: pd.DataFrame) -> None:
    """Success by slope and threshold of the colouring, with an exact and with a noisy judge."""
    mean = rows.groupby(["miss", "beta", "gamma", "seed"])["value"].mean()
    pairs = sorted(set(zip(rows["beta"], rows["gamma"], strict=True)))
    alarm = rows.groupby("miss")["false_alarm"].first()
    handles = []

    # Both judges at one tick, side by side: what noise costs is the gap between them.
    for miss, (colour, marker, shift) in zip(sorted(rows["miss"].unique()), JUDGE_LOOKS, strict=False):
        for i, pair in enumerate(pairs):
            draw_point(ax, i + shift, mean[(miss, *pair)], color=colour, marker=marker)
        name = judge_name(miss, alarm[miss], 1).replace("\n", " ")
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=name))
    ax.set_xticks(range(len(pairs)), [f"β = {beta:g}\nγ = {gamma:g}" for beta, gamma in pairs], fontsize=7)
    ax.set(ylabel=MEAN, ylim=(0, None))
    ax.legend(handles=handles)


def _who_solves(ax: Axes, weak: pd.DataFrame) -> None:
    """Success of the judge, its twin, and its student before and after training."""
    for i, row in enumerate(weak.to_dict("records")):
        bar = [[row["success"] - row["low"]], [row["high"] - row["success"]]]
        ax.errorbar(i, row["success"], yerr=bar, fmt="o", color=style.INK, capsize=2.5)
        place = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        ax.annotate(f"{row['success']:.0%}", (i, row["success"]), **place)  # type: ignore[arg-type]
    ax.set_xticks(range(len(weak)), [who.replace(" ", "\n", 1) for who in weak["who"]], fontsize=7)
    ax.set(ylabel="success", ylim=(-0.03, 1.1), xlim=(-0.5, len(weak) - 0.5))
