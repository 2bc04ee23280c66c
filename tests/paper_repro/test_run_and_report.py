"""The driver writes every artefact from finished parts; tables with a bad column are refused by name."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from paper_repro.experiments import Experiment
from paper_repro.schema import CLAIMS as CLAIMS_SCHEMA
from paper_repro.schema import COMPARISON, CURVES, VERDICTS, check_table

from paper_repro import experiments, run
from paper_repro.claims import CLAIMS, judge_claims
from paper_repro.jobs import Job
from paper_repro.report import headlines, misses
from spo_theory.validation import InputError


def curves(lead=0.0, seeds=5, horizon=4):
    """Curves of a network whose SPO runs are ``lead`` updates ahead of GRPO's, with their theory."""
    step, rng, frames = np.arange(41), np.random.default_rng(0), []
    for rule, shift in (("grpo", 0.0), ("spo", lead)):
        success = 1 / (1 + np.exp(-(step - 20 + shift) / 3))
        for seed in [-1, *range(seeds)]:
            noise = rng.normal(0, 0.3) if seed >= 0 else 0.0
            frames.append(
                pd.DataFrame(
                    {
                        "experiment": "H4-sgd",
                        "source": "network" if seed >= 0 else "theory",
                        "rule": rule,
                        "horizon": horizon,
                        "group_size": 8,
                        "model": "tiny",
                        "optimizer": "sgd",
                        "seed": seed if seed >= 0 else pd.NA,
                        "step": step,
                        "success": np.clip(success + 0.01 * noise, 0, 1),
                        "all_negative": (1 - success) ** 8,
                        "grad_norm": 1.0,
                        "entropy": 1 - success,
                    }
                ).astype({"seed": "Int64"})
            )
    return pd.concat(frames, ignore_index=True)


def comparison(**changes):
    row = {
        "experiment": "H4-sgd",
        "rule": "spo",
        "horizon": 4,
        "group_size": 8,
        "model": "tiny",
        "optimizer": "sgd",
        "seeds": 5,
        "predicted_half": 20.0,
        "measured_half": 21.0,
        "measured_low": 20.5,
        "measured_high": 21.5,
        "ratio": 1.05,
        "rmse": 0.01,
        "r2": 0.999,
        "fitted": 0,
        "collapsed": 0,
    }
    return pd.DataFrame([row | changes])


@pytest.fixture
def small(monkeypatch):
    """Only the experiments that take no time."""
    kept = tuple(e for e in experiments.EXPERIMENTS if e.name in ("colouring", "two_step"))
    for module in (run, experiments):
        monkeypatch.setattr(module, "EXPERIMENTS", kept)


def test_reproduce_writes_every_artefact_and_resumes_without_repeating(small, tmp_path, monkeypatch):
    out = tmp_path / "new" / "out"
    out.mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    report = run.reproduce(out, quick=True, workers=1)
    page = report.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<link" not in page
    assert "<script" not in page
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert {p.name for p in (out / "figures").iterdir()} == {
        f"{n}.{s}" for n in ("colouring", "two_step") for s in ("png", "pdf")
    }
    claims = check_table(pd.read_csv(out / "claims.csv").fillna(""), CLAIMS_SCHEMA, "claims")
    assert len(claims) == 17
    assert claims["verdict"][2] == "holds"  # Theorem 3.3
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"packages", "config_hash", "commit", "jobs", "seeds", "seconds_by_experiment"} <= set(manifest)
    assert all(job["seconds"] >= 0 for job in manifest["jobs"].values())
    parts = {p.name: p.stat().st_mtime_ns for p in (out / "data" / "parts").iterdir()}
    run.reproduce(out, quick=True, resume=True, workers=1)
    assert {p.name: p.stat().st_mtime_ns for p in (out / "data" / "parts").iterdir()} == parts
    run.reproduce(out, quick=True, only=["colouring"], workers=1)  # starts over, but only what was asked for
    now = {p.name: p.stat().st_mtime_ns for p in (out / "data" / "parts").iterdir()}
    assert {k for k in parts if now[k] != parts[k]} == {k for k in parts if k.startswith("colouring")}
    assert "two_step.png" in {p.name for p in (out / "figures").iterdir()}
    assert (out / "notes.txt").read_text() == "mine"


