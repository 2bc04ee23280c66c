"""Small figures: published results of other authors, each beside what this project computes for it.

Lines are the published form, points what the project computes without it; each figure names its source.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, MultipleLocator, NullLocator, PercentFormatter

from figures import style

BOTH = "Lines: published. Points: this project."
COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE)
DASHED: Any = (0, (4, 2))
DOTTED: Any = (0, (1, 1.5))
MARKERS = ("o", "s", "^", "D")


def _small(table: pd.DataFrame, columns: Sequence[str], title: str) -> tuple[Figure, Axes]:
    style.need(table, columns, f"the figure '{title}'")
    figure = Figure(figsize=(4.4, 3.5), layout="constrained")
    ax = figure.subplots()
    ax.set_title(title)
    return figure, ax


def _beside(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    by: str,
    name: Callable[[Any], str],
    *,
    colours: Sequence[str] = COLOURS,
    marks: int = 16,
    line: Any = "-",
) -> list[Line2D]:
    """Draw ``published`` as a line and ``project`` as about ``marks`` points for each value of ``by``.

    Returns the handles of a legend. An infinite value is the published limit, drawn in ink.
    """
    handles = []
    for i, (value, one) in enumerate(table.groupby(by, sort=False)):
        limit = isinstance(value, float) and np.isinf(value)
        shade = style.INK if limit else colours[i % len(colours)]
        drawn: Any = DASHED if limit else line
        ax.plot(one[x], one["published"], color=shade, linestyle=drawn, linewidth=1.2, gid=f"published {value}")
        points = one[np.isfinite(one["project"])]
        points = points.iloc[:: max(1, round(len(points) / marks))]
        marker = MARKERS[i % len(MARKERS)]
        look: dict[str, Any] = {"color": shade, "marker": marker, "markersize": 4.5, "markerfacecolor": "white"}
        ax.plot(points[x], points["project"], linestyle="none", gid=f"project {value}", zorder=5, **look)
        look = {"color": shade} if limit else look
        handles.append(Line2D([], [], linestyle=drawn, linewidth=1.2, label=name(value), **look))
    return handles


def _close(figure: Figure, source: str, text: str = BOTH) -> Figure:
    style.foot(figure, f"{text}\n{source}")
    return figure


def _size(g: float) -> str:
    return "G = ∞" if np.isinf(g) else f"G = {g:.0f}"


@style.styled
def draw_kl_rounds(table: pd.DataFrame) -> Figure:
    """Success by round under a KL term: columns beta, round, project, published, fixed_point, reference."""
    columns = ["beta", "round", "project", "published", "fixed_point", "reference"]
    figure, ax = _small(table, columns, "KL-regularized GRPO: success by round")
    handles = _beside(ax, table, "round", "beta", lambda b: f"β = {b:g}")
    for (_, one), shade in zip(table.groupby("beta", sort=False), COLOURS, strict=False):
        ax.axhline(one["fixed_point"].iloc[0], color=shade, linestyle=DOTTED, linewidth=1.0, zorder=1)
    handles.append(Line2D([], [], color=style.INK, linestyle=DOTTED, linewidth=1.0, label="fixed point"))
    ax.set(xlabel="round", ylabel="success probability P", ylim=(0, None))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=handles, loc="upper right", ncols=2)
    source = f"Start and KL reference: P = {table['reference'].iloc[0]:g}. Mroueh, arXiv 2503.06639."
    return _close(figure, source, "Lines: published recurrence. Points: a chain's outcome classes, tilted exactly.")


@style.styled
def draw_kl_fixed_points(table: pd.DataFrame) -> Figure:
    """Fixed points against beta: columns part, reference, beta, success, stable (see `paper_repro.literature`)."""
    columns = ["part", "reference", "beta", "success", "stable"]
    figure, ax = _small(table, columns, "KL-regularized GRPO: fixed points")
    handles = []
    for (reference, one), shade in zip(table.groupby("reference", sort=False), COLOURS, strict=False):
        curve = one[one["part"] == "fixed point"]
        for stable, line in ((True, "-"), (False, (0, (1, 1)))):
            ax.plot(
                curve["beta"], curve["success"].where(curve["stable"] == stable), color=shade, linestyle=line, zorder=3
            )
        plain, limit = (one[one["part"] == part] for part in ("mean only", "limit"))
        ax.plot(plain["beta"], plain["success"], color=shade, linestyle=(0, (5, 2)), linewidth=1.0)
        ax.plot(limit["beta"], limit["success"], "o", color=shade, markersize=4.5, markerfacecolor="white", zorder=5)
        handles.append(Line2D([], [], color=shade, label=f"reference {reference:g}"))
    for line, text in (((0, (1, 1)), "unstable"), ((0, (5, 2)), "mean only")):
        handles.append(Line2D([], [], color=style.INK, linestyle=line, linewidth=1.0, label=text))
    ax.set(xscale="log", xlim=(0.4, 30), ylim=(0, 1.03), xlabel="weight of the KL term, β")
    ax.set_ylabel("success probability P")
    _plain_log(ax, [0.5, 1, 2, 5, 10, 20])
    ax.legend(handles=handles, loc="center right", bbox_to_anchor=(1.0, 0.72))
    text = "Lines: every fixed point of the published recurrence. Points: where the iteration from the reference ends."
    return _close(figure, "Mroueh, arXiv 2503.06639.", text)


def _plain_log(ax: Axes, ticks: Sequence[float]) -> None:
    """Ticks of a logarithmic x axis as plain numbers."""
    ax.xaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{t:g}" for t in ticks]))
    ax.xaxis.set_minor_locator(NullLocator())


@style.styled
def draw_youden_threshold(table: pd.DataFrame) -> Figure:
    """Rate of P against the verifier's Youden index: columns group_size, youden, project, published, success."""
    columns = ["group_size", "youden", "project", "published", "success"]
    figure, ax = _small(table, columns, "Noisy verifier: learning needs J > 0")
    ax.axhline(0, color=style.INK, linewidth=0.8)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    handles = _beside(ax, table, "youden", "group_size", _size)
    ax.set(xlabel="Youden index J = TPR - FPR  (with TPR + FPR = 1)", ylabel="rate of P, per update of rate 1")
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.legend(handles=handles, loc="upper left")
    source = f"Three equal steps, P = {table['success'].iloc[0]:.3g}. Rad et al., arXiv 2601.04411, on the chain."
    return _close(figure, source)


