"""Study: how the updates to half success grow with the number of steps, exactly and by sampled groups."""

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from figures import escape as drawing
from paper_repro.claims.effects import Effect
from paper_repro.claims.on_network import hard_speed_ups
from paper_repro.claims.verdicts import Finding, Tables, finding
from paper_repro.jobs.job import Job
from paper_repro.settings import BETA, GAMMA, build
from paper_repro.studies.study import Claim, Plate, Study
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain


def escape(
    name: str, group_size: int, horizon: int, step_success: float, most: int, questions: int, seeds: int
) -> pd.DataFrame:
    """Updates until success reaches 1/2 from equal step accuracies, step size 1: exact, and by sampled groups.

    ``most``: give up after that many exact updates (NaN). ``seeds``: sampled runs of ``questions`` groups an
    update, each three times as long as predicted so that slow ones can arrive (NaN if they do not); 0 for none.
    ``all_negative`` in the result is the share of all-negative groups at the start.
    """
    from spo_theory import simulate
    from spo_theory.dynamics.maps import updates_to

    # The exact count comes first: it says how long the sampled runs must be
    start = ReasoningChain(step_success=np.full(horizon, step_success))
    rule = build(name, group_size)
    exact = _exact_updates(start, rule, most)
    rows = [{"source": "theory", "seed": -1, "updates": exact}]
    if seeds:
        paths = simulate(start, rule, steps=int(3 * exact) + 20, questions=questions, seeds=seeds)
        for seed, one in paths.groupby("seed"):
            rows.append({"source": "monte_carlo", "seed": seed, "updates": updates_to(one)})
    silent = float(start.all_negative(group_size))
    return pd.DataFrame(rows).assign(rule=name, group_size=group_size, horizon=horizon, all_negative=silent)


def _exact_updates(chain: ReasoningChain, rule: Method, most: int) -> float:
    """Exact updates to half success, in growing blocks because the length is not known beforehand; NaN if too many."""
    from spo_theory.dynamics.maps import solve, updates_to

    done = 0
    block = 64
    updates = float("nan")
    while done < most and np.isnan(updates):
        path = solve(chain, rule, steps=block)
        updates = done + updates_to(path)
        chain = ReasoningChain(step_success=path.filter(regex=r"^q_\d+$").iloc[-1].to_numpy())
        done += block
        block *= 4
    return updates


def tabular_curves(
    name: str, group_size: int, horizon: int, step_success: float, questions: int, seeds: int, steps: int
) -> pd.DataFrame:
    """Success over updates of the tabular chain, as rows of the table of curves.

    Rows of source "theory" are exact; those of source "monte_carlo" come from ``seeds`` runs of ``questions`` sampled
    groups an update. All ``horizon`` steps start at the probability ``step_success``; ``steps``: updates of size 1.
    """
    from spo_theory import simulate, solve

    chain = ReasoningChain(step_success=np.full(horizon, step_success))
    rule = build(name, group_size)

    # Both from the same start, under the same rule
    exact = solve(chain, rule, steps=steps).assign(source="theory")
    sampled = simulate(chain, rule, steps=steps, questions=questions, seeds=seeds).assign(source="monte_carlo")
    both = pd.concat([exact, sampled], ignore_index=True)
    return both.assign(
        experiment=f"tabular-H{horizon}",
        rule=name,
        horizon=horizon,
        group_size=group_size,
        model="tabular",
        optimizer="sgd",
    )


def all_negative_helps(tables: Tables) -> Finding | None:
    """Claim 5: escape from mostly all-negative groups, GRPO (which drops them) over SPO.

    tables: of them "escape" is read; None if it is missing or has no sampled runs of both rules. The networks of
    "curves" that start with as many all-negative groups are judged too, if there are any.
    """
    escape = tables.get("escape")
    if escape is None:
        return None

    # The exact ratios are told beside the sampled ones, which decide
    hard = escape[escape["all_negative"] >= HARD]
    sampled = hard[hard["source"] == "monte_carlo"]
    exact = hard[hard["source"] == "theory"]
    exact = exact.pivot_table(index=["group_size", "horizon"], columns="rule", values="updates")
    effects = [
        _sooner(f"{horizon} steps, groups of {size}", one)
        for (size, horizon), one in sampled.groupby(["group_size", "horizon"])
        if {"grpo", "spo"} <= set(one["rule"])
    ]
    if not effects:
        return None
    gain = exact["grpo"] / exact["spo"]
    return finding(
        "Where at least half of the groups start all-negative, SPO comes to half success, on the chain",
        "updates to half success, GRPO over SPO, where at least half of the groups start all-negative",
        {"": effects, "networks": hard_speed_ups(tables, HARD)},
        digits=".2f",
        besides=f"; exact on the chain {gain.min():.2f} to {gain.max():.0f}",
        words={"holds": "sooner", "reversed": "later"},
        after=" times as fast",
    )


HARD = 0.5
"""Share of all-negative groups at the start from which on a setting counts as hard."""


