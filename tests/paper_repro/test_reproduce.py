"""The driver writes every artefact from finished parts; tables with a bad column are refused by name."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison, curves

from paper_repro import reproduce
from paper_repro.jobs.attempt import attempt
from paper_repro.jobs.job import Job
from paper_repro.jobs.part import is_finished, write_part
from paper_repro.jobs.run import JobError
from paper_repro.report.schema import CLAIMS, COMPARISON, CURVES, check_table
from paper_repro.reproduce import assemble, check_warm_starts, describe, publish
from paper_repro.results_folder import results_folder
from paper_repro.studies import study
from spo_theory.validation import InputError


@pytest.fixture
def small(monkeypatch):
    """Only the studies that take no time."""
    kept = tuple(one for one in study.studies() if one.name in ("colouring", "two_step"))
    for module in (reproduce, study):
        monkeypatch.setattr(module, "studies", lambda: kept)


@pytest.fixture
def here(monkeypatch):
    """Jobs run in this process, and two figures are drawn: what is tested is what becomes of the results."""

    def run(jobs, parts, backend):
        for job in jobs:
            if not is_finished(job, parts):
                write_part(job, attempt(job).table, parts)

    shown = tuple(plate for plate in study.plates() if plate.name in ("colouring", "two_step"))
    monkeypatch.setattr(reproduce, "plates", lambda: shown)
    monkeypatch.setattr(reproduce, "run_jobs", run)


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
    assert not re.search(r"<script[^>]*src|fetch\(|@import|url\(", page)  # nothing is loaded
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert {p.name for p in (out / "figures").iterdir()} == {
        f"{n}.{s}" for n in ("colouring", "two_step") for s in ("png", "pdf")
    }
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (out / link).stat().st_size > 0
    assert {"data/colouring.csv", "code/figures.two_step.py"} <= set(re.findall(r'href="([^"#]+)"', page))
    claims = check_table(pd.read_csv(out / "claims.csv", keep_default_na=False), CLAIMS, "claims")
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


def test_damage_is_never_published(small, here, tmp_path, capsys):
    """Every part of a run, each damaged at several places: a resumed run gives the same tables and says what it did."""
    out = tmp_path / "out"
    reproduce.reproduce(out, quick=True, only=["colouring"], workers=1)
    tables = {path.name: path.read_bytes() for path in (out / "data").glob("*.parquet")}
    jobs = [job for one in study.studies() if one.name == "colouring" for job in one.jobs(True)]
    parts = {job.path(out / "data" / "parts"): job for job in jobs}
    whole = {path: path.read_bytes() for path in parts}
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        for path, content in whole.items():
            damaged = bytearray(content)
            damaged[int(share * len(content))] ^= 16
            path.write_bytes(damaged)
        names, seconds = assemble(jobs, out / "data" / "parts")
        assert not names
        assert not seconds
    capsys.readouterr()
    reproduce.reproduce(out, quick=True, only=["colouring"], resume=True, workers=1)
    assert {path.name: path.read_bytes() for path in (out / "data").glob("*.parquet")} == tables
    said = capsys.readouterr().err
    assert f"keeps 0 of {len(jobs)} results, runs {len(jobs)} jobs" in said
    assert "run again, because the result is damaged: " in said


def test_a_resumed_run_says_what_another_version_made(small, here, tmp_path, capsys):
    parts = tmp_path / "out" / "data" / "parts"
    parts.mkdir(parents=True)
    jobs = [job for one in study.studies() if one.name == "colouring" for job in one.jobs(True)]
    old = jobs[0].path(parts).with_name(jobs[0].path(parts).name.replace(jobs[0].key, "0" * 12))
    old.write_bytes(b"of another version")
    reproduce.reproduce(tmp_path / "out", quick=True, only=["colouring"], resume=True, workers=1)
    said = capsys.readouterr().err
    assert f"because the result is made by another version or configuration: {jobs[0].name}\n" in said
    reproduce.reproduce(tmp_path / "out", quick=True, only=["colouring"], resume=True, workers=1)
    assert "run again" not in capsys.readouterr().err


def test_a_part_that_is_lost_while_others_run_is_an_error(small, tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, "run_jobs", lambda *_: None)
    with pytest.raises(JobError, match=r"^the results of colouring.* were damaged or deleted while other jobs ran$"):
        reproduce.reproduce(tmp_path / "out", quick=True, only=["colouring"])


def test_a_full_disk_while_publishing_leaves_the_old_results(small, here, tmp_path, monkeypatch):
    out = tmp_path / "out"
    reproduce.reproduce(out, quick=True, only=["colouring"], workers=1)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    for broken in ("render", "judge_claims"):
        with monkeypatch.context() as patched:
            patched.setattr(reproduce, broken, full)
            with pytest.raises(OSError, match="No space"):
                reproduce.reproduce(out, quick=True, only=["colouring"], resume=True, workers=1)
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


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
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(b"half a file")
    with pytest.raises(InputError, match=f"{cached.name}.*corrupt"):
        check_warm_starts([suites], quick=True)
    check_warm_starts([one for one in study.studies() if one.name != "suites"], quick=True)


def test_the_comparison_is_written_from_the_curves(tmp_path):
    """Only the network has curves here: its figures, those of all cells, claims and comparison appear by themselves."""
    (network,) = (one for one in study.studies() if one.name == "network")
    job = network.jobs(True)[0]
    table = curves(6.0)
    table.attrs = {"job": job.name, "seconds": 1.0}
    with results_folder(tmp_path) as parts:
        write_part(job, table, parts)
        publish([job], tmp_path, quick=True)
    written = check_table(pd.read_csv(tmp_path / "comparison.csv"), COMPARISON, "comparison")
    assert list(written["rule"]) == ["grpo", "spo"]
    assert list(written) == list(COMPARISON)
    assert {p.stem for p in (tmp_path / "figures").iterdir()} == {
        "training",
        "groups",
        "half_times",
        "forecast_errors",
    }
    assert pd.read_csv(tmp_path / "claims.csv")["verdict"][3].split(";")[0] == "holds"
    numbers = pd.read_csv(tmp_path / "claims_numbers.csv")
    assert set(numbers[numbers["outcome"] == "holds"]["claim"]) == {4, 8, 14}
    assert {p.stem for p in (tmp_path / "data").glob("*.parquet")} == {"curves"}


def test_the_manifest_says_what_ran():
    (two_step,) = (one for one in study.studies() if one.name == "two_step")
    jobs = two_step.jobs(True)
    manifest = describe(jobs, {jobs[0].name: 1.5, jobs[1].name: 2.0}, quick=True)
    assert manifest["finished"] == "2 of 4 jobs"
    assert manifest["seconds_by_experiment"] == {"two_step": 3.5}
    assert manifest["jobs"]["two_step/map"]["function"] == "paper_repro.studies.two_step:two_step_map"
    assert manifest["jobs"]["two_step/map"]["seconds"] is None


def git(folder, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_that_of_the_package_and_the_repository_runs_nothing(tmp_path, monkeypatch):
    """Programs named in the configuration of the repository are not started; another repository has no say."""
    module = tmp_path / "package" / "reproduce.py"
    module.parent.mkdir()
    module.write_text("first")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")

    started = tmp_path / ".git" / "started"
    program = tmp_path / ".git" / "program"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    shutil.copy(program, tmp_path / ".git" / "hooks" / "post-index-change")
    git(tmp_path, "config", "core.fsmonitor", str(program))
    started.unlink(missing_ok=True)

    monkeypatch.setattr(reproduce, "__file__", str(module))
    module.touch()
    assert reproduce._commit() == commit
    module.write_text("other")
    assert reproduce._commit() == f"{commit}-dirty"
    assert not started.exists()

    # A package installed inside a repository of something else
    guest = tmp_path / "package" / "guest.py"
    guest.write_text("")
    monkeypatch.setattr(reproduce, "__file__", str(guest))
    assert reproduce._commit() is None
    monkeypatch.setattr(reproduce, "__file__", "/proc/reproduce.py")
    assert reproduce._commit() is None


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


def test_starting_over_keeps_jobs_whose_names_begin_alike(tmp_path):
    kept = [tmp_path / f"{name}-0123456789ab.parquet" for name in ("a", "ab", "a-b", "a-0123456789ab")]
    for path in kept:
        path.write_bytes(b"")
    job = SimpleNamespace(key="0123456789ab", path=lambda folder: folder / "a-0123456789ab.parquet")
    reproduce.forget([job], tmp_path)
    assert [path.exists() for path in kept] == [False, True, True, True]


def test_half_an_experiment_adds_no_rows(tmp_path):
    """A killed run may leave forecasts without the runs that they are for; whole experiments are published."""
    names = ("network/one/forecast-0", "network/one/grpo-0", "network/two/forecast-0", "two_step/map")
    jobs = [Job(name, "curves", study.choose, {"only": name}) for name in names]
    for job in (jobs[0], jobs[2], jobs[3]):
        write_part(job, pd.DataFrame({"job": [job.name]}), tmp_path)

    tables, seconds = assemble(jobs, tmp_path)
    assert list(tables["curves"]["job"]) == ["network/two/forecast-0", "two_step/map"]
    assert set(seconds) == {names[0], names[2], names[3]}

    write_part(jobs[1], pd.DataFrame({"job": [names[1]]}), tmp_path)
    assert list(assemble(jobs, tmp_path)[0]["curves"]["job"]) == list(names)
