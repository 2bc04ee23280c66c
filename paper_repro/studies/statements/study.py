"""Study: which statements about the rules hold, and where do they fail? One topic a module."""

from dataclasses import asdict

import pandas as pd

from paper_repro.jobs.job import Job
from paper_repro.studies.statements import (
    beyond,
    colours,
    groups,
    judges,
    rates,
    remedies,
    scopes,
    two_steps,
    updates,
)
from paper_repro.studies.statements.picture import Picture
from paper_repro.studies.study import Study
from spo_theory.theorems import THEOREMS

TOPICS = (groups, updates, two_steps, scopes, rates, colours, remedies, judges, beyond)
PICTURES: tuple[Picture, ...] = tuple(picture for topic in TOPICS for picture in topic.PICTURES)
"""All figures, in the order of the report."""


def verdicts() -> pd.DataFrame:
    """Every statement with its status and what its check found, now: name, statement, status, holds, checked, ..."""
    rows = []
    for theorem in THEOREMS:
        found = theorem.check()
        rows.append({"name": theorem.name, "statement": theorem.text, "status": theorem.status} | asdict(found))
    return pd.DataFrame(rows)


def jobs(quick: bool) -> list[Job]:
    """A job for every figure, and one for all checks; the quick version leaves the checks to the tests."""
    drawn = [picture.job(quick) for picture in PICTURES]
    return drawn if quick else [Job("statements/verdicts", "verdicts", verdicts), *drawn]


STUDY = Study(
    name="statements",
    question="Which statements about the rules hold, and where do they fail?",
    jobs=jobs,
    order=80,
    plates=tuple(picture.plate() for picture in PICTURES),
)
