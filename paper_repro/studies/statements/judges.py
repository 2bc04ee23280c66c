"""Figure of the statements about step judges that err: which ones help, from three starts."""

import numpy as np
import pandas as pd

from paper_repro.studies.statements.picture import Picture, joined, series
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import colouring_gain_function, useful_judges

STARTS = {
    "P = 0.027, three equal steps": (0.3,) * 3,
    "P = 0.40, late steps lag": (0.93, 0.67, 0.64),
    "P = 0.73, three equal steps": (0.9,) * 3,
}


def judges(points: int = 41) -> pd.DataFrame:
    """What colouring adds to the rate of log success under an erring judge, and where it adds nothing, at three P."""
    # Every cell of a map is a judge; the gain is scaled to its largest, so that all panels share one scale of colours
    rates = (np.arange(points) + 0.5) / points
    miss, alarm = (a.ravel() for a in np.meshgrid(rates, rates, indexing="ij"))
    coloured = rule("spo", group_size=3, beta=5.0)
    frames = []
    for panel, step_success in STARTS.items():
        chain = ReasoningChain(step_success=step_success)
        gain = colouring_gain_function(chain, coloured)
        gains = np.array([gain(float(m), float(f)) for m, f in zip(miss, alarm, strict=True)])
        frames.append(series("gain", miss, alarm, "cell", panel, z=gains / np.abs(gains).max()))

        # boundaries without a gain: the line of useless judges, and others where there are any
        edge = useful_judges(chain, coloured, rates)
        useless = (edge["miss"] + edge["false_alarm"] - 1).abs() < 1e-8
        boundaries = {"useless judge: miss + false alarm = 1": edge[useless], "another boundary": edge[~useless]}
        for name, part in boundaries.items():
            if len(part):
                frames.append(series(name, part["miss"], part["false_alarm"], "points", panel, z=np.nan))
    return joined(frames)


PICTURES = (
    Picture(
        judges,
        title="How bad a judge may be",
        caption=(
            "What colouring adds to the rate of log success, scaled to its largest; G = 3, beta = 5, all_negative. "
            "Blue helps, red hurts. The line of useless judges is a boundary at every P. Near the end of training "
            "others appear, and a perfect judge may hurt."
        ),
        axes={"kind": "map", "xlabel": "miss rate", "ylabel": "false-alarm rate", "zlabel": "gain, scaled"},
        statements=(
            "useless_judge_is_silent",
            "useless_judge_is_silent_in_all_incorrect",
            "better_than_useless_helps",
        ),
    ),
)
