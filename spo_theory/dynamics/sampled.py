"""Monte Carlo of the chain: sampled groups, the same rule functions, jitted."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.dynamics.maps import (
    ADAM_EPS,
    BETA1,
    BETA2,
    MOMENTUM,
    Optimizer,
    apply_kernel,
    check_run,
    runs,
)
from spo_theory.group import Group
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.validation import check, problem, refuse


class SampledUpdate(NamedTuple):
    """Mean of the sampled update and its standard error, both ``(H,)``, over ``groups`` groups."""

    mean: np.ndarray
    standard_error: np.ndarray
    groups: int


def _sample(chain: ReasoningChain, rule: Method, logits: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Classes ``(questions, G)`` of one sampled group per row of logits, and what acts on each step ``(..., G, H)``."""
    p, horizon = class_probabilities(logits), chain.horizon
    draws = jax.random.uniform(key, (*logits.shape[:-1], rule.group_size, 1))
    k = jnp.sum(draws > jnp.cumsum(p, axis=-1)[..., None, :-1], axis=-1)
    correct = k == horizon
    lengths = jnp.broadcast_to(jnp.asarray(chain.step_lengths), (*k.shape, horizon))

    log_prob = None
    if rule.baseline.uses_log_prob:
        log_prob = jnp.log(jnp.take_along_axis(p, k, axis=-1))[..., None]

    group = Group(correct, k, lengths, log_prob=log_prob)
    return k, rule.step_credit(group)


def _step_scores(k: jax.Array, logits: jax.Array) -> jax.Array:
    """Scores ``(questions, G, H)`` of responses of classes ``k`` ``(questions, G)`` under ``logits``."""
    return jnp.take_along_axis(class_scores(logits), k[..., None], axis=-2)


def _sample_update(chain: ReasoningChain, rule: Method, logits: jax.Array, key: jax.Array) -> jax.Array:
    """Update ``(questions, H)`` of one sampled group for each row of ``logits`` ``(questions, H)``."""
    k, acting = _sample(chain, rule, logits, key)
    return jnp.mean(acting * _step_scores(k, logits), axis=-2)


def _surrogate_gradient(
    k: jax.Array, acting: jax.Array, old: jax.Array, now: jax.Array, clip_low: float, clip_high: float
) -> jax.Array:
    """Gradient ``(questions, H)`` of the clipped surrogate of sampled groups, one ratio per step."""
    step = jnp.arange(old.shape[-1])
    sign = jnp.where(step < k[..., None], 1.0, -1.0)  # of the logit in the step's log-probability
    ratio = jnp.exp(jax.nn.log_sigmoid(sign * now[:, None]) - jax.nn.log_sigmoid(sign * old[:, None]))
    clipped = jnp.where(acting > 0, ratio > 1 + clip_high, ratio < 1 - clip_low)
    return jnp.mean(jnp.where(clipped, 0.0, acting * ratio) * _step_scores(k, now), axis=-2)


