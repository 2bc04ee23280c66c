"""Davis and Recht, arXiv 2510.13651: the clock of a single step, with and without the standard deviation."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy.optimize import brentq

from figures import style
from figures.published_beside_project import DASHED, MARKERS, draw_beside, open_marker
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import joined, single_steps
from spo_theory.dynamics.flow import flow, flow_time
from spo_theory.methods.registry import rule
from spo_theory.published.davis_recht import transform_clock
from spo_theory.published.probabilities import Scale

FIRST_LOGIT_MARGIN = 1.0  # the search for a logit begins this far below the start's
LAST_LOGIT = 8.0  # and ends where success is 0.9997, beyond the end of the flow
FLOW_END = 0.97  # success at which the drawn flow ends


def time_scale(name: str, group_size: int) -> float:
    """What time to count per unit of the flow: Dr. GRPO's group baseline loses the factor ``(G - 1) / G``.

    >>> time_scale("dr_grpo", group_size=8), time_scale("grpo", group_size=8)
    (0.875, 1.0)
    """
    return (group_size - 1) / group_size if name == "dr_grpo" else 1.0


def scale_of(name: str) -> Scale:
    """Scaling of the advantages under a rule, as `transform_clock` calls it."""
    return "std" if name == "grpo" else "none"


def flow_clock(start: float = 0.01, group_size: int = 4096) -> pd.DataFrame:
    """Success of one step over time, with and without division by the std.

    ``published``: the curve whose clock (`spo_theory.published.davis_recht.transform_clock`) runs with the time, from
    the ascent of ``arcsin sqrt(P)`` (std) or of P (mean only) in an infinite group. ``project``: the gradient flow of
    GRPO with a large group, and of Dr. GRPO with G = 8 in time ``(G - 1) / G``.
    Source: Davis and Recht, arXiv 2510.13651.
    """
    parts = []
    for name, size in (("grpo", group_size), ("dr_grpo", 8)):
        # The flow is followed until the published clock shows that success is high
        scale = scale_of(name)
        unit = time_scale(name, size)
        end = float(transform_clock(FLOW_END, scale) - transform_clock(start, scale))
        path = flow(single_steps(np.array([start])), rule(name, group_size=size), end / unit, points=61)
        time = path["time"].to_numpy() * unit

        # The clock gives the time of a success; the curve needs the success at a time, so it is solved for
        def too_late(logit: float, now: float, scale: Scale = scale) -> float:
            """Time at which the log-odds of success are ``logit``, minus the time ``now``."""
            p = 1 / (1 + np.exp(-logit))
            return float(transform_clock(p, scale) - transform_clock(start, scale)) - now

        # The root lies between a logit below the start's and one above the end's
        first = np.log(start / (1 - start)) - FIRST_LOGIT_MARGIN
        logits = [brentq(too_late, first, LAST_LOGIT, args=(now,)) for now in time]
        published = 1 / (1 + np.exp(-np.array(logits)))
        part = {"rule": name, "group_size": size, "time": time, "project": path["success"], "published": published}
        parts.append(part)
    return joined(parts)


def draw_flow_clock(ax: Axes, table: pd.DataFrame) -> str:
    """Success over time with and without the std."""
    sizes = table.groupby("rule")["group_size"].first()
    names = {"grpo": f"with std (GRPO, G = {sizes.get('grpo')})", "dr_grpo": "mean only (Dr. GRPO)"}
    colours = [style.colour(name) for name in dict.fromkeys(table["rule"])]
    later = table[table["time"] > 0]
    handles = draw_beside(ax, later, "time", "rule", lambda name: names.get(name, name), colours=colours, marks=20)
    ax.set(xscale="log", xlabel="time (updates of rate 1)", ylabel="success probability P", ylim=(0, 1.02))
    ax.legend(handles=handles, loc="upper left")
    start = float(table["project"].min())
    clocks = "Lines: published times, 4 sinh(x/2) and 2(x + sinh x), x being the log-odds of P."
    return f"{clocks} Points: gradient flow of one step, from P = {start:.2g}."


def time_to_half(group_sizes: tuple[int, ...] = (64, 4096)) -> pd.DataFrame:
    """Time of one step from success p0 to 1/2 against p0.

    ``published``: the clock of an infinite group, of order ``1 / sqrt(p0)`` with the std and ``1 / p0`` without.
    ``project``: the gradient flow of GRPO with finite groups, and of Dr. GRPO with G = 8 in time ``(G - 1) / G``.
    Source: Davis and Recht, arXiv 2510.13651.
    """
    starts = np.geomspace(1e-3, 0.3, 26)
    computed = starts[::5]
    parts = []
    for name, size in (*(("grpo", size) for size in group_sizes), ("dr_grpo", 8)):
        scale = scale_of(name)
        published = transform_clock(0.5, scale) - transform_clock(starts, scale)
        applied = rule(name, group_size=size)
        unit = time_scale(name, size)
        project = [flow_time(single_steps(np.array([p])), applied) * unit if p in computed else np.nan for p in starts]
        parts.append({"rule": name, "group_size": size, "start": starts, "project": project, "published": published})
    return joined(parts)


def draw_time_to_half(ax: Axes, table: pd.DataFrame) -> str:
    """Time to one half against the start."""
    # First the published lines, which have no group size, then the points of every size
    texts = {"grpo": "with std: 1 / √P", "dr_grpo": "mean only: 1 / P"}
    lines: dict[str, Any] = {"dr_grpo": DASHED}
    handles = []
    for name, one in table.groupby("rule", sort=False):
        # the published form is that of an infinite group: one line for all sizes of a rule
        curve = one[one["group_size"] == one["group_size"].iloc[0]]
        look: dict[str, Any] = {"color": style.colour(str(name)), "linestyle": lines.get(str(name), "-")}
        ax.plot(curve["start"], curve["published"], linewidth=1.2, **look)
        handles.append(Line2D([], [], label=texts.get(str(name), str(name)), **look))

    # The points differ by colour for the rule and by marker for the size
    for (run, one), marker in zip(table.groupby(["rule", "group_size"], sort=False), MARKERS, strict=False):
        computed_by = str(run[0])
        size = run[1]
        points = one.dropna(subset=["project"])
        look = open_marker(style.colour(computed_by), marker, 5.0)
        gid = f"project {computed_by} {size}"
        ax.plot(points["start"], points["project"], linestyle="none", zorder=5, gid=gid, **look)
        handles.append(Line2D([], [], linestyle="none", label=f"{style.label(computed_by)}, G = {size}", **look))
    ax.set(xscale="log", yscale="log", xlabel="success P at the start", ylabel="time (updates of rate 1)")
    ax.legend(handles=handles, loc="upper right")
    finite = "a finite group is slower where P is small."
    return f"Lines: published, for an infinite group. Points: gradient flow of one step; {finite}"


RESULTS = (
    Result(
        compute=flow_clock,
        draw=draw_flow_clock,
        columns=("rule", "group_size", "time", "project", "published"),
        title="Success over time, with and without the std",
        source="Davis and Recht, arXiv 2510.13651.",
        finding="The gradient flow of one step takes the time of the published formulas, with and without the std.",
    ),
    Result(
        compute=time_to_half,
        draw=draw_time_to_half,
        columns=("rule", "group_size", "start", "project", "published"),
        title="Time to half success",
        source="Davis and Recht, arXiv 2510.13651.",
        finding=(
            "From success P, the time to half success is of order 1/P without the std and of order 1/√P with it, if "
            "groups are so large that they hold a correct response."
        ),
    ),
)
