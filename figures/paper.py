"""Figures at the width of a paper's column: panels stacked, texts broken and fonts chosen so that all stays legible.

A figure is drawn as always, and `fit` arranges it anew; so every figure can be had at every width. What a paper says in
its caption, the title and the notes below the panels, is taken out of the picture.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from figures import style, texts
from figures.latex import without_latex
from figures.panels import Panels

WIDTHS = {"single": 3.4, "double": 7.0}
"""Width in inches of one column of a paper, and of both."""

FORMATS = ("pdf", "pgf", "svg", "png")

HIGHEST = 9.2
"""Inches that a page has for a figure."""

SMALL = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "legend.fontsize": 7.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "lines.linewidth": 1.3,
    "axes.linewidth": 0.6,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "svg.fonttype": "path",  # looks the same everywhere; PDF and PGF hold text
    "svg.hashsalt": "spectral-policy-lab",  # the same bytes for the same figure
}
"""The look of papers, on top of the common one."""


@contextmanager
def page(sheet: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Draw with the fonts of a paper inside a ``with`` block.

    ``sheet``: settings of matplotlib on top of them, as a style sheet holds; the size of the page is not theirs.

    >>> import matplotlib
    >>> with page({"font.family": ["serif"]}):
    ...     matplotlib.rcParams["font.family"], matplotlib.rcParams["font.size"]
    (['serif'], 8.0)
    """
    with style.on_top({**SMALL, **(sheet or {}), "savefig.bbox": None}), style.look():
        yield


def fit(figure: Figure, width: float) -> str:
    """Arrange ``figure`` at a ``width`` in inches, in a block of `page`; its height follows.

    Panels move into as many columns as leave them legible, legends go above them, and long texts are broken.
    Returns what stood above and below the panels, which is for the caption; "" for nothing.

    >>> with page():
    ...     figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    ...     _ = figure.subplots(1, 3, sharey=True)
    ...     texts.foot(figure, "Exact.")
    ...     fit(figure, WIDTHS["single"]), [ax.get_subplotspec().rowspan.start for ax in figure.axes]
    ('Exact.', [0, 1, 2])
    """
    notes = texts.take_texts(figure)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05)
    _lay_out(figure)
    panels = Panels(figure)

    # Places first: the height is what panels, legends and texts need together
    figure.set_figwidth(width)
    columns = panels.columns_at(width)
    if columns < panels.columns:
        panels.stack(columns)
    for legend in list(figure.legends):
        _put_above(figure, legend, width)

    # Breaking a text changes the room of the others, so this settles step by step
    wanted = panels.height_at(width, columns)
    figure.set_figheight(min(1.5 * wanted + 1.0, HIGHEST))
    for _ in range(6):
        _lay_out(figure)
        missing = wanted - panels.height_now()
        high = min(max(figure.get_figheight() + missing, 1.2), HIGHEST)
        settled = abs(high - figure.get_figheight()) < 0.05
        figure.set_figheight(high)
        _lift_legends(figure.axes)
        _break_texts(figure.axes)
        if settled:
            break
    return notes


def _lay_out(figure: Figure) -> None:
    """Let the constrained layout place everything, without drawing it."""
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)


def _put_above(figure: Figure, legend: Legend, width: float) -> None:
    """Replace a legend of the whole figure by one above the panels, at most ``width`` inches wide."""
    entries = [text.get_text() for text in legend.get_texts()]
    handles = [handle for handle in legend.legend_handles if handle is not None]
    legend.remove()
    _in_columns(
        lambda columns: figure.legend(handles, entries, loc="outside upper center", ncols=columns),
        len(entries),
        0.98 * width * figure.dpi,
    )


def _lift_legends(axes: Iterable[Axes]) -> None:
    """Move legends that have become too wide for their panel, or lie on its lines, between the panel and its title."""
    for ax in axes:
        legend = ax.get_legend()
        if legend is None:
            continue
        box = legend.get_window_extent()
        room = ax.get_window_extent().width
        hides = any(box.count_contains(line.get_transform().transform(line.get_xydata())) for line in ax.lines)
        if not hides and box.width < 0.9 * room:
            continue
        entries = [text.get_text() for text in legend.get_texts()]
        handles = [handle for handle in legend.legend_handles if handle is not None]
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
        new = _in_columns(
            lambda columns: ax.legend(handles, entries, ncols=columns, **place),  # noqa: B023  called at once
            len(entries),
            room,
        )
        new.set_in_layout(False)  # its width must not push the panels together; the title keeps its height free
        points = new.get_window_extent().height * 72 / ax.figure.dpi
        ax.set_title(ax.get_title(loc="left"), loc="left", pad=points + 6)


def _in_columns(make: Callable[[int], Legend], entries: int, room: float) -> Legend:
    """The legend that ``make`` makes in as many columns as ``room`` (dots) has place for, its rows of like length."""
    for columns in range(entries, 0, -1):
        legend = make(ceil(entries / ceil(entries / columns)))
        if columns == 1 or legend.get_window_extent().width <= room:
            break
        legend.remove()
    return legend


def _break_texts(axes: Iterable[Axes]) -> None:
    """Break titles and labels that are longer than their panel, and thin out tick labels that touch."""
    for ax in axes:
        box = ax.get_window_extent()
        for place in ("left", "center", "right"):
            _break(_title(ax, place), box.width)
        _break(ax.xaxis.label, 1.1 * box.width)
        _break(ax.yaxis.label, 1.1 * box.height, upright=True)
        _part_tick_labels(ax)


def _title(ax: Axes, place: str) -> Text:
    """The text of a title at its place; matplotlib gives only its words."""
    found: Text = {"left": ax._left_title, "center": ax.title, "right": ax._right_title}[place]  # type: ignore[attr-defined]
    return found


def _break(text: Text, room: float, upright: bool = False) -> None:
    """Break the lines of ``text`` to ``room`` in dots."""
    if not text.get_text().strip():
        return
    text.set_label(str(text.get_label()) or text.get_text())  # as it was before it was broken the first time
    box = text.get_window_extent()
    longest = max(len(line) for line in text.get_text().splitlines())
    fitting = int(room * longest / max(box.height if upright else box.width, 1.0))
    lines = [
        part
        for line in str(text.get_label()).splitlines()
        for part in wrap(line, max(fitting, 6), break_long_words=False)
    ]
    text.set_text("\n".join(lines))


def _part_tick_labels(ax: Axes) -> None:
    """Let no two labels of the x axis touch: fewer of them, or upright ones where each is a name."""
    labels = [label for label in ax.get_xticklabels() if label.get_visible() and label.get_text()]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    if all(left.x1 + 2 < right.x0 for left, right in pairwise(boxes)):
        return
    if isinstance(ax.xaxis.get_major_locator(), MaxNLocator):
        ax.locator_params(axis="x", nbins=3)
    else:
        ax.tick_params(axis="x", labelrotation=90)


def written(figure: Figure, name: str, ending: str) -> dict[str, bytes]:
    """The files of a figure, in a block of `page`: ``name.ending``, and for PGF those of the images in it.

    ``ending``: one of `FORMATS`. PDF embeds its fonts; PNG has 300 dots per inch; the same figure gives the same bytes.
    Returns the content of each file by its name.
    """
    undated: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}
    more = {"metadata": undated[ending]} if ending in undated else {}
    with TemporaryDirectory() as folder, without_latex():
        figure.savefig(Path(folder) / f"{name}.{ending}", format=ending, dpi=300, **more)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