@style.styled
def draw_noisy_tails(table: pd.DataFrame) -> Figure:
    """Wrong answers left over time: columns tpr, fpr, time, project, published (tail), power."""
    figure, ax = _small(table, ["tpr", "fpr", "time", "project", "published", "power"], "Noisy verifier: the tail")
    powers = table.groupby("tpr")["power"].first()
    handles = _beside(ax, table, "time", "tpr", lambda t: f"TPR = {t:g}: slope {powers[t]:g}", marks=30)
    ax.set(xscale="log", yscale="log", xlabel="time (updates of rate 1)", ylabel="probability of wrong answers")
    ax.legend(handles=handles, loc="lower left")
    text = "Lines: published slope, through the last point. Points: the flow, integrated."
    source = f"FPR = {table['fpr'].iloc[0]:g}; two right, two wrong answers. Rad et al., arXiv 2601.04411."
    return _close(figure, source, text)


@style.styled
def draw_safe_rate(table: pd.DataFrame) -> Figure:
    """Safe step size against H: columns start, horizon, project (largest that keeps the guarantee), published."""
    figure, ax = _small(table, ["start", "horizon", "project", "published"], "Step size: published and largest safe")
    handles = _beside(ax, table, "horizon", "start", lambda s: f"P = {s:g}")
    handles += [
        Line2D([], [], color=style.INK, label="sufficient (published)"),
        Line2D([], [], color=style.INK, marker="o", markerfacecolor="white", linestyle="none", label="largest (exact)"),
    ]
    ax.set(xscale="log", yscale="log", xlabel="steps per question, H", ylabel="length of the step in logits")
    _plain_log(ax, [1, 2, 4, 8, 16, 32, 64])
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(0.0, 0.6))
    text = (
        "Guarantee: log-odds of P gain at least half of step × gap. No point: every step keeps it. "
        "P itself rises at any step: untied logits."
    )
    return _close(figure, "Suk and Duan, arXiv 2510.08539.", text)


