"""Suk and Duan, arXiv 2510.08539: a step size that is safe, and the success that safe steps guarantee."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy.optimize import brentq

from figures import style
from figures.published_beside_project import draw_beside, legend_line, plain_log_axis, shades_of
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import INFINITE, joined
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.published.suk_duan import gradient_gap, largest_safe_rate, success_lower_bound

SOURCE = "Suk and Duan, arXiv 2510.08539."


def safe_rate(
    starts: tuple[float, ...] = (0.01, 0.0001), horizons: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
) -> pd.DataFrame:
    """Step size along the unit gradient gap that keeps the guarantee ``gain of logit P >= step x gap / 2``.

    ``published``: the sufficient step ``gap / (2 (1/4 + 8 H))`` for H untied steps of equal accuracy. ``project``: the
    largest step that still keeps the guarantee, computed (infinite where every step does, as for short questions).
    Source: Suk and Duan, arXiv 2510.08539.
    """
    # Equal steps of accuracy P^(1/H), so that all lengths start from the same success
    rows = []
    for start in starts:
        for horizon in horizons:
            chain = ReasoningChain(step_success=np.full(horizon, start ** (1 / horizon)))
            gap = float(np.linalg.norm(gradient_gap(chain)))
            rows.append(
                {
                    "start": start,
                    "horizon": horizon,
                    "project": largest_rate_that_keeps_the_guarantee(chain, start),
                    "published": float(largest_safe_rate(gap, horizon)),
                }
            )
    return pd.DataFrame(rows)


def largest_rate_that_keeps_the_guarantee(chain: ReasoningChain, start: float) -> float:
    """The longest step along the unit gradient gap after which logit P has gained ``step x gap / 2``.

    chain: one question, whose success probability P is ``start``. Returns a length in logits, infinite if every step
    keeps the guarantee.
    """
    gap = float(np.linalg.norm(gradient_gap(chain)))
    direction = gradient_gap(chain) / gap
    before = np.log(start) - np.log1p(-start)

    def gain_to_spare(rate: float) -> float:
        """What logit P gains by a step of length ``rate`` beyond the guarantee."""
        log_p = -np.logaddexp(0.0, -(chain.logits + rate * direction)).sum()
        return float(log_p - np.log(-np.expm1(log_p)) - before - rate * gap / 2)

    far = 24.0 * np.sqrt(chain.horizon)  # every step is then right but for about exp(-20)
    return brentq(gain_to_spare, 1e-3, far) if gain_to_spare(far) < 0 else INFINITE


def draw_safe_rate(ax: Axes, table: pd.DataFrame) -> str:
    """Safe step size against the number of steps."""
    handles = draw_beside(ax, table, "horizon", "start", lambda start: f"P = {start:g}")
    ax.set(xscale="log", yscale="log", xlabel="steps per question, H", ylabel="length of the step in logits")
    plain_log_axis(ax, [1, 2, 4, 8, 16, 32, 64])
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(0.0, 0.6))
    return (
        "Lines: the published step, which is short enough for the log-odds of P to gain at least half of step × gap. "
        "Points: the longest step for which this is so; where there is no point, it is so for every step."
    )


def safe_rate_finding(table: pd.DataFrame) -> str:
    """How both step sizes change with H: exponents over the last two rows of the first start."""
    one = table[table["start"] == table["start"].iloc[0]]
    last = one.sort_values("horizon").iloc[-2:]
    log_horizon = np.diff(np.log(last["horizon"].astype(float)))[0]
    slope = {column: np.diff(np.log(last[column]))[0] / log_horizon for column in ("project", "published")}
    return (
        f"The published sufficient step shrinks with the number of steps (exponent {slope['published']:.1f} at the "
        f"end), the one that would break its guarantee on untied steps does not (exponent {slope['project']:.1f}): "
        "here the condition is sufficient, not necessary."
    )


def success_bound(start: float = 0.05, horizons: tuple[int, ...] = (1, 2, 4), most: float = 10.0) -> pd.DataFrame:
    """Success after safe steps (`safe_rate`) against their mass M, the sum of step sizes times gaps.

    ``published``: the lower bound ``P0 / (P0 + (1 - P0) exp(-M / 2))``. ``project``: P on a chain of H untied steps of
    equal accuracy. Source: Suk and Duan, arXiv 2510.08539.
    """
    # Each step has the length that is safe at the point where it begins, until the mass is reached
    parts = []
    for horizon in horizons:
        chain = ReasoningChain(step_success=np.full(horizon, start ** (1 / horizon)))
        mass = 0.0
        masses = []
        path = []
        while mass < most:
            masses.append(mass)
            path.append(float(chain.success))
            gap = gradient_gap(chain)
            length = float(np.linalg.norm(gap))
            rate = float(largest_safe_rate(length, horizon))
            mass += rate * length
            chain = ReasoningChain(logits=chain.logits + rate * gap / length)
        part = {"horizon": horizon, "update": np.arange(len(path)), "mass": masses, "project": path}
        parts.append(part | {"published": success_lower_bound(start, masses)})
    return joined(parts)


def draw_success_bound(ax: Axes, table: pd.DataFrame) -> str:
    """Success after safe steps, above the published bound."""
    longest = table[table["horizon"] == table["horizon"].max()]
    ax.plot(longest["mass"], longest["published"], color=style.INK, linewidth=1.4, gid="published")
    ax.fill_between(longest["mass"], 0, longest["published"], color="#e6e6e6", linewidth=0)
    handles = [legend_line("lower bound (published)", width=1.4)]
    lines: list[Any] = ["-", (0, (5, 1.5)), (0, (1.5, 1))]
    shades = shades_of(table["horizon"].sort_values())
    for (horizon, one), shade, line in zip(table.groupby("horizon"), shades, lines, strict=False):
        ax.plot(one["mass"], one["project"], color=shade, linestyle=line, gid=f"project {horizon}")
        handles.append(Line2D([], [], color=shade, linestyle=line, label=f"H = {horizon}"))
    ax.set(xlabel="mass M: sum of step × gap", ylabel="success probability P", ylim=(0, 1.02), xlim=(0, None))
    ax.legend(handles=handles, loc="lower right")
    return (
        "Coloured: chains of H untied steps after safe steps; the curves nearly coincide. The steps are so small that "
        "the log-odds gain all of M; the bound promises half of it."
    )


RESULTS = (
    Result(
        compute=safe_rate,
        draw=draw_safe_rate,
        columns=("start", "horizon", "project", "published"),
        title="How long a step may be: published and exact",
        source=SOURCE,
        finding=safe_rate_finding,
    ),
    Result(
        compute=success_bound,
        draw=draw_success_bound,
        columns=("horizon", "mass", "project", "published"),
        title="Success after safe steps, and its lower bound",
        source=SOURCE,
        finding=(
            "Success after safe steps never crosses the published lower bound; the log-odds gain about twice what it "
            "promises."
        ),
    ),
)
