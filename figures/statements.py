"""Figures of the statements: lines, points and maps from tables of one shape (panel, series, kind, x, y, z)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures import style

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY, style.INK)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@style.styled
def draw(
    table: pd.DataFrame,
    *,
    title: str = "",
    note: str = "",
    kind: str = "lines",
    xlabel: str = "",
    ylabel: str = "",
    zlabel: str = "",
    logx: bool = False,
    logy: bool = False,
    zero: bool | float = False,
    xlim: tuple[float, float] | None = None,
) -> Figure:
    """Draw one panel per value of ``panel``; a series keeps its colour over all panels.

    ``table``: columns panel, series, kind ("line", "dashed", "points", "both", and "cell" in maps), x, y; z for cells;
    low and high for intervals. ``title`` above, ``note`` below all panels. ``kind``: "lines" or "map". ``zero``: draw a
    horizontal line at 0, or at that value.
    """
    style.need(table, ["panel", "series", "kind", "x", "y"], "a statement's figure")
    panels = list(dict.fromkeys(table["panel"]))
    wide = (4.6 if len(panels) == 1 else 2.9 * len(panels)) + 2.0
    figure = Figure(figsize=(wide, 3.9), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=kind == "map" or ylabel != ""))
    names = list(dict.fromkeys(table.loc[table["kind"] != "cell", "series"]))
    of_rule = {style.label(r): style.colour(r) for r in style.RULE_LABEL}
    look = {n: (of_rule.get(n, _COLOURS[i % len(_COLOURS)]), _MARKERS[i % len(_MARKERS)]) for i, n in enumerate(names)}
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        part = table[table["panel"] == panel]
        if kind == "map":
            _cells(figure, ax, part[part["kind"] == "cell"], zlabel if i == len(panels) - 1 else "")
        for name, one in part[part["kind"] != "cell"].groupby("series", sort=False):
            for how, rows in one.groupby("kind", sort=False):
                _series(ax, rows, str(how), *look[str(name)])
        if zero is not False:
            ax.axhline(0.0 if zero is True else float(zero), color=style.INK, linewidth=0.8, linestyle=":")
        ax.set(xlabel=xlabel, ylabel=ylabel if i == 0 else "")
        if logx:
            ax.set_xscale("log")
        else:
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=bool((table["x"] % 1 == 0).all())))
        if logy:
            ax.set_yscale("log")
        if xlim:
            ax.set_xlim(*xlim)
        if panel:
            ax.set_title(panel)
    if names:
        handles = {
            n: _handle(axes[0], table[(table["series"] == n) & (table["kind"] != "cell")], look[n]) for n in names
        }
        figure.legend(list(handles.values()), names, loc="outside right upper")
    if title:
        figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    if note:
        style.foot(figure, note)
    return figure


def _handle(ax: Axes, rows: pd.DataFrame, look: tuple[str, str]) -> Any:
    kinds = set(rows["kind"])
    line = "--" if kinds == {"dashed"} else "-" if kinds & {"line", "both"} else "none"
    marker = look[1] if kinds & {"points", "both"} else None
    return ax.plot([], [], color=look[0], linestyle=line, marker=marker, markersize=4.5)[0]


def _series(ax: Axes, rows: pd.DataFrame, how: str, colour: str, marker: str) -> None:
    if {"low", "high"} <= set(rows) and rows["low"].notna().all():
        ax.vlines(rows["x"], rows["low"], rows["high"], color=colour, linewidth=1.2)
    line = {"line": "-", "dashed": "--", "both": "-", "points": "none"}[how]
    dots = marker if how in ("points", "both") else None
    ax.plot(rows["x"], rows["y"], color=colour, linestyle=line, marker=dots, markersize=3.8, linewidth=1.5)


def _cells(figure: Figure, ax: Axes, cells: pd.DataFrame, label: str) -> None:
    grid = cells.pivot_table(index="y", columns="x", values="z", dropna=False)
    most = float(np.nanmax(np.abs(grid.to_numpy())))
    signed = bool((cells["z"] < 0).any())
    colours = "RdBu" if signed else "viridis"
    low = -most if signed else float(np.nanmin(grid.to_numpy()))
    mesh = ax.pcolormesh(
        grid.columns, grid.index, grid.to_numpy(), cmap=colours, vmin=low, vmax=most, shading="nearest"
    )
    mesh.set_rasterized(True)
    ax.grid(False)
    if label:
        figure.colorbar(mesh, ax=ax, label=label)
