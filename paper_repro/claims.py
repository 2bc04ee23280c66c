"""The paper's seventeen claims, each with the verdict that the data of this run give it.

A verdict is computed from the tables by the function beside the claim; only "not testable here" is written
down, with its reason. Claims: arXiv 2505.11595 and its TMLR 2026 version.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from paper_repro import suite_claims
from paper_repro.findings import Finding, Tables, by_intervals, pooled, verdict
from paper_repro.measures import half_times, mean_interval


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, where it stands, what stands for it here, and how it is judged.

    ``judge``: a function of the tables (None from it: the data are not there), or the reason why it cannot
    be tested here. ``figure``: name of the figure that shows it.
    """

    claim: str
    where: str
    analogue: str
    judge: Callable[[Tables], Finding | None] | str
    figure: str = ""


def grpo_is_silent(tables: Tables) -> Finding | None:
    """Claim 1: largest GRPO advantage over all possible all-negative groups."""
    rows = _silent(tables, "grpo")
    if rows is None:
        return None
    worst = rows["largest"].max()
    return Finding(f"largest |advantage| {worst:g}", "all group compositions: no sampling", verdict([worst == 0]))


def colouring_speaks(tables: Tables) -> Finding | None:
    """Claim 2: smallest update from an all-negative group whose first errors differ, and how many there are."""
    rows = _silent(tables, "spo")
    if rows is None:
        return None
    alive = rows[rows["kind"] == "all-negative"]
    dead = rows[rows["kind"] != "all-negative"]
    share = alive["probability"].to_numpy() / (alive["probability"].to_numpy() + dead["probability"].to_numpy())
    q = alive["step_success"].to_numpy()
    middle = int(np.abs(q - 0.5).argmin())
    return Finding(
        f"groups with different first errors always hold an |advantage| of at least {alive['smallest'].min():.3g}; "
        f"they are {share[middle]:.1%} of all-negative groups at step accuracy {q[middle]:g}, "
        f"{share.min():.1%} at the worst accuracy tried",
        "all group compositions: no sampling",
        verdict([alive["smallest"].min() > 0, dead["smallest"].min() > 0]),
    )


def _silent(tables: Tables, rule: str) -> pd.DataFrame | None:
    rows = tables.get("silent_groups")
    if rows is None:
        return None
    return rows[(rows["rule"] == rule) & rows["kind"].str.startswith("all-negative")]


def theorem(tables: Tables) -> Finding | None:
    """Claim 3: parts (i), (ii), (iii) of Theorem 3.3 from the paper's starting point."""
    curves, limit = tables.get("two_step"), tables.get("two_step_limit")
    if curves is None or limit is None:
        return None
    paper = curves[(curves["start_p"] == 0.5) & (curves["start_q"] == 0.5) & (curves["step"] >= 1)]
    lead = {c: _lead(paper, c) for c in ("p", "success")}
    last = limit[limit["step"] == limit["step"].max()]["success"].min()
    growing = limit.groupby("rule")["success"].apply(lambda s: bool((s.diff().dropna() > 0).all())).all()
    parts = [bool(growing and last > 0.99), lead["p"].min() > 0, lead["success"].min() > 0]
    text = (
        f"(i) pq after {limit['step'].max()} iterations at least {last:.5f}, growing throughout; "
        f"(ii) smallest lead in p {lead['p'].min():.2g}; (iii) smallest lead in pq {lead['success'].min():.2g} "
        f"(k = 1..{paper['step'].max()})"
    )
    other = curves[(curves["start_p"] != 0.5) & (curves["step"] >= 1)]
    for (p, q), one in other.groupby(["start_p", "start_q"]):
        behind = _lead(one, "success")
        behind = behind[behind < 0]
        if len(behind):
            span = f"k = {behind.index[0]}..{behind.index[-1]}"
            text += f". From ({p:g}, {q:g}), outside the theorem, SPO is behind at {span}"
    grid = tables.get("two_step_map")
    if grid is not None:
        text += f"; its first iteration gains less on {(grid['gain'] < 0).mean():.0%} of all starting points"
    return Finding(text, "exact", verdict(parts))


