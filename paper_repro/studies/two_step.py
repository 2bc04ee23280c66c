"""Study: the paper's own two-step model, its Theorem 3.3, and the starts from which its conclusion reverses."""

import numpy as np
import pandas as pd

from figures import two_step
from paper_repro.claims.effects import exact
from paper_repro.claims.verdicts import Finding, Tables, finding
from paper_repro.jobs.job import Job
from paper_repro.studies.study import Claim, Plate, Study
from spo_theory.method import Method
from spo_theory.methods.registry import rule


def two_step_rule(name: str) -> Method:
    """The paper's rules of its Section 3.2: groups of 2, rewards 0, 1/2 and 1. ``name``: "spo" or "grpo".

    >>> two_step_rule("spo").group_size
    2
    """
    return rule("spo", group_size=2, shape="raw") if name == "spo" else rule("grpo", group_size=2)


def two_step_curves(starts: tuple[tuple[float, float], ...], steps: int) -> pd.DataFrame:
    """p and p q over iterations of the paper's two-step model (its Fig. 2) from several starting points.

    starts: pairs of step accuracies (p, q). steps: iterations. One row per start, rule and iteration, with the columns
    p, q, success (their product), start_p and start_q.
    """
    from spo_theory.dynamics.maps import solve
    from spo_theory.outcomes.chain import ReasoningChain

    frames = []
    for start in starts:
        for name in ("grpo", "spo"):
            path = solve(ReasoningChain(step_success=start), two_step_rule(name), steps=steps)
            fixed = {"rule": name, "start_p": start[0], "start_q": start[1]}
            frames.append(path.rename(columns={"q_1": "p", "q_2": "q"}).assign(**fixed))
    return pd.concat(frames, ignore_index=True)


def two_step_map(points: int) -> pd.DataFrame:
    """Success after one coloured step minus success after one GRPO step, on a grid of starting points.

    points: on each axis of the grid. One row per point: p and q, the accuracies of both steps, and the gain.

    >>> len(two_step_map(points=2))
    4
    """
    from spo_theory.exact.update import expected_update
    from spo_theory.outcomes.chain import ReasoningChain

    axis = (np.arange(points) + 0.5) / points
    p, q = (a.ravel() for a in np.meshgrid(axis, axis))
    chain = ReasoningChain(step_success=np.stack([p, q], axis=1))
    after = {}
    for name in ("grpo", "spo"):
        g = np.asarray(expected_update(chain, two_step_rule(name)))
        after[name] = (1 / (1 + np.exp(-(chain.logits + g)))).prod(1)
    return pd.DataFrame({"p": p, "q": q, "gain": after["spo"] - after["grpo"]})


def two_step_boundary(points: int) -> pd.DataFrame:
    """The curve ``1 - p = q (1 - q)`` on which both first steps gain the same to first order.

    Columns p and q, the accuracies of both steps, at ``points`` equally spaced values of q from 0 to 1.

    >>> two_step_boundary(points=3)["p"].tolist()
    [1.0, 0.75, 1.0]
    """
    q = np.linspace(0, 1, points)
    return pd.DataFrame({"p": 1 - q * (1 - q), "q": q})


def theorem(tables: Tables) -> Finding | None:
    """Claim 3: parts (i), (ii), (iii) of Theorem 3.3 from the paper's starting point.

    tables: of them "two_step" and "two_step_limit" are read, None if one is missing; and "two_step_map" for a remark.
    """
    curves = tables.get("two_step")
    limit = tables.get("two_step_limit")
    if curves is None or limit is None:
        return None

    # Parts (ii) and (iii) are about every iteration, part (i) about the limit
    later = curves[curves["step"] >= 1]
    paper = later[(later["start_p"] == 0.5) & (later["start_q"] == 0.5)]
    lead_p = _lead(paper, "p").min()
    lead_success = _lead(paper, "success").min()
    last = limit[limit["step"] == limit["step"].max()]["success"].min()
    growing = limit.groupby("rule")["success"].apply(lambda path: bool((path.diff().dropna() > 0).all())).all()
    effects = [
        exact(f"(i) pq after {limit['step'].max()} iterations", last if growing else np.nan, "probability", null=0.99),
        exact(f"(ii) smallest lead in p, k = 1..{paper['step'].max()}", lead_p, "probability"),
        exact(f"(iii) smallest lead in pq, k = 1..{paper['step'].max()}", lead_success, "probability"),
    ]

    # The theorem is about the paper's start alone: what happens elsewhere is told and does not decide.
    text = _reversals(later[later["start_p"] != 0.5])
    grid = tables.get("two_step_map")
    if grid is not None:
        text += f"; its first iteration gains less on {(grid['gain'] < 0).mean():.0%} of all starting points"
    return finding(
        "From the paper's start",
        "pq in the limit (at least 0.99, growing throughout), and SPO's leads (above 0)",
        {"": effects},
        what="parts",
        digits=".4g",
        besides=text,
        words={"holds": "it is so", "fails": "it is not so", "reversed": "it is the other way round"},
        link="for",
    )


