"""The claims that are judged on the ten suites; each function takes the tables and returns a finding."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from figures.suites.runs import usual_size
from paper_repro.claims.effects import FAILS, Effect, of_values
from paper_repro.claims.verdicts import Finding, Tables, finding, pooled
from paper_repro.forecast.statistics import mean_interval
from paper_repro.report.names import optimizer_name, rule_name
from paper_repro.studies.suites.runs import LABELS
from toy_llm.problems.suites import TRAINED

PAPER = "spo"
"""The rule of the paper: its results decide, those of the project's variants are told beside them."""


LITTLE = 0.2
"""A judge costs little if surely less than this share of the success with an exact judge is lost."""

THE_SAME = 0.02
"""Choices of beta and gamma are as good as each other if what they lose to a judge's noise surely differs by less than
this share of the success with an exact judge."""


def ends_of(table: pd.DataFrame, metric: str = "success", k: int | None = None) -> pd.DataFrame:
    """Mean over the trained suites of a metric at the end of every run.

    table: rows of `paper_repro.studies.suites.runs.suite_run`. metric: one of its ``metric`` column. k: that of pass@k.
    Returns one row per run, with the columns that say what the run is and the mean as ``value``.
    """
    rows = table[(table["metric"] == metric) & table["suite"].isin(TRAINED)]
    rows = rows if k is None else rows[rows["k"] == k]
    labels = [c for c in LABELS if c in rows]
    return rows.groupby(labels, dropna=False)["value"].mean().reset_index()


def _paired(ends: pd.DataFrame, by: list[str], column: str, base: Any) -> dict[tuple, pd.Series]:
    """What other runs have more than those where ``column`` is ``base``, seed by seed.

    Returns the differences of ``value`` for every combination of ``by`` and the other values of ``column``.
    """
    of_base = ends[ends[column] == base].set_index([*by, "seed"])["value"]
    others = ends[ends[column] != base].groupby([*by, column], sort=False)
    return {key: (one.set_index([*by, "seed"])["value"] - of_base).dropna() for key, one in others}


def _over_grpo(ends: pd.DataFrame) -> dict[tuple[str, str, str, str], pd.Series]:
    """What every rule has more than GRPO, by size, start, optimizer and rule."""
    return _paired(ends[ends["rule"] != "none"], ["size", "start", "optimizer"], "rule", "grpo")


def _effects(gaps: Mapping[str, pd.Series], unit: str = "success", **more: Any) -> list[Effect]:
    """An effect for every difference that has a seed; all runs share one warm start, which a test says."""
    return [of_values(name, values, unit, **more) for name, values in gaps.items() if len(values)]


def _where(size: str, start: str, optimizer: str) -> str:
    """The setting of a run on the suites, in words."""
    return f"the {size} network, {start} start, {optimizer_name(optimizer)}"


def _beside(gaps: Mapping[tuple[str, str, str, str], pd.Series]) -> list[Effect]:
    """Effects of rules over GRPO, by size, start, optimizer and rule: the paper's counts, others are told."""
    found = []
    for (size, start, optimizer, rule), values in gaps.items():
        variant: dict[str, Any] = {}
        if rule != PAPER:
            variant = {"counts": False, "note": f"{rule_name(rule)}, which is not the paper's"}
        found += _effects({_where(size, start, optimizer): values}, **variant)
    return found


def offline_improves(tables: Tables) -> Finding | None:
    """Claim 6: success after training on stored all-negative groups alone, minus the start's.

    tables: of them "suite_offline" and "suites" are read; None if one is missing. Training on the other groups is
    told beside it and does not decide.
    """
    runs = tables.get("suite_offline")
    suites = tables.get("suites")
    if runs is None or suites is None:
        return None

    # The start is the same for all runs and seeds: the base network of the same size, before training
    start = ends_of(suites)
    start = start[(start["rule"] == "none") & (start["size"] == runs["size"].iloc[0]) & (start["start"] == "base")]
    ends = ends_of(runs)
    gaps = {key: one["value"] - start["value"].iloc[0] for key, one in ends.groupby(["rule", "train_on"])}
    effects = []
    for (rule, groups), gap in gaps.items():
        alone = groups == "all_negative"
        told: dict[str, Any] = {} if alone else {"counts": False, "note": "told beside it"}
        effects += _effects({f"{rule_name(str(rule))} on {str(groups).replace('_', '-')} groups": gap}, **told)
    return finding(
        "Training on the stored set makes success",
        f"mean success of the trained suites, after minus before ({start['value'].iloc[0]:.3f})",
        {"": effects},
        words={"holds": "higher", "reversed": "lower"},
    )


