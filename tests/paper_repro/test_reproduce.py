"""The driver writes every artefact from finished parts; tables with a bad column are refused by name."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison, curves

from paper_repro import reproduce
from paper_repro.report.schema import CLAIMS, COMPARISON, CURVES, check_table
from paper_repro.reproduce import check_warm_starts, describe, publish
from paper_repro.studies import study
from spo_theory.validation import InputError


@pytest.fixture
def small(monkeypatch):
    """Only the studies that take no time."""
    kept = tuple(one for one in study.studies() if one.name in ("colouring", "two_step"))
    for module in (reproduce, study):
        monkeypatch.setattr(module, "studies", lambda: kept)


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_reproduce_writes_every_artefact_and_resumes_without_repeating(small, tmp_path):
    out = tmp_path / "new" / "out"
    out.mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    report = reproduce.reproduce(out, quick=True, workers=1)
    page = report.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<link" not in page
    assert "<script" not in page
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert {p.name for p in (out / "figures").iterdir()} == {
        f"{n}.{s}" for n in ("colouring", "two_step") for s in ("png", "pdf")
    }
    claims = check_table(pd.read_csv(out / "claims.csv").fillna(""), CLAIMS, "claims")
    assert list(claims) == list(CLAIMS)
    assert len(claims) == 17
    assert claims["verdict"][2] == "holds"  # Theorem 3.3
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"packages", "config_hash", "commit", "jobs", "seeds", "seconds_by_experiment"} <= set(manifest)
    assert all(job["seconds"] >= 0 for job in manifest["jobs"].values())
    parts = times(out / "data" / "parts")
    reproduce.reproduce(out, quick=True, resume=True, workers=1)
    assert times(out / "data" / "parts") == parts
    reproduce.reproduce(out, quick=True, only=["colouring"], workers=1)  # starts over, but only what was asked for
    now = times(out / "data" / "parts")
    assert {k for k in parts if now[k] != parts[k]} == {k for k in parts if k.startswith("colouring")}
    assert "two_step.png" in {p.name for p in (out / "figures").iterdir()}
    assert (out / "notes.txt").read_text() == "mine"


def test_bad_out_and_bad_names_are_refused_before_work(small, tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, "run_jobs", lambda *_: pytest.fail("work began"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^out = .*can be written"):
        reproduce.reproduce(tmp_path / "file" / "out")
    with pytest.raises(InputError, match=r"^only = 'foo'.*colouring"):
        reproduce.reproduce(tmp_path / "out", only=["foo"])
    with pytest.raises(InputError, match=r"^workers = 0"):
        reproduce.reproduce(tmp_path / "out", workers=0)


def test_a_corrupt_warm_start_of_a_chosen_study_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (suites,) = (one for one in study.studies() if one.name == "suites")
    run = suites.training_runs(True)[0]
    check_warm_starts([suites], quick=True)  # a missing one is made later
    cached = Path(run.cache_dir) / f"{run.warm_start().key}.pt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    with pytest.raises(InputError, match=f"{cached.name}.*corrupt"):
        check_warm_starts([suites], quick=True)
    check_warm_starts([one for one in study.studies() if one.name != "suites"], quick=True)


def test_the_comparison_is_written_from_the_curves(tmp_path):
    """Only the network's study has curves here: its figures, its claims and the comparison appear by themselves."""
    parts = reproduce.prepare(tmp_path)
    (network,) = (one for one in study.studies() if one.name == "network")
    job = network.jobs(True)[0]
    table = curves(6.0)
    table.attrs = {"job": job.name, "seconds": 1.0}
    table.to_parquet(job.path(parts), index=False)
    publish([job], tmp_path, quick=True)
    written = check_table(pd.read_csv(tmp_path / "comparison.csv"), COMPARISON, "comparison")
    assert list(written["rule"]) == ["grpo", "spo"]
    assert list(written) == list(COMPARISON)
    assert {p.stem for p in (tmp_path / "figures").iterdir()} == {"training", "groups"}
    assert pd.read_csv(tmp_path / "claims.csv")["verdict"][3] == "holds"
    assert {p.stem for p in (tmp_path / "data").glob("*.parquet")} == {"curves"}


def test_the_manifest_says_what_ran():
    (two_step,) = (one for one in study.studies() if one.name == "two_step")
    jobs = two_step.jobs(True)
    manifest = describe(jobs, {jobs[0].name: 1.5, jobs[1].name: 2.0}, quick=True)
    assert manifest["finished"] == "2 of 4 jobs"
    assert manifest["seconds_by_experiment"] == {"two_step": 3.5}
    assert manifest["jobs"]["two_step/map"]["function"] == "paper_repro.studies.two_step:two_step_map"
    assert manifest["jobs"]["two_step/map"]["seconds"] is None


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


def test_a_row_of_the_comparison_has_its_columns():
    check_table(comparison(), COMPARISON, "comparison")
