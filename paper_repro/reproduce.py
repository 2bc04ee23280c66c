"""`spo reproduce`: run what is not there yet, then write tables, figures, claims, manifest and report."""

import inspect
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from figures import style
from paper_repro.claims.table import claim_numbers, judge_claims
from paper_repro.jobs.backend import Backend, Name
from paper_repro.jobs.job import Job, config_hash
from paper_repro.jobs.part import file_stem, is_finished, kept_by_name, read_part
from paper_repro.jobs.run import JobError, run_jobs
from paper_repro.report.pictures import picture_of
from paper_repro.report.render import render
from paper_repro.report.schema import CLAIM_NUMBERS, CLAIMS, COMPARISON, CURVES, check_table
from paper_repro.results_folder import publishing, results_folder
from paper_repro.studies.study import Study, choose, plates, studies, with_derived
from spo_theory.validation import check
from toy_llm.cache import cache_path, check_entry
from toy_llm.files import write_atomic

Tables = dict[str, pd.DataFrame]


def reproduce(
    out: Path,
    *,
    quick: bool = False,
    full: bool = False,
    settings: Path | None = None,
    only: Sequence[str] = (),
    resume: bool = False,
    workers: int = 2,
    backend: Name = "loky",
    address: str | None = None,
) -> Path:
    """Run the studies and write tables, figures, claims, manifest and report to the folder ``out``.

    quick: the short version of every study. full: with what takes days, the whole grid of networks. settings: a file
    of own configurations, which are run too (`paper_repro.forecast.settings_file`). only: names of the studies to run,
    all if empty. resume: keep finished jobs; without it the chosen studies start over (other files in
    ``out`` stay). workers, backend, address: where the jobs run (`paper_repro.jobs.backend.Backend`). Returns the path
    of the report. Raises `InputError` before any work if ``out`` cannot be written, a name in ``only`` is unknown or a
    backend is not there; `JobError` if a job fails.
    """
    # All that can be refused is refused before a job starts
    chosen = choose(only)
    check(not (quick and full), "full", full, "False in the quick version")
    where = Backend(backend, address, workers)
    where.check()
    own = own_jobs(settings)
    with results_folder(out) as parts:
        check_warm_starts(chosen, quick=quick)

        # Without resume the old results go first, so that none of them is taken for a new one
        wanted = [job for study in chosen for job in study.all_jobs(quick, full)] + own
        if resume:
            say_what_is_kept(wanted, parts)
        else:
            forget(wanted, parts)
        run_jobs(wanted, parts, where)

        # The report shows all that is in the folder, also studies that were run at another time
        every = [job for study in studies() for job in study.all_jobs(quick, full)]
        return publish(every + own, out, quick=quick, needed=wanted)


def own_jobs(settings: Path | None) -> list[Job]:
    """The jobs of the configurations in the file ``settings``, none without one; raises `InputError` for a bad file."""
    if settings is None:
        return []
    from paper_repro.forecast.cells import DEFAULT, MORE, QUICK
    from paper_repro.forecast.grid import GRID, HELD_OUT
    from paper_repro.forecast.settings_file import read_settings
    from paper_repro.studies.network import jobs_of

    own = read_settings(settings)
    taken = {one.name for one in (*DEFAULT, *MORE, *QUICK, *GRID, *HELD_OUT)}
    for one in own:
        check(one.name not in taken, "name", one.name, "another one than those of the package")
    return jobs_of(own, "own")


def check_warm_starts(chosen: Sequence[Study], *, quick: bool) -> None:
    """Refuse a corrupt cached warm start, or a folder in which a missing one cannot be made, before any job starts.

    chosen: the studies to run. quick: whether in their short version. Raises `InputError` that names the file.
    """
    runs = [run for study in chosen if study.training_runs is not None for run in study.training_runs(quick)]
    for path in sorted({cache_path(run.warm_start().key, run.cache_dir) for run in runs}):
        check_entry(path)


