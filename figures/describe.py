"""What a figure shows, in sentences: the text that stands for a picture where it cannot be seen."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

MOST = 5
"""Series of a panel that are told; of more, how many there are."""
ROUND_OFF = 1e-12
"""What is closer to 0 is told as 0."""


def describe(figure: Figure) -> str:
    """The panels of a drawn figure with their axes, and where each named line begins and ends.

    Read off the figure itself, so that the text is true whatever the data are. A line is told if it has a label.

    >>> figure = Figure()
    >>> _ = figure.subplots().plot([0, 4], [0.2, 0.9], label="GRPO")
    >>> _ = figure.axes[0].set(xlabel="updates", ylabel="success", xlim=(0, 4))
    >>> describe(figure)
    'success against updates (0 to 4): GRPO from 0.2 to 0.9.'
    """
    bars = {mesh.colorbar.ax for ax in figure.axes for mesh in _meshes(ax) if mesh.colorbar}
    panels = [ax for ax in figure.axes if ax not in bars]
    several = [f"{len(panels)} panels."] if len(panels) > 1 else []

    # Where no line has a name of its own, the legend says at least what there is
    named = any(_labelled(ax.lines) or _meshes(ax) or _bars(ax) for ax in panels)
    legends = [*figure.legends, *(ax.get_legend() for ax in panels)]
    texts = [text.get_text() for legend in legends if legend is not None for text in legend.get_texts()]
    shown = [] if named else [_one_line(text) for text in texts]
    legend = [f"Legend: {'; '.join(dict.fromkeys(shown))}."] if shown else []
    return " ".join([*several, *(_panel(ax) for ax in panels), *legend])


def _panel(ax: Axes) -> str:
    """One panel: its title, axes and contents."""
    title = ax.get_title("left") or ax.get_title()
    low, high = _reach(ax)
    scale = ", logarithmic" if ax.get_yscale() == "log" else ""
    across = f"{_axis(ax, 'x') or 'the horizontal axis'} ({_short(low)} to {_short(high)})"
    up = _axis(ax, "y") or "the vertical axis"
    seen = _map(ax) or _bars(ax) or _lines(ax)
    return (f"{_one_line(title)}. " if title else "") + f"{up}{scale} against {across}{': ' if seen else ''}{seen}."


def _reach(ax: Axes) -> tuple[float, float]:
    """From where to where along x something is drawn, within the frame."""
    left, right = sorted(ax.get_xlim())
    low, high = ax.dataLim.intervalx
    inside = np.isfinite([low, high]).all() and low < high
    return (max(left, low), min(right, high)) if inside else (left, right)


def _axis(ax: Axes, which: str) -> str:
    """Label of an axis; panels that share one have it at one of them."""
    sharing = ax.get_shared_x_axes() if which == "x" else ax.get_shared_y_axes()
    together = [ax, *sharing.get_siblings(ax)]
    labels = [one.get_xlabel() if which == "x" else one.get_ylabel() for one in together]
    return _one_line(next((label for label in labels if label), ""))


def _lines(ax: Axes) -> str:
    """The labelled lines and points of a panel, each with its first and last value."""
    parts = [f"{_one_line(str(line.get_label()))} {_course(line)}" for line in _labelled(ax.lines)]
    more = [f"and {len(parts) - MOST} more"] if len(parts) > MOST else []
    return "; ".join([*parts[:MOST], *more])


def _labelled(lines: Iterable[Line2D]) -> list[Line2D]:
    """Lines with a label and with a value that is drawn; matplotlib's own labels begin with a dash below."""
    shown = [line for line in lines if not str(line.get_label()).startswith("_")]
    return [line for line in shown if np.isfinite(_values(line)).any()]


def _values(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_ydata(), float)


def _course(line: Line2D) -> str:
    """Where a line begins and ends, and its highest or lowest point if that is well outside."""
    values = _values(line)
    values = values[np.isfinite(values)]
    first, last = values[0], values[-1]
    if values.min() == values.max():
        return f"at {_short(first)}"
    text = f"from {_short(first)} to {_short(last)}"
    reach = abs(values.max() - values.min())
    if values.max() > max(first, last) + reach / 5:
        return f"{text}, at most {_short(values.max())}"
    if values.min() < min(first, last) - reach / 5:
        return f"{text}, at least {_short(values.min())}"
    return text


def _map(ax: Axes) -> str:
    """A map: what its colours mean and between which values they lie."""
    for mesh in _meshes(ax):
        name = _one_line(mesh.colorbar.ax.get_ylabel()) if mesh.colorbar else ""
        if isinstance(mesh, AxesImage):  # its values may be logarithms of what the colours mean
            return f"a map of {name or 'values'}"
        values = np.ma.masked_invalid(np.asarray(mesh.get_array(), float))
        return f"a map of {name or 'values'} from {_short(values.min())} to {_short(values.max())}"
    return ""


def _meshes(ax: Axes) -> list[QuadMesh | AxesImage]:
    return [one for one in (*ax.collections, *ax.images) if isinstance(one, QuadMesh | AxesImage)]


def _bars(ax: Axes) -> str:
    """Horizontal bars with the names at their axis."""
    found = [one for one in ax.containers if isinstance(one, BarContainer)]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    widths = [bar.get_width() for one in found for bar in one]
    return ", ".join(f"{name} {_short(width)}" for name, width in zip(names, widths, strict=False))


def _one_line(text: str) -> str:
    """Text of an axis without line breaks and without TeX's marks."""
    for mark, plain in (("$", ""), (r"\beta", "β"), (r"\gamma", "γ"), (r"\log_{10}", "log10"), ("\n", " ")):
        text = text.replace(mark, plain)
    return text.strip()


def _short(value: float) -> str:
    """A number with at most three digits that count."""
    if abs(value) < ROUND_OFF:
        return "0"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
