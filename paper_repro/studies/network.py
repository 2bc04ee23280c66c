"""Study: does the exact theory, which is computed before training, predict a transformer that is really trained?"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from figures import groups, training
from paper_repro.claims.on_network import acceleration, early_gain, entropy_falls
from paper_repro.claims.verdicts import Tables
from paper_repro.forecast.comparison import compare
from paper_repro.forecast.statistics import half_times
from paper_repro.jobs.job import Job
from paper_repro.report.names import optimizer_name, rule_name
from paper_repro.studies.study import Claim, Plate, Study

if TYPE_CHECKING:
    from paper_repro.forecast.configuration import Configuration
    from toy_llm.config import TrainConfig


def derive(tables: Tables) -> dict[str, pd.DataFrame]:
    """The trained networks' curves (``trained``), those that break a premise of the theory (``premises``), and all
    compared with their forecasts (``comparison``); a table without a trained network is left out. Cells of a family are
    in the comparison alone.
    """
    curves = tables.get("curves")
    if curves is None or not (curves["source"] == "network").any():
        return {}
    broken = curves["note"].fillna("") != "" if "note" in curves else pd.Series(False, curves.index)
    single = curves["family"].fillna("") == "" if "family" in curves else pd.Series(True, curves.index)
    split = {"trained": curves[~broken & single], "premises": curves[broken & single]}
    found = {name: table for name, table in split.items() if (table["source"] == "network").any()}
    return found | {"comparison": compare(curves)}


def headlines(tables: Tables) -> list[str]:
    """How far predicted and measured updates to half success are apart, by optimizer and level of the ladder.

    Settings that break a premise of the theory on purpose do not count.
    """
    table = tables.get("comparison")
    if table is None:
        return []

    # A forecast of the mean update knows no collapse, so cells with collapsed runs are told apart
    lines = []
    known = table[table["ratio"].notna() & (table["note"] == "ordinary")]
    for optimizer, rows in known.groupby("optimizer", sort=False):
        parts = []
        for level, one in rows.groupby("level", sort=False):
            off = (one["ratio"] - 1).abs()
            clean = off[one["collapsed"] == 0]
            told = f"{LEVELS[str(level)]} {off.median():.1%} ({off.min():.1%} to {off.max():.1%})"
            if 0 < len(clean) < len(off):
                told += f", {clean.median():.1%} where no run collapsed"
            parts.append(told)
        cells = len(rows[["experiment", "rule"]].drop_duplicates())
        lines.append(
            f"Network against theory, {optimizer_name(str(optimizer))}: predicted and measured updates to half "
            f"success differ at the median over {cells} combinations of setting and rule by: {'; '.join(parts)}. "
            f"Constants fitted: {int(rows['fitted'].sum())}."
        )
    return lines + _band_headline(known)


LEVELS = {
    "chain": "the chain alone",
    "kernel": "frozen kernel",
    "mean_field": "exact expected gradients",
    "noisy": "with sampling noise",
}
"""Levels of the ladder in words."""


def _band_headline(table: pd.DataFrame) -> list[str]:
    """Whether measured times lie in the band of the forecast with noise, and how it compares with one more run."""
    noisy = table[(table["level"] == "noisy") & table["in_band"].notna()]
    if noisy.empty:
        return []
    inside = float((noisy["in_band"] * noisy["seeds"]).sum() / noisy["seeds"].sum())
    return [
        f"The 95 % bands of the forecast with noise hold {inside:.0%} of {int(noisy['seeds'].sum())} measured half "
        f"times; its error is {noisy['error_over_spread'].median():.2f} times that of one more run as a forecast "
        "(median over settings and rules; 0.71 is the least there can be)."
    ]


def training_caption(tables: Tables) -> str:
    """What was measured and what was predicted, with the numbers of this run."""
    network = tables["trained"]
    network = network[network["source"] == "network"]
    start = network[network["step"] == network["step"].min()]["success"]
    return (
        "Measured: the transformer's probability of a whole correct response on held-out questions, "
        f"{_several(network['start'].nunique(), 'warm start')} and {_several(network['seed'].nunique(), 'run')} per "
        "rule, at most "
        f"{int(network['step'].max())} updates, {start.min():.3f} to {start.max():.3f} at the start. "
        "Predicted from each warm start before training; nothing is fitted to the curves, and the network is an "
        "ordinary one. Dashed: the network under the trainer's own steps on groups drawn on the true response, without "
        "rollouts (mean of the draws). Solid and thin: exact expected gradients, without noise. Dotted: the chain with "
        "the network's kernel at the start. Lower panels: measured minus the dashed forecast, each run against its own "
        f"start's.{_who_is_first(network)}"
    )


def _who_is_first(network: pd.DataFrame) -> str:
    """In how many panels which rule reaches half success first, by the medians over its runs, in a sentence."""
    times = half_times(network).assign(updates=lambda table: table["updates"].fillna(np.inf))
    medians = times.groupby(["experiment", "rule"])["updates"].median().unstack()
    first = medians[medians.min(axis=1) < np.inf].idxmin(axis=1)
    if medians.shape[1] < 2 or first.empty:
        return ""
    counts = [f"under {rule_name(str(rule))} in {number}" for rule, number in first.value_counts().items()]
    return f" Half success comes first {' and '.join(counts)} of {_several(len(medians), 'panel')} (medians over runs)."


def _several(number: int, what: str) -> str:
    """A number of things.

    >>> _several(1, "run"), _several(3, "run")
    ('1 run', '3 runs')
    """
    return f"{number} {what}" + ("s" if number != 1 else "")


def _configurations(quick: bool) -> "tuple[Configuration, ...]":
    """What is trained in the quick or in the default version."""
    from paper_repro.forecast.cells import DEFAULT, QUICK

    return QUICK if quick else DEFAULT


def jobs(quick: bool) -> list[Job]:
    """The jobs of every configuration."""
    return jobs_of(_configurations(quick), "network")


def jobs_of(configurations: "Iterable[Configuration]", study: str) -> list[Job]:
    """For every configuration, start and level a job that forecasts, then one for each rule and training seed.

    study: what the names of the jobs begin with.
    """
    from paper_repro.forecast.forecast import forecast, train_network

    jobs = []
    for configuration in configurations:
        prefix = f"{study}/{configuration.name}"
        for start in configuration.starts:
            # The first level leaves the warm start on disk, where the others find it
            first = configuration.levels[0]
            for level in configuration.levels:
                call = {"configuration": configuration, "start": start, "level": level}
                after = () if level == first else (f"{prefix}/{first}-{start}",)
                jobs.append(Job(f"{prefix}/{level}-{start}", "curves", forecast, call, after=after))
        for seed in configuration.seeds:
            after = (f"{prefix}/{configuration.levels[0]}-{configuration.start_of(seed)}",)
            for name in configuration.rules:
                call = {"configuration": configuration, "rule": name, "seed": seed}
                jobs.append(Job(f"{prefix}/{name}-{seed}", "curves", train_network, call, after=after))
    return jobs


def more() -> list[Job]:
    """The jobs of the cells that only a full run has."""
    from paper_repro.forecast.cells import MORE

    return jobs_of(MORE, "network")


def training_runs(quick: bool) -> "list[TrainConfig]":
    """One run for every warm start; the rule does not matter, since all rules share it."""
    return [one.from_start(one.rules[0], start) for one in _configurations(quick) for start in one.starts]


NETWORK = "Tiny transformer on chained arithmetic"

STUDY = Study(
    name="network",
    question="Does the exact theory predict the training of a transformer?",
    jobs=jobs,
    more=more,
    order=10,
    derive=derive,
    headlines=headlines,
    training_runs=training_runs,
    plates=(
        Plate(
            name="training",
            title="Success over training, measured and predicted",
            needs=("trained",),
            draw=training.draw,
            caption=training_caption,
        ),
        Plate(
            name="groups",
            title="All-negative groups and gradient size over training",
            needs=("trained",),
            draw=groups.draw,
            caption=(
                "Measured: the share of sampled groups without a correct response, and the norm of the sampled "
                "gradient, at every update of the runs of the previous figure. Predicted: the same from the theory "
                "before training. Where all groups are all-negative GRPO has no gradient at all, and SPO has one."
            ),
        ),
        Plate(
            name="premises",
            title="Where a premise of the theory is broken on purpose",
            needs=("premises",),
            draw=training.draw,
            caption=(
                "The same comparison where the setting is changed on purpose. A network whose logits are scaled up "
                "keeps its features, and its kernel with them, nearly in place: there the frozen kernel is close too. "
                "Where steps are too large success can be lost again; the table of the comparison says in how many "
                "runs, and in which share of the forecasts, of which exact expected gradients have no sampling noise."
            ),
        ),
    ),
    claims=(
        Claim(
            number=4,
            claim="The acceleration carries over from the stylized model to training.",
            where="Abstract",
            analogue=f"{NETWORK}: updates to half success",
            judge=acceleration,
            figure="training",
        ),
        Claim(
            number=8,
            claim="The gain sits in early and middle training, where all-negative groups are common.",
            where="Fig. 4",
            analogue=f"{NETWORK}: lead in success, first two thirds against last third",
            judge=early_gain,
            figure="groups",
        ),
        Claim(
            number=14,
            claim="Entropy falls faster under SPO.",
            where="Fig. 5",
            analogue=f"{NETWORK}: entropy per token averaged over the run",
            judge=entropy_falls,
            figure="training",
        ),
    ),
)