def suites_lead(tables: Tables) -> Finding | None:
    """Claim 7 on the ten suites: success at the end, SPO minus GRPO, mean over suites; the paper's rule decides.

    tables: of them "suites" is read, None if it is missing; and "suite_lengths" for the lengths, if it is there.
    """
    suites = tables.get("suites")
    if suites is None:
        return None

    # Only the usual size was trained with both optimizers and with every rule
    size = usual_size(suites)
    gaps = {key: gap for key, gap in _over_grpo(ends_of(suites)).items() if key[0] == size}

    # On how many suites the rule of the paper is ahead, because the mean may hide those where it is not
    base = suites[(suites["size"] == size) & (suites["start"] == "base")]
    success = base[(base["metric"] == "success") & (base["rule"] != "none")]
    ahead = []
    for optimizer, rows in success.groupby("optimizer"):
        wide = rows.groupby(["suite", "rule"])["value"].mean().unstack()
        ahead.append(f"{(wide[PAPER] > wide['grpo']).sum()} of {len(wide)} suites with {optimizer}")

    # Lengths are told because a rule may gain by writing more
    lengths = _lengths(base, tables.get("suite_lengths"))
    return finding(
        "Mean success under SPO ends",
        "mean success of the trained suites at the end, minus GRPO's",
        {"": _beside(gaps)},
        besides=f"; from the base start SPO is ahead on {' and '.join(ahead)}; tokens per response from the base "
        f"start: {lengths}",
        words=OVER_GRPO,
    )


OVER_GRPO = {
    "holds": "above GRPO's",
    "reversed": "below GRPO's",
}
"""Outcomes of a comparison with GRPO in sentences."""


def _lengths(runs: pd.DataFrame, true_length: pd.DataFrame | None) -> str:
    """Mean length of a response by rule and optimizer, in words; also of the runs with the other reading of RTS."""
    every = runs if true_length is None else pd.concat([runs, true_length])
    length = ends_of(every, "response_length")
    length["run"] = (length["rule"] + " " + length["optimizer"]).replace("none adamw", "before")
    length.loc[length["rts_length"] == "true", "run"] += " with RTS over the true length"
    return pooled([f"{name} {value:.1f}" for name, value in length.groupby("run")["value"].mean().items()])


def across_sizes(tables: Tables) -> Finding | None:
    """Claim 9: SPO minus GRPO for every size and start, and whether it shrinks from the smallest to the largest size.

    tables: of them "suites" is read; None if it is missing or holds one size.
    """
    suites = tables.get("suites")
    if suites is None or suites["size"].nunique() < 2:
        return None
    gaps = {key: gap for key, gap in _over_grpo(ends_of(suites)).items() if key[-1] == PAPER}

    # Gains shrink if the smallest network gains more than the largest, from the same start with the same seeds
    shrinks = {}
    sizes = [size for size in ("small", "medium", "large") if size in set(suites["size"])]
    for (size, start, optimizer, _), gap in gaps.items():
        largest = gaps.get((sizes[-1], start, optimizer, PAPER))
        if size == sizes[0] and largest is not None:
            less = gap.droplevel([0, 1, 2]) - largest.droplevel([0, 1, 2])
            shrinks[f"{start} start, {optimizer_name(optimizer)}, {size} against {sizes[-1]}"] = less.dropna()
    return finding(
        "Mean success under SPO ends",
        "mean success of the trained suites at the end, SPO minus GRPO",
        {"": _beside(gaps), "gains shrink with size": _effects(shrinks)},
        words=OVER_GRPO,
    )


def weaker_judges(tables: Tables) -> Finding | None:
    """Claim 10: success with a noisy judge minus success with the exact one, paired by seed.

    tables: of them "suite_judges" is read; None if it is missing. Each noisy judge is one part of the claim: whether
    less than the share `LITTLE` of the success with the exact judge is lost.
    """
    judges = tables.get("suite_judges")
    if judges is None:
        return None
    ends = ends_of(judges[judges["votes"] == 1])
    run = ["accuracy", "rule", "seed"]
    exact = ends[ends["miss"] == 0].set_index(run)["value"]
    noisy = ends[ends["miss"] > 0]

    # Every noisy judge against the exact one from the same start, with the same rule and seed
    effects = []
    for (accuracy, rule, miss, alarm), one in noisy.groupby(["accuracy", "rule", "miss", "false_alarm"]):
        lost = (one.set_index(run)["value"] - exact).dropna()
        with_exact = float(exact.xs((accuracy, rule), level=(0, 1)).mean())
        start = f"{rule_name(str(rule))} from step accuracy {accuracy:.0%}"
        name = f"{start}, {miss:.0%} misses and {alarm:.0%} false alarms"
        note = f"of {with_exact:.3f}"
        effects += _effects({name: lost}, null=-LITTLE * with_exact, opposite=FAILS, note=note)
    return finding(
        "A judge that errs costs",
        "mean success of the trained suites at the end, minus that with the exact judge, by rule, step accuracy of the "
        "start's traces, misses and false alarms (costs little: loses less than a fifth)",
        {"": effects},
        words={"holds": "little", "fails": "much"},
    )


