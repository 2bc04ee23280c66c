"""Study: the reward that an incorrect response gets, against the share of it before its first error."""

import numpy as np
import pandas as pd

from figures import colouring
from paper_repro.jobs.job import Job
from paper_repro.studies.study import Plate, Study
from spo_theory.methods.conventions import READINGS
from spo_theory.parts.rewards import Colouring


def colouring_curves() -> pd.DataFrame:
    """Reward against RTS: both readings of the paper's values and other slopes and thresholds.

    One row per curve and RTS from 0 to 1: beta, gamma, reading (empty for the other curves), rts, reward.
    """
    pairs = [(*values, f"reading: {name}") for name, values in READINGS.items()]
    pairs += [(5.0, 0.5, ""), (10.0, 0.25, ""), (10.0, 0.75, ""), (2.0, 0.5, "")]
    rts = np.linspace(0, 1, 101)
    frames = [
        pd.DataFrame({"beta": b, "gamma": g, "reading": name, "rts": rts, "reward": Colouring(b, g).values(rts)})
        for b, g, name in pairs
    ]
    return pd.concat(frames, ignore_index=True)


def jobs(quick: bool) -> list[Job]:
    """One job, the same for both versions."""
    return [Job("colouring", "colouring", colouring_curves)]


STUDY = Study(
    name="colouring",
    question="What reward does an incorrect response get?",
    jobs=jobs,
    order=70,
    plates=(
        Plate(
            name="colouring",
            title="The colouring curve",
            needs=("colouring",),
            draw=colouring.draw,
            caption=(
                "The reward that an incorrect response gets, against its RTS: the share of it before its first error. "
                "The paper gives the values 10 and 0.5 without saying which is beta and which is gamma. Both readings "
                "are drawn as bold lines."
            ),
        ),
    ),
)
