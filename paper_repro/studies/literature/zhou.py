"""Zhou et al., arXiv 2603.01162: the noise of a group's gradient, and how to split a budget of responses."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from figures import style
from figures.published_beside_project import DASHED, draw_beside, legend_line, plain_log_axis
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import joined, largest_difference
from spo_theory.exact.moments import group_covariance
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.published.zhou import oracle_trace, u_statistic_mse


def u_statistic_variance(
    chains: tuple[tuple[float, ...], ...] = ((0.6, 0.45), (0.2, 0.2, 0.2)),
    group_sizes: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256),
) -> pd.DataFrame:
    """Mean squared error of the leave-one-out gradient, times G, over its limit, the variance with the true baseline.

    ``published``: Hoeffding's formula for the U-statistic. ``project``: the exact covariance of Dr. GRPO's group
    gradient, times ``(G / (G - 1))^2`` for the baseline that leaves a response out. Source: Zhou et al.,
    arXiv 2603.01162.
    """
    # Errors fall like 1 / G: times G and over their limit, chains of any length fit in one frame
    rows = []
    for step_success in chains:
        chain = ReasoningChain(step_success=step_success)
        limit = float(oracle_trace(chain))
        for size in group_sizes:
            trace = float(np.trace(group_covariance(chain, rule("dr_grpo", group_size=size))))
            leave_one_out = trace * (size / (size - 1)) ** 2
            row = {"horizon": chain.horizon, "success": float(chain.success), "group_size": size}
            row |= {
                "project": size * leave_one_out / limit,
                "published": size * float(u_statistic_mse(chain, size)) / limit,
            }
            rows.append(row)
    return pd.DataFrame(rows)


def draw_u_statistic_variance(ax: Axes, table: pd.DataFrame) -> str:
    """Error of the group gradient against G."""
    success = table.groupby("horizon")["success"].first()
    handles = draw_beside(ax, table, "group_size", "horizon", lambda h: f"H = {h}, P = {success[h]:.2g}")
    ax.axhline(1, color=style.INK, linestyle=DASHED, linewidth=1.0)
    handles.append(legend_line("true baseline", line=DASHED))
    ax.set(xscale="log", xlabel="group size G", ylabel="G × mean squared error / limit", ylim=(0.9, None))
    plain_log_axis(ax, [2, 4, 8, 16, 32, 64, 128, 256])
    ax.legend(handles=handles, loc="upper right")
    return (
        "Lines: Hoeffding's formula for U-statistics. Points: exact second moments. Both are divided by the limit, the "
        "variance with the true baseline."
    )


def u_statistic_variance_finding(table: pd.DataFrame) -> str:
    """How exactly the group gradient is a U-statistic."""
    return (
        "The noise of the group gradient is that of a U-statistic: exact second moments and Hoeffding's formula "
        f"differ by {largest_difference(table):.0e}, and G times it tends to the variance with the true baseline."
    )


def best_group_size(budgets: tuple[int, ...] = (1_000, 10_000, 100_000), questions: int = 40) -> pd.DataFrame:
    """Error of the batch gradient when a budget of N = B G responses is split into B questions of G responses.

    ``project``: ``(G / N) (variance between questions + MSE within one)``, questions drawn from a fixed population of
    three-step chains. ``published``: ``(c1 G + c2 + c3 / (G - 1)) / N``, its constants from G = 2 and 3. ``best``: the
    best size ``1 + sqrt(c3 / c1)`` of that form, free of N. Source: Zhou et al., arXiv 2603.01162, whose bound has
    c3 / G and therefore its minimum at ``sqrt(c3 / c1)``.
    """
    # Two sources of error: which questions are drawn, and which responses within one
    chain = ReasoningChain(step_success=np.random.default_rng(5).uniform(0.02, 0.98, (questions, 3)))
    gradient = chain.success[:, None] * (1 - chain.step_success)
    between = float(((gradient - gradient.mean(0)) ** 2).sum(-1).mean())
    sizes = np.unique(np.geomspace(2, 128, 40).astype(int))
    within = np.array([float(u_statistic_mse(chain, int(size)).mean()) for size in sizes])

    # G times the error within a question is c2 + c3 / (G - 1): its values at G = 2 and G = 3 give both constants
    at_two = 2 * within[0]
    at_three = 3 * within[1]
    c3 = 2 * (at_two - at_three)
    c2 = at_two - c3
    parts = [
        {
            "budget": budget,
            "group_size": sizes,
            "project": sizes / budget * (between + within),
            "published": (between * sizes + c2 + c3 / (sizes - 1)) / budget,
            "best": 1 + np.sqrt(c3 / between),
        }
        for budget in budgets
    ]
    return joined(parts)


def draw_best_group_size(ax: Axes, table: pd.DataFrame) -> str:
    """Error against G at fixed budgets, the smallest one with a star."""
    handles = draw_beside(ax, table, "group_size", "budget", lambda budget: f"N = {budget:,}")

    # Stars on one vertical line show that the best size is the same for every budget
    for _, one in table.groupby("budget", sort=False):
        lowest = one.iloc[int(one["project"].argmin())]
        ax.plot(lowest["group_size"], lowest["project"], "*", color=style.INK, markersize=9, zorder=6)
    best = float(table["best"].iloc[0])
    ax.axvline(best, color=style.INK, linestyle=DASHED, linewidth=1.0)
    handles += [
        Line2D([], [], color=style.INK, marker="*", markersize=9, linestyle="none", label="smallest error"),
        legend_line(f"1 + √(c₃/c₁) = {best:.1f}", line=DASHED),
    ]
    ax.set(xscale="log", yscale="log", xlabel="responses per question, G", ylabel="error of the batch gradient")
    ax.set_ylim(top=float(table["project"].max()) * 40)
    plain_log_axis(ax, [2, 4, 8, 16, 32, 64, 128])
    ax.legend(handles=handles, loc="upper right", ncols=2)
    lines = "Lines: (c₁G + c₂ + c₃/(G - 1)) / N, with constants from G = 2 and 3. Points: exact."
    return f"A budget of N responses is spent on N / G questions of three steps. {lines}"


RESULTS = (
    Result(
        compute=u_statistic_variance,
        draw=draw_u_statistic_variance,
        columns=("horizon", "success", "group_size", "project", "published"),
        title="Noise of a group's gradient by group size",
        source="Zhou et al., arXiv 2603.01162.",
        finding=u_statistic_variance_finding,
    ),
    Result(
        compute=best_group_size,
        draw=draw_best_group_size,
        columns=("budget", "group_size", "project", "published", "best"),
        title="The best group size is the same for every budget",
        source="Zhou et al., arXiv 2603.01162, who give a bound with c₃/G.",
        finding="With a fixed budget of responses the best group size is the same for every budget.",
    ),
)