def votes_help(tables: Tables) -> Finding | None:
    """Claim 11: success with a majority of five noisy judgments minus success with one, paired by seed.

    tables: of them "suite_judges" is read; None if it is missing. The spread over seeds is told beside it.
    """
    judges = tables.get("suite_judges")
    if judges is None:
        return None

    # Only the noisiest judge was asked both once and five times
    ends = ends_of(judges[judges["miss"] == judges["miss"].max()])
    gaps = {
        f"{rule_name(rule)} from step accuracy {accuracy:.0%}": gap
        for (rule, accuracy, _), gap in _paired(ends, ["rule", "accuracy"], "votes", 1).items()
    }
    spread = ends.groupby(["votes", "rule", "accuracy"])["value"].std().groupby("votes").mean()
    return finding(
        "With the majority of five judgments success ends",
        "mean success of the trained suites at the end, five votes minus one",
        {"": _effects(gaps)},
        besides="; mean standard deviation over seeds "
        + pooled([f"{value:.3f} with {votes}" for votes, value in spread.items()]),
        words={"holds": "higher", "reversed": "lower"},
    )


def judge_need_not_solve(tables: Tables) -> Finding | None:
    """Claim 12: solving rates of a learned judge, of its twin that was trained to solve, and of its student.

    tables: of them "weak_judge" is read; None if it is missing. The trained student must be surely better than the
    judge, than the twin, and than itself at the start: three parts of the claim.
    """
    weak = tables.get("weak_judge")
    if weak is None:
        return None
    by = weak.set_index("who")
    low = by["low"].astype(float).to_dict()
    high = by["high"].astype(float).to_dict()
    start = by.loc["student at start"]
    solved = by["success"].astype(float).to_dict()
    effects = [
        Effect(
            named,
            solved["student trained"] - solved[who],
            low["student trained"] - high[who],
            high["student trained"] - low[who],
            n=int(weak["seeds"].max()),
            unit="share of questions solved",
            test="ends of two 95 % bootstrap intervals",
        )
        for who, named in (
            ("judge", "its judge"),
            ("judge's twin", "the judge's twin"),
            ("student at start", "itself before training"),
        )
    ]
    return finding(
        "The trained student solves",
        "share of questions solved, the trained student's minus that of others",
        {"": effects},
        what="parts",
        besides=f"; solves: {pooled([f'{who} {rate:.1%}' for who, rate in solved.items()])}; "
        f"the judge is right on {start['judge_accuracy']:.0%} of steps",
        words={"holds": "more", "reversed": "less"},
        link="than",
    )


def colouring_steadies(tables: Tables) -> Finding | None:
    """Claim 13: what a noisy judge costs, by beta and gamma: a choice steadies if it loses less than another.

    tables: of them "suite_colours" is read; None if it is missing. The claim holds if the largest loss is surely above
    the smallest, and does not hold if they are surely the same: less than the share `THE_SAME` of the success with
    the exact judge apart.
    """
    colours = tables.get("suite_colours")
    if colours is None:
        return None

    # What the noise costs: with the exact judge minus with the noisy one, seed by seed
    ends = ends_of(colours)
    exact = ends[ends["miss"] == 0].set_index(["beta", "gamma", "seed"])["value"]
    noisy = ends[ends["miss"] > 0].set_index(["beta", "gamma", "seed"])["value"]
    lost = (exact - noisy).dropna()
    pairs = {
        f"beta {beta:g}, gamma {gamma:g}": one.droplevel(["beta", "gamma"])
        for (beta, gamma), one in lost.groupby(["beta", "gamma"])
    }
    means = {name: one.mean() for name, one in pairs.items()}
    best = min(means, key=lambda name: means[name])
    worst = max(means, key=lambda name: means[name])

    # The pair was chosen after looking at all of them: its interval is widened for the number of choices.
    tried = len(pairs) * (len(pairs) - 1) / 2
    _, low, high = mean_interval(pairs[worst] - pairs[best], level=1 - 0.05 / tried)
    lost_more = of_values(f"{worst} against {best}", pairs[worst] - pairs[best], "success")
    same = high < THE_SAME * float(exact.mean())
    effect = replace(
        lost_more,
        low=low,
        high=high,
        p=min(1.0, lost_more.p * tried),
        test=f"{lost_more.test}, corrected for the choice among {tried:.0f} pairs",
        outcome=FAILS if same else "",
        note="below a fiftieth of the success" if same else "",
    )
    return finding(
        "What a noisy judge costs",
        "success lost to the noisy judge, largest minus smallest mean",
        {"": [effect]},
        besides="; mean success lost: " + pooled([f"{name}: {value:+.3f}" for name, value in means.items()]),
        words={"holds": "depends on the colouring", "fails": "hardly depends on the colouring"},
        link="for",
    )


def pass_at_16(tables: Tables) -> Finding | None:
    """Claim 15: pass@16 at the end, SPO minus GRPO, and minus the start's."""
    suites = tables.get("suites")
    if suites is None or 16 not in set(suites["k"].dropna()):
        return None
    ends = ends_of(suites[suites["size"] == usual_size(suites)], "pass@k", 16)
    before = ends[ends["rule"] == "none"].set_index("start")["value"]
    return finding(
        "pass@16 under SPO ends",
        "pass@16, mean of the trained suites, minus GRPO's",
        {"": _beside(_over_grpo(ends))},
        besides="; before training " + pooled([f"{start} {value:.3f}" for start, value in before.items()]),
        words=OVER_GRPO,
    )