@style.styled
def draw_success_bound(table: pd.DataFrame) -> Figure:
    """P after safe steps and the published bound against the mass M: columns horizon, mass, project, published."""
    figure, ax = _small(table, ["horizon", "mass", "project", "published"], "Safe steps: the bound is never crossed")
    longest = table[table["horizon"] == table["horizon"].max()]
    ax.plot(longest["mass"], longest["published"], color=style.INK, linewidth=1.4, gid="published")
    ax.fill_between(longest["mass"], 0, longest["published"], color="#e6e6e6", linewidth=0)
    handles = [Line2D([], [], color=style.INK, label="lower bound (published)")]
    lines: list[Any] = ["-", (0, (5, 1.5)), (0, (1.5, 1))]
    for (h, one), shade, line in zip(table.groupby("horizon"), COLOURS, lines, strict=False):
        ax.plot(one["mass"], one["project"], color=shade, linestyle=line, gid=f"project {h}")
        handles.append(Line2D([], [], color=shade, linestyle=line, label=f"H = {h}"))
    ax.set(xlabel="mass M: sum of step × gap", ylabel="success probability P", ylim=(0, 1.02), xlim=(0, None))
    ax.legend(handles=handles, loc="lower right")
    text = "Coloured: chains of H untied steps, safe step sizes; these are so small that the log-odds gain all of M, "
    return _close(figure, "Suk and Duan, arXiv 2510.08539.", text + "the bound promises half.")


@style.styled
def draw_u_statistic_variance(table: pd.DataFrame) -> Figure:
    """Error of the group gradient against G: columns horizon, success, group_size, project, published."""
    columns = ["horizon", "success", "group_size", "project", "published"]
    figure, ax = _small(table, columns, "The group gradient as a U-statistic")
    success = table.groupby("horizon")["success"].first()
    handles = _beside(ax, table, "group_size", "horizon", lambda h: f"H = {h}, P = {success[h]:.2g}")
    ax.axhline(1, color=style.INK, linestyle=DASHED, linewidth=1.0)
    handles.append(Line2D([], [], color=style.INK, linestyle=DASHED, linewidth=1.0, label="true baseline"))
    ax.set(xscale="log", xlabel="group size G", ylabel="G × mean squared error / limit", ylim=(0.9, None))
    _plain_log(ax, [2, 4, 8, 16, 32, 64, 128, 256])
    ax.legend(handles=handles, loc="upper right")
    text = "Lines: Hoeffding's formula. Points: exact second moments. Limit: variance with the true baseline."
    return _close(figure, "Zhou et al., arXiv 2603.01162.", text)


@style.styled
def draw_best_group_size(table: pd.DataFrame) -> Figure:
    """Error against G at a fixed budget: columns budget, group_size, project, published, best."""
    columns = ["budget", "group_size", "project", "published", "best"]
    figure, ax = _small(table, columns, "The best group size ignores the budget")
    handles = _beside(ax, table, "group_size", "budget", lambda n: f"N = {n:,}")
    for _, one in table.groupby("budget", sort=False):
        low = one.iloc[int(one["project"].argmin())]
        ax.plot(low["group_size"], low["project"], "*", color=style.INK, markersize=9, zorder=6)
    best = float(table["best"].iloc[0])
    ax.axvline(best, color=style.INK, linestyle=DASHED, linewidth=1.0)
    handles += [
        Line2D([], [], color=style.INK, marker="*", markersize=9, linestyle="none", label="smallest error"),
        Line2D([], [], color=style.INK, linestyle=DASHED, linewidth=1.0, label=f"1 + √(c₃/c₁) = {best:.1f}"),
    ]
    ax.set(xscale="log", yscale="log", xlabel="responses per question, G", ylabel="error of the batch gradient")
    ax.set_ylim(top=float(table["project"].max()) * 40)
    _plain_log(ax, [2, 4, 8, 16, 32, 64, 128])
    ax.legend(handles=handles, loc="upper right", ncols=2)
    text = "N responses in all, three-step questions. Lines: c₁G + c₂ + c₃/(G - 1) over N, constants from G = 2 and 3. "
    return _close(figure, "Zhou et al., arXiv 2603.01162 (a bound with c₃/G there).", text + "Points: exact.")


