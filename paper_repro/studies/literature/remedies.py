"""Other remedies for all-negative groups: NGRPO, arXiv 2509.18851; Sign, arXiv 2605.07689; LENS, arXiv 2510.08696."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from figures import style
from figures.published_beside_project import BOTH, draw_beside, open_marker
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import joined
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.published.bay_yearick import mean_group_std

REMEDIES = ("grpo", "ngrpo", "sign", "lens", "spo", "spo_prefix")
HEADROOM = 30  # the legend needs this factor of a logarithmic axis above the curves


def uniform_penalty(survive: float = 0.3, group_size: int = 8) -> pd.DataFrame:
    """What an all-negative group adds to step 1, on average, as P falls with the share of failures at step 2 fixed.

    ``penalty``: advantage -1 for everybody; ``published``: ``(1 - P)^G P / (1 - P) (1 - q_1)``, of order P;
    ``project``: the sum over the failures' scores. ``colouring``: ``(1 - P)^G c_G(s)``, of order 1; ``project`` is the
    exact update less GRPO's. Sources: NGRPO, arXiv 2509.18851; Sign, arXiv 2605.07689 (uniform penalties).
    """
    p = np.geomspace(1e-5, 0.3, 31)
    first = p + survive * (1 - p)
    chain = ReasoningChain(step_success=np.stack([first, p / first], axis=-1))
    silent = (1 - p) ** group_size
    failures = chain.class_probs[:, :-1] / (1 - p)[:, None]
    penalty = -silent * np.einsum("nk,nk->n", failures, chain.scores[:, :-1, 0])
    coloured = expected_update(chain, rule("spo", group_size=group_size))[:, 0]
    plain = expected_update(chain, rule("grpo", group_size=group_size))[:, 0]
    parts = [
        {"term": "penalty", "project": penalty, "published": silent * p / (1 - p) * (1 - first)},
        {"term": "colouring", "project": coloured - plain, "published": silent * mean_group_std(group_size, survive)},
    ]
    return joined([part | {"success": p} for part in parts]).assign(survive=survive, group_size=group_size)


def draw_uniform_penalty(ax: Axes, table: pd.DataFrame) -> str:
    """Push of all-negative groups on step 1 against P."""
    names = {"penalty": "uniform penalty: slope 1", "colouring": "colouring: slope 0"}
    colours = (style.colour("ngrpo"), style.colour("spo"))
    handles = draw_beside(ax, table, "success", "term", lambda term: names.get(term, term), colours=colours)
    ax.set(xscale="log", yscale="log", xlabel="success probability P", ylabel="mean push on step 1")
    ax.legend(handles=handles, loc="lower right")
    group_size = int(table["group_size"].iloc[0])
    share = float(table["survive"].iloc[0])
    setting = f"Two steps, G = {group_size}; {share:.0%} of the failures happen at step 2."
    return f"{BOTH} {setting} Slope: the power of P."


def remedies(
    step_success: float = 0.3, horizons: tuple[int, ...] = (2, 4, 6, 8, 12), group_size: int = 8, most: int = 4000
) -> pd.DataFrame:
    """Updates until P reaches 1/2 against the number of steps H, for every remedy of all-negative groups.

    Exact expected updates at learning rate 1 from equal step accuracies; colouring by the raw score; NaN from the H on
    that needs more than ``most``. Sources: NGRPO, arXiv 2509.18851; Sign, arXiv 2605.07689; LENS, arXiv 2510.08696 (its
    exact weight is not reproduced); SPO, arXiv 2505.11595; credit to the correct prefix only is this project's variant.
    """
    rows = []
    for name in REMEDIES:
        options = {"shape": "raw"} if name.startswith("spo") else {}
        applied = rule(name, group_size=group_size, **options)
        updates = 0.0
        for horizon in sorted(horizons):
            start = ReasoningChain(step_success=np.full(horizon, step_success))
            if np.isfinite(updates):  # once too slow, longer questions are slower still
                updates = updates_to(solve(start, applied, most))
            rows.append({"rule": name, "horizon": horizon, "group_size": group_size, "updates": updates})
    return pd.DataFrame(rows).assign(step_success=step_success, most=most)


def draw_remedies(ax: Axes, table: pd.DataFrame) -> str:
    """Updates to half success against H, a line for every rule."""
    for name in style.rules_of(table):
        rows = table[(table["rule"] == name) & np.isfinite(table["updates"])].sort_values("horizon")
        rule_look = style.look_of(name)
        look = open_marker(rule_look.colour, rule_look.marker, 5.0)
        ax.plot(rows["horizon"], rows["updates"], linewidth=1.2, label=rule_look.label, gid=f"project {name}", **look)
    ax.set(yscale="log", xlabel="steps per question, H", ylabel="updates until P = 1/2")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(top=HEADROOM * float(np.nanmax(table["updates"])))
    ax.legend(loc="upper left")
    group_size = int(table["group_size"].iloc[0])
    accuracy = float(table["step_success"].iloc[0])
    setting = f"Exact updates of learning rate 1, G = {group_size}; every step starts at accuracy {accuracy:g}."
    end = f"It ends where more than {int(table['most'].iloc[0]):,} updates are needed."
    return f"{setting} A straight line is growth by a constant factor. {end}"


def remedies_finding(table: pd.DataFrame) -> str:
    """Factor per added step between the last two H that every rule reaches."""
    wide = table.pivot_table(index="horizon", columns="rule", values="updates").dropna().iloc[-2:]
    first, last = (int(horizon) for horizon in wide.index)
    growth = (wide.iloc[1] / wide.iloc[0]) ** (1 / (last - first))
    return (
        f"From H = {first} to {last} the updates to half success grow per added step by a factor of "
        f"{growth['grpo']:.2f} under GRPO, {growth['sign']:.2f} under Sign and {growth['ngrpo']:.2f} under NGRPO, but "
        f"by {growth['lens']:.2f} under the LENS-like penalty, {growth['spo']:.2f} under colouring and "
        f"{growth['spo_prefix']:.2f} with credit to the correct prefix."
    )


RESULTS = (
    Result(
        compute=uniform_penalty,
        draw=draw_uniform_penalty,
        columns=("term", "success", "survive", "group_size", "project", "published"),
        title="What all-negative groups teach as success falls",
        source="NGRPO: arXiv 2509.18851. Sign: 2605.07689. SPO: 2505.11595.",
        finding=(
            "What a uniform penalty adds in all-negative groups vanishes in proportion to P; what colouring adds does "
            "not."
        ),
    ),
    Result(
        compute=remedies,
        draw=draw_remedies,
        columns=("rule", "horizon", "updates", "group_size", "step_success", "most"),
        title="Remedies for all-negative groups",
        source="NGRPO: arXiv 2509.18851. Sign: 2605.07689. SPO: 2505.11595.\nLENS: 2510.08696, with another weight.",
        finding=remedies_finding,
        quick={"horizons": (2, 3, 4)},
    ),
)
