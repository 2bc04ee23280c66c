"""One look for every figure: colours that mean the same everywhere, intervals over seeds, saving."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, ParamSpec, cast

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from scipy.stats import t as student

# Okabe and Ito's palette, which readers with any common colour blindness can tell apart, and two plain colours.
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
INK = "#222222"
GREY = "#7F7F7F"
BROWN = "#8C564B"

# For what is neither a rule nor one of a set of values (see `ladder`): Paul Tol's, told apart by the colour-blind too
OTHERS = (INK, "#882255", "#999933", "#332288", "#CC6677", "#44AA99", "#AA4499")


@dataclass(frozen=True)
class RuleLook:
    """How a rule looks in every figure.

    colour: of what is measured or computed. dark: of its theory beside it; "" for half the brightness of ``colour``.
    """

    label: str
    colour: str
    marker: str
    dark: str = ""


RULES = {
    "grpo": RuleLook("GRPO", VERMILLION, "s", "#6E2F00"),
    "spo": RuleLook("SPO (colouring)", BLUE, "o", "#00304F"),
    "dr_grpo": RuleLook("Dr. GRPO", GREEN, "X", "#004733"),
    "spo_prefix": RuleLook("SPO with prefix credit", SKY, "P"),
    "ngrpo": RuleLook("NGRPO", ORANGE, "D"),
    "sign": RuleLook("Sign", PURPLE, "^"),
    "lens": RuleLook("LENS-like penalty", BROWN, "v"),
}
"""The look of the rules that the studies compare, in the order of legends. Others look as they were registered."""

RULE_COLOUR = {name: look.colour for name, look in RULES.items()}
RULE_LABEL = {name: look.label for name, look in RULES.items()}

_RC: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.6,
    "figure.dpi": 100,
    "pdf.fonttype": 42,  # text stays text in the PDF
    "svg.fonttype": "none",
}

P = ParamSpec("P")

_ON_TOP: ContextVar[Mapping[str, Any]] = ContextVar("_ON_TOP", default=MappingProxyType({}))


@contextmanager
def on_top(settings: Mapping[str, Any]) -> Iterator[None]:
    """Lay ``settings`` of matplotlib on top of the look inside a ``with`` block, also on those of an outer block.

    >>> with on_top({"font.size": 7.0}), look():
    ...     matplotlib.rcParams["font.size"]
    7.0
    """
    token = _ON_TOP.set({**_ON_TOP.get(), **settings})
    try:
        yield
    finally:
        _ON_TOP.reset(token)


@contextmanager
def look() -> Iterator[None]:
    """Apply the look, and what is laid `on_top`, inside a ``with`` block and nowhere else.

    >>> with look():
    ...     matplotlib.rcParams["pdf.fonttype"]
    42
    """
    with matplotlib.rc_context():
        matplotlib.rcParams.update(matplotlib.rcParamsDefault)
        matplotlib.rcParams.update(cast(Any, {**_RC, **_ON_TOP.get()}))
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a function that returns a figure, so that it draws in the common look.

    Matplotlib's own settings are as before afterwards. Used as ``@styled`` on every public drawing function.
    """

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with look():
            return draw(*args, **kwargs)

    return inside


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` (150 dpi) and ``stem.pdf``, the same bytes for the same figure: the PDF carries no date.

    ``stem``: path without suffix, in a folder that exists. Returns both paths. Raises `OSError` where it cannot write.
    """
    paths = [stem.with_suffix(".png"), stem.with_suffix(".pdf")]
    save_png(figure, paths[0])
    with look():
        figure.savefig(paths[1], format="pdf", metadata={"CreationDate": None})
    return paths


def save_png(figure: Figure, path: Path | BinaryIO) -> None:
    """Write ``figure`` as PNG (150 dpi) to a path or an open file.

    The PNG does not name the version of matplotlib. Raises `OSError` where it cannot write.
    """
    with look():  # ticks are made while drawing, so the look must hold here too
        figure.savefig(path, dpi=150, format="png", metadata={"Software": None})


def need(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a table that lacks ``columns`` or has no rows: raises `ValueError`, which begins with ``what``.

    >>> need(pd.DataFrame({"step": [0]}), ["step", "success"], "the curve figure")
    Traceback (most recent call last):
    ValueError: the curve figure needs the columns success
    """
    missing = [c for c in columns if c not in table]
    if missing:
        raise ValueError(f"{what} needs the columns {', '.join(missing)}")
    if table.empty:
        raise ValueError(f"{what} has no rows to draw")


def rules_of(table: pd.DataFrame) -> list[str]:
    """Rules in the column rule of ``table``, in the common order; rules not listed here come last.

    >>> rules_of(pd.DataFrame({"rule": ["mine", "spo", "grpo", "spo"]}))
    ['grpo', 'spo', 'mine']
    """
    present = list(dict.fromkeys(table["rule"]))
    return [name for name in RULES if name in present] + [name for name in present if name not in RULES]


def look_of(rule: str) -> RuleLook:
    """The look of a rule: as listed here, else as its method was registered, else grey and called by its name.

    >>> look_of("nobody's")
    RuleLook(label="nobody's", colour='#7F7F7F', marker='x', dark='')
    """
    if rule in RULES:
        return RULES[rule]
    from spo_theory.methods.registry import rule as methods

    if rule not in methods.names():
        return RuleLook(rule, GREY, "x")
    entry = methods.entry(rule)
    return RuleLook(entry.label, entry.colour, "x")


def colour(rule: str) -> str:
    """Colour of a rule's measured or simulated curves.

    >>> colour("spo") == BLUE
    True
    """
    return look_of(rule).colour


def dark(rule: str) -> str:
    """Colour of a rule's theory curves: a dark shade of its colour, the listed one or half its brightness.

    >>> dark("spo"), dark("nobody's")
    ('#00304F', '#404040')
    """
    look = look_of(rule)
    red, green, blue = to_rgb(look.colour)
    return look.dark or to_hex((red / 2, green / 2, blue / 2))


def label(rule: str) -> str:
    """Name of a rule in legends.

    >>> label("dr_grpo")
    'Dr. GRPO'
    """
    return look_of(rule).label


THEORY_LINE: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 1.2, "zorder": 4}
"""How theory is drawn: thin, dashed, on top."""


def ladder(values: Sequence[Any]) -> dict[Any, Any]:
    """A colour for each of a set of values that can be ordered, dark to light, readable in grey too.

    Returns red, green, blue and opacity (0 to 1) by value, the smallest value first.

    >>> list(ladder([8, 2, 4, 2]))
    [2, 4, 8]
    """
    ordered = sorted(set(values))
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, max(len(ordered), 2)))
    return dict(zip(ordered, shades[: len(ordered)], strict=True))


def interval_factor(n: int) -> float:
    """Half the 95 % Student t interval of a mean of ``n`` values over their standard deviation; NaN below three.

    >>> round(interval_factor(5), 3)
    1.242
    """
    return float(student.ppf(0.975, n - 1) / np.sqrt(n)) if n > 2 else float("nan")


def over_seeds(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean over seeds of ``column`` at every step, with the 95 % Student t interval of the mean.

    ``table``: columns step (updates), seed, ``column``.
    Returns columns step, mean, low, high (in the unit of ``column``) and n (seeds), at the steps that every seed
    reached; fewer than three seeds have no interval (low and high are NaN): at two, Student's factor is 12.7 and the
    band says nothing.

    >>> table = pd.DataFrame({"seed": [0, 1, 2], "step": [1, 1, 1], "success": [0.2, 0.3, 0.4]})
    >>> over_seeds(table, "success").round(3).values.tolist()
    [[1.0, 0.3, 0.052, 0.548, 3.0]]
    """
    wide = table.pivot_table(index="step", columns="seed", values=column).dropna()
    n = wide.shape[1]
    mean = wide.mean(axis=1)
    half = wide.std(axis=1, ddof=1) * interval_factor(n)
    return pd.DataFrame({"step": wide.index, "mean": mean, "low": mean - half, "high": mean + half, "n": n})


def seeds_note(table: pd.DataFrame) -> str:
    """What lines and bands of `draw_seeds` are, by the number of values in the column seed.

    >>> seeds_note(pd.DataFrame({"seed": [3, 3]}))
    'One seed.'
    """
    n = table["seed"].nunique()
    if n == 1:
        return "One seed."
    if n == 2:
        return "Bold: mean of 2 seeds, too few for an interval. Faint: each seed."
    return f"Bold: mean of {n} seeds. Band: 95 % interval of the mean (Student t). Faint: each seed."


def draw_seeds(
    ax: Axes, table: pd.DataFrame, column: str, rule: str, faint: bool = True, interval: bool = True
) -> None:
    """Draw every seed faintly (if ``faint``), their mean and its ``interval``, in the colour of ``rule``.

    ``table``: columns seed, step (updates), ``column``. Seeds are averaged at the steps that all of them reached. A
    share that jumps from 0 to 1 has no interval worth drawing: of two such seeds in five it covers everything.
    """
    if faint:
        for _, one in table.groupby("seed"):
            ax.plot(one["step"], one[column], color=colour(rule), linewidth=0.5, alpha=0.35, zorder=1)
    mean = over_seeds(table, column)
    named: dict[str, Any] = {"gid": f"mean {rule}", "label": label(rule)}
    ax.plot(mean["step"], mean["mean"], color=colour(rule), linewidth=1.7, zorder=3, **named)
    if interval and len(mean) and mean["low"].notna().all():
        ax.fill_between(mean["step"], mean["low"], mean["high"], color=colour(rule), alpha=0.2, linewidth=0, zorder=2)


BELOW = "below"
"""Label of axes that stay below those before them, however a figure is arranged."""


def blocks(
    n: int, heights: tuple[float, float], per_row: int = 4, common: bool = True
) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """A figure of ``n`` pairs of panels, one above the other with a common x axis, ``per_row`` pairs in a row.

    ``heights``: of top and bottom, in proportion. ``common``: whether the bottom panels of a row share their y axis, as
    the top ones do. Returns the figure and the (top, bottom) axes of every pair.

    >>> figure, pairs = blocks(5, heights=(2.0, 1.0))
    >>> len(pairs), len(figure.axes)
    (5, 10)
    """
    # A narrow figure has no room for its legend, hence the least width.
    columns = min(n, per_row)
    rows = -(-n // per_row)
    figure = Figure(figsize=(max(2.6 * columns, 4.6) + 0.5, 3.9 * rows + 1.0), layout="constrained")
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=list(heights) * rows)

    # Axes are shared with the first pair of the row, which alone has tick labels then.
    pairs: list[tuple[Axes, Axes]] = []
    for i in range(n):
        row, column = divmod(i, columns)
        left = pairs[row * columns] if column else (None, None)
        top = figure.add_subplot(grid[2 * row, column], sharey=left[0])
        shared = left[1] if common else None
        bottom = figure.add_subplot(grid[2 * row + 1, column], sharex=top, sharey=shared, label=BELOW)
        top.tick_params(labelleft=column == 0, labelbottom=False)
        bottom.tick_params(labelleft=column == 0 or not common)
        bottom.set_xlabel("updates")
        pairs.append((top, bottom))
    return figure, pairs
