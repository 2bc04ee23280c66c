"""The claims that are judged on trained networks; each function takes the tables and returns a finding."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from figures.training import LADDER
from paper_repro.claims.effects import LEAST, Effect, of_values, weaker
from paper_repro.claims.verdicts import Finding, Tables, finding, pooled
from paper_repro.forecast.statistics import half_times
from paper_repro.report.names import optimizer_name


def acceleration(tables: Tables) -> Finding | None:
    """Claim 4: updates to half success of the network, GRPO over SPO, measured, and forecast before training.

    tables: of them "curves" is read; None if no network was trained with both rules.
    """
    network = _trained_with_both(tables)
    if network is None:
        return None
    return finding(
        "Under SPO the network comes to half success",
        "updates to half success, GRPO over SPO",
        {"": speed_ups(network), "forecasts": speed_ups(_forecasts(tables["curves"], network))},
        digits=".2f",
        words={"holds": "sooner", "reversed": "later"},
        after=" times as fast",
    )


def speed_ups(curves: pd.DataFrame) -> list[Effect]:
    """Updates to half success, GRPO over SPO, an effect for every experiment.

    curves: of networks or forecasts, several (column seed) from every warm start. Ratios are paired by seed, and their
    logarithms are averaged over the seeds of a start first: starts are the independent repetitions, if there are three.
    """
    effects = []
    last = curves.groupby("experiment")["step"].max()
    for experiment, one in half_times(curves.assign(source="network")).groupby("experiment"):
        wide = one.pivot_table(index="seed", columns="rule", values="updates", dropna=False)[["grpo", "spo"]]

        # A run that never arrives counts as its last update, which brings the ratio closer to 1 than it is
        late = int(wide.isna().any(axis=1).sum())
        wide = wide.fillna(float(last[experiment]))
        own = curves[curves["experiment"] == experiment]
        ratio = wide["grpo"] / wide["spo"]
        values, of = _by_start(ratio.map(np.log), own)
        note = f"{late} pairs of runs with one that never arrives" if late else ""
        labels = setting(own)
        effects.append(
            of_values(
                labels.name,
                np.exp(values),
                "ratio",
                null=1.0,
                of=of,
                ratio=True,
                counts=labels.counts,
                note=pooled([text for text in (labels.note, note) if text]),
            )
        )
    return effects


def hard_speed_ups(tables: Tables, share: float) -> list[Effect]:
    """`speed_ups` of the networks trained with both rules whose groups are mostly all-negative at the start.

    tables: of them "curves" is read. share: of all-negative groups at the start, at least.
    """
    network = _trained_with_both(tables)
    if network is None:
        return []
    first = network[network["step"] == 0].groupby("experiment")["all_negative"].mean()
    return speed_ups(network[network["experiment"].isin(first[first >= share].index)])


def early_gain(tables: Tables) -> Finding | None:
    """Claim 8: lead of SPO in success in the first two thirds of training: above 0, and above that in the last third.

    tables: of them "curves" is read; None if no network was trained with both rules.
    """
    network = _trained_with_both(tables)
    if network is None:
        return None

    # Without an early lead there is no gain that could sit anywhere, so the less sure of both conditions is told
    effects = []
    parts = []
    for own, lead in _leads(network, "success"):
        early = lead.index.get_level_values("step") < lead.index.get_level_values("step").max() * 2 / 3
        first = lead[early].groupby("seed").mean()
        rest = lead[~early].groupby("seed").mean()
        labels = setting(own)
        more: dict[str, Any] = {"counts": labels.counts, "note": labels.note}
        values, of = _by_start(first, own)
        there = of_values(labels.name, values, "early lead in success", of=of, **more)
        values, of = _by_start(first - rest, own)
        effects.append(weaker(there, of_values(labels.name, values, "early minus late lead in success", of=of, **more)))
        parts.append(f"{labels.name} {first.mean():+.3f} then {rest.mean():+.3f}")
    return finding(
        "SPO's lead is",
        "early lead of SPO in success, or its excess over the late lead, whichever is less sure",
        {"": effects},
        besides="; mean lead in the first two thirds, then in the last third: " + pooled(parts),
        words={"holds": "early", "reversed": "not early"},
    )


def entropy_falls(tables: Tables) -> Finding | None:
    """Claim 14: entropy averaged over the run, in nats per token, SPO minus GRPO, paired by seed.

    tables: of them "curves" is read; None if no network was trained with both rules, or none tells its entropy.
    """
    network = _trained_with_both(tables, "entropy")
    if network is None:
        return None

    # A run has one mean entropy, so that the interval is over runs and not over updates
    effects = []
    for own, lead in _leads(network, "entropy"):
        values, of = _by_start(lead.groupby("seed").mean(), own)
        labels = setting(own)
        more: dict[str, Any] = {"counts": labels.counts, "note": labels.note}
        effects.append(of_values(labels.name, values, "nats per token", direction="below", of=of, **more))
    return finding(
        "Under SPO the entropy of a token, averaged over the run, is",
        "entropy per token over the run, SPO minus GRPO (nats)",
        {"": effects},
        words={"holds": "lower", "reversed": "higher"},
        after=" nats",
    )


@dataclass(frozen=True)
class Setting:
    """What an experiment is: its name in words, what is changed on purpose, and whether claims are about it."""

    name: str
    note: str
    counts: bool


def setting(rows: pd.DataFrame) -> Setting:
    """The setting of the rows of one experiment.

    One that breaks a premise of the theory on purpose has a note, and no claim is about it.

    >>> facts = {"horizon": [4], "group_size": [8], "optimizer": ["sgd"], "experiment": ["H4-sgd"]}
    >>> setting(pd.DataFrame(facts))
    Setting(name='4 steps, groups of 8, SGD', note='', counts=True)
    """
    first = rows.iloc[0]
    note = first.get("note", "")
    note = note if isinstance(note, str) else ""
    name = f"{first['horizon']} steps, groups of {first['group_size']}, {optimizer_name(str(first['optimizer']))}"
    family = first.get("family", "")
    if isinstance(family, str) and family:
        name += f" ({first['experiment']})"  # cells of a family may differ in what the name does not say
    return Setting(name, note, not note)


def _by_start(values: pd.Series, curves: pd.DataFrame) -> tuple[pd.Series, str]:
    """The independent repetitions of an experiment, and what they are.

    values: by seed. Runs from one warm start have that in common, so its runs are averaged where there are at least
    three starts; with fewer, what is said is about these starts alone.
    """
    if "start" in curves and curves["start"].nunique() >= LEAST:
        start = curves.drop_duplicates("seed").set_index("seed")["start"]
        return values.groupby(start.reindex(values.index)).mean(), "warm starts"
    return values, "runs"


def _forecasts(curves: pd.DataFrame, network: pd.DataFrame) -> pd.DataFrame:
    """The most complete forecasts of the experiments of ``network``; a draw from a start has the seed of its place."""
    theory = curves[(curves["source"] == "theory") & curves["experiment"].isin(network["experiment"])]
    if "level" not in theory or theory.empty:
        return theory
    level = theory["level"].map(LADDER.index)
    best = theory[level == level.groupby(theory["experiment"]).transform("max")]
    both = best.groupby("experiment")["rule"].transform(lambda rules: {"grpo", "spo"} <= set(rules))
    chosen = best[both & best["rule"].isin(["grpo", "spo"])]
    return chosen.assign(seed=chosen.groupby(["start", "draw"], dropna=False).ngroup())


def _trained_with_both(tables: Tables, column: str = "success") -> pd.DataFrame | None:
    """The network's curves that hold ``column``, of the experiments trained with both rules; None if there are none."""
    curves = tables.get("curves")
    if curves is None or column not in curves:
        return None
    network = curves[(curves["source"] == "network") & curves[column].notna()]
    rules = network.groupby("experiment")["rule"].agg(set)
    both = [experiment for experiment, found in rules.items() if {"grpo", "spo"} <= found]
    return network[network["experiment"].isin(both)] if both else None


def _leads(network: pd.DataFrame, column: str) -> Iterator[tuple[pd.DataFrame, pd.Series]]:
    """For every experiment its rows, and what SPO has more than GRPO of ``column``, by seed and step."""
    for _, one in network.groupby("experiment"):
        wide = one.pivot_table(index=["seed", "step"], columns="rule", values=column).dropna()
        yield one, wide["spo"] - wide["grpo"]
