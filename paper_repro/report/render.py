"""The report: one HTML page that needs nothing else, every number in it taken from the tables."""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from paper_repro.claims.verdicts import KINDS, Tables
from paper_repro.report.comparison import comparison_rows, misses
from paper_repro.report.pictures import Picture
from paper_repro.report.summary import summary
from paper_repro.report.typography import typeset
from paper_repro.studies.study import Plate, Study, studies

LONGEST_JOBS = 8
"""How many jobs the page names with their time."""


def render(tables: Tables, pictures: Mapping[str, Picture], manifest: Mapping[str, Any]) -> str:
    """The report as one HTML page.

    tables: the assembled tables by name, with "claims" (`paper_repro.claims.table.judge_claims`).
    pictures: of every figure by its name; a figure without one is left out.
    manifest: as `paper_repro.reproduce.describe` makes it.
    """
    # An undefined name in the template is an error, so that no number is silently missing
    loader = PackageLoader("paper_repro", "report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, loader=loader, lstrip_blocks=True)
    environment.filters["typeset"] = typeset
    environment.globals["part"] = lambda name: Markup(loader.get_source(environment, name)[0])

    # A job that was not run in this version has no time
    seconds = [(job["seconds"], name) for name, job in manifest["jobs"].items() if job["seconds"] is not None]
    shown = {plate.name for study in studies() for plate in study.plates if plate.name in pictures}
    sections = _sections(tables, pictures)
    comparison = comparison_rows(tables)
    places = {"claims", *(f"section-{section['name']}" for section in sections)}
    return environment.get_template("report.html.j2").render(
        sections=sections,
        places=places | {"comparison"} if comparison else places,
        statements=_statements(tables, shown),
        summary=summary(tables),
        misses=misses(tables),
        comparison=comparison,
        claims=[row | {"shown": row["figure"] in shown} for row in tables["claims"].to_dict("records")],
        kinds=list(KINDS),
        partial=any(job["seconds"] is None for job in manifest["jobs"].values()),
        manifest=manifest,
        slowest=sorted(seconds, reverse=True)[:LONGEST_JOBS],
    )


def headlines(tables: Tables) -> list[str]:
    """The main numbers of all studies in sentences, in the order of the studies; only what the tables hold.

    >>> headlines({})
    []
    """
    return [line for study in studies() for line in _answers(study, tables)]


def _answers(study: Study, tables: Tables) -> list[str]:
    """The main numbers of one study in sentences."""
    return [] if study.headlines is None else study.headlines(tables)


def _sections(tables: Tables, pictures: Mapping[str, Picture]) -> list[dict[str, Any]]:
    """A section for every study that has something to show: its question, its answers in numbers, its figures."""
    sections = []
    number = 0
    for study in studies():
        figures = []
        for plate in study.plates:
            if plate.name in pictures:
                number += 1
                figures.append(_figure(study, plate, pictures[plate.name], tables) | {"number": number})
        answers = _answers(study, tables)
        if figures or answers:
            sections.append({"name": study.name, "question": study.question, "answers": answers, "figures": figures})
    return sections


def _figure(study: Study, plate: Plate, picture: Picture, tables: Tables) -> dict[str, Any]:
    """What the page shows of one figure."""
    return {
        "name": plate.name,
        "title": plate.title,
        "picture": picture,
        "caption": plate.text(tables),
        "data": plate.data(tables),
        "code": study.code(plate),
    }


def _statements(tables: Tables, shown: set[str]) -> list[dict[str, Any]]:
    """The rows of the table of statements, each with its number and the figure that shows it.

    A check that names another statement points to its number.
    """
    if "verdicts" not in tables:
        return []
    plates = [plate for study in studies() for plate in study.plates if plate.name in shown]
    figure_of = {statement: plate.name for plate in plates for statement in plate.statements}
    table = tables["verdicts"]
    number_of = {name: number for number, name in enumerate(table["name"], start=1)}
    names = re.compile(r"\b(" + "|".join(map(re.escape, number_of)) + r")\b")

    rows: list[dict[Any, Any]] = []
    for row in table.to_dict("records"):
        checked = names.sub(lambda found: f"statement {number_of[found[0]]}", row["counterexample"] or row["checked"])
        rows.append(row | {"number": number_of[row["name"]], "told": checked, "figure": figure_of.get(row["name"])})
    return rows
