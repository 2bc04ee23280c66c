"""Study: do the published results of other authors come out as special cases? One paper or topic a module."""

from paper_repro.jobs.job import Job
from paper_repro.studies.literature import (
    bay_yearick,
    davis_recht,
    deng,
    mroueh,
    rad,
    remedies,
    suk_duan,
    two_steps,
    zhou,
)
from paper_repro.studies.literature.result import Result
from paper_repro.studies.study import Study

PAPERS = (mroueh, rad, suk_duan, zhou, bay_yearick, davis_recht, two_steps, deng, remedies)
RESULTS: tuple[Result, ...] = tuple(result for paper in PAPERS for result in paper.RESULTS)
"""All published results, in the order of the report."""


def jobs(quick: bool) -> list[Job]:
    """A job for every result."""
    return [result.job(quick) for result in RESULTS]


STUDY = Study(
    name="literature",
    question="Do the published results of others come out as special cases?",
    jobs=jobs,
    order=90,
    plates=tuple(result.plate() for result in RESULTS),
)
