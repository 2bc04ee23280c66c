"""GRPO and its relatives on the tiny transformer, or on a tabular policy, with sampled groups.

One update: sample a group of responses to each of ``questions`` questions, judge every step, let the rule turn
the groups into advantages, then maximize the clipped surrogate, summed over tokens and averaged over responses:
``mean_i sum_t min(ratio_it A_i, clip(ratio_it, 1 - clip_low, 1 + clip_high) A_i) - kl_coef k3_it``.
All questions are fresh. There is no length normalization: all responses have the same number of tokens.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from spo_theory.checks import InputError, problem, refuse
from spo_theory.rules import Rule, rule
from toy_llm.judge import judge
from toy_llm.model import Rollout, TransformerPolicy
from toy_llm.pretrain import WarmStart, warm_start
from toy_llm.storage import check_writable, save
from toy_llm.tabular import TabularPolicy
from toy_llm.task import ChainTask


class TrainingDiverged(FloatingPointError):
    """The loss or the gradient is no longer finite; the message names the update."""


class Policy(Protocol):
    """What the trainer needs of a policy: `TransformerPolicy` and `TabularPolicy` have it."""

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
class TrainConfig:
    """One training run; every field is an option of ``spo train``."""

    horizon: int = 6
    """Steps per question, H."""
    modulus: int = 10
    """Numbers are added modulo this."""
    layers: int = 2
    """Transformer layers."""
    width: int = 64
    """Transformer width."""
    heads: int = 4
    """Attention heads."""
    output_scale: float = 6.0
    """Logits are multiplied by this and the head starts smaller: larger keeps the kernel steadier."""
    rule: str = "spo"
    """Update rule: grpo, spo, dr_grpo or spo_prefix."""
    group_size: int = 8
    """Responses per question, G."""
    beta: float | None = None
    """Slope of the colouring (spo only; None: the paper's 10)."""
    gamma: float | None = None
    """Threshold of the colouring (spo only; None: the paper's 0.5)."""
    scope: Literal["all_negative", "all_incorrect"] | None = None
    """Which groups are coloured (spo only; None: all_negative)."""
    convention: str | None = None
    """Advantage convention, e.g. paper, trl, verl (None: paper)."""
    questions: int = 64
    """Questions per update."""
    updates: int = 300
    """Updates to make."""
    learning_rate: float = 0.003
    """Step size."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """Plain SGD, or Adam with torch's defaults."""
    clip_low: float = 0.2
    """The ratio is clipped below 1 - clip_low."""
    clip_high: float = 0.2
    """The ratio is clipped above 1 + clip_high."""
    kl_coef: float = 0.0
    """Weight of the KL penalty to the start (k3 estimate, per token)."""
    inner_epochs: int = 1
    """Gradient steps on each batch of rollouts."""
    temperature: float = 1.0
    """Sampling temperature."""
    max_grad_norm: float | None = None
    """Clip the gradient to this length (None: never)."""
    start_accuracy: float = 0.375
    """Probability of a right step after the warm start."""
    policy: Literal["transformer", "tabular"] = "transformer"
    """What is trained: the network, or one log-odds per step."""
    seed: int = 0
    """Seed of questions and sampling."""
    start_seed: int = 0
    """Seed of the warm start."""
    device: str = "cpu"
    """Torch device."""
    cache_dir: str = ".cache/warmstart"
    """Where warm-started models are kept."""
    checkpoint: str | None = None
    """Where to write the trained model (None: nowhere)."""
    progress: bool = False
    """Show a progress bar."""

    def start(self) -> WarmStart:
        """The warm start of this run."""
        return WarmStart(
            self.horizon,
            self.modulus,
            self.layers,
            self.width,
            self.heads,
            self.output_scale,
            self.start_accuracy,
            seed=self.start_seed,
        )

    def make_rule(self) -> Rule:
        """The update rule of this run; raises `InputError` if its options make no sense."""
        options = {name: getattr(self, name) for name in ("beta", "gamma", "scope", "convention")}
        return rule(self.rule, group_size=self.group_size, **{k: v for k, v in options.items() if v is not None})

    def validate(self) -> None:
        """Refuse bad settings, all problems at once, before any work."""
        lines = []
        for name in ("questions", "inner_epochs"):
            value = getattr(self, name)
            lines += problem(isinstance(value, int) and value >= 1, name, value, "a whole number, at least 1")
        for name in ("updates", "seed", "start_seed"):
            value = getattr(self, name)
            lines += problem(isinstance(value, int) and value >= 0, name, value, "a whole number, at least 0")
        for name in ("learning_rate", "temperature"):
            value = getattr(self, name)
            lines += problem(0 < value < float("inf"), name, value, "a finite number above 0")
        for name in ("clip_low", "clip_high", "kl_coef"):
            value = getattr(self, name)
            lines += problem(0 <= value < float("inf"), name, value, "a finite number, at least 0")
        limit = self.max_grad_norm
        lines += problem(limit is None or limit > 0, "max_grad_norm", limit, "above 0, or None")
        lines += problem(self.optimizer in ("sgd", "adam"), "optimizer", self.optimizer, "sgd or adam")
        lines += problem(self.policy in ("transformer", "tabular"), "policy", self.policy, "transformer or tabular")
        if self.policy == "tabular":
            lines += problem(self.temperature == 1.0, "temperature", self.temperature, "1 for a tabular policy")
        lines += self.start().problems()
        for attempt in (lambda: ChainTask(self.horizon, self.modulus), self.make_rule):
            try:
                attempt()
            except InputError as error:
                lines += str(error).splitlines()
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            lines.append(f"device = {self.device!r} is not allowed: {str(error).splitlines()[0]}")
        if self.checkpoint is not None:
            lines += problem(not Path(self.checkpoint).is_dir(), "checkpoint", self.checkpoint, "a file, not a folder")
        refuse(lines)
        if self.checkpoint is not None:
            check_writable("checkpoint", Path(self.checkpoint).parent)


def policy_loss(
    log_probs: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float,
    clip_high: float,
    reference: torch.Tensor | None = None,
    kl_coef: float = 0.0,
) -> torch.Tensor:
    """Minus the clipped surrogate, summed over tokens and averaged over responses; a scalar.

    ``log_probs``, ``old``, ``reference``: ``(Q, G, H)`` under the current, the sampling and the start policy;
    ``advantages``: ``(Q, G)``, or ``(Q, G, H)`` if they differ between steps. Source: GRPO, arXiv 2402.03300,
    Eq. 3, without the division by the length.
    """
    ratio = (log_probs - old).exp()
    a = advantages if advantages.ndim == log_probs.ndim else advantages[..., None]
    per_token = torch.minimum(ratio * a, ratio.clamp(1 - clip_low, 1 + clip_high) * a)
    if reference is not None and kl_coef > 0:
        per_token = per_token - kl_coef * k3(log_probs, reference)
    return -per_token.sum(-1).mean()


def k3(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Unbiased, non-negative estimate of KL(policy || reference) per token, nats: ``exp(d) - d - 1``."""
    d = reference - log_probs
    return d.expm1() - d


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
    prompts, answers = (x.to(device) for x in task.questions(stream, seed, index * questions, questions))
    noise = np.random.SeedSequence([seed, index, *stream.encode()]).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device).manual_seed(int(noise) % 2**63)
    rollout = policy.sample(prompts, answers, update_rule.group_size, generator, temperature)
    correct, first_error = judge(rollout.responses, answers)
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


def make_policy(config: TrainConfig) -> tuple[Policy, torch.nn.Module]:
    """The policy a run starts from and the module that holds its parameters."""
    task = ChainTask(config.horizon, config.modulus)
    if config.policy == "tabular":
        table = TabularPolicy(task, [config.start_accuracy] * config.horizon)
        return table, table
    model = warm_start(config.start(), config.cache_dir, config.progress).to(config.device)
    return TransformerPolicy(model, task), model


def updates(config: TrainConfig, policy: Policy, module: torch.nn.Module) -> Iterator[dict[str, float]]:
    """Train ``module`` in place; yields one row of metrics per update and one more for the final policy.

    A row is measured on the rollouts of its update, before the parameters move. Raises `TrainingDiverged`.
    """
    task, update_rule = ChainTask(config.horizon, config.modulus), config.make_rule()
    reference = _reference(policy)
    parameters = list(module.parameters())
    kinds: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    optimizer = kinds[config.optimizer](parameters, lr=config.learning_rate)
    began = time.perf_counter()
    for step in range(config.updates + 1):
        batch = collect(
            policy, task, update_rule, config.questions, "train", config.seed, step, config.temperature, config.device
        )
        row = {"step": step, **measure(batch)}
        if not isfinite(row["success_exact"]):  # also after the last update, which no later gradient would check
            raise TrainingDiverged(f"policy is not finite at update {step}: lower learning_rate or use max_grad_norm")
        asked = (batch.prompts, batch.answers, batch.rollout.responses, config.temperature)
        old = batch.rollout.log_probs
        with torch.no_grad():
            anchor = reference.log_probs(*asked)
        row["kl"] = float(k3(old, anchor).sum(-1).mean())
        row["grad_norm"] = float("nan")
        for _ in range(config.inner_epochs if step < config.updates else 0):
            log_probs = policy.log_probs(*asked)
            loss = policy_loss(
                log_probs, old, batch.step_advantages, config.clip_low, config.clip_high, anchor, config.kl_coef
            )
            optimizer.zero_grad()
            loss.backward()
            limit = float("inf") if config.max_grad_norm is None else config.max_grad_norm
            norm = float(torch.nn.utils.clip_grad_norm_([p for p in parameters if p.grad is not None], limit))
            if not norm < float("inf"):
                raise TrainingDiverged(
                    f"gradient is not finite at update {step}: lower learning_rate or use max_grad_norm"
                )
            row["grad_norm"] = norm
            optimizer.step()
        row["seconds"] = time.perf_counter() - began
        yield row


def _reference(policy: Policy) -> Policy:
    """A frozen copy of the policy."""
    if isinstance(policy, TransformerPolicy):
        model = copy.deepcopy(policy.model)
        return TransformerPolicy(model.requires_grad_(False), policy.task)
    return copy.deepcopy(policy)


def train(config: TrainConfig) -> pd.DataFrame:
    """Run a configuration from its warm start.

    Returns a tidy DataFrame, one row per update 0..updates; the columns are explained in docs/metrics.md.
    If ``config.checkpoint`` is set, the trained parameters are written there, and the path is in
    ``frame.attrs["checkpoint"]``. Raises `InputError` for bad settings before any work, `TrainingDiverged` if
    the gradient stops being finite.
    """
    config.validate()
    policy, module = make_policy(config)
    rows = list(
        tqdm(
            updates(config, policy, module),
            total=config.updates + 1,
            disable=not config.progress,
            desc=f"{config.rule} seed {config.seed}",
        )
    )
    frame = pd.DataFrame(rows)
    if config.checkpoint is not None:
        save(config.checkpoint, module.state_dict())
        frame.attrs["checkpoint"] = config.checkpoint
    return frame
