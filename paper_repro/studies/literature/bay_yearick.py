"""Bay and Yearick, arXiv 2607.00152, and Liu et al., arXiv 2503.20783: what dividing by the standard deviation does."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter
from scipy.stats import binom

from figures import style
from figures.published_beside_project import (
    BOTH,
    DOTTED,
    draw_beside,
    group_size_label,
    legend_line,
    plain_log_axis,
    shades_of,
)
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import (
    INFINITE,
    group_updates,
    joined,
    largest_difference,
    single_steps,
)
from spo_theory.exact.groups import all_groups
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.published.bay_yearick import REQUIRED_GROUP_SIZES, fidelity_expansion, mean_group_std
from spo_theory.theorems.groups import group_advantages

SOURCE = "Bay and Yearick, arXiv 2607.00152."
LEVELS = (0.90, 0.95, 0.99)  # shares of the infinite group's update for which group sizes are printed
LOWEST_EXPANSION = 0.3  # below, the expansion in 1 / G is far off and would only cross other lines


def advantages_by_correct(group_size: int) -> np.ndarray:
    """GRPO's advantages ``(G + 1, G)`` of groups with k = 0 to G correct responses, the correct ones first."""
    correct = np.arange(group_size) < np.arange(group_size + 1)[:, None]
    return group_advantages(rule("grpo", group_size=group_size), correct.astype(int), 1)


def mean_advantage(group_sizes: tuple[int, ...] = (4, 8, 64)) -> pd.DataFrame:
    """Mean size of a standardized advantage, ``E|A|``, for binary rewards of success rate p.

    ``published``: ``2 c_G(p)``, in an infinite group ``2 sqrt(p (1 - p))``. ``project``: the advantages of every
    possible group, weighted. Source: Bay and Yearick, arXiv 2607.00152.
    """
    p = np.linspace(0, 1, 101)
    parts = []
    for size in (*group_sizes, INFINITE):
        project = np.full(len(p), np.nan)
        if np.isfinite(size):
            chance = binom.pmf(np.arange(size + 1), size, p[:, None])
            project = chance @ np.abs(advantages_by_correct(int(size))).mean(1)
        parts.append({"group_size": float(size), "p": p, "project": project, "published": 2 * mean_group_std(size, p)})
    return joined(parts)


def draw_mean_advantage(ax: Axes, table: pd.DataFrame) -> str:
    """Mean size of an advantage against p."""
    handles = draw_beside(ax, table, "p", "group_size", group_size_label)
    handles[-1].set_label("G = ∞: 2 √(p(1 - p))")
    ax.set(xlabel="success rate p of the question", ylabel="mean |advantage|, E|A|", ylim=(0, 1.04), xlim=(-0.02, 1.02))
    ax.legend(handles=handles, loc="lower center")
    return f"{BOTH} Binary rewards."


def mean_advantage_finding(table: pd.DataFrame) -> str:
    """How exactly the closed form gives the mean size of an advantage."""
    return (
        "The mean size of a standardized advantage follows the published closed form, and is below its limit "
        "2 √(p(1 - p)) in every finite group (sum over all groups against the closed form: "
        f"{largest_difference(table):.0e})."
    )


def difficulty_weight(group_sizes: tuple[int, ...] = (8, 64)) -> pd.DataFrame:
    """How much more a question of success rate p moves when advantages are divided by the std than when not.

    ``published``: ``c_G(p) / (p (1 - p))``, in an infinite group ``1 / sqrt(p (1 - p))``. ``project``: ratio of the
    exact expected updates of GRPO and of Dr. GRPO, the latter times ``G / (G - 1)``. Sources: Bay and Yearick,
    arXiv 2607.00152; Liu et al. (Dr. GRPO), arXiv 2503.20783.
    """
    p = 1 / (1 + np.exp(-np.linspace(-6, 6, 61)))
    parts = []
    for size in (*group_sizes, INFINITE):
        project = np.full(len(p), np.nan)
        if np.isfinite(size):
            with_std = expected_update(single_steps(p), rule("grpo", group_size=int(size)))[:, 0]
            mean_only = expected_update(single_steps(p), rule("dr_grpo", group_size=int(size)))[:, 0]
            project = with_std / mean_only * (size - 1) / size
        published = mean_group_std(size, p) / (p * (1 - p))
        parts.append({"group_size": float(size), "p": p, "project": project, "published": published})
    return joined(parts)


