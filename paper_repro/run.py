"""`spo reproduce`: run what is not there yet, then write tables, figures, claims, manifest and report."""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from figures import all_negative, colouring, escape, expected_advantage, groups, style, training, two_step
from figures import literature as literature_figures
from figures import statements as statement_figures
from figures import suites as suite_figures
from paper_repro import comparison
from paper_repro.claims import judge_claims
from paper_repro.experiments import BETA, EXPERIMENTS, GAMMA, choose
from paper_repro.jobs import Job, config_hash
from paper_repro.pool import is_finished, run_jobs, write_atomically
from paper_repro.schema import CLAIMS, COMPARISON, CURVES, check_table
from spo_theory.validation import check

Tables = dict[str, pd.DataFrame]


def reproduce(
    out: Path, *, quick: bool = False, only: Sequence[str] = (), resume: bool = False, workers: int = 2
) -> Path:
    """Run the experiments (those named in ``only``, or all) and write everything to ``out``.

    ``resume`` keeps finished jobs; without it the chosen experiments start over (other files in ``out`` stay).
    Returns the path of the report. Raises `InputError` before any work if ``out`` cannot be written or a name
    in ``only`` is unknown, `JobError` if a job fails.
    """
    chosen = {e.name for e in choose(list(only))}
    check(workers >= 1, "workers", workers, "at least 1")
    parts = prepare(out)
    every = [job for e in EXPERIMENTS for job in e.jobs(quick)]
    wanted = [job for e in EXPERIMENTS if e.name in chosen for job in e.jobs(quick)]
    check_warm_starts(wanted)
    if not resume:
        forget(wanted, parts)
    run_jobs(wanted, parts, workers)
    return publish(every, out, quick=quick)


def prepare(out: Path) -> Path:
    """Make ``out`` and its folders; return the folder of parts. Raises `InputError` if that is impossible."""
    parts = out / "data" / "parts"
    try:
        for folder in (parts, out / "figures"):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
    except OSError as error:
        check(False, "out", str(out), f"a directory that can be written ({error.strerror or error})")
    return parts


def check_warm_starts(jobs: Sequence[Job]) -> None:
    """Refuse a corrupt cached checkpoint (`InputError`) before any job starts; a missing one is made later."""
    configs = {job.arguments["spec"].config("grpo", job.arguments["seed"]) for job in jobs if "seed" in job.arguments}
    configs |= {job.arguments["run"].config() for job in jobs if "run" in job.arguments}
    paths = {Path(config.cache_dir) / f"{config.warm_start().key}.pt" for config in configs}
    for path in sorted(p for p in paths if p.exists()):
        from toy_llm.files import load

        load(path)


def forget(jobs: Sequence[Job], parts: Path) -> None:
    """Delete the results of ``jobs``, of this and earlier versions, and nothing else."""
    names = {job.name.replace("/", "-") for job in jobs}
    for path in parts.glob("*.parquet"):
        kept = re.fullmatch(r"(.+)-[0-9a-f]{12}\.parquet", path.name)
        if kept and kept[1] in names:
            path.unlink()


def assemble(jobs: Sequence[Job], parts: Path) -> tuple[Tables, dict[str, float]]:
    """Join the finished parts into tables by name; also the wall time in seconds of every job."""
    frames: dict[str, list[pd.DataFrame]] = {}
    seconds: dict[str, float] = {}
    for job in jobs:
        if is_finished(job, parts):
            part = pd.read_parquet(job.path(parts))
            seconds[job.name] = float(part.attrs.get("seconds", "nan"))
            part.attrs = {}
            frames.setdefault(job.table, []).append(part)
    tables = {name: pd.concat(found, ignore_index=True) for name, found in frames.items()}
    if "curves" in tables:
        curves = tables["curves"]
        whole = [c for c in ("horizon", "group_size", "seed", "step") if c in curves]
        curves = curves.astype(dict.fromkeys(whole, "Int64"))
        tables["curves"] = curves[[c for c in CURVES if c in curves] + [c for c in curves if c not in CURVES]]
    return tables, seconds


