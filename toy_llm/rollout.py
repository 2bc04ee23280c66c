"""Batches of rollouts: fresh questions, sampled groups, the judge's verdict and what the rule makes of it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from spo_theory.rules import Rule
from toy_llm.judge import judge
from toy_llm.model import Rollout
from toy_llm.task import ChainTask


class Policy(Protocol):
    """What training and evaluation need of a policy: `TransformerPolicy` and `TabularPolicy` have it."""

    @property
    def task(self) -> ChainTask:
        """The task whose responses it samples."""

    def sample(
        self,
        prompts: torch.Tensor,
        answers: torch.Tensor,
        group_size: int,
        generator: torch.Generator,
        temperature: float = 1.0,
    ) -> Rollout:
        """Sample responses, see `TransformerPolicy.sample`."""

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability of every token, see `TransformerPolicy.log_probs`."""


@dataclass(frozen=True)
class Batch:
    """Questions, their rollouts and what the rule makes of them."""

    prompts: torch.Tensor
    answers: torch.Tensor
    rollout: Rollout
    correct: torch.Tensor
    first_error: torch.Tensor
    rewards: torch.Tensor
    advantages: torch.Tensor
    step_advantages: torch.Tensor


def sample_and_judge(
    policy: Policy,
    group_size: int,
    questions: int,
    stream: str,
    seed: int,
    index: int,
    temperature: float = 1.0,
    device: str = "cpu",
) -> tuple[torch.Tensor, torch.Tensor, Rollout, torch.Tensor, torch.Tensor]:
    """Prompts, answers, rollouts, correct and first_error of batch ``index`` of a stream; see `Batch` for shapes.

    Repeatable: everything depends on the arguments alone.
    """
    prompts, answers = (x.to(device) for x in policy.task.questions(stream, seed, index * questions, questions))
    noise = np.random.SeedSequence([seed, index, *stream.encode()]).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device).manual_seed(int(noise) % 2**63)
    rollout = policy.sample(prompts, answers, group_size, generator, temperature)
    return prompts, answers, rollout, *judge(rollout.responses, answers)


def collect(
    policy: Policy,
    task: ChainTask,
    update_rule: Rule,
    questions: int,
    stream: str,
    seed: int,
    index: int,
    temperature: float = 1.0,
    device: str = "cpu",
) -> Batch:
    """Sample, judge and score batch ``index`` of a stream of questions; repeatable from its arguments."""
    prompts, answers, rollout, correct, first_error = sample_and_judge(
        policy, update_rule.group_size, questions, stream, seed, index, temperature, device
    )
    arguments = (correct, first_error, torch.full_like(first_error, task.horizon))
    dtype = rollout.log_probs.dtype
    rewards = update_rule.rewards(*arguments, dtype=dtype)
    advantages = update_rule.advantages(*arguments, dtype=dtype)
    acting = update_rule.step_advantages(correct, first_error, advantages, task.horizon)
    return Batch(prompts, answers, rollout, correct, first_error, rewards, advantages, acting)


def measure(batch: Batch) -> dict[str, float]:
    """What is logged of a batch, see docs/metrics.md. Group shares go by correctness, not by reward spread."""
    right = batch.correct.float().mean(-1)
    row = {
        "success": right.mean(),
        "success_exact": batch.rollout.true_probs.prod(-1).mean(),
        "all_negative": (right == 0).float().mean(),
        "all_positive": (right == 1).float().mean(),
        "mixed": ((right > 0) & (right < 1)).float().mean(),
        "zero_advantage": (batch.advantages == 0).all(-1).float().mean(),
        "entropy": batch.rollout.entropy,
        "reward_mean": batch.rewards.mean(),
        "reward_std": batch.rewards.std(),
    }
    for h in range(batch.answers.shape[1]):
        row[f"q_{h + 1}"] = batch.rollout.true_probs[:, h].mean()
        reached = (batch.first_error >= h).float().sum()
        row[f"accuracy_{h + 1}"] = (batch.first_error > h).float().sum() / reached  # NaN if never reached
    return {name: float(value) for name, value in row.items()}
