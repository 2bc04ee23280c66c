"""Figures for papers: any figure of the report at the width of a column, from the tables of a run, with its data."""

import logging
import shutil
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from figures import paper
from figures.describe import describe
from paper_repro.claims.verdicts import Tables
from paper_repro.studies.study import Plate, Study, plates, studies, with_derived
from spo_theory.validation import check

OF_THE_SCREEN = ("backend", "interactive", "toolbar", "timezone", "date.epoch", "webagg", "tk.", "savefig.directory")
"""Beginnings of settings that a style sheet cannot make, as matplotlib has it: they are not about the look."""


def plate_named(name: str) -> Plate:
    """The figure that is called ``name``; raises `InputError`, which names those with a name like it.

    >>> plate_named("escape").title
    'Updates to half success as questions get longer'
    """
    found = {plate.name: plate for plate in plates()}
    like = [*get_close_matches(name, found, n=3, cutoff=0.5), *(one for one in found if name and name in one)]
    near = f", such as {', '.join(dict.fromkeys(like))}" if like else ""
    check(name in found, "name", name, f"the name of a figure{near}: spo figure --list shows all")
    return found[name]


def study_of(plate: Plate) -> Study:
    """The study that a figure belongs to.

    >>> study_of(plate_named("training")).name
    'network'
    """
    return next(study for study in studies() if plate in study.plates)


def read_tables(results: Path) -> Tables:
    """The tables of a run by name, with those that the studies make of them.

    results: the folder that `spo reproduce` writes. Raises `InputError` if it holds none, or one that cannot be read.
    """
    paths = sorted((results / "data").glob("*.parquet")) if results.is_dir() else []
    check(bool(paths), "results", str(results), "a folder that spo reproduce has written (data/*.parquet is not there)")
    tables = {}
    for path in paths:
        try:
            tables[path.stem] = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0]
            check(False, "results", str(results), f"a folder of whole tables ({path.name} cannot be read: {why})")
    return with_derived(tables)


def check_tables(plate: Plate, tables: Tables, results: Path) -> None:
    """Refuse a figure whose tables are not there: raises `InputError` that says how to make them.

    tables: those of the folder ``results``, by name.
    """
    missing = [name for name in plate.needs if name not in tables]
    how = f"spo reproduce --only {study_of(plate).name} --out {results}"
    why = f"{', '.join(missing)} is missing; if the figure is not one of the long version alone, {how} makes it"
    check(not missing, "name", plate.name, f"a figure whose tables are in {results} ({why})")


def read_sheet(path: Path | None) -> dict[str, Any]:
    """The settings of a matplotlib style sheet, none without one.

    Raises `InputError` if it cannot be read, if matplotlib does not know a setting or its value, and if it wants texts
    set by LaTeX where there is no LaTeX.
    """
    if path is None:
        return {}
    check(path.is_file(), "style", str(path), "a matplotlib style sheet (.mplstyle) that is there")

    # Matplotlib tells of most mistakes in its log and goes on
    told: list[str] = []
    ears = logging.Handler(logging.WARNING)
    ears.emit = lambda record: told.extend(record.getMessage().strip().splitlines()[:1])  # type: ignore[method-assign]
    log = logging.getLogger("matplotlib")
    spread = log.propagate
    log.addHandler(ears)
    log.propagate = False
    try:
        settings = dict(matplotlib.rc_params_from_file(path, fail_on_error=True, use_default_template=False))
    except (OSError, ValueError) as error:
        told.append(" ".join(str(error).split()))
        settings = {}
    finally:
        log.removeHandler(ears)
        log.propagate = spread
    check(not told, "style", str(path), f"a matplotlib style sheet ({told[0] if told else ''})")

    needs_latex = bool(settings.get("text.usetex")) and shutil.which("latex") is None
    check(not needs_latex, "style", str(path), "a style sheet without text.usetex (LaTeX is missing: no program latex)")
    return {name: value for name, value in settings.items() if not name.startswith(OF_THE_SCREEN)}


def files_of(
    plate: Plate, tables: Tables, stem: str, *, width: str, ending: str, sheet: dict[str, Any]
) -> dict[str, bytes]:
    """A figure for a paper: the picture, its data, and the text for its caption, as contents of files by name.

    tables: by name. stem: what the names begin with. width, ending: of `figures.paper.WIDTHS` and
    `figures.paper.FORMATS`. sheet: settings of matplotlib on top of the look.
    """
    with paper.page(sheet):
        figure = plate.figure(tables)
        assert figure is not None, f"the tables of {plate.name} are missing"
        notes = paper.fit(figure, paper.WIDTHS[width])
        files = paper.written(figure, stem, ending)

    # One table is named like the picture; of several, each says which one it is
    used = plate.data(tables)
    for name in used:
        called = f"{stem}.csv" if len(used) == 1 else f"{stem}.{name}.csv"
        files[called] = tables[name].to_csv(index=False).encode()

    # What a paper says below a figure, and what a screen reader says instead of it
    told = [f"{plate.title}.", plate.text(tables), notes, f"In words: {describe(figure)}"]
    files[f"{stem}.txt"] = "".join(f"{line}\n" for line in told if line).encode()
    return files