def publish(jobs: Sequence[Job], out: Path, *, quick: bool) -> Path:
    """Write tables, comparison, claims, figures, manifest and report from the finished parts of ``jobs``."""
    tables, seconds = assemble(jobs, out / "data" / "parts")
    if "curves" in tables:
        check_table(tables["curves"], CURVES, "curves")
    for name, table in tables.items():
        write_atomically(table, out / "data" / f"{name}.parquet")
    comparison = compare(tables)
    if comparison is not None:
        tables["comparison"] = check_table(comparison, COMPARISON, "comparison")
        _write_text(out / "comparison.csv", comparison.to_csv(index=False))
    claims = check_table(judge_claims(tables), CLAIMS, "claims")
    tables["claims"] = claims
    _write_text(out / "claims.csv", claims.to_csv(index=False))
    pictures = {}
    for name, figure in draw_figures(tables).items():
        pictures[name] = style.save(figure, out / "figures" / name)[0]
    manifest = describe(jobs, seconds, quick=quick)
    _write_text(out / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    from paper_repro.report import render

    _write_text(out / "report.html", render(tables, pictures, manifest))
    return out / "report.html"


def compare(tables: Tables) -> pd.DataFrame | None:
    """Prediction against measurement of every trained experiment, or None if there is none."""
    curves = tables.get("curves")
    if curves is None or not (curves["source"] == "network").any():
        return None
    return comparison.compare(curves)


def draw_figures(tables: Tables) -> dict[str, Figure]:
    """Every figure whose tables are there, by name."""
    tables = dict(tables)
    chain = f"Colouring: beta = {BETA:g}, gamma = {GAMMA:g}, all-negative groups."
    makers: dict[str, tuple[Callable[..., Figure], tuple[str, ...], dict[str, Any]]] = {
        "training": (training.draw, ("curves",), {}),
        "groups": (groups.draw, ("curves",), {}),
        "premises": (training.draw, ("premises",), {}),
        "escape": (
            escape.draw,
            ("escape",),
            {"setting": f"All steps start at accuracy 0.3; step size 1; 64 groups an update. {chain}"},
        ),
        "two_step": (two_step.draw, ("two_step", "two_step_map", "two_step_boundary"), {}),
        "expected_advantage": (
            expected_advantage.draw,
            ("expected_advantage",),
            {"setting": f"Exact; step accuracies 0.4, 0.5, 0.6; colouring: beta = {BETA:g}, gamma = {GAMMA:g}"},
        ),
        "all_negative": (all_negative.draw, ("all_negative",), {}),
        "colouring": (colouring.draw, ("colouring",), {}),
    }
    if "suites" in tables:
        from toy_llm.problems.suites import TRAINED

        known = {"trained": TRAINED}
        makers["suites"] = (suite_figures.draw, ("suites",), known | {"offline": tables.get("suite_offline")})
        makers["response_lengths"] = (suite_figures.draw_lengths, ("suites", "suite_lengths"), {})
        makers["pass_at_k"] = (suite_figures.draw_pass, ("suites",), known)
        makers["imperfect_judges"] = (suite_figures.draw_judges, ("suite_judges", "suite_colours", "weak_judge"), known)
    tables = tables | _trained(tables.pop("curves", None))
    from paper_repro.literature import LITERATURE
    from paper_repro.statements import PICTURES

    for p in PICTURES:
        makers[p.name] = (statement_figures.draw, (p.name,), {"title": p.title, "note": p.caption, **(p.axes or {})})
    for r in LITERATURE:
        makers[r.name] = (getattr(literature_figures, r.draw), (r.name,), {})
    drawn = {}
    for name, (draw, needs, options) in makers.items():
        if all(n in tables for n in needs):
            drawn[name] = draw(*(tables[n] for n in needs), **options)
    return drawn


def _trained(curves: pd.DataFrame | None) -> Tables:
    """The curves of trained networks, those that break a premise of the theory in a table of their own."""
    if curves is None:
        return {}
    broken = curves["note"].fillna("") != "" if "note" in curves else pd.Series(False, curves.index)
    split = {"curves": curves[~broken], "premises": curves[broken]}
    return {name: table for name, table in split.items() if (table["source"] == "network").any()}


def describe(jobs: Sequence[Job], seconds: dict[str, float], *, quick: bool) -> dict[str, Any]:
    """The manifest: versions, seeds, configuration, commit, wall times in seconds."""
    packages = ["spectral-policy-lab", "numpy", "scipy", "jax", "jaxlib", "torch", "pandas", "pyarrow", "matplotlib"]
    seeds = {job.name: job.arguments["seed"] for job in jobs if "seed" in job.arguments}
    by_experiment: dict[str, float] = {}
    for name, value in seconds.items():
        top = name.split("/")[0]
        by_experiment[top] = round(by_experiment.get(top, 0.0) + value, 2)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "config_hash": config_hash(jobs),
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in packages},
        "seeds": seeds,
        "jobs": {
            job.name: {
                "key": job.key,
                "function": job.function,
                "arguments": {k: repr(v) for k, v in job.arguments.items()},
                "seconds": seconds.get(job.name),
            }
            for job in jobs
        },
        "seconds_by_experiment": by_experiment,
        "finished": f"{len(seconds)} of {len(jobs)} jobs",
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the working tree this package was imported from, "-dirty" if it was changed; None without git."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def say(text: str) -> None:
    """Tell the user something on standard error, where progress goes."""
    print(text, file=sys.stderr, flush=True)