def _sooner(setting: str, runs: pd.DataFrame) -> Effect:
    """Updates to half success of sampled runs, GRPO over SPO; a run that never arrives counts as the slowest of all."""
    grpo, spo = (runs.loc[runs["rule"] == rule, "updates"].fillna(np.inf).to_numpy() for rule in ("grpo", "spo"))
    late = int(np.isinf(grpo).sum() + np.isinf(spo).sum())
    with np.errstate(invalid="ignore"):
        ratios = grpo[:, None] / spo[None, :]  # runs of different rules are not paired
    return Effect(
        setting,
        float(np.median(grpo) / np.median(spo)),
        float(np.nanmin(ratios)),
        float(np.nanmax(ratios)),
        n=min(len(grpo), len(spo)),
        unit="ratio",
        test="Mann-Whitney over seeds (low and high: all pairs of runs)",
        null=1.0,
        p=float(mannwhitneyu(grpo, spo, method="exact").pvalue),
        note=f"{late} runs never arrive" if late else "",
    )


def headlines(tables: Tables) -> list[str]:
    """How the updates grow with the number of steps, and how far sampled groups are from the exact counts."""
    escape = tables.get("escape")
    if escape is None:
        return []

    lines = []
    wide = exact_times(escape)
    if len(wide):
        first = wide.iloc[0]
        last = wide.iloc[-1]
        lines.append(
            f"Tabular chain, groups of {escape['group_size'].min()}, exact: from H = {wide.index[0]} to "
            f"H = {wide.index[-1]} steps the updates to half success grow from {first['grpo']:.1f} to "
            f"{last['grpo']:,.0f} under GRPO, and from {first['spo']:.1f} to {last['spo']:.0f} under SPO."
        )
    both = _sampled_against_exact(escape)
    return lines if both is None else [*lines, both]


def exact_times(escape: pd.DataFrame) -> pd.DataFrame:
    """Exact updates to half success by number of steps (rows) and rule, where GRPO and SPO have both; or no row.

    Of the smallest groups, which show the growth best: they are all-negative most often.
    """
    exact = escape[(escape["source"] == "theory") & (escape["group_size"] == escape["group_size"].min())]
    wide = exact.pivot_table(index="horizon", columns="rule", values="updates").dropna()
    return wide if {"grpo", "spo"} <= set(wide) else wide.iloc[:0]


def _sampled_against_exact(escape: pd.DataFrame) -> str | None:
    """How far the median of sampled runs is from the exact count; None without sampled runs."""
    keys = ["rule", "group_size", "horizon"]
    exact = escape[escape["source"] == "theory"].set_index(keys)["updates"]
    sampled = escape[escape["source"] == "monte_carlo"].groupby(keys)["updates"].median()
    off = (sampled / exact.reindex(sampled.index) - 1).abs().dropna()
    if off.empty:
        return None
    return (
        f"The same chain with sampled groups: the median over seeds differs from the exact count by {off.median():.1%} "
        f"at the median and {off.max():.1%} at most, over {len(off)} settings."
    )


def jobs(quick: bool) -> list[Job]:
    """A job for every rule, group size and number of steps, and one curve for each rule."""
    # The quick version leaves out what takes long: many steps, large groups, many seeds
    horizons = (2, 4, 6) if quick else (2, 4, 6, 8, 10, 12)
    sizes = (8,) if quick else (8, 64)
    seeds = 5 if quick else 20

    # Every count is a job of its own, so that a stopped run loses little
    jobs = []
    for name in ("grpo", "spo"):
        for size in sizes:
            for horizon in horizons:
                sampled = name == "spo" or horizon <= 8  # beyond, GRPO would need minutes of sampling
                call = {
                    "name": name,
                    "group_size": size,
                    "horizon": horizon,
                    "step_success": 0.3,
                    "most": 400_000,
                    "questions": 64,
                    "seeds": seeds if sampled else 0,
                }
                jobs.append(Job(f"escape/{name}-G{size}-H{horizon}", "escape", escape, call))
        curve = {
            "name": name,
            "group_size": 8,
            "horizon": 4,
            "step_success": 0.3,
            "questions": 64,
            "seeds": seeds,
            "steps": 80,
        }
        jobs.append(Job(f"escape/{name}-curves", "curves", tabular_curves, curve))
    return jobs


STUDY = Study(
    name="escape",
    question="How long until success, as questions get longer?",
    jobs=jobs,
    order=20,
    headlines=headlines,
    plates=(
        Plate(
            name="escape",
            title="Updates to half success as questions get longer",
            needs=("escape",),
            draw=drawing.draw,
            options={
                "setting": "All steps start at accuracy 0.3; step size 1; 64 groups an update. "
                f"Colouring: beta = {BETA:g}, gamma = {GAMMA:g}, all-negative groups."
            },
            caption=(
                "Predicted: exact expected updates of a chain of H steps, in which every step is a parameter of its "
                "own. Measured: the same chain trained on sampled groups."
            ),
        ),
    ),
    claims=(
        Claim(
            number=5,
            claim="Learning from all-negative groups is feasible and beneficial.",
            where="Abstract; introduction",
            analogue=(
                "Tabular chain with sampled groups; GRPO stands for dropping them, since it gives them no update"
            ),
            judge=all_negative_helps,
            figure="escape",
        ),
    ),
)