@style.styled
def draw_mean_advantage(table: pd.DataFrame) -> Figure:
    """Mean size of an advantage against p: columns group_size, p, project, published."""
    figure, ax = _small(table, ["group_size", "p", "project", "published"], "Mean size of a standardized advantage")
    handles = _beside(ax, table, "p", "group_size", _size)
    handles[-1].set_label("G = ∞: 2 √(p(1 - p))")
    ax.set(xlabel="success rate p of the question", ylabel="mean |advantage|, E|A|", ylim=(0, 1.04), xlim=(-0.02, 1.02))
    ax.legend(handles=handles, loc="lower center")
    return _close(figure, "Binary rewards. Bay and Yearick, arXiv 2607.00152.")


@style.styled
def draw_difficulty_weight(table: pd.DataFrame) -> Figure:
    """Weight that the std gives a question against p: columns group_size, p, project, published."""
    figure, ax = _small(table, ["group_size", "p", "project", "published"], "Easy and hard questions weigh more")
    handles = _beside(ax, table, "p", "group_size", _size)
    handles[-1].set_label("G = ∞: 1 / √(p(1 - p))")
    ax.axhline(1, color=style.INK, linewidth=1.0, linestyle=DOTTED)
    handles.append(Line2D([], [], color=style.INK, linewidth=1.0, linestyle=DOTTED, label="mean only"))
    ax.set(
        xlabel="success rate p of the question",
        ylabel="update with the std / without",
        yscale="log",
        xlim=(-0.02, 1.02),
    )
    ax.yaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20]))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.legend(handles=handles, loc="upper center")
    return _close(figure, "Bay and Yearick, arXiv 2607.00152; Liu et al., arXiv 2503.20783.")


