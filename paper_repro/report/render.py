"""The report: one HTML page that needs nothing else, every number in it taken from the tables."""

import base64
import struct
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from paper_repro.claims.verdicts import Tables
from paper_repro.report.comparison import comparison_rows, misses
from paper_repro.studies.study import Plate, plates, studies

LONGEST_JOBS = 8
"""How many jobs the page names with their time."""

KINDS_TOLD = {
    "holds": "hold",
    "mixed": "hold in some settings or parts and not in others",
    "does not hold": "do not hold",
    "undecided": "undecided",
    "not run": "not run",
    "not testable here": "not testable here",
}
"""Kinds of verdicts in the summary, in its order."""


def render(tables: Tables, pictures: Mapping[str, Path], manifest: Mapping[str, Any]) -> str:
    """The report as one HTML page.

    tables: the assembled tables by name, with "claims" (`paper_repro.claims.table.judge_claims`).
    pictures: the PNG file of every figure by name; a figure without one is left out.
    manifest: as `paper_repro.reproduce.describe` makes it. Raises `OSError` if a picture cannot be read.
    """
    # An undefined name in the template is an error, so that no number is silently missing
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("paper_repro.report").joinpath("report.html.j2").read_text(encoding="utf-8")

    # Every figure that was drawn goes to its section, in the order of the report
    shown = [plate for plate in plates() if plate.name in pictures]
    sections: dict[str, list[dict[str, Any]]] = {"main": [], "statements": [], "literature": []}
    for plate in shown:
        sections[plate.section].append(_figure(plate, pictures[plate.name], tables))

    # A job that was not run in this version has no time
    seconds = [(job["seconds"], name) for name, job in manifest["jobs"].items() if job["seconds"] is not None]
    return environment.from_string(source).render(
        figures=sections["main"],
        pictures=sections["statements"],
        literature=sections["literature"],
        statements=_statements(tables, shown),
        headlines=headlines(tables),
        misses=misses(tables),
        comparison=comparison_rows(tables),
        claims=tables["claims"].to_dict("records"),
        verdicts=tables["claims"]["kind"].value_counts().to_dict(),
        kinds=KINDS_TOLD,
        partial=any(job["seconds"] is None for job in manifest["jobs"].values()),
        manifest=manifest,
        slowest=sorted(seconds, reverse=True)[:LONGEST_JOBS],
    )


def headlines(tables: Tables) -> list[str]:
    """The main numbers of all studies in sentences, in the order of the studies; only what the tables hold.

    >>> headlines({})
    []
    """
    return [line for study in studies() if study.headlines is not None for line in study.headlines(tables)]


def _figure(plate: Plate, picture: Path, tables: Tables) -> dict[str, Any]:
    """What the page shows of one figure; a wide one takes a whole row of its gallery."""
    data = picture.read_bytes()
    width, height = struct.unpack(">II", data[16:24])  # where every PNG has them
    return {
        "name": plate.name,
        "title": plate.title,
        "image": base64.b64encode(data).decode("ascii"),
        "caption": plate.text(tables),
        "wide": width > 1.8 * height,
    }


def _statements(tables: Tables, shown: list[Plate]) -> list[dict[str, Any]]:
    """The rows of the table of statements, each with the figure that shows it."""
    if "verdicts" not in tables:
        return []
    figure_of = {statement: plate.name for plate in shown for statement in plate.statements}
    rows: list[dict[Any, Any]] = tables["verdicts"].to_dict("records")
    return [row | {"figure": figure_of.get(row["name"])} for row in rows]