def draw_difficulty_weight(ax: Axes, table: pd.DataFrame) -> str:
    """Weight that the std gives a question against p."""
    handles = draw_beside(ax, table, "p", "group_size", group_size_label)
    handles[-1].set_label("G = ∞: 1 / √(p(1 - p))")
    ax.axhline(1, color=style.INK, linewidth=1.0, linestyle=DOTTED)
    handles.append(legend_line("mean only", line=DOTTED))
    ax.set(xlabel="success rate p of the question", ylabel="update with the std / without")
    ax.set(yscale="log", xlim=(-0.02, 1.02))
    ax.yaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20]))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.legend(handles=handles, loc="upper center")
    return BOTH


def fidelity() -> pd.DataFrame:
    """Update of GRPO in a group of G over its value in an infinite group, for binary rewards of success rate p.

    ``project``: from the advantages of every possible group. ``published``, in rows of ``part`` "curve": the expansion
    ``1 - 1 / (8 G p (1 - p))``; in rows "required": the fidelity (0.90, 0.95, 0.99) that the printed group size
    reaches. Source: Bay and Yearick, arXiv 2607.00152.
    """
    sizes = np.unique(np.geomspace(2, 512, 40).astype(int)).tolist()
    rows = [
        {"part": "curve", "p": p, "group_size": size, "published": fidelity_expansion(size, p)}
        for p in REQUIRED_GROUP_SIZES
        for size in sizes
    ]
    rows += [
        {"part": "required", "p": p, "group_size": size, "published": level}
        for p, printed in REQUIRED_GROUP_SIZES.items()
        for size, level in zip(printed, LEVELS, strict=True)
    ]
    return pd.DataFrame([row | {"project": fidelity_of_every_group(row["group_size"], row["p"])} for row in rows])


def fidelity_of_every_group(group_size: int, p: float) -> float:
    """``(E[A | correct] - E[A | wrong]) sqrt(p (1 - p))``, the others of the group being binomial."""
    advantages = advantages_by_correct(group_size)
    others = binom.pmf(np.arange(group_size), group_size - 1, p)
    given_correct = others @ advantages[1:, 0]
    given_wrong = others @ advantages[:-1, -1]
    return float((given_correct - given_wrong) * np.sqrt(p * (1 - p)))


