"""What the figures of the suites share: the columns of a run, means over seeds with their intervals, and marks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from figures import style

COLUMNS = [
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
"""What says which run a row is of."""

START: dict[str, Any] = {"color": "0.45", "marker": "D"}
"""The look of the network before training."""


def usual_size(table: pd.DataFrame) -> str:
    """The size with which everything was run: small, or the only one.

    >>> usual_size(pd.DataFrame({"size": ["medium", "small"]}))
    'small'
    """
    return "small" if "small" in set(table["size"]) else str(table["size"].iloc[0])


def success(table: pd.DataFrame, suites: Sequence[str] | None = None) -> pd.DataFrame:
    """Success at the end by run and suite, with what the run is; of ``suites`` or all.

    ``table``: columns suite, metric, value (a probability). Returns its rows with metric "success" and a suite.
    """
    rows = table[(table["metric"] == "success") & table["suite"].notna()]
    return rows if suites is None else rows[rows["suite"].isin(suites)]


def draw_point(ax: Axes, x: float, values: pd.Series, color: str, marker: str = "o", across: bool = False) -> None:
    """Each seed faintly, their mean and its interval, at ``x`` (or at height ``x`` if ``across``).

    ``values``: one for each seed; fewer than three have no interval.
    """
    # No bar is drawn where there is no interval: a bar of length 0 would claim certainty.
    place = np.full(len(values), x)
    mean = float(values.mean())
    half = float(values.std(ddof=1)) * style.interval_factor(len(values))
    bar = None if np.isnan(half) else half
    look: dict[str, Any] = {"fmt": marker, "color": color, "markersize": 5, "capsize": 2.5, "zorder": 3}

    # Seeds lie behind their mean, which is what the eye should find first.
    if across:
        ax.plot(values, place, ".", color=color, alpha=0.45, markersize=4, zorder=2)
        ax.errorbar(mean, x, xerr=bar, **look)
    else:
        ax.plot(place, values, ".", color=color, alpha=0.45, markersize=4, zorder=2)
        ax.errorbar(x, mean, yerr=bar, **look)


def rule_marks(rules: Sequence[str]) -> list[Line2D]:
    """Handles of a legend: a dot for every rule.

    >>> [mark.get_label() for mark in rule_marks(["grpo", "dr_grpo"])]
    ['GRPO', 'Dr. GRPO']
    """
    return [Line2D([], [], color=style.colour(r), marker="o", linestyle="", label=style.label(r)) for r in rules]


def seeds_note(table: pd.DataFrame) -> str:
    """What the marks and bars of `draw_point` are, by the number of values in the column seed.

    >>> seeds_note(pd.DataFrame({"seed": [0, 1]}))
    'Large marks: mean of 2 seeds; too few for intervals. Small dots: each seed.'
    """
    n = table["seed"].nunique()
    bars = "bars: 95 % intervals of the mean (Student t)" if n > 2 else "too few for intervals"
    return f"Large marks: mean of {n} seeds; {bars}. Small dots: each seed."
