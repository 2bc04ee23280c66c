"""Figures of lines, points and maps from tables of one shape (panel, series, kind, x, y, z)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures import style, texts

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Look(NamedTuple):
    """Colour and marker of a series, the same in all panels; shift: what is added to the x of its points."""

    colour: str | tuple[float, ...]
    marker: str
    shift: float


@style.styled
def draw(
    table: pd.DataFrame,
    *,
    title: str = "",
    note: str = "",
    kind: str = "lines",
    xlabel: str | Sequence[str] = "",
    ylabel: str | Sequence[str] = "",
    zlabel: str = "",
    zticks: Mapping[float, str] | None = None,
    logx: bool = False,
    logy: bool = False,
    zero: bool | float = False,
    xlim: tuple[float, float] | None = None,
    rules: Mapping[str, str] | None = None,
    apart: float = 0.0,
) -> Figure:
    """Draw one panel per value of ``panel``; a series keeps its colour over all panels.

    ``table``: columns panel, series, kind ("line", "dashed", "points", "both", and "cell" in maps), x, y; z for cells;
    low and high for intervals; units as the labels say. ``kind``: "lines" or "map". ``title`` above, ``note`` below
    all panels. ``xlabel``, ``ylabel``: of all panels, or one for each. ``zlabel``, ``zticks``: of the colour bar.
    ``logx``, ``logy``: logarithmic. ``zero``: draw a horizontal line at 0, or at that value. ``xlim``: ends of the x
    axis. ``rules``: the rule that a series is about, by its name. ``apart``: how far the points of two series are moved
    apart, where one would hide the other.
    Returns the figure. Raises `ValueError` for a table without the first five columns or without rows.
    """
    style.need(table, ["panel", "series", "kind", "x", "y"], "a statement's figure")

    # Looks are chosen for the whole table, so that a series keeps its colour where it is missing in some panels.
    panels = list(dict.fromkeys(table["panel"]))
    figure = Figure(figsize=(4.6 if len(panels) == 1 else 3.1 * len(panels) + 0.6, 4.1), layout="constrained")
    common = isinstance(ylabel, str)
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=kind == "map" or (common and ylabel != "")))
    curves = table[table["kind"] != "cell"]
    looks = _looks(list(dict.fromkeys(curves["series"])), rules or {}, apart)

    # cells first, so that boundaries lie on them; their colour bar beside the last panel
    for place, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        if kind == "map":
            cells = table[(table["panel"] == panel) & (table["kind"] == "cell")]
            _draw_cells(figure, ax, cells, zlabel if ax is axes[-1] else "", zticks)
        _draw_curves(ax, curves[curves["panel"] == panel], looks)
        if zero is not False:
            level = 0.0 if zero is True else float(zero)
            ax.axhline(level, color=style.INK, linewidth=0.8, linestyle=":")
        across = xlabel if isinstance(xlabel, str) else xlabel[place]
        up = ("" if place else ylabel) if isinstance(ylabel, str) else ylabel[place]
        ax.set(xlabel=across, ylabel=up, title=panel)
        _scale_axes(ax, whole=bool((table["x"] % 1 == 0).all()), logx=logx, logy=logy)
        if xlim:
            ax.set_xlim(*xlim)

    # One legend for all panels: handles are made of all rows of a series, whichever panels they are in.
    handles = [_handle(axes[0], curves[curves["series"] == name], look) for name, look in looks.items()]
    texts.head(figure, title, handles, list(looks))
    if note:
        texts.foot(figure, note)
    return figure


def _looks(names: list[str], rules: Mapping[str, str], apart: float) -> dict[str, Look]:
    """A rule looks as everywhere, values of one quantity go from dark to light, others look like no rule."""
    rule_of = {style.label(rule): rule for rule in style.RULE_LABEL} | dict(rules)
    kinds = Counter(NUMBER.sub("#", name) for name in names if name not in rule_of)
    numbered = {name for name in names if kinds[NUMBER.sub("#", name)] > 1 and NUMBER.search(name)}
    shades = style.ladder([_number(name) for name in numbered])
    others = iter(style.OTHERS)
    looks = {}
    for i, name in enumerate(names):
        if name in rule_of:
            colour: Any = style.colour(rule_of[name])
        elif name in numbered:
            colour = tuple(shades[_number(name)])
        else:
            colour = next(others)
        shift = apart * (i - (len(names) - 1) / 2)
        looks[name] = Look(colour, MARKERS[i % len(MARKERS)], shift)
    return looks


def _number(name: str) -> float:
    """The first number in the name of a series."""
    return float(NUMBER.findall(name)[0])


def _scale_axes(ax: Axes, *, whole: bool, logx: bool, logy: bool) -> None:
    """Set logarithmic axes; ticks of a linear x axis are whole numbers if all x are (``whole``)."""
    if logx:
        ax.set_xscale("log")
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
    if logy:
        ax.set_yscale("log")


def _handle(ax: Axes, rows: pd.DataFrame, look: Look) -> Any:
    """What stands for a series in the legend: a line, a marker or both, as it is drawn."""
    kinds = set(rows["kind"])
    line = "none"
    if kinds & {"line", "both"}:
        line = "-"
    elif kinds == {"dashed"}:
        line = "--"
    marker = look.marker if kinds & {"points", "both"} else None
    return ax.plot([], [], color=look.colour, linestyle=line, marker=marker, markersize=4.5)[0]


def _draw_curves(ax: Axes, curves: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Every series of a panel, with vertical bars where all its rows have an interval."""
    line_of_kind = {"line": "-", "dashed": "--", "both": "-", "points": "none"}
    for (name, kind), rows in curves.groupby(["series", "kind"], sort=False):
        look = looks[str(name)]
        if {"low", "high"} <= set(rows) and rows["low"].notna().all():
            ax.vlines(rows["x"] + look.shift, rows["low"], rows["high"], color=look.colour, linewidth=1.2)
        marker = look.marker if kind in ("points", "both") else None
        style_of_line: dict[str, Any] = {"linestyle": line_of_kind[str(kind)], "linewidth": 1.5}
        look_of_points: dict[str, Any] = {"marker": marker, "markersize": 3.8, "label": name}
        ax.plot(rows["x"] + look.shift, rows["y"], color=look.colour, **look_of_points, **style_of_line)


def _draw_cells(
    figure: Figure, ax: Axes, cells: pd.DataFrame, label: str, ticks: Mapping[float, str] | None = None
) -> None:
    """A map: colours that part at 0 where there are negative values, else from the smallest to the largest."""
    grid = cells.pivot_table(index="y", columns="x", values="z", dropna=False)
    values = grid.to_numpy()
    signed = bool((cells["z"] < 0).any())
    largest = float(np.nanmax(np.abs(values)))
    lowest = -largest if signed else float(np.nanmin(values))
    colours = "RdBu" if signed else "viridis"
    mesh = ax.pcolormesh(grid.columns, grid.index, values, cmap=colours, vmin=lowest, vmax=largest, shading="nearest")
    mesh.set_rasterized(True)
    ax.grid(False)
    if label:
        bar = figure.colorbar(mesh, ax=ax, label=label)
        if ticks:
            shown = {value: text for value, text in ticks.items() if lowest <= value <= largest}
            bar.set_ticks(list(shown), labels=list(shown.values()))