@style.styled
def draw_fidelity(table: pd.DataFrame) -> Figure:
    """Share of the infinite group's update against G: columns part, p, group_size, project, published."""
    columns = ["part", "p", "group_size", "project", "published"]
    figure, ax = _small(table, columns, "What a finite group keeps of the update")
    handles = []
    for (p, one), shade in zip(table.groupby("p", sort=False), COLOURS, strict=False):
        curve, required = one[one["part"] == "curve"], one[one["part"] == "required"]
        ax.plot(curve["group_size"], curve["project"], color=shade, gid=f"project {p}")
        low = curve[curve["published"] > 0.3]
        ax.plot(low["group_size"], low["published"], color=shade, linestyle=DOTTED, linewidth=1.0)
        ax.plot(required["group_size"], required["published"], "D", color=shade, markersize=4.5, zorder=5)
        handles.append(Line2D([], [], color=shade, label=f"p = {p:g}"))
    handles += [
        Line2D([], [], color=style.INK, linestyle=DOTTED, linewidth=1.0, label="expansion"),
        Line2D([], [], color=style.INK, marker="D", markersize=4.5, linestyle="none", label="printed sizes"),
    ]
    ax.set(xscale="log", xlabel="group size G", ylabel="update / that of an infinite group", ylim=(0.2, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    _plain_log(ax, [2, 8, 32, 128, 512])
    ax.legend(handles=handles, loc="lower right", ncols=2)
    text = "Solid: this project, every group. Dotted: published expansion in 1/G. Diamonds: printed G for 90, 95, 99 %."
    return _close(figure, "Bay and Yearick, arXiv 2607.00152.", text)


@style.styled
def draw_std_identity(table: pd.DataFrame) -> Figure:
    """Update over contrast by correct responses: columns rule, group_size, correct, project, published, residual."""
    columns = ["rule", "group_size", "groups", "correct", "project", "published", "residual"]
    figure, ax = _small(table, columns, "An identity: update = std × contrast")
    colours = [style.colour(r) for r in dict.fromkeys(table["rule"])]
    names = {"grpo": "GRPO: std √(k(G - k)) / G", "dr_grpo": "Dr. GRPO: its square"}
    handles = _beside(ax, table, "correct", "rule", lambda r: names.get(r, r), colours=colours)
    g = int(table["group_size"].iloc[0])
    ax.set(xlabel=f"correct responses k of G = {g}", ylabel="update / contrast", ylim=(0, 0.75))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=handles, loc="upper center")
    n = int(table.loc[table["rule"] == table["rule"].iloc[0], "groups"].sum())
    text = f"{BOTH} All {n} mixed groups of a three-step chain; beside the contrast an update has at most "
    text += f"{table['residual'].max():.0e}."
    return _close(figure, "Bay and Yearick, arXiv 2607.00152.", text)


@style.styled
def draw_flow_clock(table: pd.DataFrame) -> Figure:
    """P over time with and without the std: columns rule, group_size, time, project, published."""
    figure, ax = _small(table, ["rule", "group_size", "time", "project", "published"], "What the std does to the clock")
    sizes = table.groupby("rule")["group_size"].first()
    names = {"grpo": f"with std (GRPO, G = {sizes.get('grpo')})", "dr_grpo": "mean only (Dr. GRPO)"}
    colours = [style.colour(r) for r in dict.fromkeys(table["rule"])]
    later = table[table["time"] > 0]
    handles = _beside(ax, later, "time", "rule", lambda r: names.get(r, r), colours=colours, marks=20)
    start = float(table["project"].min())
    ax.set(xscale="log", xlabel="time (updates of rate 1)", ylabel="success probability P", ylim=(0, 1.02))
    ax.legend(handles=handles, loc="upper left")
    text = "Lines: clocks 4 sinh(x/2) and 2(x + sinh x) of the log-odds x. Points: gradient flow."
    return _close(figure, f"One step, from P = {start:.2g}. Davis and Recht, arXiv 2510.13651.", text)


@style.styled
def draw_time_to_half(table: pd.DataFrame) -> Figure:
    """Time to one half against the start: columns rule, group_size, start, project, published."""
    columns = ["rule", "group_size", "start", "project", "published"]
    figure, ax = _small(table, columns, "Time to half success")
    looks: dict[str, tuple[str, Any]] = {"grpo": (style.VERMILLION, "-"), "dr_grpo": (style.GREEN, DASHED)}
    handles = []
    for name, one in table.groupby("rule", sort=False):
        curve = one[one["group_size"] == one["group_size"].iloc[0]]
        shade, line = looks.get(str(name), (style.PURPLE, "-"))
        ax.plot(curve["start"], curve["published"], color=shade, linestyle=line, linewidth=1.2)
        text = {"grpo": "with std: 1 / √P", "dr_grpo": "mean only: 1 / P"}.get(str(name), str(name))
        handles.append(Line2D([], [], color=shade, linestyle=line, label=text))
    for ((arm, g), one), marker in zip(table.groupby(["rule", "group_size"], sort=False), MARKERS, strict=False):
        one = one.dropna(subset=["project"])
        shade = looks.get(str(arm), (style.PURPLE, "-"))[0]
        look: dict[str, Any] = {"color": shade, "marker": marker, "markersize": 5, "markerfacecolor": "white"}
        ax.plot(one["start"], one["project"], linestyle="none", zorder=5, gid=f"project {arm} {g}", **look)
        handles.append(Line2D([], [], linestyle="none", label=f"{style.label(str(arm))}, G = {g}", **look))
    ax.set(xscale="log", yscale="log", xlabel="success P at the start", ylabel="time (updates of rate 1)")
    ax.legend(handles=handles, loc="upper right")
    text = "Lines: published, infinite group. Points: gradient flow; a finite group is slower where P is small."
    return _close(figure, "One step. Davis and Recht, arXiv 2510.13651.", text)


@style.styled
def draw_colour_values(table: pd.DataFrame) -> Figure:
    """Update of both steps: columns colours, rule, step, q_1, q_2, group_size, project, published."""
    columns = ["colours", "rule", "step", "q_1", "q_2", "group_size", "project", "published"]
    figure, ax = _small(table, columns, "Two steps: colour values drop out")
    handles = []
    looks = [("s", style.VERMILLION, 5.0), ("o", style.BLUE, 7.5), ("^", style.ORANGE, 4.0), ("+", style.INK, 5.0)]
    for (name, one), (marker, shade, size) in zip(table.groupby("colours", sort=False), looks, strict=False):
        for step, rows in one.groupby("step"):
            dark, line = style.dark(str(rows["rule"].iloc[0])), "-" if step == 1 else DASHED
            ax.plot(rows["q_1"], rows["published"], color=dark, linestyle=line, linewidth=1.0)
            some: dict[str, Any] = {"linestyle": "none", "marker": marker, "color": shade, "markerfacecolor": "white"}
            part = rows.iloc[1::8]
            ax.plot(part["q_1"], part["project"], markersize=size, gid=f"project {name} {step}", **some)
        grpo = one["rule"].iloc[0] == "grpo"
        handles.append(Line2D([], [], markersize=size, label=name if grpo else f"SPO, {name}", **some))
    for step, line in ((1, "-"), (2, DASHED)):
        look: dict[str, Any] = {"color": style.INK, "linestyle": line, "linewidth": 1.0}
        handles.append(Line2D([], [], label=f"step {step}, closed form", **look))
    ax.axhline(0, color=style.INK, linewidth=0.8)
    ax.set(xlabel="accuracy q₁ of the first step", ylabel="expected update", ylim=(-0.05, 0.7))
    ax.legend(handles=handles, loc="upper left", ncols=2, columnspacing=1.0, fontsize=7.0)
    g, q2 = int(table["group_size"].iloc[0]), float(table["q_2"].iloc[0])
    text = f"q₂ = {q2:g}, G = {g}; std on, only all-negative groups coloured: only the order of the colours counts."
    return _close(figure, "arXiv 2505.11595, Section 3.2, extended to any G (points: exact expectation).", text)


@style.styled
def draw_sign_change(table: pd.DataFrame) -> Figure:
    """Where colouring stops helping: columns group_size, q_2, project, published (values of q_1)."""
    figure, ax = _small(
        table, ["group_size", "q_2", "project", "published"], "Two steps: where colouring stops helping"
    )
    one = table[table["group_size"] == table["group_size"].iloc[0]]
    ax.plot(one["published"], one["q_2"], color=style.INK, gid="published")
    ax.fill_betweenx(one["q_2"], one["published"], 1, color=style.VERMILLION, alpha=0.15, linewidth=0)
    ax.fill_betweenx(one["q_2"], 0.5, one["published"], color=style.BLUE, alpha=0.12, linewidth=0)
    handles = [Line2D([], [], color=style.INK, label="1 - q₁ = q₂(1 - q₂)")]
    looks = zip((8.5, 5.5, 3.0), COLOURS, MARKERS, strict=False)
    for (g, rows), (size, shade, marker) in zip(table.groupby("group_size"), looks, strict=False):
        look: dict[str, Any] = {"color": shade, "marker": marker, "markersize": size, "markerfacecolor": "white"}
        ax.plot(rows["project"], rows["q_2"], linestyle="none", gid=f"project {g}", clip_on=False, **look)
        handles.append(Line2D([], [], linestyle="none", label=f"G = {g}, computed", **look))
    ax.text(0.52, 0.9, "colouring raises P", fontsize=8, color=style.BLUE, va="center")
    ax.text(0.985, 0.5, "lowers P", fontsize=8, color=style.VERMILLION, va="center", ha="right")
    ax.set(xlabel="accuracy q₁ of the first step", ylabel="accuracy q₂ of the second step")
    ax.set(xlim=(0.5, 1), ylim=(one["q_2"].min(), one["q_2"].max()))
    ax.legend(handles=handles, loc="lower left")
    text = "To first order in the step size. Points: zeros of what colouring adds to the rate of log P."
    return _close(figure, "arXiv 2505.11595, Section 3.2, extended to any G.", text)


@style.styled
def draw_uniform_penalty(table: pd.DataFrame) -> Figure:
    """Push of all-negative groups on step 1: columns term, success, survive, group_size, project, published."""
    columns = ["term", "success", "survive", "group_size", "project", "published"]
    figure, ax = _small(table, columns, "A uniform penalty dies with P")
    names = {"penalty": "uniform penalty: slope 1", "colouring": "colouring: slope 0"}
    colours = (style.ORANGE, style.BLUE)
    handles = _beside(ax, table, "success", "term", lambda t: names.get(t, t), colours=colours)
    ax.set(xscale="log", yscale="log", xlabel="success probability P", ylabel="mean push on step 1")
    ax.legend(handles=handles, loc="lower right")
    g, share = int(table["group_size"].iloc[0]), float(table["survive"].iloc[0])
    text = f"Lines: closed form. Points: this project. Two steps, G = {g}, {share:.0%} of failures at step 2."
    return _close(figure, "NGRPO: arXiv 2509.18851. Sign: 2605.07689. SPO: 2505.11595.", text)


@style.styled
def draw_noisy_judge(table: pd.DataFrame) -> Figure:
    """What colouring adds under a judge that errs: columns step, tpr, fpr, q_1, q_2, group_size, project, published."""
    columns = ["step", "tpr", "fpr", "q_1", "q_2", "group_size", "project", "published"]
    figure, ax = _small(table, columns, "A judge that errs: colouring needs J > 0")
    tpr = float(table["tpr"].iloc[0])
    ax.axhline(0, color=style.INK, linewidth=0.8)
    ax.axvline(tpr, color=style.INK, linewidth=1.0, linestyle=DASHED)
    handles = _beside(ax, table, "fpr", "step", lambda h: f"step {h}")
    handles.append(Line2D([], [], color=style.INK, linewidth=1.0, linestyle=DASHED, label="J = TPR - FPR = 0"))
    ax.set(xlabel=f"false-positive rate of the judge  (TPR = {tpr:g})", ylabel="push in an all-negative group")
    ax.set_xlim(0, 1)
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.24))
    q1, q2, g = (table[c].iloc[0] for c in ("q_1", "q_2", "group_size"))
    text = f"Two steps, q = ({q1:g}, {q2:g}), G = {g}. Lines: closed form. Points: judge as a confusion matrix."
    return _close(figure, "J > 0 for verifiers: Rad et al., arXiv 2601.04411; here for step judges.", text)


