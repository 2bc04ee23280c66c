"""Figure: the colouring curve, reward of an incorrect response against its RTS."""

import pandas as pd
from matplotlib.figure import Figure

from figures import style, texts

_COLOURS = [style.BLUE, *style.OTHERS[1:]]
_DASHES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5))]


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Reward against RTS, one line per (beta, gamma).

    ``table``: columns rts (share of the response, 0 to 1), reward, beta, gamma (pure numbers) and reading (a name
    for the pair, or ""). Left: the rewards. Right: the same curves less their smallest value, over their range, which
    is what group standardization sees.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(table, ["rts", "reward", "beta", "gamma", "reading"], "the colouring figure")
    figure = Figure(figsize=(8.6, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)

    # Pairs with a name of their own are the subject: full and thick lines. The others are there for comparison.
    for i, ((beta, gamma, reading), one) in enumerate(table.groupby(["beta", "gamma", "reading"], sort=False)):
        line = {
            "color": _COLOURS[i % len(_COLOURS)],
            "linestyle": "-" if reading else _DASHES[1 + i % 3],
            "linewidth": 2.2 if reading else 1.3,
        }
        name = rf"$\beta$ = {beta:g}, $\gamma$ = {gamma:g}" + (f"  ({reading})" if reading else "")

        # Standardization removes shift and scale, so the right panel removes both.
        left.plot(one["rts"], one["reward"], label=name, **line)
        low = one["reward"].min()
        high = one["reward"].max()
        right.plot(one["rts"], (one["reward"] - low) / (high - low), **line)

    # The reward of a correct response, 1, is what colours are to be compared with.
    left.axhline(1, color=style.INK, linewidth=0.8, linestyle=":")
    left.text(0.015, 1.015, "reward of a correct response", fontsize=7.5, color=style.INK, va="bottom")
    left.set(xlim=(0, 1), ylim=(0, 1.1), ylabel="reward of an incorrect response")
    right.set(xlim=(0, 1), ylim=(0, 1.1), ylabel="the same, stretched to its own range")
    for ax in (left, right):
        ax.set_xlabel("RTS: share of the response before its first error")

    # The curves are the same on both panels: one legend serves both.
    texts.panel_letter(left, "a", "colouring as it is added")
    texts.panel_letter(right, "b", "its shape: all that standardization keeps")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
