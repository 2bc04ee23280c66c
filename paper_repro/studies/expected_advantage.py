"""Study: the mean advantage of a response by how far it came, under each rule."""

import numpy as np
import pandas as pd

from figures import expected_advantage
from paper_repro.jobs.job import Job
from paper_repro.settings import BETA, GAMMA
from paper_repro.studies.study import Plate, Study
from spo_theory.methods.registry import rule


def expected_advantage_table(step_success: tuple[float, ...], group_sizes: tuple[int, ...]) -> pd.DataFrame:
    """Exact expected advantage of every outcome class under GRPO and both scopes of colouring.

    step_success: probability of each step, all strictly between 0 and 1. group_sizes: responses per question.
    One row per rule, scope, group size and outcome class, whose ``probability`` does not depend on the rule.
    """
    from spo_theory.exact.update import rule_advantage_function
    from spo_theory.outcomes.chain import ReasoningChain

    # All rules are held against one chain, in which every class has the same chance under each of them
    chain = ReasoningChain(step_success=step_success)
    p = chain.class_probs
    frames = []

    # GRPO does not colour, so it has no scope
    for g in group_sizes:
        rules = {("grpo", "none"): rule("grpo", group_size=g)}
        for scope in ("all_negative", "all_incorrect"):
            rules["spo", scope] = rule("spo", group_size=g, beta=BETA, gamma=GAMMA, scope=scope)
        for (name, scope), r in rules.items():
            table = {
                "rule": name,
                "scope": scope,
                "group_size": g,
                "horizon": chain.horizon,
                "outcome_class": np.arange(chain.horizon + 1),
                "probability": p,
                "advantage": np.asarray(rule_advantage_function(r, chain.rts)(p)),
            }
            frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def jobs(quick: bool) -> list[Job]:
    """One job; the quick version has smaller groups."""
    call = {"step_success": (0.4, 0.5, 0.6), "group_sizes": (2, 4, 8, 16 if quick else 64)}
    return [Job("expected_advantage", "expected_advantage", expected_advantage_table, call)]


STUDY = Study(
    name="expected_advantage",
    question="Which responses does each rule reinforce?",
    jobs=jobs,
    order=50,
    plates=(
        Plate(
            name="expected_advantage",
            title="Which responses each rule reinforces",
            needs=("expected_advantage",),
            draw=expected_advantage.draw,
            options={
                "setting": f"Exact. Step accuracies 0.4, 0.5, 0.6; colouring with beta = {BETA:g}, gamma = {GAMMA:g}."
            },
            caption=(
                "Predicted, exactly: the mean advantage that a response receives, given how far it came. GRPO treats "
                "all incorrect responses alike. Colouring rewards those that came further. It does so less in larger "
                "groups, because large groups are seldom all-negative."
            ),
        ),
    ),
)