def test_bad_out_and_bad_names_are_refused_before_work(small, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "run_jobs", lambda *_: pytest.fail("work began"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^out = .*can be written"):
        run.reproduce(tmp_path / "file" / "out")
    with pytest.raises(InputError, match=r"^only = 'foo'"):
        run.reproduce(tmp_path / "out", only=["foo"])
    with pytest.raises(InputError, match=r"^workers = 0"):
        run.reproduce(tmp_path / "out", workers=0)


def test_experiments_have_unique_jobs_and_importable_functions():
    for quick in (True, False):
        made = [j for e in experiments.EXPERIMENTS if e.name != "network" for j in e.jobs(quick)]
        assert len({j.name for j in made}) == len(made)
        assert all(isinstance(j, Job) and j.key for j in made)
    assert isinstance(experiments.EXPERIMENTS[0], Experiment)


def test_silent_groups_probabilities_sum_to_one_and_match_the_formula():
    table = experiments.silent_groups(3, 4, (0.2, 0.7))
    for (_, q), one in table.groupby(["rule", "step_success"]):
        assert one["probability"].sum() == pytest.approx(1)
        negative = one[one["kind"].str.startswith("all-negative")]["probability"].sum()
        assert negative == pytest.approx((1 - q**3) ** 4)


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("success", 1.5, "probability"),
        ("success", np.nan, "probability"),
        ("source", "guess", "theory or network or monte_carlo"),
        ("step", 0.5, "whole"),
        ("rule", 3, "text"),
        ("grad_norm", np.inf, "number"),
    ],
)
def test_a_bad_value_is_refused_naming_the_column(column, value, what):
    table = curves().astype({"seed": float, column: object})
    check_table(table, CURVES, "curves")
    table.loc[3, column] = value
    with pytest.raises(InputError, match=f"curves: column '{column}' holds .*{what}"):
        check_table(table, CURVES, "curves")
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        check_table(table.drop(columns=column), CURVES, "curves")


def verdict(number, tables):
    return judge_claims(tables)["verdict"][number - 1]


def test_claims_without_data_are_not_testable_and_say_why():
    table = judge_claims({})
    assert len(table) == len(CLAIMS) == 17
    assert set(table["verdict"]) == {"not testable here"}
    assert (table["statistic"] != "").all()


def test_verdicts_follow_the_data():
    ahead, level, behind = ({"curves": curves(lead)} for lead in (6.0, 0.0, -6.0))
    for number in (4, 8, 14):
        assert verdict(number, ahead) == "holds"
        assert verdict(number, behind) == "does not hold"
        assert verdict(number, level) in ("not testable here", "does not hold")
    mixed = pd.concat([curves(6.0), curves(-6.0).assign(experiment="H4-adam")])
    assert verdict(4, {"curves": mixed}) == "holds in part"


def test_verdicts_on_silent_groups_follow_the_data():
    table = experiments.silent_groups(3, 4, (0.1, 0.5))
    tables = {"silent_groups": table}
    assert [verdict(n, tables) for n in (1, 2, 17)] == ["holds", "holds in part", "holds"]
    broken = table.assign(largest=table["largest"] + 1)
    assert verdict(1, {"silent_groups": broken}) == "does not hold"
    silent = table.assign(smallest=0.0)
    assert verdict(2, {"silent_groups": silent}) == "does not hold"


def test_verdict_on_escape_follows_the_data():
    rows = [
        {"source": s, "rule": r, "group_size": 8, "horizon": 4, "all_negative": 0.9, "seed": i, "updates": u + i}
        for r, u in (("grpo", 40), ("spo", 18))
        for s, i in (("theory", -1), ("monte_carlo", 0), ("monte_carlo", 1))
    ]
    table = pd.DataFrame(rows)
    assert verdict(5, {"escape": table}) == "holds"
    swapped = table.assign(rule=table["rule"].map({"grpo": "spo", "spo": "grpo"}))
    assert verdict(5, {"escape": swapped}) == "does not hold"


def test_misses_are_said_plainly_and_only_where_there_are_any():
    check_table(comparison(), COMPARISON, "comparison")
    assert misses({"comparison": comparison()}) == []
    assert (
        "25% later than it comes (20.0 against 16.0"
        in misses({"comparison": comparison(ratio=1.25, measured_half=16.0)})[0]
    )
    assert "2 of 5 runs collapse" in misses({"comparison": comparison(collapsed=2)})[0]
    assert "never reached" in misses({"comparison": comparison(ratio=np.nan, measured_half=np.nan)})[0]
    assert "R² = 0.60" in misses({"comparison": comparison(r2=0.6)})[0]


def test_headlines_take_their_numbers_from_the_tables():
    assert "differ by 5% at the median" in headlines({"comparison": comparison()})[0]
    assert "differ by 50% at the median" in headlines({"comparison": comparison(ratio=1.5)})[0]
    assert headlines({}) == []


def test_all_verdicts_are_known():
    assert set(judge_claims({"curves": curves(6.0)})["verdict"]) <= set(VERDICTS)