def draw_fidelity(ax: Axes, table: pd.DataFrame) -> str:
    """Share of the infinite group's update against G."""
    # The expansion in 1/G means nothing in small groups, so it is drawn only where it is near the curve
    handles = []
    for (p, one), shade in zip(table.groupby("p", sort=False), shades_of(table["p"]), strict=True):
        curve = one[one["part"] == "curve"]
        required = one[one["part"] == "required"]
        ax.plot(curve["group_size"], curve["project"], color=shade, gid=f"project {p}")
        near = curve[curve["published"] > LOWEST_EXPANSION]
        ax.plot(near["group_size"], near["published"], color=shade, linestyle=DOTTED, linewidth=1.0)
        ax.plot(required["group_size"], required["published"], "D", color=shade, markersize=4.5, zorder=5)
        handles.append(Line2D([], [], color=shade, label=f"p = {p:g}"))
    handles += [
        legend_line("expansion", line=DOTTED),
        Line2D([], [], color=style.INK, marker="D", markersize=4.5, linestyle="none", label="printed sizes"),
    ]
    ax.set(xscale="log", xlabel="group size G", ylabel="update / that of an infinite group", ylim=(0.2, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    plain_log_axis(ax, [2, 8, 32, 128, 512])
    ax.legend(handles=handles, loc="lower right", ncols=2)
    return (
        "Solid: exact, from every possible group. Dotted: the published expansion in 1/G. Diamonds: the published "
        "group sizes that keep 90, 95 and 99 %."
    )


def std_identity(group_size: int = 6) -> pd.DataFrame:
    """Update of a group over its contrast (mean score of correct minus of incorrect responses), by correct responses k.

    ``published``: the group's std ``sqrt(k (G - k)) / G`` for GRPO and its square for Dr. GRPO. ``project``: the ratio
    in every possible group of a three-step chain, projected on the contrast; ``residual``: the largest component of the
    update beside it, and ``low``, ``high``: the extreme ratios. Source: Bay and Yearick, arXiv 2607.00152.
    """
    # Only mixed groups have a contrast: the others lack one of the two kinds of response
    chain = ReasoningChain(step_success=[0.6, 0.3, 0.8])
    classes = all_groups(chain.horizon, group_size)
    correct = (classes == chain.horizon).sum(1)
    mixed = (correct > 0) & (correct < group_size)
    classes = classes[mixed]
    correct = correct[mixed]

    # mean score of the correct minus mean score of the incorrect responses
    scores = chain.scores[classes]
    right = (classes == chain.horizon)[..., None]
    mean_right = (scores * right).sum(1) / correct[:, None]
    mean_wrong = (scores * ~right).sum(1) / (group_size - correct)[:, None]
    contrast = mean_right - mean_wrong

    # Dr. GRPO does not divide by the std, so its update has one factor of it more
    rows = []
    for name, power in (("grpo", 1), ("dr_grpo", 2)):
        update = group_updates(chain, rule(name, group_size=group_size), classes)
        ratio = (update * contrast).sum(1) / (contrast**2).sum(1)
        beside = np.abs(update - ratio[:, None] * contrast).max(1)
        for k in np.unique(correct):
            of = correct == k
            std = np.sqrt(k * (group_size - k)) / group_size
            row = {"rule": name, "group_size": group_size, "correct": k, "groups": int(of.sum())}
            row |= {"published": std**power, "project": ratio[of].mean()}
            rows.append(row | {"low": ratio[of].min(), "high": ratio[of].max(), "residual": beside[of].max()})
    return pd.DataFrame(rows)


def draw_std_identity(ax: Axes, table: pd.DataFrame) -> str:
    """Update over contrast by the number of correct responses."""
    colours = [style.colour(rule_name) for rule_name in dict.fromkeys(table["rule"])]
    names = {"grpo": "GRPO: std √(k(G - k)) / G", "dr_grpo": "Dr. GRPO: its square"}
    handles = draw_beside(ax, table, "correct", "rule", lambda name: names.get(name, name), colours=colours)
    group_size = int(table["group_size"].iloc[0])
    ax.set(xlabel=f"correct responses k of G = {group_size}", ylabel="update / contrast", ylim=(0, 0.75))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=handles, loc="upper center")
    groups = int(table.loc[table["rule"] == table["rule"].iloc[0], "groups"].sum())
    beside = f"What else an update has is at most {table['residual'].max():.0e}."
    contrast = "Contrast: mean score of the correct responses minus that of the incorrect ones."
    return f"{BOTH} {contrast} All {groups} mixed groups of a three-step chain. {beside}"


def std_identity_finding(table: pd.DataFrame) -> str:
    """How exactly the identity holds in every mixed group."""
    return (
        "In every mixed group GRPO's update is the group's std times the contrast between its correct and incorrect "
        "responses. Dr. GRPO's is the square of the std times the contrast (largest difference "
        f"{largest_difference(table):.0e})."
    )


RESULTS = (
    Result(
        compute=mean_advantage,
        draw=draw_mean_advantage,
        columns=("group_size", "p", "project", "published"),
        title="Mean size of a standardized advantage",
        source=SOURCE,
        finding=mean_advantage_finding,
    ),
    Result(
        compute=difficulty_weight,
        draw=draw_difficulty_weight,
        columns=("group_size", "p", "project", "published"),
        title="Dividing by the std: weight of easy and hard questions",
        source="Bay and Yearick, arXiv 2607.00152; Liu et al., arXiv 2503.20783.",
        finding=(
            "Dividing by the std gives very easy and very hard questions more weight, by the factor 1 / √(p(1 - p)) in "
            "large groups. In small groups the effect is weak."
        ),
    ),
    Result(
        compute=fidelity,
        draw=draw_fidelity,
        columns=("part", "p", "group_size", "project", "published"),
        title="Share of the update that a finite group keeps",
        source=SOURCE,
        finding=(
            "The group sizes printed for 90, 95 and 99 % of the infinite group's update are the exact ones; the "
            "expansion in 1/G is too optimistic for small groups."
        ),
    ),
    Result(
        compute=std_identity,
        draw=draw_std_identity,
        columns=("rule", "group_size", "groups", "correct", "project", "published", "residual"),
        title="A group's update is its std times its contrast",
        source=SOURCE,
        finding=std_identity_finding,
    ),
)
