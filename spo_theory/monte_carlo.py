"""Monte Carlo of the chain: sampled groups, the same rule functions, jitted."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.checks import check, problem, refuse
from spo_theory.dynamics import (
    ADAM_EPS,
    BETA1,
    BETA2,
    MOMENTUM,
    Optimizer,
    apply_kernel,
    check_run,
    records,
)
from spo_theory.rules import Rule


class SampledUpdate(NamedTuple):
    """Mean of the sampled update and its standard error, both ``(H,)``, over ``groups`` groups."""

    mean: np.ndarray
    standard_error: np.ndarray
    groups: int


def _sample_update(chain: ReasoningChain, rule: Rule, logits: jax.Array, key: jax.Array) -> jax.Array:
    """Update ``(questions, H)`` of one sampled group for each row of ``logits`` ``(questions, H)``."""
    p, scores, horizon = class_probabilities(logits), class_scores(logits), chain.horizon
    draws = jax.random.uniform(key, (*logits.shape[:-1], rule.group_size, 1))
    k = jnp.sum(draws > jnp.cumsum(p, axis=-1)[..., None, :-1], axis=-1)
    lengths = jnp.broadcast_to(jnp.asarray(chain.step_lengths), (*k.shape, horizon))
    confidence = jnp.take_along_axis(p, k, axis=-1) if rule.penalty == "confidence" else None
    advantages = rule.advantages(k == horizon, k, lengths, confidence=confidence)
    chosen = jnp.take_along_axis(scores, k[..., None], axis=-2)
    acting = rule.step_advantages(k == horizon, k, advantages, horizon)
    return jnp.mean(acting * chosen, axis=-2)


def sampled_update(chain: ReasoningChain, rule: Rule, groups: int, seed: int = 0) -> SampledUpdate:
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
    rule: Rule,
    steps: int,
    learning_rate: float = 1.0,
    questions: int = 64,
    seeds: int | list[int] = 5,
    kernel: np.ndarray | None = None,
    optimizer: Optimizer = "sgd",
) -> pd.DataFrame:
    """Train the chain on sampled groups; the counterpart of `solve`.

    Each update draws one group for each of ``questions`` questions: copies of the chain's one question, which
    share its logits, or, for a chain of N questions, the N questions themselves (``questions`` is then not
    used). ``seeds``: a list, or a number n for seeds 0..n-1; all run together. ``kernel``: as in `solve`, not
    with Adam. ``optimizer``: as in `solve`.

    Returns a tidy DataFrame, one row per seed and update: seed, step, success and all_negative (probabilities
    under the current logits, not sampled shares), q_1..q_H. Raises `InputError` for bad settings.
    """
    names = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    refuse(
        problem(isinstance(questions, int) and questions >= 1, "questions", questions, "a whole number, at least 1")
        + problem(len(names) > 0, "seeds", seeds, "at least one")
    )
    k = check_run(chain, steps, learning_rate, optimizer, kernel)
    check(k is None or optimizer != "adam", "kernel", "given", "None with optimizer='adam'")
    matrix = None if k is None else jnp.asarray(k)
    single = chain.logits.ndim == 1

    def run(key: jax.Array) -> jax.Array:
        def step(state: tuple, i: jax.Array) -> tuple[tuple, jax.Array]:
            logits, m, v = state
            rows = jnp.broadcast_to(logits, (questions, chain.horizon)) if single else logits
            g = _sample_update(chain, rule, rows, jax.random.fold_in(key, i))
            g = g.mean(0) if single else g
            if optimizer == "adam":
                m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
                m_hat, v_hat = m / (1 - BETA1 ** (i + 1)), v / (1 - BETA2 ** (i + 1))
                return (logits + learning_rate * m_hat / (jnp.sqrt(v_hat) + ADAM_EPS), m, v), logits
            m = (MOMENTUM if optimizer == "momentum" else 0.0) * m + apply_kernel(matrix, g)
            return (logits + learning_rate * m, m, v), logits

        start = jnp.asarray(chain.logits)
        zero = jnp.zeros_like(start)
        return jax.lax.scan(step, (start, zero, zero), jnp.arange(steps + 1))[1]

    keys = jnp.stack([jax.random.key(s) for s in names])
    paths = np.asarray(jax.jit(jax.vmap(run))(keys))
    frames = [records(path, rule.group_size).assign(seed=s) for s, path in zip(names, paths, strict=True)]
    return pd.concat(frames, ignore_index=True)
