"""Group-relative policy optimization of a tiny transformer, or of a tabular policy, with sampled groups.

One update: sample a group of responses to each of ``questions`` questions, judge every step, let the rule turn
the groups into advantages, then maximize the clipped surrogate, summed over tokens and averaged over responses:
``mean_i sum_t min(ratio_it A_i, clip(ratio_it, 1 - clip_low, 1 + clip_high) A_i) - kl_coef k3_it``.
All questions are fresh. The sum over tokens is what the theory describes; other aggregations are options.
"""

import copy
import time
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from spo_theory.validation import check
from toy_llm.config import TrainConfig
from toy_llm.network.tabular import TabularPolicy
from toy_llm.network.transformer import TransformerPolicy
from toy_llm.problems.chain import ChainTask, Task
from toy_llm.starts.chain import new_model, warm_start
from toy_llm.starts.suites import SuiteStart, new_network, suite_start
from toy_llm.training import checkpoint
from toy_llm.training.checkpoint import Row, State
from toy_llm.training.losses import clipped_share, k3, policy_loss
from toy_llm.training.offline import stored_rollouts
from toy_llm.training.rollout import Batch, JudgeSource, Policy, collect, measure, score

__all__ = [
    "Policy",
    "TrainConfig",
    "TrainingDiverged",
    "collect",
    "k3",
    "load_policy",
    "make_judge",
    "make_policy",
    "policy_loss",
    "train",
    "updates",
]

EXPLODED = 1e6
"""A loss of this size is no loss any more: advantages are below sqrt(G) and ratios near 1."""


class TrainingDiverged(FloatingPointError):
    """The policy, the loss or the gradient is no longer finite; the message names the update and what is left."""


def make_policy(config: TrainConfig) -> tuple[Policy, torch.nn.Module]:
    """The policy a run starts from and the module that holds its parameters."""
    if config.policy == "tabular":
        chain = ChainTask(config.horizon, config.modulus)
        table = TabularPolicy(chain, [config.start_accuracy] * config.horizon)
        return table, table
    spec = config.warm_start()
    if isinstance(spec, SuiteStart):
        model = suite_start(spec, config.cache_dir, config.progress)
    else:
        model = warm_start(spec, config.cache_dir, config.progress)
    model = model.to(config.device)
    return TransformerPolicy(model, config.task()), model


def load_policy(path: str | Path, task: Task | None = None) -> Policy:
    """The trained policy of a checkpoint, for the problems of its run or for ``task``; the warm start is not needed.

    Raises `InputError` if the file is not a checkpoint, or if the network cannot read that task.
    """
    state = checkpoint.read(path)
    config = TrainConfig(**state.config)
    own = config.task()
    task = own if task is None else task
    if config.policy == "tabular":
        check(task == own, "task", task, "the chain of its run")
        table = TabularPolicy(ChainTask(config.horizon, config.modulus), [config.start_accuracy] * config.horizon)
        table.load_state_dict(state.module)
        return table
    spec = config.warm_start()
    model = (
        new_network(spec) if isinstance(spec, SuiteStart) else new_model(spec, ChainTask(spec.horizon, spec.modulus))
    )
    longest = task.prompt_length + task.response_length
    readable = task.vocabulary == own.vocabulary and longest <= model.position.num_embeddings
    check(readable, "suite", task.name, f"a task with the vocabulary and the lengths of the run's ({own.name})")
    model.load_state_dict(state.module)
    return TransformerPolicy(model, task)


