"""GRPO and its relatives on the tiny transformer, or on a tabular policy, with sampled groups.

One update: sample a group of responses to each of ``questions`` questions, judge every step, let the rule turn
the groups into advantages, then maximize the clipped surrogate, summed over tokens and averaged over responses:
``mean_i sum_t min(ratio_it A_i, clip(ratio_it, 1 - clip_low, 1 + clip_high) A_i) - kl_coef k3_it``.
All questions are fresh. The sum over tokens is what the theory describes; other aggregations are options.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
import torch
from tqdm import tqdm

from spo_theory.checks import InputError, check, problem, refuse
from spo_theory.rules import Rule, rule
from toy_llm.model import TransformerPolicy
from toy_llm.pretrain import WarmStart, warm_start
from toy_llm.rollout import Policy, collect, measure
from toy_llm.storage import check_writable, save
from toy_llm.tabular import TabularPolicy
from toy_llm.task import ChainTask, is_number, is_whole

Aggregation = Literal["response_sum", "response_mean", "token_mean", "constant"]


class TrainingDiverged(FloatingPointError):
    """The loss or the gradient is no longer finite; the message names the update."""


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
    reading: str | None = None
    """Which reading of the paper's beta and gamma, threshold or literal (spo only; None: threshold)."""
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
    aggregation: Aggregation = "response_sum"
    """How the loss weighs tokens, see `aggregate`; the theory describes response_sum."""
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
    threads: int = 1
    """CPU threads; the last bits of a curve may depend on it."""
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
        options = {name: getattr(self, name) for name in ("beta", "gamma", "scope", "reading", "convention")}
        return rule(self.rule, group_size=self.group_size, **{k: v for k, v in options.items() if v is not None})

    def validate(self) -> None:
        """Refuse bad settings, all problems at once, before any work."""
        lines = []
        whole = {"questions": 1, "updates": 0, "inner_epochs": 1, "seed": 0, "start_seed": 0, "threads": 1}
        for name, least in whole.items():
            value = getattr(self, name)
            lines += problem(is_whole(value) and value >= least, name, value, f"a whole number, at least {least}")
        for name in ("learning_rate", "temperature"):
            value = getattr(self, name)
            lines += problem(is_number(value) and value > 0, name, value, "a finite number above 0")
        for name in ("clip_low", "clip_high", "kl_coef"):
            value = getattr(self, name)
            lines += problem(is_number(value) and value >= 0, name, value, "a finite number, at least 0")
        limit = self.max_grad_norm
        lines += problem(limit is None or (is_number(limit) and limit > 0), "max_grad_norm", limit, "above 0, or None")
        kinds = get_args(Aggregation)
        lines += problem(self.aggregation in kinds, "aggregation", self.aggregation, f"one of {', '.join(kinds)}")
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
            torch.zeros(1, device=self.device).item()
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
    aggregation: Aggregation = "response_sum",
    valid: torch.Tensor | None = None,
) -> torch.Tensor:
    """Minus the clipped surrogate, summed over tokens and averaged over responses by default; a scalar.

    ``log_probs``, ``old``, ``reference``: ``(Q, G, H)`` under the current, the sampling and the start policy;
    ``advantages``: ``(Q, G)``, or ``(Q, G, H)`` if they differ between steps; ``aggregation``, ``valid``: see
    `aggregate`. Source: GRPO, arXiv 2402.03300, Eq. 3; its division by the length is ``response_mean``.
    """
    ratio = (log_probs - old).exp()
    a = advantages if advantages.ndim == log_probs.ndim else advantages[..., None]
    per_token = torch.minimum(ratio * a, ratio.clamp(1 - clip_low, 1 + clip_high) * a)
    if reference is not None and kl_coef > 0:
        per_token = per_token - kl_coef * k3(log_probs, reference)
    return -aggregate(per_token, aggregation, valid)


def aggregate(
    per_token: torch.Tensor, aggregation: Aggregation = "response_sum", valid: torch.Tensor | None = None
) -> torch.Tensor:
    """One number from values of tokens ``(Q, G, H)``; ``valid``: boolean, same shape, False after a response ended.

    response_sum: sum over the tokens of a response, mean over responses. response_mean: mean over its tokens,
    then over responses (GRPO, arXiv 2402.03300). token_mean: mean over all tokens of the batch (DAPO, arXiv
    2503.14476). constant: sum over tokens divided by the longest possible length H, mean over responses (Dr.
    GRPO, arXiv 2503.20783). Without ``valid`` all responses are H long and the last three agree.
    """
    if valid is not None:
        per_token = torch.where(valid, per_token, torch.zeros_like(per_token))
    total, longest = per_token.sum(-1), per_token.shape[-1]
    if aggregation == "response_sum":
        return total.mean()
    if aggregation == "constant":
        return (total / longest).mean()
    length = torch.full_like(total, longest) if valid is None else valid.sum(-1).to(total.dtype)
    if aggregation == "response_mean":
        return (total / length.clamp(min=1)).mean()
    return total.sum() / length.sum().clamp(min=1)


def k3(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Unbiased, non-negative estimate of KL(policy || reference) per token, nats: ``exp(d) - d - 1``."""
    d = reference - log_probs
    return d.expm1() - d


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
        if not isfinite(row["success_exact"]):
            raise TrainingDiverged(f"policy is not finite at update {step}: lower learning_rate or use max_grad_norm")
        asked = (batch.prompts, batch.answers, batch.rollout.responses, config.temperature)
        old = batch.rollout.log_probs
        with torch.no_grad():
            anchor = reference.log_probs(*asked)
        row["kl"] = float(k3(old, anchor).sum(-1).mean())
        row["grad_norm"] = float("nan")
        for _ in range(config.inner_epochs if step < config.updates else 0):
            log_probs = policy.log_probs(*asked)
            acting, low, high = batch.step_advantages, config.clip_low, config.clip_high
            loss = policy_loss(log_probs, old, acting, low, high, anchor, config.kl_coef, config.aggregation)
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


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Run with that many CPU threads, then as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(config: TrainConfig) -> pd.DataFrame:
    """Run a configuration from its warm start.

    Returns a tidy DataFrame, one row per update 0..updates; the columns are explained in docs/metrics.md.
    If ``config.checkpoint`` is set, the trained parameters are written there, and the path is in
    ``frame.attrs["checkpoint"]``. Raises `InputError` for bad settings before any work, `TrainingDiverged` if
    the policy or the gradient stops being finite.
    """
    config.validate()
    with _threads(config.threads):
        policy, _ = make_policy(config)
    return train_policy(config, policy)


def train_policy(config: TrainConfig, policy: Policy) -> pd.DataFrame:
    """As `train`, but ``policy`` is trained, in place; it must be for the task of ``config``.

    A `TransformerPolicy`, or a torch module with the methods of `Policy`. The settings of model and warm start
    are not used.
    """
    config.validate()
    task = ChainTask(config.horizon, config.modulus)
    check(policy.task == task, "policy.task", policy.task, f"that of the configuration, {task}")
    module = policy.model if isinstance(policy, TransformerPolicy) else policy
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"policy = {type(policy).__name__} is not allowed: use a TransformerPolicy or a torch module")
    rows = tqdm(
        updates(config, policy, module),
        total=config.updates + 1,
        disable=not config.progress,
        desc=f"{config.rule} seed {config.seed}",
    )
    with _threads(config.threads):
        frame = pd.DataFrame(list(rows))
    if config.checkpoint is not None:
        save(config.checkpoint, module.state_dict())
        frame.attrs["checkpoint"] = config.checkpoint
    return frame
