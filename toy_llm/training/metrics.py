"""What is logged of a batch before the parameters move; docs/metrics.md explains every column."""

import torch

from toy_llm.config import TrainConfig
from toy_llm.training.losses import k3
from toy_llm.training.rollout import Batch, silent_groups


def kl_is_due(config: TrainConfig, step: int) -> bool:
    """Whether the divergence from the start is measured at an update: always with a penalty on it, and at the end.

    It costs a pass of the start policy through the batch.

    >>> config = TrainConfig(updates=15, kl_every=10)
    >>> [step for step in range(16) if kl_is_due(config, step)]
    [0, 10, 15]
    """
    # The penalty needs the start's log-probabilities in every update anyway.
    if config.kl_coef > 0:
        return True
    return config.kl_every > 0 and (step % config.kl_every == 0 or step == config.updates)


def measure(batch: Batch) -> dict[str, float]:
    """What is logged of a batch; NaN where nothing reached a step, and for ``kl`` without ``batch.start_log_probs``.

    Group shares go by correctness, not by reward spread, and by the part of the question that was asked; questions that
    were taught are not among them.
    """
    # Shares of groups, by the share of correct responses in each.
    sampled = torch.ones_like(batch.correct[:, 0]) if batch.asked is None else ~batch.asked.taught
    right = batch.correct[sampled].float().mean(-1)
    silent = silent_groups(batch.update_rule.objective, batch.advantages, batch.step_advantages)
    row = {
        "success": right.mean(),
        "success_exact": batch.rollout.true_probs.prod(-1).mean(),
        "all_negative": (right == 0).float().mean(),
        "all_positive": (right == 1).float().mean(),
        "mixed": ((right > 0) & (right < 1)).float().mean(),
        "zero_advantage": silent.float().mean(),
        "entropy": batch.rollout.entropy,
        "response_length": batch.mask.sum(-1).float().mean(),
        "ended": batch.ended.float().mean(),
        "reward_mean": batch.rewards.mean(),
        "reward_std": batch.rewards.std(),
    }

    # Two kinds of columns whose number or cost depends on the run.
    row |= _by_step(batch)
    row["kl"] = _mean_kl(batch)
    return {name: float(value) for name, value in row.items()}


def _by_step(batch: Batch) -> dict[str, torch.Tensor]:
    """Of every step h: its probability after a right prefix, ``q_h``, and how often it was right, ``accuracy_h``."""
    # Probabilities are those of the questions that have the step.
    probs = batch.rollout.true_probs
    step = torch.arange(probs.shape[1], device=probs.device)
    has_step = step < batch.true_steps[:, None]  # (Q, S)
    success = (probs * has_step).sum(0) / has_step.sum(0)

    # A step is reached if it was written behind a right prefix.
    first_error = batch.verdict.first_error[..., None]
    written = has_step[:, None] & (batch.verdict.steps[..., None] > step)  # (Q, G, S)
    if batch.asked is not None:  # given steps, and solutions that are taught, were not written by the policy
        written = written & batch.asked.learnt(len(step)) & ~batch.asked.taught[:, None, None]
    right = (written & (first_error > step)).sum((0, 1))
    reached = (written & (first_error >= step)).sum((0, 1))
    row = {f"q_{h + 1}": value for h, value in enumerate(success)}
    return row | {f"accuracy_{h + 1}": value for h, value in enumerate(right / reached)}


def _mean_kl(batch: Batch) -> torch.Tensor:
    """Estimated divergence from the start policy, nats per response."""
    if batch.start_log_probs is None:
        return torch.tensor(torch.nan)

    # Under the policy that has sampled, which the parameters still are.
    per_token = k3(batch.rollout.log_probs, batch.start_log_probs)
    return per_token.masked_fill(~batch.mask, 0.0).sum(-1).mean()
