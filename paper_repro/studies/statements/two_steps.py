"""Figures of the statements about the paper's two-step model: its Theorem 3.3, other starts, a single update."""

import numpy as np
import pandas as pd

from figures.style import label
from paper_repro.studies.statements.picture import Picture, joined, series
from spo_theory.dynamics.maps import solve
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.two_steps import two_step_paths

FAILURES = "(i) k times the failure rate"


def theorem_33(updates: int = 20_000) -> pd.DataFrame:
    """The paper's two-step model from (1/2, 1/2): failures left, lead of step 1, lead of success, all over k."""
    # Updates at equal distances on a logarithmic axis are enough for the figure
    shown = set(np.unique(np.geomspace(1, updates, 120).astype(int)).tolist())
    rows = []
    for k, coloured, plain in two_step_paths(updates):
        if k in shown:
            # minus log success, from which the failure rate follows without cancelling
            missing = np.log1p(np.exp(-coloured)).sum()
            missing_plain = np.log1p(np.exp(-plain)).sum()
            failures = float(k * -np.expm1(-missing))
            failures_plain = float(k * -np.expm1(-missing_plain))
            rows.append((k, failures, failures_plain, float(coloured[0] - plain[0]), float(missing_plain - missing)))
    k, failures, failures_plain, first_step_lead, success_lead = np.array(rows).T
    return joined(
        [
            series(label("spo"), k, failures, panel=FAILURES),
            series(label("grpo"), k, failures_plain, panel=FAILURES),
            series("lead of step 1's log-odds", k, k * first_step_lead, panel="(ii) k times step 1's lead"),
            series("lead of log success", k, k**2 * success_lead, panel="(iii) k² times success's lead"),
        ]
    )


def leads_by_start() -> pd.DataFrame:
    """Success under colouring minus success under GRPO over 60 updates, two steps, G = 2, from several starts."""
    frames = []
    for start in ((0.5, 0.5), (0.2, 0.8), (0.8, 0.2), (0.9, 0.5), (0.95, 0.3)):
        chain = ReasoningChain(step_success=start)
        coloured = solve(chain, rule("spo", group_size=2), 60)["success"]
        plain = solve(chain, rule("grpo", group_size=2), 60)["success"]
        frames.append(series(f"p = {start[0]:g}, q = {start[1]:g}", np.arange(61), coloured - plain))
    return joined(frames)


def one_update_gain(points: int = 80) -> pd.DataFrame:
    """Change of log success by one coloured update minus that by one of GRPO; two steps, G = 2, learning rate 1."""
    axis = (np.arange(points) + 0.5) / points
    p, q = (a.ravel() for a in np.meshgrid(axis, axis))
    chain = ReasoningChain(step_success=np.stack([p, q], axis=1))
    log_success = {}
    for name in ("spo", "grpo"):
        logits = chain.logits + expected_update(chain, rule(name, group_size=2))
        log_success[name] = -np.logaddexp(0, -logits).sum(1)
    proved = series("gains for certain to the left", [0.7, 0.7], [0.0, 1.0], "line", z=np.nan)
    return joined([series("gain", p, q, "cell", z=log_success["spo"] - log_success["grpo"]), proved])


PICTURES = (
    Picture(
        theorem_33,
        title="The paper's Theorem 3.3 to 20,000 updates",
        caption=(
            "From p = q = 1/2. (i) The failure rate falls like 2 / k under both rules. (ii) Step 1 is always ahead. "
            "(iii) So is success, by 4.42 / k² in the end: its lead vanishes faster than the failures do."
        ),
        axes={
            "xlabel": "updates k",
            "ylabel": ("k × failure rate", "k × lead in log-odds", "k² × lead in log success"),
            "logx": True,
        },
        statements=("both_succeed", "first_step_ahead", "success_ahead"),
    ),
    Picture(
        leads_by_start,
        title="From other starts the lead reverses",
        caption=(
            "Two steps, G = 2. Where step 1 is nearly learned, success is lower under colouring for the first updates."
        ),
        axes={"xlabel": "updates", "ylabel": "success, colouring minus GRPO", "zero": True},
        statements=("ahead_from_everywhere",),
    ),
    Picture(
        one_update_gain,
        title="What one coloured update gains over one of GRPO",
        caption=(
            "Two steps, G = 2, learning rate 1: change of log success by one coloured update minus that by one of "
            "GRPO. For p up to 0.7 a gain is proved. Beyond, the sign depends on q. Gains are blue, losses red, on one "
            "scale."
        ),
        axes={
            "kind": "map",
            "xlabel": "p, accuracy of step 1",
            "ylabel": "q, accuracy of step 2",
            "zlabel": "gain in log success",
        },
        statements=("one_early_step_gains",),
    ),
)
