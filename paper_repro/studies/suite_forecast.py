"""Study: can training on suites of problems be forecast too, suite by suite?"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from figures.suites import forecast as figure
from paper_repro.claims.verdicts import Tables
from paper_repro.forecast.configuration import Configuration
from paper_repro.jobs.job import Job
from paper_repro.studies.study import Plate, Study
from toy_llm.config import TrainConfig
from toy_llm.problems.suites import TRAINED

LEARNS = 0.05
"""A suite is learnt if its mean success rises by at least this much."""

TRUE_LENGTH = Configuration(
    "suites, RTS over the true length",
    TrainConfig(suites=TRAINED, size="small", start_accuracy=0.6, learning_rate=0.03, updates=40, questions=32),
    starts=(0,),
    runs=8,
    rule_options=(("spo", "rts_length", "true"),),
    held_out=1024,
    points=6,
)
"""Weights follow from classes alone: the expected gradient is exact."""

WRITTEN_LENGTH = replace(
    TRUE_LENGTH, name="suites, RTS over the written length", rules=("spo",), rule_options=(), runs=4
)
"""The paper's RTS, which sees what is written after the first error: the mean field is approximate."""

QUICK = replace(
    TRUE_LENGTH,
    base=replace(TRUE_LENGTH.base, suites=("add", "carry"), start_updates=60, updates=4, questions=8),
    runs=2,
    draws=2,
    held_out=32,
    points=4,
)


def forecast_jobs(quick: bool) -> list[Job]:
    """The jobs of the configuration whose expected gradients are exact."""
    return jobs_of("true", QUICK if quick else TRUE_LENGTH)


def more() -> list[Job]:
    """The jobs of the paper's RTS, which only a full run has."""
    return jobs_of("written", WRITTEN_LENGTH)


def jobs_of(kind: str, configuration: Configuration) -> list[Job]:
    """Forecasts of both levels that know suites, and the training that they forecast; table "suite_curves".

    kind: what the names of the jobs tell the configurations by.
    """
    from paper_repro.forecast.forecast import forecast, train_network

    # The first forecast leaves the warm start on disk, where the others find it
    name = f"suite_forecast/{kind}"
    first = f"{name}/mean_field"
    jobs = []
    for level in ("mean_field", "noisy"):
        call: dict[str, Any] = {"configuration": configuration, "start": 0, "level": level}
        after = () if level == "mean_field" else (first,)
        jobs.append(Job(f"{name}/{level}", "suite_curves", forecast, call, after=after))
    for rule in configuration.rules:
        for seed in configuration.seeds:
            call = {"configuration": configuration, "rule": rule, "seed": seed}
            jobs.append(Job(f"{name}/{rule}-{seed}", "suite_curves", train_network, call, after=(first,)))
    return jobs


def by_suite(curves: pd.DataFrame) -> pd.DataFrame:
    """Forecast against measurement suite by suite.

    curves: the table of jobs, with a column ``success_NAME`` for every suite. Returns one row per experiment, rule,
    level and suite: gain and predicted_gain of mean success from the first to the last update; r2 and rmse of the
    mean curve over runs; in_band: share of its points within the 95 % band of the mean of the draws (NaN for one).
    """
    columns = [str(column) for column in curves]
    names = [column for column in columns if column.startswith("success_") and column != "success_sampled"]
    rows = []
    for (experiment, rule), one in curves.groupby(["experiment", "rule"], sort=False):
        network = one[one["source"] == "network"]
        for level, theory in one[one["source"] == "theory"].groupby("level", sort=False):
            for name in names:
                if network[name].notna().any():
                    what = {"experiment": experiment, "rule": rule, "level": level}
                    what["suite"] = name.removeprefix("success_")
                    rows.append(what | _scores(network, theory, name))
    return pd.DataFrame(rows)


def _scores(network: pd.DataFrame, theory: pd.DataFrame, column: str) -> dict[str, float]:
    """How well one suite's mean curve is forecast."""
    measured = network.groupby("step")[column].agg(["mean", "var", "count"])
    predicted = theory.groupby("step")[column].agg(["mean", "var", "count"])
    off = measured["mean"] - predicted["mean"]
    spread = ((measured["mean"] - measured["mean"].mean()) ** 2).sum()

    # Both means have an error; the runs' own spread is that of the draws if the forecast is right
    error = np.sqrt(predicted["var"] * (1 / measured["count"] + 1 / predicted["count"]))
    inside = (off.abs() <= 2 * error).iloc[1:] if (predicted["count"] > 1).all() else pd.Series([np.nan])
    return {
        "gain": float(measured["mean"].iloc[-1] - measured["mean"].iloc[0]),
        "predicted_gain": float(predicted["mean"].iloc[-1] - predicted["mean"].iloc[0]),
        "r2": float(1 - (off**2).sum() / spread) if spread > 0 else float("nan"),
        "rmse": float(np.sqrt((off**2).mean())),
        "in_band": float(inside.astype(float).mean()),
    }


def forecast_headlines(tables: Tables) -> list[str]:
    """How well suites that are learnt are forecast, for each experiment and level."""
    curves = tables.get("suite_curves")
    if curves is None:
        return []
    table = by_suite(curves)
    learnt = table[table["gain"] >= LEARNS]
    lines = []
    for (experiment, level), rows in learnt.groupby(["experiment", "level"], sort=False):
        told = "without noise" if level == "mean_field" else "with sampling noise"
        lines.append(
            f"Forecast of {experiment}, {told}: R² of a suite's mean curve {rows['r2'].median():.3f} at the median "
            f"over {len(rows)} combinations of suite and rule that learn ({rows['r2'].min():.3f} at the least)."
        )
    return lines


def caption(tables: Tables) -> str:
    """What was measured and what was predicted."""
    curves = tables["suite_curves"]
    network = curves[curves["source"] == "network"]
    return (
        "Measured: a small network is trained on the mixture of the suites, and its probability of the whole true "
        f"response is followed on held-out questions of each, {network['seed'].nunique()} runs per rule from one warm "
        "start, plain SGD. Questions have different numbers of steps, and steps have one token or several. Predicted "
        "before training, nothing fitted: the same network under exact expected gradients (thin), and under groups "
        "drawn on true responses (dashed, mean of the draws). RTS is over the length of the true response, so that "
        "expected gradients are exact."
    )


def training_runs(quick: bool) -> list[TrainConfig]:
    """The runs of all jobs."""
    one = QUICK if quick else TRUE_LENGTH
    return [one.config(rule, seed) for rule in one.rules for seed in one.seeds]


STUDY = Study(
    name="suite_forecast",
    question="Can training on suites of problems be forecast too, suite by suite?",
    jobs=forecast_jobs,
    more=more,
    order=13,
    headlines=forecast_headlines,
    training_runs=training_runs,
    plates=(
        Plate(
            name="suite_forecast",
            title="Suites forecast one by one",
            needs=("suite_curves",),
            draw=figure.draw,
            caption=caption,
        ),
    ),
)