def make_judge(config: TrainConfig, task: Task) -> JudgeSource | None:
    """The step judge of a run, None for the exact one; a learned one is trained once and cached."""
    if config.judge == "noisy":
        from toy_llm.judging.noisy import MajorityVote, NoisyJudge

        seeds = [
            config.seed,
            *map(int, np.random.SeedSequence(config.seed).generate_state(config.votes - 1, np.uint64)),
        ]
        judges = tuple(NoisyJudge(config.miss, config.false_alarm, seed) for seed in seeds)
        noisy = judges[0] if len(judges) == 1 else MajorityVote(judges)
        return JudgeSource(repr(noisy), lambda stream, index: noisy)
    if config.judge == "learned":
        from toy_llm.judging.learned import JudgeSpec, learned_judge

        given = {"accuracy": config.judge_accuracy, "updates": config.judge_updates}
        spec = JudgeSpec(seed=config.start_seed, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
        learned = learned_judge(spec, task, config.cache_dir, config.progress)
        return JudgeSource(repr(spec), lambda stream, index: learned)
    return None


def make_optimizer(config: TrainConfig, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of a run; torch's defaults but for step size and weight decay."""
    kinds: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return kinds[config.optimizer](parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused)


def batch_loss(
    config: TrainConfig,
    policy: Policy,
    batch: Batch,
    anchor: torch.Tensor | None,
    constant: int,
    rows: torch.Tensor | slice,
) -> tuple[torch.Tensor, float]:
    """Loss of the questions ``rows`` of a batch, and the share of their tokens that the clip cuts off.

    Without a KL penalty, groups whose advantages are all zero have no gradient: they are left out of the pass
    through the network, which changes neither loss nor gradient.
    """
    mask, old, advantages = (x[rows] for x in (batch.mask, batch.rollout.log_probs, batch.token_advantages))
    prompts, answers, responses = batch.prompts[rows], batch.answers[rows], batch.rollout.responses[rows]
    learnt = (advantages != 0).flatten(1).any(1)
    if config.kl_coef > 0 or learnt.all():
        now = policy.log_probs(prompts, answers, responses, config.temperature)
    else:
        learnt[0] = True  # so that there is a gradient, if only zeros
        found = policy.log_probs(prompts[learnt], answers[learnt], responses[learnt], config.temperature)
        now = old.index_put((learnt,), found)
    loss = policy_loss(
        now,
        old,
        advantages,
        config.clip_low,
        config.clip_high,
        None if anchor is None else anchor[rows],
        config.kl_coef,
        mask,
        config.aggregation,
        constant,
        config.kl_estimator,
    )
    return loss, clipped_share(now, old, advantages, config.clip_low, config.clip_high, mask)


def signal_and_noise(gradients: tuple[torch.Tensor, torch.Tensor]) -> Row:
    """Squared length of the expected gradient and total variance of a batch's, from those of its two halves.

    With independent halves g1 and g2 of a batch whose gradient is their mean, ``g1 . g2`` is unbiased for the
    first (and may be negative), ``|g1 - g2|^2 / 4`` for the second. Average each over updates before dividing.
    """
    one, two = (g.double() for g in gradients)
    signal, noise = float(one @ two), float((one - two).square().sum() / 4)
    return {"grad_signal": signal, "grad_noise": noise, "grad_snr": signal / noise if noise > 0 else float("nan")}


def updates(
    config: TrainConfig,
    policy: Policy,
    module: torch.nn.Module,
    state: State | None = None,
    judge: JudgeSource | None = None,
) -> Iterator[Row]:
    """Train ``module`` in place on the policy's task; yields a row of metrics per update, and one of the final policy.

    A row is measured before the parameters move, on fresh rollouts: those of its update or, offline, those that
    online training would have used. ``state``: where to continue; its rows are not repeated. ``judge``: tells the
    rule where responses go wrong (None: the exact truth). Writes the checkpoint as ``config`` says. Raises
    `TrainingDiverged`, and `OSError` if the checkpoint cannot be written.
    """
    task, update_rule = policy.task, config.make_rule()
    reference = _frozen(policy)
    parameters = list(module.parameters())
    optimizer = make_optimizer(config, parameters)
    stored: list[Batch] = []
    if config.mode == "offline":
        kept = stored_rollouts(config, policy, module, task, judge)
        stored = [score(task, update_rule, judged) for judged in kept]
    began, first, rows = time.perf_counter(), 0, list[Row]()
    saved_at: int | None = None
    if state is not None:
        first, rows, saved_at = state.step, list(state.rows), state.step
        began -= state.seconds
        module.load_state_dict(state.module)
        _module(reference).load_state_dict(state.reference)
        optimizer.load_state_dict(state.optimizer)

    def diverged(what: str, step: int) -> TrainingDiverged:
        left = "no checkpoint was kept"
        if config.checkpoint is not None and saved_at is not None:
            left = f"the last good checkpoint, before update {saved_at}, is {config.checkpoint}"
        return TrainingDiverged(f"{what} at update {step}: lower learning_rate or use max_grad_norm; {left}")

    for step in range(first, config.updates + 1):
        batch = collect(
            policy,
            task,
            update_rule,
            config.questions,
            "train",
            config.seed,
            step,
            config.temperature,
            config.device,
            judge,
        )
        row: Row = {"step": step, **measure(batch)}
        if not isfinite(row["success_exact"]):  # also after the last update, which no later gradient would check
            raise diverged("policy is not finite", step)
        last = step == config.updates
        anchor, row["kl"] = None, np.nan
        if config.kl_coef > 0 or _is_due(step, config.kl_every) or (last and config.kl_every):
            anchor = _anchor(reference, batch, config.temperature)
            row["kl"] = float(k3(batch.rollout.log_probs, anchor).masked_fill(~batch.mask, 0.0).sum(-1).mean())
        if config.checkpoint is not None and (last or _is_due(step, config.checkpoint_every)) and saved_at != step:
            spent = time.perf_counter() - began
            now = State(
                checkpoint.decisive(config),
                step,
                spent,
                rows,
                module.state_dict(),
                _module(reference).state_dict(),
                optimizer.state_dict(),
            )
            checkpoint.write(config.checkpoint, now)
            saved_at = step
        row |= dict.fromkeys(("grad_norm", "grad_signal", "grad_noise", "grad_snr", "clipped", "learning_rate"), np.nan)
        if not last:
            if stored:
                batch = stored[step % len(stored)]
                anchor = _anchor(reference, batch, config.temperature) if config.kl_coef > 0 else None
            row["learning_rate"] = config.learning_rate_at(step)
            for group in optimizer.param_groups:
                group["lr"] = row["learning_rate"]

            def loss_of(part, batch=batch, anchor=anchor):
                return batch_loss(config, policy, batch, anchor, task.response_length, part)

            if config.noise_every and step % config.noise_every == 0 and config.questions > 1:
                row |= signal_and_noise(_half_gradients(loss_of, parameters, config.questions))
            for part in minibatches(config, step):
                loss, row["clipped"] = loss_of(part)
                if not abs(loss.item()) < EXPLODED:
                    raise diverged(f"loss is {loss.item():.3g}", step)
                optimizer.zero_grad()
                loss.backward()
                limit = float("inf") if config.max_grad_norm is None else config.max_grad_norm
                norm = float(torch.nn.utils.clip_grad_norm_([p for p in parameters if p.grad is not None], limit))
                if not norm < float("inf"):
                    raise diverged("gradient is not finite", step)
                row["grad_norm"] = norm
                optimizer.step()
        row["seconds"] = time.perf_counter() - began
        rows.append(row)
        yield row


def _is_due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def minibatches(config: TrainConfig, step: int) -> Iterator[torch.Tensor | slice]:
    """Which questions each gradient step of update ``step`` uses: whole groups, in a new random order every epoch."""
    for epoch in range(config.inner_epochs):
        if config.minibatches == 1:
            yield slice(None)
            continue
        entropy = [config.seed, step, epoch, *b"minibatches"]
        order = np.random.default_rng(entropy).permutation(config.questions)
        yield from torch.from_numpy(order).to(config.device).chunk(config.minibatches)


def _half_gradients(
    loss_of: Callable[[slice], tuple[torch.Tensor, float]], parameters: list[torch.nn.Parameter], questions: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients ``(P,)`` of the first and the second half of the questions."""

    def gradient(part: slice) -> torch.Tensor:
        found = torch.autograd.grad(loss_of(part)[0], parameters, allow_unused=True)
        return torch.cat(
            [
                torch.zeros_like(p).flatten() if g is None else g.flatten()
                for p, g in zip(parameters, found, strict=True)
            ]
        )

    half = questions // 2
    return gradient(slice(0, half)), gradient(slice(half, 2 * half))


@torch.no_grad()
def _anchor(reference: Policy, batch: Batch, temperature: float) -> torch.Tensor:
    """Log-probabilities ``(Q, G, T)`` of a batch's responses under the start policy."""
    return reference.log_probs(batch.prompts, batch.answers, batch.rollout.responses, temperature)


def _frozen(policy: Policy) -> Policy:
    """A frozen copy of the policy."""
    if isinstance(policy, TransformerPolicy):
        return TransformerPolicy(copy.deepcopy(policy.model).requires_grad_(False), policy.task)
    return copy.deepcopy(policy)


def _module(policy: Policy) -> torch.nn.Module:
    """The module that holds a policy's parameters."""
    return policy.model if isinstance(policy, TransformerPolicy) else policy  # type: ignore[return-value]


def train(config: TrainConfig) -> pd.DataFrame:
    """Run a configuration from its warm start, or from its checkpoint if it is to be resumed.

    Returns a tidy DataFrame, one row per update 0..updates; the columns are explained in docs/metrics.md.
    If ``config.checkpoint`` is set, the state of the run is kept there (`toy_llm.training.checkpoint`), and the path
    is in ``frame.attrs["checkpoint"]``. Raises `InputError` for bad settings or a checkpoint of another run before any
    work, `TrainingDiverged` if the policy stops being finite.
    """
    config.validate()
    state = checkpoint.read_for(config)
    policy, module = make_policy(config)
    rows = [] if state is None else list(state.rows)
    bar = tqdm(total=config.updates + 1, initial=len(rows), disable=not config.progress)
    with bar:
        bar.set_description(f"{config.rule} seed {config.seed}")
        for row in updates(config, policy, module, state, make_judge(config, policy.task)):
            rows.append(row)
            bar.set_postfix_str(live(row))
            bar.update()
    frame = pd.DataFrame(rows)
    if config.checkpoint is not None:
        frame.attrs["checkpoint"] = config.checkpoint
    return frame


def live(row: Row) -> str:
    """What a progress bar shows of a row."""
    return f"success {row['success_exact']:.3f}, all-negative {row['all_negative']:.3f}"
