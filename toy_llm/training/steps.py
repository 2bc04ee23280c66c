"""The gradient steps of one update: optimizer, minibatches, loss of a batch."""

from collections.abc import Iterator
from math import cos, pi
from typing import Any

import numpy as np
import torch

from toy_llm.config import TrainConfig
from toy_llm.network.policy import Policy
from toy_llm.training.divergence import check_gradient, check_loss
from toy_llm.training.gradient_noise import half_gradients, signal_and_noise
from toy_llm.training.losses import clipped_share, policy_loss
from toy_llm.training.rollout import Batch

NO_STEP = dict.fromkeys(
    ("grad_norm", "grad_signal", "grad_noise", "grad_snr", "clipped", "learning_rate"), float("nan")
)
"""What is logged of the final policy, which takes no step."""


def make_optimizer(config: TrainConfig, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of a run; torch's defaults but for step size and weight decay.

    ``parameters``: those that are trained. The fused kernels are used wherever torch has them.
    """
    # Fused optimizers take one pass over all parameters; torch has them for these devices only.
    kinds: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
    return kinds[config.optimizer](parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused)


def learning_rate(config: TrainConfig, update: int) -> float:
    """Step size of an update, counted from 0: a linear rise over ``warmup`` updates, then the schedule.

    >>> config = TrainConfig(updates=4, learning_rate=1.0, schedule="linear")
    >>> [learning_rate(config, update) for update in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    # The schedule begins where the rise ends, and reaches 0 one update after the last.
    rise = min((update + 1) / config.warmup, 1.0) if config.warmup else 1.0
    done = max(0, update - config.warmup) / max(1, config.updates - config.warmup)
    fall = {"constant": 1.0, "linear": 1.0 - done, "cosine": (1.0 + cos(pi * done)) / 2}
    return config.learning_rate * (rise * fall[config.schedule])


def take_steps(
    config: TrainConfig, policy: Policy, optimizer: torch.optim.Optimizer, batch: Batch, update: int
) -> dict[str, float]:
    """Make the gradient steps of one update on its batch, in place; returns what is logged of them.

    ``update``: its number, from 0, which decides step size, minibatches and whether the gradient's noise is measured.
    Raises `NotFinite` before a step that would spoil the parameters.
    """
    row = dict(NO_STEP)
    row["learning_rate"] = set_learning_rate(config, optimizer, update)

    # Signal and noise are those of the whole batch, so they are measured before it is used.
    parameters = list(policy.module.parameters())
    if config.noise_every and update % config.noise_every == 0 and config.questions > 1:
        halves = half_gradients(lambda part: batch_loss(config, policy, batch, part)[0], parameters, config.questions)
        row |= signal_and_noise(halves)

    # What is logged is of the last step; its ratios have moved furthest.
    for part in minibatches(config, update):
        loss, row["clipped"] = batch_loss(config, policy, batch, part)
        row["grad_norm"] = descend(optimizer, parameters, loss, config.max_grad_norm)
    return row


def set_learning_rate(config: TrainConfig, optimizer: torch.optim.Optimizer, update: int) -> float:
    """Give ``optimizer`` the step size of an update, counted from 0; returns it (`learning_rate`)."""
    rate = learning_rate(config, update)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def descend(
    optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter], loss: torch.Tensor, limit: float | None
) -> float:
    """One step down the gradient of ``loss``, in place, whose length is clipped to ``limit`` (None: not clipped).

    ``parameters``: all that are trained; a forecast takes the same steps on a loss of its own. Returns the length of
    the gradient before it is clipped. Raises `NotFinite` before a step that would spoil the parameters.

    >>> parameter = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> descend(torch.optim.SGD([parameter], lr=1.0), [parameter], parameter.square().sum() / 2, limit=1.0)
    5.0
    >>> parameter.data
    tensor([2.4000, 3.2000])
    """
    # Before the backward pass, which would spread what is not finite.
    check_loss(loss.item())
    optimizer.zero_grad()
    loss.backward()

    # A parameter that the loss does not reach has no gradient to be clipped.
    reached = [parameter for parameter in parameters if parameter.grad is not None]
    norm = float(torch.nn.utils.clip_grad_norm_(reached, float("inf") if limit is None else limit))
    check_gradient(norm)
    optimizer.step()
    return norm


def passes(config: TrainConfig) -> int:
    """Passes over each batch: ``inner_epochs`` if that is more than 1, else the inner updates of the rule's sampler.

    >>> passes(TrainConfig(rule_options={"inner_updates": 3}))
    3
    """
    if config.inner_epochs > 1:
        return config.inner_epochs
    return config.make_rule().sampler.inner_updates


def minibatches(config: TrainConfig, update: int) -> Iterator[torch.Tensor | slice]:
    """Which questions each gradient step of an update uses: whole groups, in a new random order every epoch.

    >>> [part.tolist() for part in minibatches(TrainConfig(questions=4, minibatches=2, inner_epochs=1), update=0)]
    [[0, 2], [3, 1]]
    """
    # The order depends on (seed, update, epoch) alone, so that a resumed run has the same.
    for epoch in range(passes(config)):
        if config.minibatches == 1:
            yield slice(None)
            continue
        entropy = [config.seed, update, epoch, *b"minibatches"]
        order = np.random.default_rng(entropy).permutation(config.questions)
        yield from torch.from_numpy(order).to(config.device).chunk(config.minibatches)


def batch_loss(
    config: TrainConfig, policy: Policy, batch: Batch, questions: torch.Tensor | slice
) -> tuple[torch.Tensor, float]:
    """Loss of some questions of a batch, a scalar, and the share of their tokens that a clip cuts off.

    ``questions``: their indices, or a slice. A KL penalty needs ``batch.start_log_probs``; see `policy_loss`.
    """
    objective = batch.update_rule.objective

    # What was sampled, what the rule made of it, and what the current policy says of it.
    mask = batch.mask[questions]
    old = batch.rollout.log_probs[questions]
    advantages = batch.advantages[questions]
    credit = batch.token_advantages[questions]
    now = _current_log_probs(config, policy, batch, questions)

    # What only some runs have.
    start = None if batch.start_log_probs is None else batch.start_log_probs[questions]
    compared = old
    if objective.uses_reference:
        assert start is not None, "the start's log-probabilities are made for every batch of such a rule"
        compared = start
    weights = None if batch.question_weights is None else batch.question_weights[questions]

    loss = policy_loss(
        objective,
        now,
        compared,
        advantages,
        credit,
        question_weights=weights,
        reference=start,
        kl_coef=config.kl_coef,
        mask=mask,
        aggregation=config.aggregation,
        kl_estimator=config.kl_estimator,
    )
    return loss, clipped_share(objective, now, old, advantages, credit, mask)


def _current_log_probs(
    config: TrainConfig, policy: Policy, batch: Batch, questions: torch.Tensor | slice
) -> torch.Tensor:
    """Log-probability ``(Q, G, T)``, nats, of every token of some questions of a batch, with gradient.

    Groups that can have no gradient are left out of the pass through the network, which takes most of the time; they
    keep the log-probabilities of the sampling policy, which changes neither the loss nor its gradient.
    """
    old = batch.rollout.log_probs[questions]
    prompts = batch.prompts[questions]
    answers = batch.answers[questions]
    responses = batch.rollout.responses[questions]

    # Without credit there is no gradient, unless a penalty pulls or the objective compares responses by their ratios.
    learnt = (batch.token_advantages[questions] != 0).flatten(1).any(1)
    if config.kl_coef > 0 or not batch.update_rule.objective.by_sign or learnt.all():
        return policy.log_probs(prompts, answers, responses, config.temperature)

    learnt[0] = True  # so that there is a gradient, if only zeros
    found = policy.log_probs(prompts[learnt], answers[learnt], responses[learnt], config.temperature)
    return old.index_put((learnt,), found)
