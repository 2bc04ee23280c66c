"""Study: do the published results of other authors come out as special cases?"""

from functools import partial

from figures import literature as drawings
from paper_repro.jobs.job import Job
from paper_repro.literature import LITERATURE, Result, finding
from paper_repro.studies.study import Plate, Study, Tables


def jobs(quick: bool) -> list[Job]:
    """A job for every result; the quick version has shorter questions."""
    light = {"remedies": {"horizons": (2, 3, 4)}} if quick else {}
    return [Job(f"literature/{r.name}", r.name, r.compute, light.get(r.name, {})) for r in LITERATURE]


def _caption(result: Result, tables: Tables) -> str:
    return finding(result, tables[result.name])


def _plate(result: Result) -> Plate:
    return Plate(
        name=result.name,
        title=result.name,
        needs=(result.name,),
        draw=getattr(drawings, result.draw),
        caption=partial(_caption, result),
        section="literature",
    )


STUDY = Study(
    name="literature",
    question="Do the published results of others come out as special cases?",
    jobs=jobs,
    order=90,
    plates=tuple(map(_plate, LITERATURE)),
)
