"""Figure: share of all-negative groups and gradient norm over training."""

import pandas as pd
from matplotlib.figure import Figure

from figures import style
from figures.training import COLUMNS, draw_theory, legend, panels


@style.styled
def draw(curves: pd.DataFrame) -> Figure:
    """All-negative share (top) and gradient norm (bottom, logarithmic), one column per (H, optimizer).

    ``curves``: as for the training figure, with columns all_negative and grad_norm (0 where no group gave a
    gradient; such updates leave a gap on the logarithmic axis).
    """
    style.need(curves, [*COLUMNS, "all_negative", "grad_norm"], "the groups figure")
    found = panels(curves)
    if not found:
        raise ValueError("the groups figure needs rows with source 'network'")
    n = len(found)
    figure = Figure(figsize=(max(2.6 * n, 4.2) + 0.5, 4.9), layout="constrained")
    axes = figure.subplots(2, n, sharex="col", sharey="row", squeeze=False)
    for j, (name, one) in enumerate(found):
        top, bottom = axes[0, j], axes[1, j]
        network = one[one["source"] == "network"]
        for rule in style.rules_of(network):
            rows = network[network["rule"] == rule]
            style.draw_seeds(top, rows, "all_negative", rule)
            draw_theory(top, one, rule, "all_negative")
            norms = rows.assign(grad_norm=rows["grad_norm"].where(rows["grad_norm"] > 0))
            for _, seed in norms.groupby("seed"):
                bottom.plot(seed["step"], seed["grad_norm"], color=style.colour(rule), linewidth=0.5, alpha=0.35)
            median = rows.groupby("step")["grad_norm"].median()
            bottom.plot(median.index, median.where(median > 0), color=style.colour(rule), gid=f"median {rule}")
            draw_theory(bottom, one, rule, "grad_norm")
        top.set(ylim=(-0.02, 1.02), xlim=(0, network["step"].max()))
        bottom.set(yscale="log", xlabel="updates")
        style.panel_letter(top, "abcdefghijkl"[j], name)
    axes[0, 0].set_ylabel("share of all-negative groups")
    axes[1, 0].set_ylabel("gradient norm")
    network = curves[curves["source"] == "network"]
    legend(figure, style.rules_of(network))
    style.foot(
        figure,
        f"Top: {style.seeds_note(network)} Bottom: bold is the median over seeds.\n"
        "The theory's norm is that of the mean gradient; a sampled gradient is longer by its noise.",
    )
    return figure
