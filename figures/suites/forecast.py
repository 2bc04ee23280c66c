"""Figure: success on every suite over training, measured and forecast."""

from string import ascii_lowercase

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style, texts
from figures.training import BESIDE, draw_theory

PREFIX = "success_"


def suites_of(curves: pd.DataFrame) -> list[str]:
    """Names of the suites that have a column ``success_NAME``, in the order of the table.

    >>> suites_of(pd.DataFrame({"success_add": [0.5], "success_sampled": [0.4]}))
    ['add']
    """
    names = [str(column) for column in curves]
    return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX) and name != f"{PREFIX}sampled"]


@style.styled
def draw(curves: pd.DataFrame) -> Figure:
    """Success over updates, one panel per suite, of the first experiment of the table.

    ``curves``: columns experiment, source ("network" or "theory"), level, rule, seed, step (updates), group_size
    (responses) and ``success_NAME`` (a probability) of every suite.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(curves, ["experiment", "source", "level", "rule", "seed", "step"], "the figure of forecast suites")
    one = curves[curves["experiment"] == curves["experiment"].iloc[0]]
    names = suites_of(one)
    network = one[one["source"] == "network"]

    # Four panels a row, all with one scale: suites are of different difficulty.
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(1.2 + 2.2 * columns, 1.2 + 2.0 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for ax, name, letter in zip(axes, names, ascii_lowercase, strict=False):
        for rule in style.rules_of(network):
            style.draw_seeds(ax, network[network["rule"] == rule], f"{PREFIX}{name}", rule)
            draw_theory(ax, one, rule, f"{PREFIX}{name}")
            draw_theory(ax, one, rule, f"{PREFIX}{name}", "mean_field")
        ax.set(ylim=(-0.01, 1.01), xlim=(0, network["step"].max()))
        texts.panel_letter(ax, letter, name)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax in axes[::columns]:
        ax.set_ylabel("success probability")
    for ax in axes[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel("update")
        ax.xaxis.set_tick_params(labelbottom=True)

    # Rules mean the same in every panel: one legend.
    rules = style.rules_of(network)
    handles = [Line2D([], [], color=style.colour(rule), label=f"{style.label(rule)}, network") for rule in rules]
    handles.append(Line2D([], [], color=style.INK, label="theory, with noise", **style.THEORY_LINE))
    handles.append(Line2D([], [], color=style.INK, label="theory, no noise", **BESIDE["mean_field"]))  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles) if columns > 2 else 2)
    texts.foot(figure, f"Groups of G = {int(network['group_size'].iloc[0])}. {style.seeds_note(network)}")
    return figure
