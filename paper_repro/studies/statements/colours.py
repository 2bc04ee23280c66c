"""Figures of the statements about the values of the colours: slope beta and threshold gamma."""

from itertools import product

import numpy as np
import pandas as pd

from paper_repro.studies.statements.picture import Picture, joined, series
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import expected_update
from spo_theory.methods.conventions import READINGS
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.parts.rewards import Colouring
from spo_theory.theorems.colours import BETAS, GAMMAS, best_colouring, pair_gap_ratio


def updates_of_pairs(pairs: list[tuple[float, float]]) -> np.ndarray:
    """Expected updates ``(N, 3)`` of three steps of accuracy 1/2 under each pair (beta, gamma), G = 8."""
    chain = ReasoningChain(step_success=(0.5, 0.5, 0.5))
    return np.array([expected_update(chain, rule("spo", beta=float(b), gamma=float(g))) for b, g in pairs])


def one_number() -> pd.DataFrame:
    """Updates of three steps against the middle colour's place, for three slopes: all fall on one curve."""
    gammas = np.linspace(-0.2, 1.2, 29)
    frames = []
    for beta, kind in ((3.0, "line"), (8.0, "points"), (20.0, "points")):
        place = np.array([pair_gap_ratio(Colouring(beta, gamma)) for gamma in gammas])
        updates = updates_of_pairs([(beta, gamma) for gamma in gammas])
        for h in range(3):
            frames.append(series(rf"$\beta$ = {beta:g}", place, updates[:, h], kind, panel=f"step {h + 1}"))
    return joined(frames)


def slope_and_threshold() -> pd.DataFrame:
    """Updates of three steps against gamma (at beta 5) and against beta (at gamma 0.1 and 0.5)."""
    gammas = np.linspace(-0.5, 1.5, 41)
    betas = np.geomspace(0.3, 40, 41)
    sweeps = [(r"against $\gamma$, $\beta$ = 5", gammas, [(5.0, gamma) for gamma in gammas])]
    for gamma in (0.1, 0.5):
        sweeps.append((rf"against $\beta$, $\gamma$ = {gamma:g}", betas, [(beta, gamma) for beta in betas]))
    frames = []
    for panel, x, pairs in sweeps:
        updates = updates_of_pairs(pairs)
        for h in range(3):
            frames.append(series(f"step {h + 1}", x, updates[:, h] / updates[0, h], panel=panel))
    return joined(frames)


def readings() -> pd.DataFrame:
    """Updates to half success against H under both readings of the paper's beta and gamma, G = 8, from q = 0.3."""
    horizons = (2, 3, 4, 6, 8, 10)
    frames = []
    for scope, name in product(("all_negative", "all_incorrect"), READINGS):
        coloured = rule("spo", reading=name, scope=scope)
        times = [updates_to(solve(ReasoningChain(step_success=[0.3] * h), coloured, 150)) for h in horizons]
        beta, gamma = READINGS[name]
        legend = rf"{name}: $\beta$ = {beta:g}, $\gamma$ = {gamma:g}"
        frames.append(series(legend, horizons, times, "both", panel=f"scope {scope}"))
    return joined(frames)


def best_pair() -> pd.DataFrame:
    """What colouring adds to the rate of log success over (beta, gamma), over the best pair's, for two starts."""
    betas, gammas = (a.ravel() for a in np.meshgrid(BETAS, GAMMAS, indexing="ij"))
    frames = []
    for step_success in ((0.3, 0.3, 0.3), (0.8, 0.5, 0.2)):
        beta, gamma, gains = best_colouring(ReasoningChain(step_success=step_success), 8)
        panel = "q = " + ", ".join(f"{q:g}" for q in step_success)
        relative = (gains / gains.max()).ravel()
        frames.append(series("gain over the best", betas, gammas, "cell", panel, z=relative))
        frames.append(series("best pair", [beta], [gamma], "points", panel, z=np.nan))
    return joined(frames)


PICTURES = (
    Picture(
        one_number,
        title="Three steps: only the place of the middle colour counts",
        caption=(
            "Three steps of accuracy 1/2, G = 8, gamma from -0.2 to 1.2. The place of the middle colour is 0 at the "
            "lowest colour and 1 at the highest. Whatever beta is, equal places give equal updates, so the points lie "
            "on the line."
        ),
        axes={"xlabel": "place of the middle colour", "ylabel": "expected update"},
        statements=("three_steps_have_one_number",),
    ),
    Picture(
        slope_and_threshold,
        title="Raising the threshold and the slope",
        caption=(
            "Three steps of accuracy 1/2, G = 8; updates relative to their leftmost values. Raising gamma raises the "
            "update of step 2 and lowers those of steps 1 and 3. Raising beta does the same if gamma is above 1/3, and "
            "the opposite if it is below."
        ),
        axes={
            "xlabel": (r"threshold $\gamma$", r"slope $\beta$", r"slope $\beta$"),
            "ylabel": "update over its leftmost value",
        },
        statements=("monotone_in_gamma", "beta_turns_at_a_third", "monotone_in_beta"),
    ),
    Picture(
        readings,
        title="Both readings of the paper's beta and gamma",
        caption=(
            "From q = 0.3, G = 8. With scope all_negative standardization takes out most of what differs: the readings "
            "are within 2 % up to H = 8, and drift apart in longer chains. With scope all_incorrect the literal one is "
            "nearly GRPO's outcome reward with a trace of colour, and faster."
        ),
        axes={"xlabel": "steps per question, H", "ylabel": "updates until success reaches 1/2"},
        statements=("readings_agree", "readings_agree_everywhere", "readings_agree_in_all_incorrect"),
    ),
    Picture(
        best_pair,
        title="The best slope and threshold depend on the start",
        caption=(
            "What colouring adds to the rate of log success, as a share of what the best pair of the map adds; three "
            "steps of the accuracies above each panel, G = 8, scope all_negative."
        ),
        axes={
            "kind": "map",
            "xlabel": r"slope $\beta$",
            "logx": True,
            "ylabel": r"threshold $\gamma$",
            "zlabel": "share of the best pair's gain",
        },
        statements=("one_best_colouring",),
    ),
)