def say_what_is_kept(jobs: Sequence[Job], parts: Path) -> None:
    """Tell which results a resumed run keeps, which it makes again, and why; silent if it keeps all.

    jobs: those of the run. parts: the folder of the results.
    """
    # A result of the same name under another key is of another version or configuration
    found = kept_by_name(parts)
    again = [job for job in jobs if not is_finished(job, parts)]
    damaged = [job.name for job in again if job.path(parts) in found.get(file_stem(job), ())]
    other = [job.name for job in again if job.name not in damaged and file_stem(job) in found]
    if not again:
        return

    # A long list of names helps nobody
    say(f"{parts}: keeps {len(jobs) - len(again)} of {len(jobs)} results, runs {len(again)} jobs")
    for names, why in ((damaged, "damaged"), (other, "made by another version or configuration")):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            say(f"  run again, because the result is {why}: {', '.join(names[:3])}{more}")


def forget(jobs: Sequence[Job], parts: Path) -> None:
    """Delete the results of ``jobs``, of this and earlier versions, and nothing else.

    parts: the folder of the results.
    """
    found = kept_by_name(parts)
    for job in jobs:
        for path in found.get(file_stem(job), ()):
            path.unlink(missing_ok=True)


def assemble(jobs: Sequence[Job], parts: Path) -> tuple[Tables, dict[str, float]]:
    """The tables made of the finished experiments, and the wall time of every finished job in seconds.

    jobs: in the order of their rows. The jobs of an experiment have names that differ behind the last slash only; if
    one of them is not finished, none adds rows: half an experiment may have runs and nothing to compare them with.
    parts: the folder of their results.
    """
    found: dict[str, pd.DataFrame] = {}
    for job in jobs:
        part = read_part(job, parts)
        if part is not None:
            found[job.name] = part
    seconds = {name: float(part.attrs.get("seconds", "nan")) for name, part in found.items()}
    half_done = {_experiment(job) for job in jobs if job.name not in found}

    # Several jobs may add rows to one table, and their attributes are about one job
    frames: dict[str, list[pd.DataFrame]] = {}
    for job in jobs:
        if _experiment(job) not in half_done:
            part = found[job.name]
            part.attrs = {}
            frames.setdefault(job.table, []).append(part)
    tables = {name: pd.concat(rows, ignore_index=True) for name, rows in frames.items()}

    # Whole numbers with missing values became floats; the columns of the schema come first
    if "curves" in tables:
        curves = tables["curves"]
        whole = [c for c in ("horizon", "group_size", "seed", "step") if c in curves]
        curves = curves.astype(dict.fromkeys(whole, "Int64"))
        tables["curves"] = curves[[c for c in CURVES if c in curves] + [c for c in curves if c not in CURVES]]
    return tables, seconds


def _experiment(job: Job) -> str:
    """What the name of a job shares with those that it is compared with."""
    return job.name.rpartition("/")[0]


def publish(jobs: Sequence[Job], out: Path, *, quick: bool, needed: Sequence[Job] = ()) -> Path:
    """Write tables, comparison, claims, figures, manifest and report from the finished parts of ``jobs``, in one step.

    out: the folder of the results (`paper_repro.results_folder`). quick: told in the manifest. needed: jobs that must
    be finished. Returns the path of the report. Raises `InputError` if a table does not look as
    `paper_repro.report.schema` says, `JobError` if a needed result is gone, `OSError` if a file cannot be written;
    then everything stays as it was.
    """
    # A result that was whole when its job ended may be damaged by now
    tables, seconds = assemble(jobs, out / "data" / "parts")
    gone = [job.name for job in needed if job.name not in seconds]
    if gone:
        raise JobError(f"the results of {', '.join(gone)} were damaged or deleted while other jobs ran")

    with publishing(out) as stage:
        _write_set(stage, jobs, tables, seconds, quick=quick)
    return out / "report.html"