def _lead(curves: pd.DataFrame, column: str) -> pd.Series:
    wide = curves.pivot_table(index="step", columns="rule", values=column)
    return wide["spo"] - wide["grpo"]


def acceleration(tables: Tables) -> Finding | None:
    """Claim 4: updates to half success of the network, GRPO over SPO, paired by seed."""
    curves = tables.get("curves")
    if curves is None or not _both(curves):
        return None
    times = half_times(curves)
    last = curves[curves["source"] == "network"].groupby("experiment")["step"].max()
    parts, intervals, effects = [], [], []
    for experiment, one in times.groupby("experiment"):
        wide = one.pivot_table(index="seed", columns="rule", values="updates", dropna=False)
        if not {"grpo", "spo"} <= set(wide):
            continue
        late = wide["grpo"].isna().sum()
        ratio = wide["grpo"].fillna(float(last[experiment])) / wide["spo"]  # a run that never arrives counts as its end
        mean, low, high = (np.exp(v) for v in mean_interval(np.log(ratio)))
        missed = wide["spo"].isna().sum()
        parts.append(f"{experiment} {mean:.2f}" + (f" (at least: GRPO not there in {late} seeds)" if late else ""))
        intervals.append(f"{experiment} [{low:.2f}, {high:.2f}]")
        effects.append((low if missed == 0 else np.nan, high))  # SPO not there: the ratio is no lower bound
    if not parts:
        return None
    return by_intervals(
        "updates to half success, GRPO over SPO: " + pooled(parts),
        "95 % t of the log ratio over seeds: " + pooled(intervals),
        effects,
        null=1.0,
    )


def _both(curves: pd.DataFrame) -> bool:
    network = curves[curves["source"] == "network"]
    return {"grpo", "spo"} <= set(network["rule"])


def all_negative_helps(tables: Tables) -> Finding | None:
    """Claim 5: escape of the tabular chain from mostly all-negative groups, GRPO (which drops them) over SPO."""
    escape = tables.get("escape")
    if escape is None:
        return None
    hard = escape[escape["all_negative"] >= 0.5]
    sampled = hard[hard["source"] == "monte_carlo"]
    passed, ratios = [], []
    for _, one in sampled.groupby(["group_size", "horizon"]):
        runs = {rule: rows["updates"].fillna(np.inf) for rule, rows in one.groupby("rule")}
        if {"grpo", "spo"} <= set(runs):
            passed.append(bool(runs["grpo"].min() > runs["spo"].max()))
            ratios.append(float(runs["grpo"].median() / runs["spo"].median()))
    if not passed:
        return None
    exact = hard[hard["source"] == "theory"].pivot_table(
        index=["group_size", "horizon"], columns="rule", values="updates"
    )
    gain = exact["grpo"] / exact["spo"]
    n = sampled["seed"].nunique()
    return Finding(
        f"updates to half success, GRPO over SPO, when at least half of the groups start all-negative: exact "
        f"{gain.min():.2f} to {gain.max():.0f}, sampled {min(ratios):.2f} to {max(ratios):.0f}",
        f"slowest SPO seed before fastest GRPO seed in {sum(passed)} of {len(passed)} settings, {n} seeds each",
        verdict(passed),
    )


