"""What a claim of a related paper is: the sentence, what stands for it here, and how a computed number judges it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from paper_repro.claims.verdicts import Finding
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import evaluate_update_compiled, expected_update, prepare_update
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain


@dataclass(frozen=True)
class RelatedClaim:
    """A claim of a related paper and its judge.

    system: name of the method's paper and its arXiv id. methods: names in the registry. claim: what it says, in one
    sentence. analogue: what stands for it here. judge: computes the finding; nothing of it is written down.
    """

    system: str
    methods: str
    claim: str
    analogue: str
    judge: Callable[[], Finding]


def judged(claims: tuple[RelatedClaim, ...]) -> pd.DataFrame:
    """The table of claims with their findings, one row per claim.

    Columns system, methods, claim, analogue, statistic (the numbers in words) and verdict.
    """
    rows = []
    for claim in claims:
        found = claim.judge()
        rows.append(
            {
                "system": claim.system,
                "methods": claim.methods,
                "claim": claim.claim,
                "analogue": claim.analogue,
                "statistic": found.statistic,
                "verdict": found.verdict,
            }
        )
    return pd.DataFrame(rows)


def rate(chain: ReasoningChain, method: Method) -> float:
    """First-order gain in log success of one update of learning rate 1, for a chain of one question."""
    return float(expected_update(chain, method) @ (1 - chain.step_success))


def updates_to_half(chain: ReasoningChain, method: Method, most: int, learning_rate: float = 1.0) -> float:
    """Exact expected updates until success is 1/2; NaN if ``most`` are not enough."""
    return updates_to(solve(chain, method, most, learning_rate))


def followed(world: Any, method: Method, updates: int, learning_rate: float, *, fresh: bool = True) -> np.ndarray:
    """Logits ``(updates + 1, *D)`` along exact expected updates.

    ``fresh``: groups of the current policy; else all groups are those of the start, as in stored data.
    """
    form = prepare_update(world, method, off_policy=not fresh)
    path = [np.asarray(world.logits)]
    for _ in range(updates):
        now = path[-1]
        step = evaluate_update_compiled(form, now) if fresh else evaluate_update_compiled(form, path[0], now)
        path.append(now + learning_rate * np.asarray(step))
    return np.array(path)


def equal_steps(step_success: float, horizon: int) -> ReasoningChain:
    """One question of ``horizon`` steps that are all right with probability ``step_success``."""
    return ReasoningChain(step_success=np.full(horizon, step_success))


def exact(statistic: str, verdict: str) -> Finding:
    """A finding that needs no interval: its numbers are exact."""
    return Finding(statistic, "exact", verdict)
