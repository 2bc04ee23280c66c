"""Study: the remedies trained on the network, at equal rollouts, tokens, judged steps and solutions; with forecasts."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, ttest_rel

from figures import training
from paper_repro.claims.verdicts import Tables
from paper_repro.forecast.statistics import mean_interval, updates_to
from paper_repro.jobs.job import Job
from paper_repro.report.names import rule_name
from paper_repro.studies.study import Plate, Study

if TYPE_CHECKING:
    from paper_repro.forecast.configuration import Configuration
    from toy_llm.config import TrainConfig

COSTS = ("rollouts", "tokens_generated", "tokens_trained", "steps_judged", "solutions")
BUDGETS = ("rollouts", "tokens_generated", "steps_judged")
"""Costs at which rules are compared when all have spent the same."""

RULES = ("grpo", "spo", "spo_prefix", "hints", "easier_questions", "imitation")
OPTIONS = (("imitation", "share", 0.25),)
DEFAULT_STARTS = (0, 1, 2)
"""Warm starts of the default run; a full run has the others of the configuration too."""


def configuration(quick: bool) -> "Configuration":
    """What is trained: six steps from success 0.003, or four steps and three rules in the quick version."""
    from paper_repro.forecast.configuration import Configuration
    from toy_llm.config import TrainConfig

    # Costs are summed over updates, so every update is a point of the curve
    common = {"runs": 1, "levels": ("mean_field",), "rule_options": OPTIONS, "held_out": 64}
    if quick:
        base = TrainConfig(horizon=4, learning_rate=0.02, updates=50, start_accuracy=0.45, questions=32)
        rules = ("grpo", "hints", "imitation")
        return Configuration("league-quick", base, starts=(0,), rules=rules, points=50, **common)  # type: ignore[arg-type]
    base = TrainConfig(horizon=6, learning_rate=0.02, updates=140, questions=32)
    return Configuration("league", base, starts=(0, 1, 2, 3, 4), rules=RULES, points=140, **common)  # type: ignore[arg-type]


def league(curves: pd.DataFrame) -> pd.DataFrame:
    """One row per rule: updates to half success and costs until then, the forecast beside them, and the test.

    ``curves``: of the network, with sources "network" and "theory". Returns rule, runs, arrived (those that reach half
    success), updates with low and high (95 % interval over seeds of those that arrive), the mean of the costs until
    then, final success, entropy, response_length and zero_advantage (means over all updates for the last), forecast
    (mean updates of the theory, NaN without one), log_ratio (mean over paired seeds of the logarithm of updates over
    GRPO's) and p_value (paired t test of it, corrected for the number of rules by Benjamini and Hochberg).
    """
    groups = _network(curves).groupby(["rule", "seed"])
    runs = pd.DataFrame([_run(str(rule), int(one["seed"].iloc[0]), one) for (rule, _), one in groups])
    plain = runs[runs["rule"] == "grpo"].set_index("seed")["updates"]
    rows = []
    for rule, mine in runs.groupby("rule", sort=False):
        mean, low, high = mean_interval(mine["updates"])
        ratio = np.log(mine.set_index("seed")["updates"]) - np.log(plain)
        paired = ratio.dropna()
        row: dict[str, Any] = {"rule": rule, "runs": len(mine), "arrived": int(mine["updates"].notna().sum())}
        row |= {"updates": mean, "low": low, "high": high, "forecast": _forecast(curves, str(rule))}
        row |= {str(name): mean for name, mean in mine.drop(columns=["rule", "seed", "updates"]).mean().items()}
        row["log_ratio"] = paired.mean()
        several = len(paired) > 1 and paired.std() > 0
        row["p_value"] = ttest_rel(paired, np.zeros(len(paired))).pvalue if several else np.nan
        rows.append(row)

    # As many tests as rules: the expected share of false discoveries is what is kept small
    table = pd.DataFrame(rows)
    tested = table["p_value"].notna()
    if tested.any():
        table.loc[tested, "p_value"] = false_discovery_control(table.loc[tested, "p_value"])
    return table.sort_values("updates", kind="stable").reset_index(drop=True)


def at_equal_cost(curves: pd.DataFrame) -> pd.DataFrame:
    """Success of every rule when all have spent the same; one row per cost and rule that has it.

    ``curves``: of the network, every update a row. The budget of a cost is what the run that used least of it spent in
    all, so every run has reached it. Returns cost (of `BUDGETS`), budget (of a run), rule, runs, success with low
    and high (95 % interval over seeds), lead (mean over paired seeds of the success above GRPO's at the same budget)
    and p_value (paired t test of it, corrected for the number of tests by Benjamini and Hochberg).
    """
    groups = dict(list(_network(curves).groupby(["rule", "seed"], sort=False)))
    rows = []
    for cost in BUDGETS:
        spent = {key: _spent(one, cost) for key, one in groups.items()}
        users = {key: one for key, one in spent.items() if one.iloc[-1] > 0}
        if users:
            budget = min(one.iloc[-1] for one in users.values())
            reached = {key: np.interp(budget, one, one.index) for key, one in users.items()}
            rows += _beside_grpo(cost, budget, pd.Series(reached, dtype=float).rename_axis(["rule", "seed"]))

    # The tests of all budgets answer one question, so they are corrected together
    table = pd.DataFrame(rows)
    tested = table["p_value"].notna()
    if tested.any():
        table.loc[tested, "p_value"] = false_discovery_control(table.loc[tested, "p_value"])
    return table


def _spent(run: pd.DataFrame, cost: str) -> pd.Series:
    """What was spent before each update of a run, by the success at that update."""
    rows = run.sort_values("step")
    before = rows[cost].cumsum().shift(fill_value=0.0)
    return pd.Series(before.to_numpy(float), index=rows["success"].to_numpy(float))


def _beside_grpo(cost: str, budget: float, reached: pd.Series) -> list[dict[str, Any]]:
    """The rows of one cost; ``reached``: success by rule and seed when ``budget`` was spent."""
    plain = reached.xs("grpo", level="rule") if "grpo" in reached.index.get_level_values("rule") else None
    rows = []
    for rule, mine in reached.groupby(level="rule", sort=False):
        mean, low, high = mean_interval(mine)
        row: dict[str, Any] = {"cost": cost, "budget": budget, "rule": rule, "runs": len(mine)}
        row |= {"success": mean, "low": low, "high": high, "lead": np.nan, "p_value": np.nan}
        if plain is not None:
            lead = (mine.droplevel("rule") - plain).dropna()
            row["lead"] = lead.mean()
            if len(lead) > 1 and lead.std() > ROUNDING:
                row["p_value"] = ttest_rel(lead, np.zeros(len(lead))).pvalue
        rows.append(row)
    return sorted(rows, key=lambda row: -row["success"])


def _network(curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["source"] == "network"]


def _run(rule: str, seed: int, one: pd.DataFrame) -> dict[str, float | str | int]:
    """What one run took to half success (NaN if it never got there), and how it ended."""
    rows = one.sort_values("step")
    updates = updates_to(rows["step"].to_numpy(), rows["success"].to_numpy())
    row: dict[str, float | str | int] = {"rule": rule, "seed": seed, "updates": updates}
    before = rows[rows["step"] < updates]
    row |= {name: float(before[name].sum()) if updates == updates else np.nan for name in COSTS}

    # The last updates: a single batch would be noisy
    last = rows[rows["step"] > rows["step"].max() - 5]
    row |= {name: float(last[name].mean()) for name in ("success", "entropy", "response_length")}
    return row | {"zero_advantage": float(rows["zero_advantage"].mean())}


def _forecast(curves: pd.DataFrame, rule: str) -> float:
    """Mean over warm starts of the forecast updates to half success of a rule; NaN without one."""
    theory = curves[(curves["source"] == "theory") & (curves["rule"] == rule)]
    times = [
        updates_to(one["step"].to_numpy(), one["success"].to_numpy(), window=1) for _, one in theory.groupby("start")
    ]
    return float(np.nanmean(times)) if np.isfinite(times).any() else float("nan")


def derive(tables: Tables) -> dict[str, pd.DataFrame]:
    """The league from the curves, and the success of all rules at equal cost."""
    curves = tables.get("league_curves")
    return {} if curves is None else {"league": league(curves), "league_at_equal_cost": at_equal_cost(curves)}


def headlines(tables: Tables) -> list[str]:
    """Success of every rule at each budget, with the chance of such a lead over GRPO without a difference."""
    table = tables.get("league_at_equal_cost")
    if table is None:
        return []
    lines = []
    for (cost, budget), rows in table.groupby(["cost", "budget"], sort=False):
        each = [_told(row) for row in rows.to_dict("records")]
        lines.append(f"When every rule has spent {budget:,.0f} {COST_NAMES[str(cost)]} in a run: {', '.join(each)}.")
    return lines


ROUNDING = 1e-9
"""Leads in success that differ by less are the same."""

COST_NAMES = {"rollouts": "rollouts", "tokens_generated": "generated tokens", "steps_judged": "judged steps"}
"""Costs in sentences."""


def _told(row: dict[Hashable, Any]) -> str:
    """The success of one rule in words."""
    chance = "" if np.isnan(row["p_value"]) else f" (p = {row['p_value']:.2g} against GRPO)"
    return f"{rule_name(row['rule'])} {row['success']:.2f}{chance}"


def jobs(quick: bool) -> list[Job]:
    """The jobs of all warm starts in the quick version, and of `DEFAULT_STARTS` in the default one."""
    one = configuration(quick)
    return jobs_of(one, one.starts if quick else DEFAULT_STARTS)


def more() -> list[Job]:
    """The jobs of the warm starts that only a full run has."""
    one = configuration(quick=False)
    return jobs_of(one, tuple(start for start in one.starts if start not in DEFAULT_STARTS))


def jobs_of(one: "Configuration", starts: tuple[int, ...]) -> list[Job]:
    """For every warm start of ``starts`` a job that forecasts, then one for each rule and seed.

    one: what is trained, from these starts and others.
    """
    from paper_repro.forecast.forecast import forecast, train_network

    found = [
        Job(
            f"league/start-{start}",
            "league_curves",
            forecast,
            {"configuration": one, "start": start, "level": one.levels[0]},
        )
        for start in starts
    ]
    for seed in (seed for seed in one.seeds if one.start_of(seed) in starts):
        for rule in one.rules:
            call = {"configuration": one, "rule": rule, "seed": seed}
            after = (f"league/start-{one.start_of(seed)}",)
            found.append(Job(f"league/{rule}-{seed}", "league_curves", train_network, call, after=after))
    return found


def training_runs(quick: bool) -> "list[TrainConfig]":
    """One run for every warm start."""
    one = configuration(quick)
    return [one.config(one.rules[0], seed) for seed in one.seeds]


def caption(tables: Tables) -> str:
    """What was trained, and the order in which half success was reached."""
    table = tables["league"]
    arrived = table.dropna(subset="updates")
    reached = zip(arrived["rule"], arrived["updates"], strict=True)
    order = ", ".join(f"{rule} {updates:.0f}" for rule, updates in reached)
    return (
        "The remedies on the transformer, each seed from its own warm start, with the forecast of exact expected "
        "gradients: the network before training and other questions, nothing fitted. Updates to half success, mean "
        f"over seeds: {order}. "
        "Imitation teaches the solution of one question in four and runs GRPO on the others."
    )


STUDY = Study(
    name="league",
    question="Which remedy wins when a network is trained?",
    jobs=jobs,
    more=more,
    order=26,
    derive=derive,
    headlines=headlines,
    training_runs=training_runs,
    plates=(
        Plate(
            name="league",
            title="The remedies, trained",
            needs=("league_curves",),
            draw=training.draw,
            caption=caption,
        ),
    ),
)