def _write_set(stage: Path, jobs: Sequence[Job], tables: Tables, seconds: dict[str, float], *, quick: bool) -> None:
    """Write a whole set of results into the empty folder ``stage``; arguments and errors as in `publish`."""
    # A table that is not as it should be is refused before it is written
    if "curves" in tables:
        check_table(tables["curves"], CURVES, "curves")
    for name, table in tables.items():
        write_atomic(stage / "data" / f"{name}.parquet", table.to_parquet(index=False))

    # What studies make of the finished tables serves figures, claims and the report; a file of it is for readers alone
    tables = with_derived(tables)
    if "comparison" in tables:
        check_table(tables["comparison"], COMPARISON, "comparison")
        write_text(stage / "comparison.csv", tables["comparison"].to_csv(index=False))
    tables["claims"] = check_table(judge_claims(tables), CLAIMS, "claims")
    write_text(stage / "claims.csv", tables["claims"].to_csv(index=False))
    numbers = check_table(claim_numbers(tables), CLAIM_NUMBERS, "claims_numbers")
    write_text(stage / "claims_numbers.csv", numbers.to_csv(index=False))

    # A figure whose tables are missing is left out of the report
    (stage / "figures").mkdir()
    pictures = {}
    for plate in plates():
        figure = plate.figure(tables)
        if figure is not None:
            style.save(figure, stage / "figures" / plate.name)
            pictures[plate.name] = picture_of(figure)
    _write_sources(stage, tables, set(pictures))
    manifest = describe(jobs, seconds, quick=quick)
    write_text(stage / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    write_text(stage / "report.html", render(tables, pictures, manifest))


def _write_sources(stage: Path, tables: Tables, shown: set[str]) -> None:
    """What the page links to below each figure: its tables as CSV, and the modules that made it.

    stage: the folder of the set. shown: names of the figures in the report.
    """
    pairs = [(study, plate) for study in studies() for plate in study.plates if plate.name in shown]
    for name in {name for _, plate in pairs for name in plate.data(tables)}:
        write_text(stage / "data" / f"{name}.csv", tables[name].to_csv(index=False))
    for module in {module for study, plate in pairs for module in study.code(plate)}:
        write_text(stage / "code" / f"{module}.py", inspect.getsource(import_module(module)))


def write_text(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` is the old file or the whole new one."""
    write_atomic(path, text.encode("utf-8"))


def describe(jobs: Sequence[Job], seconds: dict[str, float], *, quick: bool) -> dict[str, Any]:
    """The manifest: versions, seeds, configuration, commit, wall times in seconds.

    jobs: all that the report may show. seconds: wall time by name of the jobs that are finished; for the others the
    manifest holds None.
    """
    packages = ["spectral-policy-lab", "numpy", "scipy", "jax", "jaxlib", "torch", "pandas", "pyarrow", "matplotlib"]
    seeds = {job.name: job.arguments["seed"] for job in jobs if "seed" in job.arguments}

    # What stands before the slash in a job's name is its experiment
    by_experiment: dict[str, float] = {}
    for name, value in seconds.items():
        top = name.split("/")[0]
        by_experiment[top] = round(by_experiment.get(top, 0.0) + value, 2)

    # All that is needed to run the same again, or to see why another run differs
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
                "function": job.call,
                "arguments": {k: repr(v) for k, v in job.arguments.items()},
                "seconds": seconds.get(job.name),
            }
            for job in jobs
        },
        "seconds_by_experiment": by_experiment,
        "finished": f"{len(seconds)} of {len(jobs)} jobs",
    }


def _version(package: str) -> str | None:
    """The version of a package as it is installed; None if it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the working tree this package was imported from, "-dirty" if it was changed; None without git.

    Also None if the package lies in a repository that does not hold it, as in an environment inside another project.
    """
    # A repository can name programs that git starts by itself; none of them is needed to read a commit
    quiet = ["-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "submodule.recurse=false"]
    git = ["git", "--no-optional-locks", *quiet, "-C", str(Path(__file__).parent)]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [*git, *arguments], capture_output=True, text=True, timeout=10, check=True, env=environment
        )
        return done.stdout.strip()

    try:
        ask("cat-file", "-e", f"HEAD:./{Path(__file__).name}")
        return ask("describe", "--always", "--dirty", "--abbrev=40") or None
    except (OSError, subprocess.SubprocessError):
        return None


def say(text: str) -> None:
    """Tell the user something on standard error, where progress goes."""
    print(text, file=sys.stderr, flush=True)
