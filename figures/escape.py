"""Figure: updates to half success against the number of steps H, theory with Monte Carlo on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from figures import style, texts


@dataclass(frozen=True)
class SizeLook:
    """How a group size looks. shift: its points' place beside their H, so that they do not hide each other."""

    marker: str
    line: Any
    face: str | None
    shift: float


def _looks(sizes: Sequence[int]) -> dict[int, SizeLook]:
    """A look for every group size; the smallest has full markers and the longer dashes."""
    shifts = np.linspace(-0.09, 0.09, len(sizes)) if len(sizes) > 1 else [0.0]
    looks = {}
    for i, (size, marker, shift) in enumerate(zip(sizes, "os^D", shifts, strict=False)):
        line = (0, (1.5, 1.2)) if i else (0, (4, 2))
        looks[size] = SizeLook(marker, line, "white" if i else None, float(shift))
    return looks


@style.styled
def draw(table: pd.DataFrame, setting: str = "") -> Figure:
    """Updates until success reaches 1/2 against H: logarithmic axis left, linear axis and SPO alone right.

    ``table``: columns source ("theory" or "monte_carlo"), rule, group_size (responses), horizon (steps), seed,
    updates (until success is 1/2; NaN: never).
    ``setting``: a sentence on the chain and the colouring, for the foot of the figure.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, ["source", "rule", "group_size", "horizon", "seed", "updates"], "the escape figure")
    looks = _looks(sorted(table["group_size"].unique()))
    rules = style.rules_of(table)
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])

    # SPO again on a linear axis: a logarithmic one hides the shape of its growth.
    for ax, shown in ((left, rules), (right, ["spo"])):
        for rule in shown:
            for size, look in looks.items():
                rows = table[(table["rule"] == rule) & (table["group_size"] == size)]
                _curve(ax, rows, rule, look)
        ax.set_xlabel("steps per question, H")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(yscale="log", ylabel="updates until success reaches 1/2")
    right.set_ylim(bottom=0)
    texts.panel_letter(left, "a", "every rule, logarithmic axis")
    texts.panel_letter(right, "b", "SPO alone, linear axis")

    # Lines and points of one rule and group size share a handle, else the legend would be twice as long.
    left.legend(handles=[_handle(rule, size, look) for rule in rules for size, look in looks.items()], loc="upper left")
    n = table.loc[table["source"] == "monte_carlo", "seed"].nunique()
    note = f"Lines: exact theory. Points: median of {n} seeds of sampled groups; bars: smallest to largest seed."
    note += _without_points(table)
    texts.foot(figure, f"{note}\n{setting}" if setting else note)
    return figure


def _curve(ax: Axes, rows: pd.DataFrame, rule: str, look: SizeLook) -> None:
    """The exact line of one rule and group size, and its sampled points with their range."""
    # Theory lies over the points, in the dark shade of its rule.
    theory = rows[rows["source"] == "theory"].sort_values("horizon")
    line = style.THEORY_LINE | {"linestyle": look.line}
    name = f"{style.label(rule)}, G = {rows['group_size'].iloc[0]}" if len(rows) else style.label(rule)
    ax.plot(theory["horizon"], theory["updates"], color=style.dark(rule), label=name, **line)

    # Where most seeds never arrive there is no median to draw; where the slowest does not, no upper end of the bar.
    seeds = _summary(rows[rows["source"] == "monte_carlo"])
    seeds = seeds[np.isfinite(seeds["median"])]
    high = seeds["high"].where(np.isfinite(seeds["high"]), seeds["median"])
    ax.errorbar(
        seeds.index + look.shift,
        seeds["median"],
        yerr=[seeds["median"] - seeds["low"], high - seeds["median"]],
        fmt=look.marker,
        color=style.colour(rule),
        markersize=4.5,
        elinewidth=1.2,
        capsize=2,
        zorder=5,
        markerfacecolor=look.face,
    )


def _without_points(table: pd.DataFrame) -> str:
    """Where there are lines without points because no groups were sampled, in a sentence."""
    known = table.dropna(subset=["updates"])
    sampled = known[known["source"] == "monte_carlo"]
    exact = known[known["source"] == "theory"]
    parts = []
    for rule in style.rules_of(table):
        drawn = set(sampled.loc[sampled["rule"] == rule, "horizon"])
        missing = sorted(set(exact.loc[exact["rule"] == rule, "horizon"]) - drawn)
        if missing:
            parts.append(f"{style.label(rule)} at H = {', '.join(map(str, missing))}")
    return f" Not sampled: {' and '.join(parts)}." if parts and len(sampled) else ""


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """Median, smallest and largest over seeds; a run that never arrived counts as infinitely long."""
    filled = table.assign(updates=table["updates"].fillna(np.inf))
    grouped = filled.groupby("horizon")["updates"]
    return pd.DataFrame({"median": grouped.median(), "low": grouped.min(), "high": grouped.max()})


def _handle(rule: str, size: int, look: SizeLook) -> Line2D:
    """What stands for a rule and a group size in the legend."""
    return Line2D(
        [],
        [],
        color=style.colour(rule),
        marker=look.marker,
        markersize=4.5,
        markerfacecolor=look.face,
        linestyle=look.line,
        linewidth=1.2,
        label=f"{style.label(rule)}, G = {size}",
    )
