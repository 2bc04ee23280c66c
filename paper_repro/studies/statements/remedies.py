"""Figures of the statements about other remedies: how near to the largest rate rules come, and what hints transfer."""

import numpy as np
import pandas as pd

from figures import style
from paper_repro.studies.statements.picture import Picture, equal_steps, joined, series
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.remedies import hinted_rate, largest_rate, rate_of_log_success, with_mixed_groups_alone

SCOPES = {"all_negative": "colours in all-negative groups", "all_incorrect": "colours of all incorrect responses"}
"""Scopes and the titles of their panels."""


def aligned_colours() -> pd.DataFrame:
    """The rate of log success over the largest there can be, from starts whose first step is more or less certain."""
    first = np.linspace(0.05, 0.95, 19)
    rest = np.full_like(first, 0.5)
    starts = ReasoningChain(step_success=np.stack([first, rest, rest], axis=1))
    frames = []
    for scope, panel in SCOPES.items():
        best = largest_rate(starts, 4, scope)  # type: ignore[arg-type]
        methods = (
            rule("spo", group_size=4, scope=scope, beta=5.0),
            rule("grpo", group_size=4),
            rule("aligned", group_size=4, scope=scope, estimate="policy"),
        )
        for method in methods:
            kind = "points" if method.name == "aligned" else "line"
            share = rate_of_log_success(starts, method) / best
            frames.append(series(style.label(method.name), first, share, kind, panel))
    return joined(frames)


def hints_and_resampling() -> pd.DataFrame:
    """The rate of log success of six equal steps: GRPO, hints of any depth, and groups sampled anew, per rollout."""
    accuracy = np.linspace(0.15, 0.9, 16)
    starts = equal_steps(accuracy**6, horizon=6)
    plain = rule("grpo", group_size=8)
    hinted = rule("hints", group_size=8, depth="uniform")

    # Groups that are thrown away cost rollouts: the rate is divided by the groups sampled for each that is kept
    success = starts.success
    kept = 1 - success**8 - (1 - success) ** 8
    anew = rate_of_log_success(starts, with_mixed_groups_alone(plain))
    law = np.mean([hinted_rate(starts, 8, depth) for depth in range(6)], axis=0)
    return joined(
        [
            series("GRPO, law", accuracy, hinted_rate(starts, 8, 0)),
            series("hints, law", accuracy, law),
            series("hints, engine", accuracy, rate_of_log_success(starts, hinted), "points"),
            series("GRPO sampled anew", accuracy, anew * kept, "points"),
        ]
    )


PICTURES = (
    Picture(
        aligned_colours,
        title="No standardized reward is faster than aligned colours",
        caption=(
            "Three steps of accuracy q, 0.5 and 0.5 in groups of 4. The rate at which log success rises, over the "
            "largest rate of all rewards that are standardized over the group. Aligned colours reach it at every "
            "start. SPO (beta = 5, gamma = 0.5) comes near it, least where the first step is nearly certain."
        ),
        axes={"xlabel": "accuracy q of the first step", "ylabel": "rate, over the largest"},
        statements=("aligned_colours_are_best",),
    ),
    Picture(
        hints_and_resampling,
        title="Hints transfer; sampling anew saves no rollouts",
        caption=(
            "Six steps of equal accuracy in groups of 8. The rate at which log success of the whole question rises: "
            "under GRPO, under hints of any depth, and under GRPO whose silent groups are thrown away and sampled "
            "anew, divided by the groups sampled for each that is kept. The last one is GRPO's."
        ),
        axes={"xlabel": "accuracy of every step", "ylabel": "rate of log success", "logy": True},
        statements=("hints_transfer", "resampling_saves_no_rollouts"),
    ),
)
