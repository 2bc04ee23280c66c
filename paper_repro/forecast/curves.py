"""Curves of success on held-out questions, the same for forecasts and measurements."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F

from toy_llm.config import TrainConfig
from toy_llm.network.policy import Policy
from toy_llm.problems.suites import suite
from toy_llm.problems.task import Task

STREAM = "held out"
"""Name of the questions on which success is followed: neither training nor forecasts learn from them."""


@dataclass(frozen=True)
class HeldOut:
    """Fixed questions of one kind: prompts ``(N, P)`` and true responses ``(N, T)``."""

    prompts: torch.Tensor
    answers: torch.Tensor


def held_out(config: TrainConfig, count: int) -> dict[str, HeldOut]:
    """``count`` fixed questions of the chain, or of each suite of a run, by name; they depend on the problems alone.

    >>> {name: len(kind.answers) for name, kind in held_out(TrainConfig(suites=("add", "carry")), count=8).items()}
    {'add': 8, 'carry': 8}
    """
    tasks: dict[str, Task] = {name: suite(name) for name in config.suites}
    tasks = tasks or {"chain": config.task()}
    return {name: HeldOut(*task.questions(STREAM, 0, 0, count)) for name, task in tasks.items()}


@torch.no_grad()
def success_of(policy: Policy, questions: HeldOut) -> torch.Tensor:
    """Probability ``(N,)`` of the whole true response to each question, at temperature 1."""
    odds = policy.true_log_odds(questions.prompts, questions.answers)
    return F.logsigmoid(odds).sum(-1).exp()


def follow(
    policy: Policy, rows: Iterable[dict[str, Any]], config: TrainConfig, questions: int = 256, points: int = 40
) -> pd.DataFrame:
    """Success of ``policy`` on held-out questions while ``rows`` moves it in place.

    ``rows``: gives a row for every update, once it is made, and one for the final policy. ``questions``: of each kind.
    Returns about ``points`` of the rows, evenly spaced, the first and the last among them, with success, all_negative
    (chance that a group has no correct response) and, for several suites, ``success_NAME`` of each.
    """
    kinds = held_out(config, questions)
    every = max(1, config.updates // points)

    def is_due(step: int) -> bool:
        return step % every == 0 or step == config.updates

    def measured() -> dict[str, float]:
        chances = {name: success_of(policy, kind) for name, kind in kinds.items()}
        every_question = torch.cat(list(chances.values()))
        found = {
            "success": float(every_question.mean()),
            "all_negative": float(((1 - every_question) ** config.group_size).mean()),
        }
        each = {f"success_{name}": float(chance.mean()) for name, chance in chances.items()}
        return found | (each if len(each) > 1 else {})

    # A row is of the policy before its update, so what is measured then is kept until the row comes.
    kept = []
    now = measured()
    for row in rows:
        if is_due(row["step"]):
            kept.append(row | now)
        if is_due(row["step"] + 1):
            now = measured()
    return pd.DataFrame(kept)
