"""Mroueh, arXiv 2503.06639: GRPO with a KL term, round by round, and where it settles."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from figures.published_beside_project import DOTTED, draw_beside, legend_line, open_marker, plain_log_axis, shades_of
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import joined, largest_difference
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.published.mroueh import kl_fixed_point, kl_round, kl_slope

SOURCE = "Mroueh, arXiv 2503.06639."
FINE_DOTS = (0, (1, 1))  # line of unstable fixed points
LONG_DASHES = (0, (5, 2))  # line of the mean-only variant


def kl_rounds(
    reference: float = 0.05, betas: tuple[float, ...] = (1.0, 2.0, 5.0), rounds: int = 12, var_eps: float = 1e-5
) -> pd.DataFrame:
    """Success after each exactly solved round of KL-regularized GRPO, and the recurrence's fixed point.

    ``published``: ``logit P' = logit P_ref + 1 / (beta sqrt(P (1 - P) + eps))``. ``project``: the outcome classes of a
    three-step chain, tilted by ``exp(A / beta)``. Source: Mroueh, arXiv 2503.06639.
    """
    # Three unequal steps whose product is the reference success: the recurrence sees that product alone
    start = ReasoningChain(step_success=reference ** np.array([0.2, 0.3, 0.5])).class_probs
    parts = []
    for beta in betas:
        published = [reference]
        project = [float(start[-1])]
        tilted = start
        for _ in range(rounds):
            published.append(float(kl_round(published[-1], reference, beta, var_eps=var_eps)))

            # the exact solution of a round tilts the reference policy by the standardized reward
            success = tilted[-1]
            reward = (np.arange(4) == 3) - success
            tilted = start * np.exp(reward / np.sqrt(success * (1 - success) + var_eps) / beta)
            tilted = tilted / tilted.sum()
            project.append(float(tilted[-1]))
        part = {"beta": beta, "round": np.arange(rounds + 1), "project": project, "published": published}
        parts.append(part | {"fixed_point": kl_fixed_point(reference, beta, var_eps=var_eps)})
    return joined(parts).assign(reference=reference)


def draw_kl_rounds(ax: Axes, table: pd.DataFrame) -> str:
    """Success by round, a colour for every weight of the KL term, its fixed point dotted."""
    handles = draw_beside(ax, table, "round", "beta", lambda beta: f"β = {beta:g}")
    for (_, one), shade in zip(table.groupby("beta", sort=False), shades_of(table["beta"]), strict=True):
        ax.axhline(one["fixed_point"].iloc[0], color=shade, linestyle=DOTTED, linewidth=1.0, zorder=1)
    handles.append(legend_line("fixed point", line=DOTTED))
    ax.set(xlabel="round", ylabel="success probability P", ylim=(0, None))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=handles, loc="upper right", ncols=2)
    reference = f"The start is also the reference policy, P = {table['reference'].iloc[0]:g}."
    return f"Lines: the published recurrence. Points: a three-step chain, each round solved exactly. {reference}"


def kl_rounds_finding(table: pd.DataFrame) -> str:
    """How closely a chain follows the recurrence."""
    return (
        "With a KL term and every round solved exactly, the success of a three-step chain follows Mroueh's recurrence "
        f"(largest difference {largest_difference(table):.0e}). It rises too far at first, and then settles at the "
        "fixed point."
    )


def kl_fixed_points(references: tuple[float, ...] = (0.05, 0.2, 0.5)) -> pd.DataFrame:
    """Fixed points of KL-regularized GRPO against the weight of the KL term.

    Rows by ``part``: ``fixed point`` (all of them, from the equation solved for beta; ``stable`` by the slope there),
    ``mean only`` (advantages not divided by the std: one, in closed form) and ``limit`` (of the iteration started at
    the reference, where it settles). Source: Mroueh, arXiv 2503.06639.
    """
    tried = (0.5, 1.0, 2.0, 5.0, 10.0)
    betas = np.geomspace(0.3, 30, 101)
    parts = []
    for reference in references:
        # every P above the reference is a fixed point for one beta
        anchor = np.log(reference / (1 - reference))
        x = anchor + np.concatenate([np.linspace(0, 16, 801)[1:], np.geomspace(16, 1100, 200)[1:]])
        p = 1 / (1 + np.exp(-x))
        beta = 1 / np.sqrt(p * (1 - p) + 1e-5) / (x - anchor)
        slope = np.array([float(kl_slope(success, weight)) for success, weight in zip(p, beta, strict=True)])
        curve = {"part": "fixed point", "beta": beta, "success": p, "stable": np.abs(slope) < 1}

        mean_only = [float(kl_round(reference, reference, weight, scale="none")) for weight in betas]
        plain = {"part": "mean only", "beta": betas, "success": mean_only, "stable": True}

        # Where the iteration ends is computed for a few weights only
        limits = [kl_fixed_point(reference, weight) for weight in tried]
        limit = {"part": "limit", "beta": tried, "success": limits, "stable": True}
        parts += [part | {"reference": reference} for part in (curve, plain, limit)]
    return joined(parts)


def draw_kl_fixed_points(ax: Axes, table: pd.DataFrame) -> str:
    """Fixed points against beta, a colour for every reference policy."""
    # Stable and unstable points lie on one curve, which is drawn twice, each time with a gap for the others
    handles = []
    for (reference, one), shade in zip(
        table.groupby("reference", sort=False), shades_of(table["reference"]), strict=True
    ):
        curve = one[one["part"] == "fixed point"]
        stable = curve["stable"].astype(bool)
        ax.plot(curve["beta"], curve["success"].where(stable), color=shade, zorder=3)
        ax.plot(curve["beta"], curve["success"].where(~stable), color=shade, linestyle=FINE_DOTS, zorder=3)

        plain = one[one["part"] == "mean only"]
        limit = one[one["part"] == "limit"]
        ax.plot(plain["beta"], plain["success"], color=shade, linestyle=LONG_DASHES, linewidth=1.0)
        ax.plot(limit["beta"], limit["success"], linestyle="none", zorder=5, **open_marker(shade, "o"))
        handles.append(Line2D([], [], color=shade, label=f"reference {reference:g}"))
    handles += [legend_line("unstable", line=FINE_DOTS), legend_line("mean only", line=LONG_DASHES)]
    ax.set(xscale="log", xlim=(0.4, 30), ylim=(0, 1.03), xlabel="weight of the KL term, β")
    ax.set_ylabel("success probability P")
    plain_log_axis(ax, [0.5, 1, 2, 5, 10, 20])
    ax.legend(handles=handles, loc="center right", bbox_to_anchor=(1.0, 0.72))
    return (
        "Lines: every fixed point of the published recurrence; dotted where it is unstable. Dashed: advantages are not "
        "divided by the std. Points: where the iteration ends that begins at the reference."
    )


RESULTS = (
    Result(
        compute=kl_rounds,
        draw=draw_kl_rounds,
        columns=("beta", "round", "project", "published", "fixed_point", "reference"),
        title="GRPO with a KL term: success round by round",
        source=SOURCE,
        finding=kl_rounds_finding,
    ),
    Result(
        compute=kl_fixed_points,
        draw=draw_kl_fixed_points,
        columns=("part", "reference", "beta", "success", "stable"),
        title="GRPO with a KL term: where success settles",
        source=SOURCE,
        finding=(
            "Success settles above that of the reference policy. There is a second place to settle, close to 1; below "
            "a critical weight of the KL term it is the only one."
        ),
    ),
)
