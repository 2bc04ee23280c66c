"""A stored set of rollouts: sampled once from the start policy, judged once, kept on disk, reused by all updates."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from spo_theory.allowed import UNUSABLE
from spo_theory.validation import InputError
from toy_llm.cache import cached
from toy_llm.config import TrainConfig
from toy_llm.judging.exact import Verdict
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.network.policy import Policy, Rollout
from toy_llm.training.portions import Asked
from toy_llm.training.rollout import Judged, sample_and_judge

FORMAT = 2
"""Raise it when what is stored, or how it is sampled, changes."""

DECIDES = ("stored_batches", "questions", "group_size", "temperature", "seed")
"""Settings that decide what is stored, besides the task, the judge and the start policy's parameters."""


def stored_path(config: TrainConfig, policy: Policy, judge: JudgeSource | None = None) -> Path:
    """Where the set of a run is kept: a name made of everything that decides its content.

    Settings of the rule, the loss and the optimizer are not among it: runs that differ in these share a set.
    """
    # Settings, task and judge, and the very parameters of the policy that samples.
    decides = {name: getattr(config, name) for name in DECIDES}
    judge_name = "exact" if judge is None else judge.name
    decides |= {"task": repr(policy.task), "judge": judge_name, "format": FORMAT}
    sampler = config.make_rule().sampler
    if not sampler.whole:  # the parts in which questions are asked
        decides["sampler"] = repr(sampler)
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for name, value in sorted(policy.module.state_dict().items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return Path(config.cache_dir) / f"rollouts-{digest.hexdigest()[:16]}.pt"


def stored_rollouts(config: TrainConfig, policy: Policy, judge: JudgeSource | None = None) -> list[Judged]:
    """The stored set of a run, ``stored_batches`` batches from ``policy``: from disk if it is there, else sampled.

    Raises as `toy_llm.cache.cached`, and `InputError` naming the file if another version wrote it.
    """
    path = stored_path(config, policy, judge)

    def sample() -> list[dict[str, Any]]:
        # Judged once: the verdicts are kept with the rollouts.
        sampling = config.sampling()
        indices = range(config.stored_batches)
        return [_packed(sample_and_judge(policy, sampling, "offline", index, judge)) for index in indices]

    try:
        # A file whose fields are not ours was written by another version.
        return [_unpacked(content) for content in cached(path, sample, config.device)]
    except InputError:  # which says what is wrong with the file
        raise
    except (*UNUSABLE, LookupError) as error:
        raise InputError(f"stored rollouts {str(path)!r} are not of this version: delete the file") from error


def _packed(judged: Judged) -> dict[str, Any]:
    # As plain dictionaries of tensors, which can be read back without running code.
    content = {field.name: getattr(judged, field.name) for field in fields(Judged)}
    verdict = {field.name: getattr(judged.verdict, field.name) for field in fields(Verdict)}
    asked = None if judged.asked is None else judged.asked._asdict()
    return content | {"rollout": judged.rollout._asdict(), "verdict": verdict, "asked": asked}


def _unpacked(content: dict[str, Any]) -> Judged:
    parts: dict[str, Any] = {"rollout": Rollout(**content["rollout"]), "verdict": Verdict(**content["verdict"])}
    if content.get("asked") is not None:
        parts["asked"] = Asked(**content["asked"])
    return Judged(**(content | parts))