def early_gain(tables: Tables) -> Finding | None:
    """Claim 8: lead of SPO in success, first two thirds of training against the last third, paired by seed."""
    curves = tables.get("curves")
    if curves is None or not _both(curves):
        return None
    parts, intervals, effects = [], [], []
    for experiment, one in curves[curves["source"] == "network"].groupby("experiment"):
        wide = one.pivot_table(index=["seed", "step"], columns="rule", values="success").dropna().reset_index()
        if not {"grpo", "spo"} <= set(wide):
            continue
        lead = wide["spo"] - wide["grpo"]
        early = wide["step"] < wide["step"].max() * 2 / 3
        first, rest = lead[early].groupby(wide["seed"]).mean(), lead[~early].groupby(wide["seed"]).mean()
        _, low, high = mean_interval(first - rest)
        parts.append(f"{experiment} {first.mean():+.3f} then {rest.mean():+.3f}")
        intervals.append(f"{experiment} [{low:+.3f}, {high:+.3f}]")
        effects.append((low if first.mean() > 0 else -np.inf, high))
    if not parts:
        return None
    return by_intervals(
        "mean lead of SPO in success, first two thirds then last third: " + pooled(parts),
        "95 % t of the difference over seeds: " + pooled(intervals),
        effects,
    )


def entropy_falls(tables: Tables) -> Finding | None:
    """Claim 14: entropy averaged over the run, SPO minus GRPO, paired by seed."""
    curves = tables.get("curves")
    if curves is None or "entropy" not in curves or not _both(curves):
        return None
    parts, intervals, effects = [], [], []
    rows = curves[(curves["source"] == "network") & curves["entropy"].notna()]
    for experiment, one in rows.groupby("experiment"):
        wide = one.pivot_table(index=["seed", "step"], columns="rule", values="entropy").dropna()
        if not {"grpo", "spo"} <= set(wide):
            continue
        gap = (wide["spo"] - wide["grpo"]).groupby("seed").mean()
        mean, low, high = mean_interval(gap)
        parts.append(f"{experiment} {mean:+.3f}")
        intervals.append(f"{experiment} [{low:+.3f}, {high:+.3f}]")
        effects.append((-high, -low))
    if not parts:
        return None
    return by_intervals(
        "entropy per token over the run, SPO minus GRPO (nats): " + pooled(parts),
        "95 % t over seeds: " + pooled(intervals),
        effects,
    )


def limits(tables: Tables) -> Finding | None:
    """Claim 17: groups whose members all fail at one step, and how their share grows as errors come earlier."""
    rows = _silent(tables, "spo")
    if rows is None:
        return None
    stuck = rows[rows["kind"] == "all-negative, one first error"].sort_values("step_success")
    alive = rows[rows["kind"] == "all-negative"].sort_values("step_success")
    total = stuck["probability"].to_numpy() + alive["probability"].to_numpy()
    share = stuck["probability"].to_numpy() / total
    q = stuck["step_success"].to_numpy()
    middle = int(np.abs(q - 0.5).argmin())
    return Finding(
        f"largest |advantage| {stuck['largest'].max():g} where all fail at the same step; such groups are "
        f"{share[0]:.0%} of all-negative ones at step accuracy {q[0]:g} and {share[middle]:.1%} at {q[middle]:g}",
        "all group compositions: no sampling; for judge noise see claim 10",
        verdict([stuck["largest"].max() == 0, bool(share[0] > share[middle])]),
    )


