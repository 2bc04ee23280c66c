"""Verdicts on the ten suites follow the data; the jobs behind them measure what they say."""

import numpy as np
import pandas as pd
import pytest
from paper_repro.suite_runs import QUICK, Run, WeakJudge, suite_run, weak_judge

from paper_repro import suite_runs
from paper_repro.claims import judge_claims
from paper_repro.report import headlines
from toy_llm.problems.suites import SUITES, TRAINED

LABELS = {
    "miss": 0.0,
    "false_alarm": 0.0,
    "votes": 1,
    "mode": "online",
    "train_on": "all",
    "rts_length": "written",
    "optimizer": "adamw",
    "beta": np.nan,
}


def runs(values, sizes=("medium",), starts=("base",), **labels):
    """End-of-run rows; ``values``: success by rule. Seeds differ by 0.01, alike for every rule, and a little noise."""
    rng, rows = np.random.default_rng(0), []
    for size in sizes:
        for start in starts:
            for rule, value in values.items():
                for seed in (0,) if rule == "none" else (0, 1, 2):
                    fixed = (
                        LABELS
                        | {
                            "gamma": np.nan,
                            "accuracy": 0.6,
                            "size": size,
                            "start": start,
                            "rule": rule,
                            "seed": seed,
                        }
                        | labels
                    )
                    for suite in SUITES:
                        shown = (value if suite in TRAINED else 0.0) + 0.01 * seed + 0.001 * rng.random()
                        for metric, k in (
                            ("success", np.nan),
                            ("pass@k", 1),
                            ("pass@k", 16),
                            ("response_length", np.nan),
                        ):
                            rows.append({**fixed, "suite": suite, "metric": metric, "k": k, "value": shown})
    return pd.DataFrame(rows)


def verdict(number, **tables):
    return judge_claims(tables)["verdict"][number - 1]


@pytest.mark.parametrize("number", [7, 9, 15])
def test_leads_over_grpo(number):
    both = {"sizes": ("small", "medium"), "starts": ("base", "distilled")}
    ahead = runs({"none": 0.1, "grpo": 0.4, "spo": 0.5}, **both)
    assert verdict(number, suites=ahead) == "holds"
    assert verdict(number, suites=runs({"none": 0.1, "grpo": 0.5, "spo": 0.4}, **both)) == "does not hold"
    level = runs({"none": 0.1, "grpo": 0.4, "spo": 0.4}, **both)
    assert verdict(number, suites=level) == "not testable here"
    part = pd.concat([ahead[ahead["start"] == "base"], level[level["start"] == "distilled"]])
    assert verdict(number, suites=part) == "holds in part"


def test_response_lengths_are_told_for_both_readings_of_rts():
    tables = {
        "suites": runs({"none": 0.1, "grpo": 0.4, "spo": 0.5}),
        "suite_lengths": runs({"spo": 6.0}, rts_length="true"),
    }
    said = judge_claims(tables)["statistic"][6]
    assert "grpo adamw 0.4; spo adamw 0.5; spo adamw with RTS over the true length 6.0" in said


def test_offline():
    suites = runs({"none": 0.1, "grpo": 0.4, "spo": 0.5})
    better = runs({"spo": 0.3}, mode="offline", train_on="all_negative")
    worse = runs({"spo": 0.02}, mode="offline", train_on="all_negative")
    positives = runs({"grpo": 0.9}, mode="offline", train_on="some_correct")
    assert verdict(6, suites=suites, suite_offline=pd.concat([better, positives])) == "holds"
    assert verdict(6, suites=suites, suite_offline=pd.concat([worse, positives])) == "does not hold"


def test_judges_and_votes():
    noise = {"miss": 0.4, "false_alarm": 0.2}
    exact = runs({"spo": 0.5})
    for one, five, said in ((0.48, 0.5, ("holds", "holds")), (0.2, 0.1, ("does not hold", "does not hold"))):
        table = pd.concat([exact, runs({"spo": one}, **noise), runs({"spo": five}, votes=5, **noise)])
        assert (verdict(10, suite_judges=table), verdict(11, suite_judges=table)) == said


def test_colouring_against_noise():
    def table(lost):
        parts = []
        for beta, loss in zip((2.0, 10.0), lost, strict=True):
            parts.append(runs({"spo": 0.5}, **{"beta": beta, "gamma": 0.5}))
            parts.append(runs({"spo": 0.5 - loss}, **{"beta": beta, "gamma": 0.5, "miss": 0.4, "false_alarm": 0.2}))
        return pd.concat(parts)

    assert verdict(13, suite_colours=table((0.3, 0.1))) == "holds"
    assert verdict(13, suite_colours=table((0.2, 0.2))) == "not testable here"


def test_a_judge_that_solves_nothing():
    who = ["judge", "judge's twin", "student at start", "student trained"]
    table = pd.DataFrame({"who": who, "success": [0, 0.05, 0.02, 0.9], "seeds": [1, 1, 1, 3], "judge_accuracy": 0.9})
    table = table.assign(low=table["success"] - 0.01, high=table["success"] + 0.01)
    assert verdict(12, weak_judge=table) == "holds"
    clever = table.assign(success=[0.95, 0.05, 0.02, 0.9], low=[0.94, 0, 0, 0.8], high=[0.96, 0.1, 0.1, 0.92])
    assert verdict(12, weak_judge=clever) == "holds in part"


def test_a_run_has_its_curve_and_its_measurement_on_every_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = suite_run(Run("spo", 1, "small", **QUICK | {"updates": 2, "start_updates": 2}))
    curve, found = table[table["step"].notna()], table[table["suite"].notna()]
    assert len(curve) + len(found) == len(table)
    assert curve["step"].tolist() == [0, 1, 2]
    assert set(found["suite"]) == set(SUITES)
    assert set(found[found["metric"] == "pass@k"]["k"]) == {1, 2, 4, 8}
    assert (table["rule"] == "spo").all()
    start = suite_run(Run("none", 0, "small", **QUICK | {"start_updates": 2}))
    assert start["step"].isna().all()


def test_jobs_are_distinct_and_their_settings_are_allowed():
    for quick in (True, False):
        jobs = suite_runs.jobs(quick)
        names = [job.name for job in jobs]
        assert len(set(names)) == len(names)
        assert {after for job in jobs for after in job.after} <= set(names)
        for job in jobs:
            if "run" in job.arguments:
                assert job.arguments["run"].config().problems() == []


def test_the_weak_judge_experiment_says_who_solves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = weak_judge(WeakJudge(seeds=(0,), judge_updates=2, updates=1))
    assert table["who"].tolist() == ["judge", "judge's twin", "student at start", "student trained"]
    assert table["success"].between(0, 1).all()


def test_the_headline_says_what_the_tables_say():
    (line,) = headlines({"suites": runs({"none": 0.1, "grpo": 0.4, "spo": 0.5})})
    assert "0.100 before" in line or "0.101 before" in line
    assert "GRPO 0.41" in line
    assert "SPO 0.51" in line
