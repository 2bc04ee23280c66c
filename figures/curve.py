"""Figure: one solved curve, success and the share of all-negative groups over updates."""

import pandas as pd
from matplotlib.figure import Figure

from figures import style


@style.styled
def draw(curve: pd.DataFrame, rule: str, setting: str) -> Figure:
    """Success, all-negative share and step accuracies over updates.

    ``curve``: columns step (updates), success, all_negative and q_1..q_H (probabilities).
    ``rule``: name of the rule, which gives the colour. ``setting``: the title.
    Returns the figure. Raises `ValueError` for a curve without these columns (q apart) or without rows.
    """
    style.need(curve, ["step", "success", "all_negative"], "the curve figure")
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    ax = figure.subplots()

    # Step accuracies are the background of success: grey, and one entry in the legend for all of them.
    steps = curve.filter(regex=r"^q_\d+$")
    for i, name in enumerate(steps):
        ax.plot(
            curve["step"], curve[name], color="#aaaaaa", linewidth=0.8, label=None if i else "accuracy of each step"
        )

    # Success takes the colour of its rule; the share of silent groups explains it and is drawn in ink.
    ax.plot(curve["step"], curve["success"], color=style.colour(rule), linewidth=2, label="success")
    ax.plot(
        curve["step"],
        curve["all_negative"],
        color=style.INK,
        linestyle=(0, (1.5, 1.2)),
        label="share of all-negative groups",
    )

    # A little room at both ends, so that curves at 0 and at 1 are seen whole.
    ax.set(xlabel="updates", ylabel="probability", ylim=(-0.02, 1.02), xlim=(0, curve["step"].max()), title=setting)
    ax.legend()
    return figure