CHAIN, NET = "Exact chain", "Tiny transformer on chained arithmetic"
SUITES = "Tiny transformers on ten suites of problems"
CLAIMS = (
    Claim(
        "1. GRPO makes no update from an all-negative group.",
        "Abstract",
        f"{CHAIN}: every possible group of 8 responses of 4 steps",
        grpo_is_silent,
        "all_negative",
    ),
    Claim(
        "2. Colouring makes all-negative groups produce an update.",
        "Abstract; Section 3.1, Eq. 2",
        f"{CHAIN}: every possible group of 8 responses of 4 steps; in part if some groups stay silent",
        colouring_speaks,
        "expected_advantage",
    ),
    Claim(
        "3. Theorem 3.3: both rules succeed in the limit (i); SPO leads in p (ii) and in pq (iii); Fig. 2.",
        "Section 3.2",
        "The paper's own two-step model, exact updates from p = q = 1/2",
        theorem,
        "two_step",
    ),
    Claim(
        "4. The acceleration carries over from the stylized model to training.",
        "Abstract",
        f"{NET}: updates to half success",
        acceleration,
        "training",
    ),
    Claim(
        "5. Learning from all-negative groups is feasible and beneficial.",
        "Abstract; introduction",
        "Tabular chain with sampled groups; GRPO stands for dropping them, since it gives them no update",
        all_negative_helps,
        "escape",
    ),
    Claim(
        "6. Offline: training on judged all-negative groups alone improves the base model.",
        "Table 1",
        f"{SUITES}: a stored set of the start's rollouts",
        suite_claims.offline_improves,
        "suites",
    ),
    Claim(
        "7. Online: SPO beats GRPO on average over the suites, not on every one.",
        "Table 2",
        f"{SUITES}: success at the end of training",
        suite_claims.suites_lead,
        "suites",
    ),
    Claim(
        "8. The gain sits in early and middle training, where all-negative groups are common.",
        "Fig. 4",
        f"{NET}: lead in success, first two thirds against last third",
        early_gain,
        "groups",
    ),
    Claim(
        "9. It holds across sizes and for base and distilled models; gains shrink with size.",
        "Table 2",
        f"{SUITES}: three sizes, two starts",
        suite_claims.across_sizes,
        "suites",
    ),
    Claim(
        "10. A weaker judge costs little.",
        "Tables 2 and 3",
        f"{SUITES}: exact judge with seeded misses and false alarms",
        suite_claims.weaker_judges,
        "imperfect_judges",
    ),
    Claim(
        "11. A majority vote of judgments helps and steadies runs.",
        "Table 4",
        f"{SUITES}: five noisy judgments against one",
        suite_claims.votes_help,
        "imperfect_judges",
    ),
    Claim(
        "12. The judge need not produce correct answers itself.",
        "Remark 3.2, Table 5",
        f"{NET}: a small transformer trained on labelled traces is the judge",
        suite_claims.judge_need_not_solve,
        "imperfect_judges",
    ),
    Claim(
        "13. beta and gamma stabilize training against judge noise.",
        "Tables 2 and 3",
        f"{SUITES}: several beta and gamma, exact and noisy judge, prefix credit",
        suite_claims.colouring_steadies,
        "imperfect_judges",
    ),
    Claim(
        "14. Entropy falls faster under SPO.",
        "Fig. 5",
        f"{NET}: entropy per token averaged over the run",
        entropy_falls,
        "training",
    ),
    Claim(
        "15. pass@16 improves.",
        "Table 5",
        f"{SUITES}: unbiased pass@16",
        suite_claims.pass_at_16,
        "pass_at_k",
    ),
    Claim(
        "16. The judge costs about 10 % of wall clock while on and 2.5 % overall.",
        "Experiments, judge cost",
        "none",
        "the judge here is a comparison of integers: its cost says nothing about a language model's",
    ),
    Claim(
        "17. Limits: weak when errors come early; still stuck when all members fail at the same step.",
        "Limitations",
        f"{CHAIN}: every possible group of 8 responses of 4 steps",
        limits,
        "expected_advantage",
    ),
)


def judge_claims(tables: Tables) -> pd.DataFrame:
    """One row per claim: claim, where, analogue, statistic, interval, verdict, figure.

    ``tables``: the assembled tables by name; a claim whose tables are missing is "not testable here", saying so.
    """
    rows = []
    for c in CLAIMS:
        finding = c.judge if isinstance(c.judge, str) else c.judge(tables)
        if finding is None:
            finding = "its experiment was not run"
        if isinstance(finding, str):
            finding = Finding(finding, "", "not testable here")
        rows.append(
            {
                "claim": c.claim,
                "where": c.where,
                "analogue": c.analogue,
                "statistic": finding.statistic,
                "interval": finding.interval,
                "verdict": finding.verdict,
                "figure": c.figure if finding.interval else "",
            }
        )
    return pd.DataFrame(rows)
