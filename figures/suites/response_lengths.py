"""Figure: length of a response and success over updates, for both readings of the length that RTS divides by."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style, texts
from figures.suites.runs import COLUMNS, usual_size

TRUE_LENGTH = "SPO, RTS over the true length"


@style.styled
def draw(table: pd.DataFrame, lengths: pd.DataFrame) -> Figure:
    """Tokens per response and success over updates, a column for each optimizer; the usual size, base start.

    ``table``, ``lengths``: columns of `figures.suites.runs.COLUMNS`, step (updates), response_length (tokens),
    success_exact (a probability); ``lengths`` holds the runs whose RTS divides by the length of the true response.
    Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    shown = [*COLUMNS, "step", "response_length", "success_exact"]
    style.need(table, shown, "the lengths figure")
    style.need(lengths, shown, "the lengths figure")

    # The other reading is drawn as a rule of its own, beside the rules of the usual one.
    usual = table[(table["size"] == usual_size(table)) & (table["start"] == "base")]
    curves = pd.concat([usual, lengths.assign(rule=TRUE_LENGTH)])
    curves = curves[curves["step"].notna()]
    optimizers = list(dict.fromkeys(curves["optimizer"]))
    figure, pairs = style.blocks(len(optimizers), (1.0, 1.0))

    # Length above success: shows whether a rule gains by writing longer or shorter responses.
    for (top, bottom), optimizer, letters in zip(pairs, optimizers, ("ab", "cd"), strict=False):
        one = curves[curves["optimizer"] == optimizer]
        for ax, column in ((top, "response_length"), (bottom, "success_exact")):
            for rule in style.rules_of(one):
                style.draw_seeds(ax, one[one["rule"] == rule], column, rule)
            ax.set_ylim(0, None)
        texts.panel_letter(top, letters[0], {"adamw": "AdamW"}.get(optimizer, optimizer.upper()))
        texts.panel_letter(bottom, letters[1], "success")
    pairs[0][0].set_ylabel("tokens per response")
    pairs[0][1].set_ylabel("success, mean of questions")

    # Rules mean the same in all panels: one legend.
    handles = [Line2D([], [], color=style.colour(r), label=style.label(r)) for r in style.rules_of(curves)]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    texts.foot(figure, style.seeds_note(curves))
    return figure