@style.styled
def draw_no_displacement(table: pd.DataFrame) -> Figure:
    """Change of log P over groups: columns rule, change, probability, cumulative, group_size, chain."""
    columns = ["rule", "change", "probability", "cumulative", "group_size", "chain"]
    figure, ax = _small(table, columns, "Does a group push the right answer down?")
    ax.axvline(0, color=style.INK, linewidth=0.8)
    for name in style.rules_of(table):
        rows = table[table["rule"] == name]
        falls = float(rows.loc[rows["change"] < -1e-12, "probability"].sum())
        ax.step(
            np.concatenate([[rows["change"].min() - 1], rows["change"], [1]]),
            np.concatenate([[0], rows["cumulative"], [1]]),
            where="post",
            color=style.colour(name),
            linestyle="-" if name == "grpo" else (0, (4, 1.5)),
            label=f"{style.label(name)}: {falls:.1%} of groups do",
            gid=f"project {name}",
        )
    low, high = table["change"].min(), table["change"].max()
    margin = 0.08 * (high - low)
    ax.set(xlim=(low - margin, high + margin), ylim=(0, 1.02))
    ax.set(xlabel="change of log P by one group's update, rate 1", ylabel="share of groups below")
    ax.legend(loc="lower right")
    g, q = int(table["group_size"].iloc[0]), table["chain"].iloc[0]
    text = f"All groups of {g} of a chain with q = ({q}), to first order, untied logits."
    return _close(figure, "Lazy likelihood displacement: Deng et al., arXiv 2505.18830.", text)


