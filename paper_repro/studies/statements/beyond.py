"""Figures beyond the statements: all starts, rambling responses, several updates on a batch, sampling noise."""

import numpy as np
import pandas as pd

from figures.style import label
from paper_repro.studies.statements.picture import Picture, joined, series
from spo_theory.dynamics.clipped import solve_clipped
from spo_theory.dynamics.diffusion import diffuse
from spo_theory.dynamics.maps import escape_map
from spo_theory.dynamics.sampled import simulate
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.lengths import Normalization, expected_update_normalized

SEEDS = 20
STUDENT_95 = 2.09  # half a 95 % interval of the mean of 20 runs, in standard errors (Student, 19 degrees of freedom)


def starts(points: int = 60, updates: int = 300) -> pd.DataFrame:
    """How many times sooner colouring reaches half success than GRPO, over starts: H = 4, G = 8, 300 updates."""
    axis = (np.arange(points) + 0.5) / points
    early, late = (a.ravel() for a in np.meshgrid(axis, axis))
    chain = ReasoningChain(step_success=np.stack([early, early, late, late], axis=1))
    grpo = escape_map(chain, rule("grpo"), updates)
    spo = escape_map(chain, rule("spo"), updates)
    # starts that are there already need 0 updates under both rules: equally many
    ratio = np.where(grpo == 0, 1.0, grpo / np.where(spo > 0, spo, 1.0))
    return series("GRPO's updates over SPO's", early, late, "cell", z=np.log2(ratio))


def normalizations() -> pd.DataFrame:
    """Expected update of two steps (q = 0.5) against the tokens a wrong response rambles on, by normalization."""
    chain = ReasoningChain(step_success=(0.5, 0.5))
    more_tokens = np.linspace(0, 20, 21)
    shown: dict[Normalization, str] = {
        "response": "per response",
        "token": "per token of 8 groups",
        "constant": "constant",
    }
    frames = []
    for name, text in shown.items():
        updates = [expected_update_normalized(chain, rule("grpo"), more, name, 2.0, 8) for more in more_tokens]
        first_step = np.array(updates)[:, 0]
        frames.append(series(text, more_tokens, first_step / first_step[0]))
    return joined(frames)


def inner_updates() -> pd.DataFrame:
    """Success over batches with one to eight clipped updates each (clip 0.2), exact and by sampled groups."""
    chain = ReasoningChain(step_success=[0.4, 0.4])
    frames = []
    for count in (1, 2, 4, 8):
        name = f"{count} per batch"
        exact = solve_clipped(chain, rule("spo"), 15, count, 0.5)
        frames.append(series(name, exact["step"], exact["success"]))

        sampled = simulate(chain, rule("spo"), 15, 0.5, 512, SEEDS, inner_updates=count)
        success = sampled.groupby("step")["success"]
        mean = success.mean()
        half = STUDENT_95 * success.std() / np.sqrt(SEEDS)
        frames.append(series(name, mean.index, mean.to_numpy(), "points", low=mean - half, high=mean + half))
    return joined(frames)


def sampling_noise() -> pd.DataFrame:
    """Success over updates of 16 groups: central 80 % of runs, Gaussian steps (lines) and sampled groups (points)."""
    chain = ReasoningChain(step_success=(0.3, 0.3, 0.3))
    frames = []
    for name in ("grpo", "spo"):
        noisy = diffuse(chain, rule(name), 40, 0.5, 16, 400, seed=1).groupby("step")["success"]
        sampled = simulate(chain, rule(name), 40, 0.5, 16, 400).groupby("step")["success"]
        for level in (0.1, 0.5, 0.9):
            line = np.append(noisy.quantile(level), np.nan)  # the pen is lifted between the quantiles
            frames.append(series(label(name), np.arange(42), line))
            frames.append(series(label(name), range(0, 41, 4), sampled.quantile(level).iloc[::4], "points"))
    return joined(frames)


PICTURES = (
    Picture(
        starts,
        title="Speed-up over all starts",
        caption=(
            "How many times sooner colouring reaches half success than GRPO. Four steps, G = 8: the first two at one "
            "accuracy, the last two at another. Blank: GRPO does not get there within 300 updates."
        ),
        axes={
            "kind": "map",
            "xlabel": "accuracy of steps 1 and 2",
            "ylabel": "accuracy of steps 3 and 4",
            "zlabel": "GRPO's updates over colouring's",
            "zticks": {power: f"{2.0**power:g}" for power in range(-6, 7)},
        },
        quick={"points": 20},
        full={"points": 100},
    ),
    Picture(
        normalizations,
        title="Loss normalization when wrong responses ramble",
        caption=(
            "Two steps of accuracy 1/2, G = 8. Update of step 1 over its value without rambling, exactly. Divided by "
            "its own length, a long wrong response hardly counts. Per token, all responses pay for it."
        ),
        axes={"xlabel": "tokens after the wrong step", "ylabel": "update of step 1, relative"},
    ),
    Picture(
        inner_updates,
        title="Several clipped updates on one batch",
        caption=(
            "Two steps, q = 0.4, SPO, learning rate 0.5, clip 0.2. Lines: exact, an infinite batch; points: 20 seeds "
            "of 512 groups with 95 % intervals."
        ),
        axes={"xlabel": "batches", "ylabel": "success probability"},
    ),
    Picture(
        sampling_noise,
        title="Sampling noise from the exact moments",
        caption=(
            "Three steps, q = 0.3, 16 groups an update: 10th, 50th and 90th percentile of 400 runs. Lines: Gaussian "
            "steps with the exact mean and covariance; points: sampled groups."
        ),
        axes={"xlabel": "updates", "ylabel": "success probability"},
    ),
)
