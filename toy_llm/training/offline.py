"""A stored set of rollouts: sampled once from the start policy, judged once, kept on disk, reused by all updates."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from spo_theory.validation import InputError
from toy_llm.config import TrainConfig
from toy_llm.files import load, save
from toy_llm.judging.exact import Verdict
from toy_llm.network.transformer import Rollout
from toy_llm.problems.chain import Task
from toy_llm.training.rollout import Judged, JudgeSource, Policy, sample_and_judge

FORMAT = 1
"""Raise it when what is stored, or how it is sampled, changes."""

DECIDES = ("stored_batches", "questions", "group_size", "temperature", "seed")
"""Settings that decide what is stored, besides the task, the judge and the start policy's parameters."""


def stored_path(config: TrainConfig, module: torch.nn.Module, task: Task, judge: JudgeSource | None = None) -> Path:
    """Where the set of a run is kept: a name made of everything that decides its content."""
    decides = {name: getattr(config, name) for name in DECIDES}
    decides |= {"task": repr(task), "judge": "exact" if judge is None else judge.name, "format": FORMAT}
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return Path(config.cache_dir) / f"rollouts-{digest.hexdigest()[:16]}.pt"


def stored_rollouts(
    config: TrainConfig, policy: Policy, module: torch.nn.Module, task: Task, judge: JudgeSource | None = None
) -> list[Judged]:
    """The stored set of a run, ``stored_batches`` batches from ``policy``: from disk if it is there, else sampled.

    The file is written whole or not at all and carries a checksum. Raises `InputError` naming it if it is corrupt.
    """
    path = stored_path(config, module, task, judge)
    if not path.exists():
        made = [
            sample_and_judge(
                policy,
                task,
                config.group_size,
                config.questions,
                "offline",
                config.seed,
                index,
                config.temperature,
                config.device,
                judge,
            )
            for index in range(config.stored_batches)
        ]
        save(path, [_packed(judged) for judged in made])
    try:
        return [_unpacked(content) for content in load(path, config.device)]
    except TypeError as error:
        raise InputError(f"stored rollouts {str(path)!r} are not of this version: delete the file") from error


def _packed(judged: Judged) -> dict[str, Any]:
    content = {f.name: getattr(judged, f.name) for f in fields(Judged)}
    verdict = {f.name: getattr(judged.verdict, f.name) for f in fields(Verdict)}
    return content | {"rollout": judged.rollout._asdict(), "verdict": verdict}


def _unpacked(content: dict[str, Any]) -> Judged:
    parts = {"rollout": Rollout(**content["rollout"]), "verdict": Verdict(**content["verdict"])}
    return Judged(**(content | parts))
