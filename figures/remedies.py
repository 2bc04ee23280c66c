"""Figures of the remedies for all-wrong groups: what half success costs, and at which prices a remedy pays."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, FuncFormatter

from figures import style, texts

SHOWN = {
    "grpo": ("GRPO", "grpo", "s", "-"),
    "spo": ("SPO (colouring)", "spo", "o", "-"),
    "spo_prefix": ("SPO with prefix credit", "spo_prefix", "P", "-"),
    "hints, any depth": ("hints, any depth", "hints", "v", "-"),
    "hints, low threshold": ("hints, adaptive depth", "hints", "^", "--"),
    "imitation, one question in four": ("imitation, one question in four", "imitation", "D", "--"),
    "imitation": ("imitation", "imitation", "X", "-"),
}
"""Contenders that are drawn: label, the rule whose colour they have, marker and line."""

COSTS = {
    "updates": "updates",
    "tokens_generated": "tokens generated",
    "steps_judged": "steps judged",
    "solutions": "reference solutions",
}


@style.styled
def draw_costs(table: pd.DataFrame, *, group_size: int = 8, step_success: float = 0.3) -> Figure:
    """Costs to half success against the number of steps, one panel a column, logarithmic.

    ``table``: columns contender, horizon (steps), group_size, step_success (probability), miss, updates,
    tokens_generated, steps_judged, solutions (per question, summed up to half success; NaN: not reached).
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, ["contender", "horizon", "group_size", "step_success", "miss", *COSTS], "the figure of costs")
    rows = table[(table["group_size"] == group_size) & np.isclose(table["step_success"], step_success)]
    rows = rows[rows["miss"] == 0]
    figure = Figure(figsize=(10.4, 4.1), layout="constrained")
    axes = figure.subplots(1, len(COSTS))

    # A cost of 0 has no place on a logarithmic axis: a remedy without it is left out of the panel
    for ax, (column, label) in zip(axes, COSTS.items(), strict=True):
        for name in SHOWN:
            curve = rows[(rows["contender"] == name) & (rows[column] > 0)].sort_values("horizon")
            ax.plot(curve["horizon"], curve[column], **_look(name))
        ax.set(yscale="log", xlabel="steps per question, H", title=label)
        ax.xaxis.set_major_locator(FixedLocator(sorted(rows["horizon"].unique())))
    axes[0].set_ylabel("per question, up to half success")

    handles = [axes[0].plot([], [], **_look(name))[0] for name in SHOWN]
    texts.head(figure, "", handles, [label for label, *_ in SHOWN.values()])
    texts.foot(
        figure,
        f"Exact expected updates of step size 1, group size {group_size}, every step right with probability "
        f"{step_success:g} at the start.\nA remedy without a cost is not in its panel; hints of adaptive depth "
        "look for a success of 0.05.",
    )
    return figure


def _look(name: str) -> dict[str, Any]:
    """How a contender is drawn."""
    label, rule, marker, line = SHOWN[name]
    return {"color": style.colour(rule), "marker": marker, "linestyle": line, "markersize": 4, "label": label}


BREAK_EVEN = {
    "spo": "a judged step\n(colouring against GRPO)",
    "hints, low threshold": "a reference solution\n(adaptive hints against GRPO)",
    "imitation": "a reference solution\n(imitation against GRPO)",
}


