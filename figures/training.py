"""Figure: success of the network over training with the theory drawn over it, and what the theory misses."""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style, texts

COLUMNS = ["experiment", "source", "rule", "horizon", "group_size", "model", "optimizer", "seed", "step"]


def panels(curves: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The experiments with a trained network, by horizon and optimizer, plain SGD first.

    ``curves``: columns `COLUMNS`. Returns pairs of a title and the rows of the experiment, theory included.
    """
    network = set(curves.loc[curves["source"] == "network", "experiment"])
    chosen = curves[curves["experiment"].isin(network)]
    ordered = sorted(chosen.groupby("experiment"), key=lambda kv: _order(kv[1]))
    sizes = chosen["group_size"].nunique() > 1
    return [(title(one) + (f", G = {int(one['group_size'].iloc[0])}" if sizes else ""), one) for _, one in ordered]


def _order(one: pd.DataFrame) -> tuple:
    """Key of an experiment in the order of panels."""
    first = one[one["source"] == "network"].iloc[0]
    return int(first["horizon"]), str(first["optimizer"]) != "sgd", str(first["experiment"])


def title(one: pd.DataFrame) -> str:
    """What sets an experiment apart: its horizon, optimizer and, where they are known, step size and note.

    ``one``: rows of one experiment; columns source, horizon (steps), optimizer; learning_rate and note if known.

    >>> title(pd.DataFrame({"source": ["network"], "horizon": [6], "optimizer": ["sgd"], "learning_rate": [0.5]}))
    'H = 6, SGD, rate 0.5'
    """
    first = one[one["source"] == "network"].iloc[0]
    name = str(first["optimizer"]).replace("sgd", "SGD").replace("adam", "Adam")
    rate = first.get("learning_rate", np.nan)
    note = first.get("note", "")
    told = "" if pd.isna(rate) else f", rate {rate:g}"
    return f"H = {int(first['horizon'])}, {name}{told}" + (f":\n{note}" if isinstance(note, str) and note else "")


LADDER = ("chain", "kernel", "mean_field", "noisy")
"""Levels of forecasts, from the simplest to the most complete."""
BESIDE = {"kernel": {"linestyle": ":", "linewidth": 1.0}, "mean_field": {"linestyle": "-", "linewidth": 0.7}}
"""How the simpler levels are drawn beside the most complete one."""


def forecast_of(one: pd.DataFrame, rule: str, level: str | None = None) -> pd.DataFrame:
    """The theory's rows of ``rule`` at a level, by default the most complete one that is there.

    ``one``: rows of one experiment; columns source, rule and, where there are several levels, level.
    """
    theory = one[(one["source"] == "theory") & (one["rule"] == rule)]
    if "level" not in theory or theory.empty:
        return theory if level is None else theory.iloc[:0]
    there = [name for name in LADDER if (theory["level"] == name).any()]
    return theory[theory["level"] == (there[-1] if level is None else level)]


def residuals(one: pd.DataFrame, rule: str, column: str = "success") -> pd.DataFrame:
    """Measured minus predicted, each run against the forecast of its own start where there is one.

    ``one``: rows of one experiment; columns source, rule, seed, step (updates), ``column``, and start if known.
    Returns columns seed, step and ``column``, the difference, at the updates that both have.
    """
    theory = forecast_of(one, rule)
    measured = one[(one["rule"] == rule) & (one["source"] == "network")]

    # Several draws from one start are one forecast
    keys = ["start", "step"] if "start" in one and theory["start"].notna().all() else ["step"]
    mean = theory.groupby(keys, as_index=False)[column].mean()
    columns = list(dict.fromkeys(["seed", *keys, column]))
    both = measured[columns].merge(mean, on=keys, suffixes=("", "_theory"))
    return both[["seed", "step"]].assign(**{column: both[column] - both[f"{column}_theory"]})


def draw_theory(ax: Axes, one: pd.DataFrame, rule: str, column: str, level: str | None = None) -> None:
    """Draw the theory's curve of ``rule``, the mean of the starts' forecasts, up to the last measured update.

    ``one``: rows of one experiment; columns source, rule, step (updates), ``column``. ``level``: a simpler one than the
    most complete. Nothing is drawn without theory.
    """
    last = one.loc[one["source"] == "network", "step"].max()
    theory = forecast_of(one, rule, level)
    theory = theory[theory["step"] <= last]
    if len(theory):
        mean = theory.groupby("step")[column].mean().dropna()
        line: dict[str, Any] = style.THEORY_LINE if level is None else BESIDE[level]
        name = f"{style.label(rule)}, theory" if level is None else None  # simpler levels are hardly told apart
        ax.plot(mean.index, mean, color=style.dark(rule), gid=f"{level or 'theory'} {rule}", label=name, **line)


def legend(figure: Figure, rules: list[str], levels: Sequence[str] = ()) -> None:
    """A legend for the whole figure: each rule measured and predicted, then the simpler ``levels`` of forecasts.

    ``rules``: their names.
    """
    handles = [Line2D([], [], color=style.colour(r), label=f"{style.label(r)}, network") for r in rules]
    handles += [
        Line2D([], [], color=style.dark(r), label=f"{style.label(r)}, theory", **style.THEORY_LINE) for r in rules
    ]
    names = {"kernel": "theory, frozen kernel", "mean_field": "theory, no noise"}
    handles += [Line2D([], [], color=style.INK, label=names[level], **BESIDE[level]) for level in levels]  # type: ignore[arg-type]
    texts.head(figure, "", handles, [str(handle.get_label()) for handle in handles])


@style.styled
def draw(curves: pd.DataFrame) -> Figure:
    """Success over updates, one column per (H, optimizer); below each, measured minus predicted.

    ``curves``: columns `COLUMNS` (horizon in steps, group_size in responses, step in updates) and success (a
    probability); rows with source "network" (several seeds) and "theory".
    Returns the figure. Raises `ValueError` for a table without these columns, without rows or without rows of
    source "network".
    """
    style.need(curves, [*COLUMNS, "success"], "the training figure")
    found = panels(curves)
    if not found:
        raise ValueError("the training figure needs rows with source 'network'")

    # The difference has a panel of its own: on the curves it would be thinner than the lines.
    figure, axes = style.blocks(len(found), heights=(2.4, 1.0), common=False)
    known = set(curves["level"]) if "level" in curves else set()
    beside = [level for level in BESIDE if level in known and known & set(LADDER[LADDER.index(level) + 1 :])]
    for (name, one), (top, bottom), letter in zip(found, axes, ascii_lowercase, strict=False):
        network = one[one["source"] == "network"]
        for rule in style.rules_of(network):
            style.draw_seeds(top, network[network["rule"] == rule], "success", rule, interval=False)
            draw_theory(top, one, rule, "success")
            for level in beside:
                draw_theory(top, one, rule, "success", level)
            error = residuals(one, rule)
            if len(error):
                style.draw_seeds(bottom, error, "success", rule, faint=False)

        # Half success is what the escape studies count to; 0 is a forecast without error.
        top.axhline(0.5, color=style.INK, linewidth=0.6, linestyle=":")
        top.set(ylim=(-0.01, 1.01), xlim=(0, network["step"].max()))
        bottom.axhline(0, color=style.INK, linewidth=0.8)
        texts.panel_letter(top, letter, name)
        if top.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            top.set_ylabel("success probability")
            bottom.set_ylabel("measured\nminus predicted")

    # Differences are symmetric about 0, each panel on its own scale: one bad setting would flatten all others.
    for _, bottom in axes:
        reach = max(0.05, np.abs(bottom.get_ylim()).max())  # never so fine that round-off looks like an error
        bottom.set_ylim(-reach, reach)

    # Rules mean the same in every column: one legend.
    network = curves[curves["source"] == "network"]
    legend(figure, style.rules_of(network), beside)
    sizes = ", ".join(str(int(g)) for g in sorted(network["group_size"].unique()))
    texts.foot(
        figure,
        f"Groups of G = {sizes}. Theory: predicted from the network before training, nothing fitted. The rate is the "
        f"learning rate.\n{_seeds_note(network)}",
    )
    return figure


def _seeds_note(network: pd.DataFrame) -> str:
    """What bold lines, faint ones and bands are."""
    text = style.seeds_note(network)
    return text.replace("Band: ", "Band of the lower panel: ") if "Band" in text else text
