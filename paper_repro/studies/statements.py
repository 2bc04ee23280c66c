"""Study: which statements about the rules hold, and where do they fail?"""

from figures import statements as drawing
from paper_repro.jobs.job import Job
from paper_repro.statements import PICTURES, Picture, verdicts
from paper_repro.studies.study import Plate, Study


def jobs(quick: bool) -> list[Job]:
    """A job for every figure, and one for all checks; the quick version leaves the checks to the tests."""
    light = {"collapse": {"seeds": 40}, "starts": {"points": 20}} if quick else {"starts": {"points": 100}}
    drawn = [Job(f"statements/{p.name}", p.name, p.compute, light.get(p.name, {})) for p in PICTURES]
    return drawn if quick else [Job("statements/verdicts", "verdicts", verdicts), *drawn]


def _plate(picture: Picture) -> Plate:
    return Plate(
        name=picture.name,
        title=picture.title,
        needs=(picture.name,),
        draw=drawing.draw,
        options={"title": picture.title, "note": picture.caption, **(picture.axes or {})},
        section="statements",
        statements=picture.statements,
    )


STUDY = Study(
    name="statements",
    question="Which statements about the rules hold, and where do they fail?",
    jobs=jobs,
    order=80,
    plates=tuple(map(_plate, PICTURES)),
)