@style.styled
def draw_break_even(table: pd.DataFrame, *, group_size: int = 8) -> Figure:
    """The price, in rollouts, at which a remedy stops being cheaper than GRPO, over steps and their accuracy.

    ``table``: columns contender, horizon (steps), group_size, step_success (probability), price (rollouts; NaN where
    half success is not reached; 0 or less where it never pays). Returns the figure. Raises `ValueError` for a table
    without these columns or without rows.
    """
    style.need(table, ["contender", "horizon", "group_size", "step_success", "price"], "the figure of prices")
    figure = Figure(figsize=(10.6, 3.8), layout="constrained")
    axes = figure.subplots(1, len(BREAK_EVEN), sharey=True)
    for ax, (name, title) in zip(axes, BREAK_EVEN.items(), strict=True):
        rows = table[(table["contender"] == name) & (table["group_size"] == group_size)]
        image = _cells(ax, rows)
        ax.set_title("price of " + title)
        ax.set_xlabel("steps per question, H")
    axes[0].set_ylabel("probability of a right step at the start")
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.set_label("break-even price, rollouts")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"$10^{{{value:.0f}}}$"))
    texts.foot(
        figure,
        f"Exact, group size {group_size}, step size 1. Below the price in a cell the remedy reaches half success at a "
        "lower cost than GRPO.\nNumbers are prices in rollouts; a dash: the remedy is never cheaper.",
    )
    return figure


def _cells(ax: Axes, rows: pd.DataFrame) -> AxesImage:
    """A map of prices with the number in every cell; returns the image, whose values are decimal logarithms."""
    grid = rows.pivot(index="step_success", columns="horizon", values="price")
    values = np.where(grid > 0, np.log10(grid.where(grid > 0, 1.0)), np.nan)
    image = ax.imshow(values, origin="lower", aspect="auto", cmap="viridis", vmin=-1, vmax=10)
    ax.grid(visible=False)
    for y, row in enumerate(grid.to_numpy()):
        for x, price in enumerate(row):
            bright = price > 0 and np.log10(price) > 5
            text = _short(price)
            ax.text(x, y, text, ha="center", va="center", fontsize=7, color=style.INK if bright else "white")
            if not price > 0:
                ax.text(x, y, text, ha="center", va="center", fontsize=7, color=style.INK)
    ax.set_xticks(range(grid.shape[1]), [str(h) for h in grid.columns])
    ax.set_yticks(range(grid.shape[0]), [f"{q:g}" for q in grid.index])
    return image


def _short(price: float) -> str:
    """A price in few characters.

    >>> [_short(price) for price in (float("nan"), -1.0, 0.25, 12.3, 45678.0)]
    ['', '–', '0.2', '12', '5e4']
    """
    if np.isnan(price):
        return ""
    if price <= 0:
        return "–"
    if price < 10:
        return f"{price:.1f}"
    return f"{price:.0f}" if price < 1000 else f"{price:.0e}".replace("e+0", "e").replace("e+", "e")


@style.styled
def draw_recovery(table: pd.DataFrame) -> Figure:
    """Updates to half success against the chance to recover from an error, one panel a number of steps.

    ``table``: columns rule, horizon (steps), recovery (probability), updates (NaN: not reached). Returns the figure.
    Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, ["rule", "horizon", "recovery", "updates"], "the figure of recovery")
    horizons = sorted(table["horizon"].unique())
    figure = Figure(figsize=(2.6 * len(horizons) + 0.6, 3.8), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(horizons), sharey=True))
    rules = style.rules_of(table)
    for ax, horizon in zip(axes, horizons, strict=True):
        for rule in rules:
            rows = table[(table["rule"] == rule) & (table["horizon"] == horizon)].sort_values("recovery")
            look = style.look_of(rule)
            known: dict[str, Any] = {"color": look.colour, "marker": look.marker, "label": look.label}
            ax.plot(rows["recovery"], rows["updates"], markersize=4, **known)
        ax.set(xscale="log", yscale="log", xlabel="chance to recover, per step", title=f"H = {horizon}")
    axes[0].set_ylabel("updates to half success")
    handles = [
        axes[0].plot([], [], color=style.colour(rule), marker=style.look_of(rule).marker, markersize=4)[0]
        for rule in rules
    ]
    texts.head(figure, "", handles, [style.label(rule) for rule in rules])
    texts.foot(
        figure,
        "Exact expected updates of step size 1, group size 8; steps on the track are right with probability 0.3.",
    )
    return figure
