"""The panels of a figure that is drawn already: stacked into fewer columns, with labels where their places need them.

What a reader must not lose: panels that share an axis have its labels once where they stand side by side, and a panel
whose labels stood at a neighbour's axis gets its own where they part.
"""

from itertools import pairwise
from math import ceil
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from figures.style import BELOW

NARROWEST = 0.9
"""Inches of the narrowest box of a panel."""
SHRUNK = 0.62
"""How far a panel may shrink before there are fewer in a row."""
FLAT = 0.7
"""Height of the highest box over its width; a pair, one above the other, may be higher."""
BETWEEN = 0.15
"""Inches between panels that share their y axis."""
LINE = 0.15
"""Inches of a line of text."""
HIGHEST = 7.5
"""Inches that the boxes of all panels may take on a page."""


class Panels:
    """The panels of a figure, once it has been laid out; those without axes are removed.

    ``figure``: of one grid. ``columns``: of the grid. ``blocks``: axes that stay one above another, mostly one alone.
    """

    def __init__(self, figure: Figure):
        """Measure what is there."""
        for ax in list(figure.axes):
            if not ax.axison:
                ax.remove()
        self.figure = figure
        self.axes = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
        self.blocks: list[list[Axes]] = []
        for ax in self.axes:
            if ax.get_label() == BELOW:
                self.blocks[-1].append(ax)
            else:
                self.blocks.append([ax])
        self.columns = max(_place(ax)[1] for ax in self.axes) + 1

        # In inches, and labels that a panel has or reads at the edge of its row or column
        self.boxes = {ax: _box(ax) for ax in self.axes}
        self.beside = max(_left(ax) for ax in self.axes)
        bars = [ax.get_tightbbox() for ax in figure.axes if ax not in self.axes]
        self.bar = max((bar.width / figure.dpi for bar in bars if bar is not None), default=0.0)
        first, last = self.axes[0], [ax for ax in self.axes if _place(ax)[0] == 0][-1]
        self.shared = first is not last and first.get_shared_y_axes().joined(first, last)
        self.xlabels = {ax: self._label(ax, "x") for ax in self.axes}
        self.ylabels = {ax: self._label(ax, "y") for ax in self.axes}

    def _label(self, ax: Axes, which: Literal["x", "y"]) -> str:
        """The label of an axis, or that at the edge of its row (y) or column (x) if the axes are of one kind."""
        own = _axis(ax, which).get_label_text()
        across = 0 if which == "y" else 1
        line = [other for other in self.axes if _place(other)[across] == _place(ax)[across]]
        edge = line[0] if which == "y" else line[-1]
        kinds = {type(_axis(one, which).get_major_locator()) for one in (ax, edge)}
        return own or (_axis(edge, which).get_label_text() if len(kinds) == 1 else "")

    def columns_at(self, width: float) -> int:
        """How many columns are legible at a ``width`` in inches: fewer than there are, or all of them."""
        usual = sum(self.boxes[block[0]][0] for block in self.blocks) / len(self.blocks)
        legible = max(NARROWEST, SHRUNK * usual)
        columns = max(
            count for count in range(1, self.columns + 1) if count == 1 or self._inside(width, count) > legible
        )

        # A figure that is higher than a page is worse than narrow panels
        while columns < self.columns and self.height_at(width, columns) > HIGHEST:
            if self._inside(width, columns + 1) < NARROWEST:
                break
            columns += 1
        return ceil(len(self.blocks) / ceil(len(self.blocks) / columns)) if columns < self.columns else columns

    def _inside(self, width: float, columns: int) -> float:
        """Inches of the box of a panel in one of ``columns``: only the first has labels where the y axis is shared."""
        around = self.beside + BETWEEN * (columns - 1) if self.shared else self.beside * columns
        return (width - around - self.bar) / columns

    def height_at(self, width: float, columns: int) -> float:
        """Inches that the boxes of all rows take together in a figure of a ``width`` in inches."""
        inside = self._inside(width, columns)
        rows = [self.blocks[start : start + columns] for start in range(0, len(self.blocks), columns)]
        return sum(max(self._height(block, inside) for block in row) for row in rows)

    def _height(self, block: list[Axes], inside: float) -> float:
        """Inches that the boxes of a block take at best; ``inside``: their width."""
        width, _ = self.boxes[block[0]]
        usual = sum(self.boxes[ax][1] for ax in block)
        if block[0].get_aspect() != "auto":
            return inside

        # Lower with the width, but every line of a list of names needs its height
        scale = min(1.0, max(SHRUNK, inside / width))
        high = min(scale * usual, FLAT * inside * (1 + 0.5 * (len(block) - 1)))
        names = max(
            len(ax.get_yticks()) if isinstance(ax.yaxis.get_major_locator(), FixedLocator) else 0 for ax in block
        )
        return max(high, LINE * names, NARROWEST)

    def height_now(self) -> float:
        """Inches that the boxes of all rows take together as they are laid out."""
        first = [block for block in self.blocks if _place(block[0])[1] == 0]
        return sum(_box(ax)[1] for block in first for ax in block)

    def stack(self, columns: int) -> None:
        """Place the blocks, in their order, into a grid of so many ``columns``."""
        depth = max(len(block) for block in self.blocks)
        rows = ceil(len(self.blocks) / columns)
        heights = [self.boxes[ax][1] for ax in self.blocks[0]]
        grid = self.figure.add_gridspec(rows * depth, columns, height_ratios=heights * rows)
        for place, block in enumerate(self.blocks):
            row, column = divmod(place, columns)
            for level, ax in enumerate(block):
                ax.set_subplotspec(grid[row * depth + level, column])

        # What two neighbours share is labelled once: at the left, and at the bottom
        for place in range(rows * depth):
            line = [ax for ax in self.axes if _place(ax)[0] == place]
            _label_line(line, "y", self.ylabels)
        for place in range(columns):
            line = [ax for ax in reversed(self.axes) if _place(ax)[1] == place]
            _label_line(line, "x", self.xlabels)


def _label_line(line: list[Axes], which: Literal["x", "y"], labels: dict[Axes, str]) -> None:
    """Label the first panel of a row (y) or, from below, of a column (x), and those that share nothing with it."""
    side = "labelleft" if which == "y" else "labelbottom"
    for before, ax in pairwise([None, *line]):
        assert ax is not None
        shared = ax.get_shared_y_axes() if which == "y" else ax.get_shared_x_axes()
        repeated = before is not None and shared.joined(before, ax)
        ax.tick_params(axis=which, **{side: not repeated})
        if repeated:
            _axis(ax, which).set_label_text("")
        elif before is None or not _axis(ax, which).get_label_text():
            _axis(ax, which).set_label_text(labels[ax])


def _axis(ax: Axes, which: Literal["x", "y"]) -> Axis:
    return ax.xaxis if which == "x" else ax.yaxis


def _place(ax: Axes) -> tuple[int, int]:
    """Row and column in the grid."""
    spec = ax.get_subplotspec()
    assert spec is not None
    return spec.rowspan.start, spec.colspan.start


def _box(ax: Axes) -> tuple[float, float]:
    """Width and height of the box in inches, before the aspect is applied."""
    box = ax.get_position(original=True)
    figure = ax.get_figure(root=True)
    assert figure is not None
    return box.width * figure.get_figwidth(), box.height * figure.get_figheight()


def _left(ax: Axes) -> float:
    """Inches that tick labels and the label of the y axis take at the left of the box, and a little room."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    around = ax.yaxis.get_tightbbox()
    return 0.1 + (0.0 if around is None else max(0.0, ax.get_window_extent().x0 - around.x0) / figure.dpi)
