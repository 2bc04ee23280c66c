"""A small figure of a published result: lines are the published form, points what the project computes without it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from figures import style, texts

BOTH = "Lines: the published form. Points: computed by this project."
DASHED: Any = (0, (4, 2))
DOTTED: Any = (0, (1, 1.5))
MARKERS = ("o", "s", "^", "D")

Draw = Callable[[Axes, pd.DataFrame], str]
"""Draws a table into axes and returns the sentences that explain lines and points."""


@style.styled
def small_figure(table: pd.DataFrame, draw: Draw, *, title: str, columns: Sequence[str], source: str) -> Figure:
    """Draw ``table`` under ``title``, what ``draw`` says and the ``source`` below it.

    ``columns``: those that ``draw`` needs, in the units that it writes at the axes. Returns the figure.
    Raises `ValueError` if the table lacks one of ``columns`` or has no rows.
    """
    style.need(table, columns, f"the figure '{title}'")
    figure = Figure(figsize=(4.4, 3.5), layout="constrained")
    ax = figure.subplots()
    texts.head(figure, title)
    note = draw(ax, table)
    texts.foot(figure, f"{note}\n{source}")
    return figure


def draw_beside(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    by: str,
    name: Callable[[Any], str],
    *,
    colours: Sequence[Any] = (),
    marks: int = 16,
) -> list[Line2D]:
    """Draw ``published`` as a line and ``project`` as about ``marks`` points for each value of ``by``.

    ``table``: columns ``x``, ``by``, and published and project in one unit; project may be NaN where not computed.
    ``name``: from a value of ``by`` to its label; an infinite value is the published limit, drawn in ink.
    ``colours``: one for each value, by default from dark to light in the order of the values.
    Returns the handles of a legend.
    """
    handles = []
    shades = list(colours) or shades_of(table[by])

    # A limit has no colour of its own: it is what the coloured lines tend to.
    for i, (value, one) in enumerate(table.groupby(by, sort=False)):
        limit = isinstance(value, float) and np.isinf(value)
        shade = style.INK if limit else shades[i]
        line: Any = DASHED if limit else "-"
        look_of_line: dict[str, Any] = {"linestyle": line, "linewidth": 1.2, "label": name(value)}
        ax.plot(one[x], one["published"], color=shade, gid=f"published {value}", **look_of_line)

        # A point for every row would hide the line
        points = one[np.isfinite(one["project"])]
        points = points.iloc[:: max(1, round(len(points) / marks))]
        look = open_marker(shade, MARKERS[i % len(MARKERS)])
        ax.plot(points[x], points["project"], linestyle="none", gid=f"project {value}", zorder=5, **look)

        # A limit is usually a line without points, so its handle has none.
        shown = {"color": shade} if limit else look
        handles.append(Line2D([], [], linestyle=line, linewidth=1.2, label=name(value), **shown))
    return handles


def shades_of(values: pd.Series) -> list[Any]:
    """A colour for each finite value in the order of the column: dark to light by size, never that of a rule.

    >>> len(shades_of(pd.Series([8.0, 8.0, 64.0, np.inf])))
    2
    """
    finite = [value for value in dict.fromkeys(values) if np.isfinite(value)]
    ladder = style.ladder(finite)
    return [tuple(ladder[value]) for value in finite]


def open_marker(colour: Any, marker: str, size: float = 4.5) -> dict[str, Any]:
    """Look of points that leave visible what lies behind them.

    ``size``: in points. Returns keyword arguments of `matplotlib.axes.Axes.plot`.
    """
    return {"color": colour, "marker": marker, "markersize": size, "markerfacecolor": "white"}


def legend_line(label: str, colour: str = style.INK, line: Any = "-", width: float = 1.0) -> Line2D:
    """Handle of a line in a legend.

    ``line``: style of the line, as matplotlib writes it. ``width``: in points.

    >>> legend_line("limit").get_label()
    'limit'
    """
    return Line2D([], [], color=colour, linestyle=line, linewidth=width, label=label)


def plain_log_axis(ax: Axes, ticks: Sequence[float]) -> None:
    """Ticks of a logarithmic x axis as plain numbers.

    >>> ax = Figure().subplots()
    >>> plain_log_axis(ax, [1.0, 0.01])
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['1', '0.01']
    """
    ax.xaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{t:g}" for t in ticks]))
    ax.xaxis.set_minor_locator(NullLocator())


def group_size_label(group_size: float) -> str:
    """Name of a group size (responses; infinite for the limit) in a legend.

    >>> group_size_label(8.0)
    'G = 8'
    """
    return "G = ∞" if np.isinf(group_size) else f"G = {group_size:.0f}"