@style.styled
def draw_remedies(table: pd.DataFrame) -> Figure:
    """Updates to half success against H: columns rule, horizon, updates, group_size, step_success, most."""
    columns = ["rule", "horizon", "updates", "group_size", "step_success", "most"]
    figure, ax = _small(table, columns, "Remedies for all-negative groups")
    for name in style.rules_of(table):
        look = style.look_of(name)
        rows = table[(table["rule"] == name) & np.isfinite(table["updates"])].sort_values("horizon")
        ax.plot(
            rows["horizon"],
            rows["updates"],
            color=look.colour,
            marker=look.marker,
            markersize=5,
            markerfacecolor="white",
            linewidth=1.2,
            label=look.label,
            gid=f"project {name}",
        )
    ax.set(yscale="log", xlabel="steps per question, H", ylabel="updates until P = 1/2")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(top=30 * float(np.nanmax(table["updates"])))
    ax.legend(loc="upper left")
    g, q = int(table["group_size"].iloc[0]), float(table["step_success"].iloc[0])
    text = f"Exact; G = {g}, every step starts at {q:g}, rate 1. Straight: geometric growth. "
    text += f"Lines end where more than {int(table['most'].iloc[0]):,} updates are needed."
    source = "NGRPO: arXiv 2509.18851. Sign: 2605.07689. SPO: 2505.11595.\nLENS: 2510.08696, not its exact weight."
    return _close(figure, source, text)
