"""Study: do the claims of the papers around this one come out in miniature? Exact, one finding a claim."""

import pandas as pd

from figures import related
from paper_repro.claims.verdicts import Tables, kind
from paper_repro.jobs.job import Job
from paper_repro.studies.related import graded, outcomes, paths_and_data
from paper_repro.studies.related.claim import judged
from paper_repro.studies.study import Plate, Study

TOPICS = {"outcomes": outcomes.CLAIMS, "graded": graded.CLAIMS, "paths_and_data": paths_and_data.CLAIMS}


def related_claims(topic: str) -> pd.DataFrame:
    """The claims of one topic with their findings, as `paper_repro.studies.related.claim.judged` returns them."""
    return judged(TOPICS[topic])


def weights_and_grading() -> pd.DataFrame:
    """Updates to half success with token weights, a graded reward, both and neither; columns variant and updates."""
    times = graded.two_by_two()
    return pd.DataFrame({"variant": list(times), "updates": list(times.values())})


def jobs(quick: bool) -> list[Job]:
    """One job for the claims of each topic and one for each panel, the same for both versions."""
    claims = [Job(f"related/{topic}", "related_claims", related_claims, {"topic": topic}) for topic in TOPICS]
    return [
        *claims,
        Job("related/right_paths", "right_paths", paths_and_data.right_paths),
        Job("related/offline_curves", "offline_curves", paths_and_data.offline_curves),
        Job("related/weights_and_grading", "weights_and_grading", weights_and_grading),
    ]


def caption(tables: Tables) -> str:
    """What is drawn, and how the claims of the related papers came out."""
    counts = tables["related_claims"]["verdict"].map(kind).value_counts() if "related_claims" in tables else pd.Series()
    words = {"holds": "hold", "mixed": "hold in some of their parts", "does not hold": "do not hold"}
    verdicts = ", ".join(f"{number} {words[str(verdict)]}" for verdict, number in counts.items())
    return (
        "Left: chance of three right paths of one question under GRPO and with the rank penalty of Rewarding the "
        "Unlikely. Middle: imitation of the best response and DPO, with fresh and with stored data, from a start far "
        "from success. Right: updates to half success with token weights, a graded reward, both and neither. All "
        f"exact. Verdicts on the claims in the table related_claims: {verdicts or 'not computed'}."
    )


STUDY = Study(
    name="related",
    question="Do the claims of the related papers come out in miniature?",
    jobs=jobs,
    order=85,
    plates=(
        Plate(
            name="related",
            title="Claims of related papers, in miniature",
            needs=("right_paths", "offline_curves", "weights_and_grading"),
            draw=related.draw,
            caption=caption,
        ),
    ),
)
