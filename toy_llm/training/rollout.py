"""Batches of rollouts: fresh questions, sampled groups, the judge's verdict and what the rule makes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from spo_theory.group import Group
from spo_theory.method import Method
from toy_llm.judging.exact import Verdict
from toy_llm.network.transformer import Rollout
from toy_llm.problems.chain import Task

StepJudge = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Verdict], torch.Tensor]
"""``(prompts, responses, answers, verdict) -> first_error (Q, G)``: where a judge sees the first wrong step."""


@dataclass(frozen=True)
class JudgeSource:
    """The step judge of a run. ``name``: says everything that decides what it hears, settings included.

    ``at(stream, index)``: the judge of one batch. One that errs draws its errors from its arguments and its own
    seed alone, so that a resumed run hears the same.
    """

    name: str
    at: Callable[[str, int], StepJudge]


class Policy(Protocol):
    """What training and evaluation need of a policy: `TransformerPolicy` and `TabularPolicy` have it."""

    @property
    def task(self) -> Task:
        """The problems whose responses it samples."""

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
class Judged:
    """Sampled and judged responses, before any rule; fields as in `Batch`."""

    prompts: torch.Tensor
    answers: torch.Tensor
    rollout: Rollout
    verdict: Verdict
    first_error: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Q questions, G responses of at most T tokens to each, their verdicts and what the rule makes of them.

    prompts: ``(Q, P)``. answers: ``(Q, T)``. true_steps: ``(Q,)``, steps of each true response. rollout and
    verdict: what was sampled and what is truly right and wrong in it. first_error: ``(Q, G)``, what the rule was
    told, which differs from ``verdict.first_error`` if the step judge errs. ended: ``(Q, G)``, False if the
    response was cut off. rewards, advantages: ``(Q, G)``. step_advantages: ``(Q, G, S)`` per written step;
    token_advantages: ``(Q, G, T)``, the same for every token of a step.
    """

    prompts: torch.Tensor
    answers: torch.Tensor
    true_steps: torch.Tensor
    rollout: Rollout
    verdict: Verdict
    first_error: torch.Tensor
    ended: torch.Tensor
    rewards: torch.Tensor
    advantages: torch.Tensor
    step_advantages: torch.Tensor
    token_advantages: torch.Tensor

    @property
    def correct(self) -> torch.Tensor:
        """Boolean ``(Q, G)``: every step is right, and nothing follows."""
        return self.verdict.correct

    @property
    def mask(self) -> torch.Tensor:
        """Boolean ``(Q, G, T)``: tokens up to and including the end of their response."""
        return self.verdict.mask


def score(
    task: Task,
    update_rule: Method,
    judged: Judged,
) -> Batch:
    """What an update rule makes of judged responses."""
    verdict = judged.verdict
    rollout = judged.rollout
    group = Group(
        verdict.correct,
        judged.first_error,
        verdict.step_lengths,
        true_lengths=task.judge(judged.answers[:, None], judged.answers).step_lengths,
        log_prob=_step_log_prob(rollout, verdict),
        dtype=rollout.log_probs.dtype,
    )
    rewards = update_rule.reward(group)
    advantages = update_rule.group_advantages(group)
    per_step = update_rule.credit(group, advantages)
    return Batch(
        prompts=judged.prompts,
        answers=judged.answers,
        true_steps=task.answer_steps(judged.answers).amax(-1) + 1,
        rollout=rollout,
        verdict=verdict,
        first_error=judged.first_error,
        ended=torch.ones_like(verdict.correct) if task.end is None else (rollout.responses == task.end).any(-1),
        rewards=rewards,
        advantages=advantages,
        step_advantages=per_step,
        token_advantages=per_step.gather(-1, verdict.token_step),
    )


def _step_log_prob(rollout: Rollout, verdict: Verdict) -> torch.Tensor:
    """Log-probability ``(Q, G, S)`` of every written step under the sampling policy, nats."""
    of_tokens = rollout.log_probs.masked_fill(~verdict.mask, 0.0)
    of_steps = torch.zeros(verdict.step_lengths.shape, dtype=of_tokens.dtype, device=of_tokens.device)
    return of_steps.scatter_add_(-1, verdict.token_step, of_tokens)


def sample_and_judge(
    policy: Policy,
    task: Task,
    group_size: int,
    questions: int,
    stream: str,
    seed: int,
    index: int,
    temperature: float = 1.0,
    device: str = "cpu",
    judge: JudgeSource | None = None,
) -> Judged:
    """Sample and judge batch ``index`` of a stream of questions.

    Repeatable: the questions and the sampling noise depend on ``(stream, seed, index)`` alone. ``judge``: tells
    the rule where responses go wrong (None: the exact truth).
    """
    prompts, answers = (x.to(device) for x in task.questions(stream, seed, index * questions, questions))
    noise = np.random.SeedSequence([seed, index, *stream.encode()]).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device).manual_seed(int(noise) % 2**63)
    rollout = policy.sample(prompts, answers, group_size, generator, temperature)
    verdict = task.judge(rollout.responses, answers)
    first_error = verdict.first_error
    if judge is not None:
        first_error = judge.at(stream, index)(prompts, rollout.responses, answers, verdict)
    return Judged(prompts, answers, rollout, verdict, first_error)


def collect(
    policy: Policy,
    task: Task,
    update_rule: Method,
    questions: int,
    stream: str,
    seed: int,
    index: int,
    temperature: float = 1.0,
    device: str = "cpu",
    judge: JudgeSource | None = None,
) -> Batch:
    """Sample, judge and score batch ``index`` of a stream of questions; see `sample_and_judge`."""
    judged = sample_and_judge(
        policy, task, update_rule.group_size, questions, stream, seed, index, temperature, device, judge
    )
    return score(task, update_rule, judged)


def measure(batch: Batch) -> dict[str, float]:
    """What is logged of a batch, see docs/metrics.md; NaN where nothing reached a step.

    Group shares go by correctness, not by reward spread.
    """
    right = batch.correct.float().mean(-1)
    truth = batch.verdict
    row = {
        "success": right.mean(),
        "success_exact": batch.rollout.true_probs.prod(-1).mean(),
        "all_negative": (right == 0).float().mean(),
        "all_positive": (right == 1).float().mean(),
        "mixed": ((right > 0) & (right < 1)).float().mean(),
        "zero_advantage": (batch.advantages == 0).all(-1).float().mean(),
        "entropy": batch.rollout.entropy,
        "response_length": batch.mask.sum(-1).float().mean(),
        "ended": batch.ended.float().mean(),
        "reward_mean": batch.rewards.mean(),
        "reward_std": batch.rewards.std(),
    }
    probs = batch.rollout.true_probs
    step = torch.arange(probs.shape[1], device=probs.device)
    there = step < batch.true_steps[:, None]  # (Q, S)
    written = there[:, None] & (truth.steps[..., None] > step)  # (Q, G, S)
    first_error = truth.first_error[..., None]
    right = (written & (first_error > step)).sum((0, 1))
    reached = (written & (first_error >= step)).sum((0, 1))
    row |= {f"q_{h + 1}": q for h, q in enumerate((probs * there).sum(0) / there.sum(0))}
    row |= {f"accuracy_{h + 1}": share for h, share in enumerate(right / reached)}
    return {name: float(value) for name, value in row.items()}
