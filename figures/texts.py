"""Titles, notes and letters of panels: what is written around the panels of a figure."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def panel_letter(ax: Axes, letter: str, text: str) -> None:
    """Title of a panel: its letter and what it shows.

    >>> ax = Figure().subplots()
    >>> panel_letter(ax, "b", "lead of SPO")
    >>> ax.get_title()
    '(b) lead of SPO'
    """
    ax.set_title(f"({letter}) {text}")


def foot(figure: Figure, text: str) -> None:
    """Write ``text`` below all panels, its lines broken to the figure's width.

    >>> figure = Figure(figsize=(1.0, 1.0))
    >>> foot(figure, "Points: median of the seeds.")
    >>> figure.get_supxlabel()
    'Points: median\\nof the seeds.'
    """
    room = int(figure.get_figwidth() * 16.5)  # characters of 8 points that fit
    lines = [fill(line, room, break_on_hyphens=False) for line in text.splitlines()]
    figure.supxlabel("\n".join(lines), fontsize=8, color="#444444", x=0.01, ha="left")


def head(figure: Figure, title: str, handles: Sequence[Any] = (), labels: Sequence[str] = ()) -> None:
    """Write ``title`` above all panels, and below it a legend of ``handles`` in as many columns as fit.

    >>> figure = Figure(layout="constrained")
    >>> head(figure, "Two rules")
    >>> figure.get_suptitle()
    'Two rules'
    """
    if not handles:
        figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
        return

    # The title is the legend's: a layout would put two texts at the same place above the panels
    room = int(figure.get_figwidth() * 15.5 / (7 + max(map(len, labels))))  # names that fit side by side
    columns = max(1, min(len(labels), room))
    place: dict[str, Any] = {"loc": "outside upper left", "alignment": "left", "ncols": columns}
    legend = figure.legend(handles, labels, title=title or None, **place)
    legend.get_title().set_fontsize(10.5)


def take_texts(figure: Figure) -> str:
    """Take title and foot off a figure, for a page that has them as text; returns what the foot said, in one line.

    >>> figure = Figure(figsize=(1.0, 1.0))
    >>> foot(figure, "Points: median of the seeds.")
    >>> take_texts(figure), figure.get_supxlabel()
    ('Points: median of the seeds.', '')
    """
    said = " ".join(figure.get_supxlabel().split())
    for text in (figure._supxlabel, figure._suptitle):  # type: ignore[attr-defined]
        if text is not None:
            text.set_text("")
            text.set_in_layout(False)
    for legend in figure.legends:
        legend.set_title(None)  # type: ignore[arg-type]  # the empty text would keep its line
    return said
