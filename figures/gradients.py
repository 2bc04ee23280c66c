"""Figure: sampled gradients at a fixed network against the exact expected one, by method."""

import pandas as pd
from matplotlib.figure import Figure

from figures import style, texts

MARKERS = {"chain": "o", "suites": "s"}
"""Of settings; any other has a cross."""


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Length along the exact gradient (left) and largest z-score (right), one row per method.

    ``table``: columns setting ("chain" or "suites"), rule, batches, ratio, ratio_error, z_largest, z_limit; see
    docs/metrics.md. Returns the figure. Raises `ValueError` for a table without these columns or without rows.
    """
    style.need(
        table, ["setting", "rule", "batches", "ratio", "ratio_error", "z_largest", "z_limit"], "the gradient figure"
    )
    rules = style.rules_of(table)[::-1]
    settings = list(dict.fromkeys(table["setting"]))
    figure = Figure(figsize=(7.0, 1.4 + 0.32 * len(rules)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)

    # Settings of one method stand a little apart, so that their bars do not hide one another.
    for place, setting in enumerate(settings):
        one = table[table["setting"] == setting]
        y = [rules.index(rule) + 0.24 * (place - (len(settings) - 1) / 2) for rule in one["rule"]]
        colours = [style.colour(rule) for rule in one["rule"]]
        left.errorbar(one["ratio"], y, xerr=2 * one["ratio_error"], fmt="none", ecolor=colours, linewidth=1.2)
        left.scatter(one["ratio"], y, c=colours, marker=MARKERS.get(setting, "x"), s=18, zorder=3)
        right.scatter(one["z_largest"], y, c=colours, marker=MARKERS.get(setting, "x"), s=18, zorder=3, label=setting)

    # What agreement would be, and the most that chance allows.
    left.axvline(1.0, color=style.INK, linewidth=0.8)
    right.axvline(table["z_limit"].max(), color=style.INK, linewidth=0.8, linestyle=":", label="1 % limit of chance")
    left.set_yticks(range(len(rules)), labels=[style.label(rule) for rule in rules])
    left.set_xlabel("sampled over exact gradient")
    right.set_xlabel("largest z-score of all parameters")
    right.set_xlim(left=0)
    texts.panel_letter(left, "a", "along the exact gradient")
    texts.panel_letter(right, "b", "parameter by parameter")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    batches = int(table["batches"].max())
    texts.foot(figure, f"Mean of {batches} sampled batches on the same questions. Bars: two standard errors.")
    return figure