def sampled_update(chain: ReasoningChain, rule: Method, groups: int, seed: int = 0) -> SampledUpdate:
    """Monte Carlo estimate of `expected_update` for a single question from ``groups`` sampled groups.

    ``groups``: at least 2. ``seed``: of the sampling. Raises `InputError` for a chain of several questions.
    """
    refuse(
        problem(isinstance(groups, int) and groups >= 2, "groups", groups, "a whole number, at least 2")
        + problem(chain.logits.ndim == 1, "chain", f"{chain.logits.shape} logits", "one question, shape (H,)")
    )
    block = min(groups, max(1, 2**20 // (rule.group_size * (chain.horizon + 1))))
    logits = jnp.broadcast_to(jnp.asarray(chain.logits), (block, chain.horizon))

    @jax.jit
    def draw(key: jax.Array, used: int, logits: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = _sample_update(chain, rule, logits, key)
        x = jnp.where(jnp.arange(block)[:, None] < used, x, 0.0)
        return x.sum(0), (x * x).sum(0)

    total, square = np.zeros(chain.horizon), np.zeros(chain.horizon)
    for i, start in enumerate(range(0, groups, block)):
        s, s2 = draw(jax.random.fold_in(jax.random.key(seed), i), min(block, groups - start), logits)
        total, square = total + np.asarray(s), square + np.asarray(s2)
    mean = total / groups
    variance = np.maximum(square / groups - mean**2, 0.0) * groups / (groups - 1)
    return SampledUpdate(mean, np.sqrt(variance / groups), groups)


def simulate(
    chain: ReasoningChain,
    rule: Method,
    steps: int,
    learning_rate: float = 1.0,
    questions: int = 64,
    seeds: int | list[int] = 5,
    kernel: np.ndarray | None = None,
    optimizer: Optimizer = "sgd",
    inner_updates: int = 1,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
) -> pd.DataFrame:
    """Train the chain on sampled groups; the counterpart of `solve`.

    Each update draws one group for each of ``questions`` questions: copies of the chain's one question, which
    share its logits, or, for a chain of N questions, the N questions themselves (``questions`` is then not
    used). ``seeds``: a list, or a number n for seeds 0..n-1; all run together. ``kernel``: as in `solve`, not
    with Adam. ``optimizer``: as in `solve`. ``inner_updates``: gradient steps on every batch, with the ratio of every
    step clipped to ``[1 - clip_low, 1 + clip_high]``; the counterpart of `spo_theory.dynamics.clipped.solve_clipped`.

    Returns a tidy DataFrame, one row per seed and update: seed, step, success and all_negative (probabilities
    under the current logits, not sampled shares), q_1..q_H. Raises `InputError` for bad settings.
    """
    names = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    refuse(
        problem(isinstance(questions, int) and questions >= 1, "questions", questions, "a whole number, at least 1")
        + problem(len(names) > 0, "seeds", seeds, "at least one")
        + problem(isinstance(inner_updates, int) and inner_updates >= 1, "inner_updates", inner_updates, "at least 1")
        + problem(0 < clip_low <= 1, "clip_low", clip_low, "above 0 and at most 1")
        + problem(clip_high > 0, "clip_high", clip_high, "above 0")
    )
    k = check_run(chain, steps, learning_rate, optimizer, kernel)
    check(k is None or optimizer != "adam", "kernel", "given", "None with optimizer='adam'")
    matrix = None if k is None else jnp.asarray(k)
    single = chain.logits.ndim == 1

    def run(key: jax.Array) -> jax.Array:
        def step(state: tuple, i: jax.Array) -> tuple[tuple, jax.Array]:
            first = spread(state[0])
            k, acting = _sample(chain, rule, first, jax.random.fold_in(key, i))
            for j in range(inner_updates):
                now = spread(state[0])
                each = _surrogate_gradient(k, acting, first, now, clip_low, clip_high)
                state = move(state, i * inner_updates + j, each)
            return state, first[0] if single else first

        def spread(logits: jax.Array) -> jax.Array:
            return jnp.broadcast_to(logits, (questions, chain.horizon)) if single else logits

        def move(state: tuple, count: jax.Array, each: jax.Array) -> tuple:
            logits, m, v = state
            g = each.mean(0) if single else each
            if optimizer == "adam":
                m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
                m_hat, v_hat = m / (1 - BETA1 ** (count + 1)), v / (1 - BETA2 ** (count + 1))
                return logits + learning_rate * m_hat / (jnp.sqrt(v_hat) + ADAM_EPS), m, v
            m = (MOMENTUM if optimizer == "momentum" else 0.0) * m + apply_kernel(matrix, g)
            return logits + learning_rate * m, m, v

        start = jnp.asarray(chain.logits)
        zero = jnp.zeros_like(start)
        return jax.lax.scan(step, (start, zero, zero), jnp.arange(steps + 1))[1]

    keys = jnp.stack([jax.random.key(s) for s in names])
    paths = np.asarray(jax.jit(jax.vmap(run))(keys))
    return runs(paths, rule.group_size).assign(seed=np.repeat(names, steps + 1))