def _reversals(curves: pd.DataFrame) -> str:
    """From which other starts, and at which iterations, SPO is behind in success; empty if from none."""
    text = ""
    for (p, q), one in curves.groupby(["start_p", "start_q"]):
        lead = _lead(one, "success")
        behind = lead.index[lead < 0]
        if len(behind):
            text += f". From ({p:g}, {q:g}), outside the theorem, SPO is behind at k = {behind[0]}..{behind[-1]}"
    return text


def _lead(curves: pd.DataFrame, column: str) -> pd.Series:
    """What SPO has more than GRPO of ``column``, by step."""
    wide = curves.pivot_table(index="step", columns="rule", values=column)
    return wide["spo"] - wide["grpo"]


def headlines(tables: Tables) -> list[str]:
    """On how many starting points one coloured iteration gains more, and whether the paper's is among them."""
    grid = tables.get("two_step_map")
    if grid is None:
        return []
    if _gain_at(grid, 0.5, 0.5) <= 0:
        return ["Two-step model: at the paper's own starting point one coloured iteration gains less than one of GRPO."]
    return [
        f"Two-step model: one coloured iteration gains more than one of GRPO on {(grid['gain'] > 0).mean():.0%} of "
        f"the starting points and less on {(grid['gain'] < 0).mean():.0%}; the paper's start is among the former."
    ]


def _gain_at(grid: pd.DataFrame, p: float, q: float) -> float:
    """The gain at the point of the grid that is closest to ``(p, q)``."""
    return float(grid["gain"].iloc[int(np.argmin((grid["p"] - p) ** 2 + (grid["q"] - q) ** 2))])


def jobs(quick: bool) -> list[Job]:
    """Four jobs, the same for both versions."""
    curves = {"starts": ((0.5, 0.5), (0.9, 0.5)), "steps": 50}
    limit = {"starts": ((0.5, 0.5),), "steps": 5000}
    return [
        Job("two_step/curves", "two_step", two_step_curves, curves),
        Job("two_step/limit", "two_step_limit", two_step_curves, limit),
        Job("two_step/map", "two_step_map", two_step_map, {"points": 100}),
        Job("two_step/boundary", "two_step_boundary", two_step_boundary, {"points": 201}),
    ]


STUDY = Study(
    name="two_step",
    question="Does the paper's own two-step model behave as it says, and where does its conclusion reverse?",
    jobs=jobs,
    order=40,
    headlines=headlines,
    plates=(
        Plate(
            name="two_step",
            title="The paper's two-step model",
            needs=("two_step", "two_step_map", "two_step_boundary"),
            draw=two_step.draw,
            caption=(
                "The model of the paper's Section 3.2; nothing is sampled. (a) The paper's Fig. 2. (b) The lead of SPO "
                "depends on the start. It is negative at first where the first step is nearly learned. (c) What the "
                "first iteration gains or loses, from every start."
            ),
        ),
    ),
    claims=(
        Claim(
            number=3,
            claim="Theorem 3.3: both rules succeed in the limit (i); SPO leads in p (ii) and in pq (iii); Fig. 2.",
            where="Section 3.2",
            analogue="The paper's own two-step model, exact updates from p = q = 1/2",
            judge=theorem,
            figure="two_step",
        ),
    ),
)
