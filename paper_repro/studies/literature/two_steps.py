"""The paper's two-step model (arXiv 2505.11595, Section 3.2) in groups of any size."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from figures import style
from figures.published_beside_project import DASHED, MARKERS, legend_line, open_marker, shades_of
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import joined, largest_difference
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.published.bay_yearick import mean_group_std

COLOURINGS: dict[str, dict[str, Any]] = {
    "slope 10, threshold 1/2": {"beta": 10.0, "gamma": 0.5},
    "slope 1/2, threshold 10": {"beta": 0.5, "gamma": 10.0},
    "raw score": {"shape": "raw"},
}


def colour_values(second: float = 0.2, group_size: int = 8) -> pd.DataFrame:
    """Expected update of both steps of the two-step model against q_1, for GRPO and three colourings.

    ``published``: ``c_G(P) (1 - q_h) / (1 - P)`` and, coloured, plus ``(1 - P)^G c_G(s) (1, -q_2)`` with s the chance
    that a failure survived step 1: the values of the colours drop out. ``project``: exact expected updates.
    Extends Section 3.2 of arXiv 2505.11595 (there G = 2) by the identity of Bay and Yearick, arXiv 2607.00152.
    """
    # The closed forms: GRPO's, and what colouring adds in an all-negative group
    first = np.linspace(0.01, 0.99, 99)
    chain = ReasoningChain(step_success=np.stack([first, np.full_like(first, second)], axis=-1))
    success = chain.success
    plain = (mean_group_std(group_size, success) / (1 - success))[:, None] * (1 - chain.step_success)
    survived = first * (1 - second) / (1 - success)
    push = (1 - success) ** group_size * mean_group_std(group_size, survived)
    colour = push[:, None] * np.array([1, -second])

    # The same closed form stands beside all colourings, because it does not depend on their values
    rules = {"GRPO": (rule("grpo", group_size=group_size), plain)}
    for name, options in COLOURINGS.items():
        rules[name] = (rule("spo", group_size=group_size, **options), plain + colour)
    parts = []
    for name, (applied, published) in rules.items():
        project = expected_update(chain, applied)
        for h in range(2):
            part = {"colours": name, "rule": applied.name, "step": h + 1, "q_1": first, "q_2": second}
            part |= {"group_size": group_size, "project": project[:, h], "published": published[:, h]}
            parts.append(part)
    return joined(parts)


def draw_colour_values(ax: Axes, table: pd.DataFrame) -> str:
    """Update of both steps: one line for all colourings, a marker for each."""
    # Markers of different sizes, because those of the colourings lie on top of each other
    handles = []
    looks = [("s", style.VERMILLION, 5.0), ("o", style.BLUE, 7.5), ("^", style.dark("spo"), 4.0), ("+", style.INK, 5.0)]
    for (name, one), (marker, shade, size) in zip(table.groupby("colours", sort=False), looks, strict=False):
        points = {"linestyle": "none", **open_marker(shade, marker, size)}
        for step, rows in one.groupby("step"):
            dark = style.dark(str(rows["rule"].iloc[0]))
            line: Any = "-" if step == 1 else DASHED
            ax.plot(rows["q_1"], rows["published"], color=dark, linestyle=line, linewidth=1.0)
            some = rows.iloc[1::8]
            ax.plot(some["q_1"], some["project"], gid=f"project {name} {step}", **points)
        plain = one["rule"].iloc[0] == "grpo"
        handles.append(Line2D([], [], label=name if plain else f"SPO, {name}", **points))
    handles += [legend_line("step 1, closed form"), legend_line("step 2, closed form", line=DASHED)]
    ax.axhline(0, color=style.INK, linewidth=0.8)
    ax.set(xlabel="accuracy q₁ of the first step", ylabel="expected update", ylim=(-0.05, 0.7))
    ax.legend(handles=handles, loc="upper left", ncols=2, columnspacing=1.0, fontsize=7.0)
    setting = f"q₂ = {float(table['q_2'].iloc[0]):g}, G = {int(table['group_size'].iloc[0])}."
    return (
        f"{setting} The points of the three colourings lie on one another: the order of the colours is all that counts."
    )


def colour_values_finding(table: pd.DataFrame) -> str:
    """How exactly the values of the colours drop out."""
    return (
        "With two steps, advantages divided by the std and only all-negative groups coloured, three very different "
        f"colourings give one update (largest difference from the closed form {largest_difference(table):.0e})."
    )


def colouring_rate(chain: ReasoningChain, group_size: int) -> np.ndarray:
    """What colouring adds to the rate of log P, one number per question ``(N,)``.

    chain: N questions of two steps. The small difference is taken step by step, before the sum, so that round-off does
    not swallow it.
    """
    coloured = expected_update(chain, rule("spo", group_size=group_size))
    plain = expected_update(chain, rule("grpo", group_size=group_size))
    return ((coloured - plain) * (1 - chain.step_success)).sum(-1)


def sign_change(group_sizes: tuple[int, ...] = (2, 4, 8)) -> pd.DataFrame:
    """The q_1 at which colouring stops raising P in the two-step model, to first order, for every q_2.

    ``published``: ``q_1 = 1 - q_2 (1 - q_2)``, whatever G. ``project``: the zero of what colouring adds to the rate of
    log P, located by its sign on a fine grid. Extends Section 3.2 of arXiv 2505.11595 (there G = 2).
    """
    second = np.linspace(0.05, 0.95, 19)
    parts = []
    for size in group_sizes:
        low = np.full_like(second, 0.3)
        high = np.full_like(second, 0.999)
        for _ in range(40):  # bisection of all q_2 at once
            middle = (low + high) / 2
            chain = ReasoningChain(step_success=np.stack([middle, second], axis=-1))
            helps = colouring_rate(chain, size) > 0
            low = np.where(helps, middle, low)
            high = np.where(helps, high, middle)
        zero = (low + high) / 2
        parts.append({"group_size": size, "q_2": second, "project": zero, "published": 1 - second * (1 - second)})
    return joined(parts)


def draw_sign_change(ax: Axes, table: pd.DataFrame) -> str:
    """The boundary in the square of both accuracies."""
    # The published curve does not depend on the group size, so that of the first one stands for all
    one = table[table["group_size"] == table["group_size"].iloc[0]]
    ax.plot(one["published"], one["q_2"], color=style.INK, gid="published")
    ax.fill_betweenx(one["q_2"], one["published"], 1, color=style.VERMILLION, alpha=0.15, linewidth=0)
    ax.fill_betweenx(one["q_2"], 0.5, one["published"], color=style.BLUE, alpha=0.12, linewidth=0)
    handles = [Line2D([], [], color=style.INK, label="1 - q₁ = q₂(1 - q₂)")]
    looks = zip((8.5, 5.5, 3.0), shades_of(table["group_size"].sort_values()), MARKERS, strict=False)
    for (size, rows), (marker_size, shade, marker) in zip(table.groupby("group_size"), looks, strict=False):
        look = open_marker(shade, marker, marker_size)
        ax.plot(rows["project"], rows["q_2"], linestyle="none", gid=f"project {size}", clip_on=False, **look)
        handles.append(Line2D([], [], linestyle="none", label=f"G = {size}, computed", **look))
    ax.text(0.52, 0.9, "colouring raises P", fontsize=8, color=style.BLUE, va="center")
    ax.text(0.985, 0.5, "lowers P", fontsize=8, color=style.VERMILLION, va="center", ha="right")
    ax.set(xlabel="accuracy q₁ of the first step", ylabel="accuracy q₂ of the second step")
    ax.set(xlim=(0.5, 1), ylim=(one["q_2"].min(), one["q_2"].max()))
    ax.legend(handles=handles, loc="lower left")
    return (
        "To first order in the step size. Points: where what colouring adds to the rate of log P is 0. They lie on one "
        "another, because the boundary is the same for every G."
    )


def sign_change_finding(table: pd.DataFrame) -> str:
    """Where colouring stops helping, and how exactly the closed form says so."""
    return (
        "With two steps colouring raises success to first order exactly below 1 - q₁ = q₂(1 - q₂), whatever the "
        f"group size (largest difference {largest_difference(table):.0e})."
    )


RESULTS = (
    Result(
        compute=colour_values,
        draw=draw_colour_values,
        columns=("colours", "rule", "step", "q_1", "q_2", "group_size", "project", "published"),
        title="Two steps: three colourings, one update",
        source="arXiv 2505.11595, Section 3.2, extended to any G (points: exact expectation).",
        finding=colour_values_finding,
    ),
    Result(
        compute=sign_change,
        draw=draw_sign_change,
        columns=("group_size", "q_2", "project", "published"),
        title="Two steps: where colouring stops helping",
        source="arXiv 2505.11595, Section 3.2, extended to any G.",
        finding=sign_change_finding,
    ),
)
