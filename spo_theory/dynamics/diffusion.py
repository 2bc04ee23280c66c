"""Sampling noise without sampling groups: Gaussian steps with the exact mean and covariance (docs/theory/noise.md)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.allowed import checked
from spo_theory.dynamics.maps import apply_kernel, check_run, runs
from spo_theory.exact.moments import SecondMomentForm, evaluate_second_moment, prepare_second_moment
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.limits import SEED, check_memory, count, curve_bytes
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import CHAIN, ReasoningChain


@checked(chain=CHAIN, rule=METHOD, questions=count(), paths=count(), seed=SEED)
def diffuse(
    chain: ReasoningChain,
    rule: Method,
    steps: int,
    learning_rate: float = 1.0,
    questions: int = 64,
    paths: int = 100,
    seed: int = 0,
    kernel: Any = None,
) -> pd.DataFrame:
    """Follow ``L <- L + eta K (g + C^(1/2) xi)`` with the exact expected update g and covariance C of a batch.

    The stochastic differential equation of SGD, taken at its own steps of ``learning_rate``; xi are standard normal
    numbers, new for every step and path. ``questions``: groups in a batch of a one-question chain; a chain of N
    questions has one group for each. ``kernel``: as in `spo_theory.solve`. ``paths``: independent runs, at least 1.
    Its mean and spread are those of `spo_theory.simulate` as long as single groups do not move the logits far.

    Returns a tidy DataFrame, one row per path and update: path, step, success, all_negative, q_1..q_H. Raises
    `InputError` for bad settings and for rules without exact second moments. Derived in docs/theory/noise.md.

    Example:
        >>> from spo_theory import rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> table = diffuse(chain, rule("grpo", group_size=2), steps=2, paths=3)
        >>> len(table), round(float(table["success"].iloc[0]), 3)
        (9, 0.25)
    """
    k = check_run(chain, steps, learning_rate, "sgd", kernel)
    check_memory("paths", paths, curve_bytes(chain.horizon, steps, paths * (chain.logits.size // chain.horizon)))

    # Both moments are prepared once and then evaluated at the logits of every step
    form = prepare_update(chain, rule, padded=True)
    second = prepare_second_moment(chain, rule, padded=True)

    # The covariance of a batch is that of one group over the number of groups that share the logits
    groups = float(questions if chain.logits.ndim == 1 else 1)
    keys = jax.random.split(jax.random.key(seed), paths)
    found = np.asarray(_paths(form, second, keys, chain.logits, float(learning_rate), k, groups, steps=steps))
    return runs(found, rule.group_size).assign(path=np.repeat(np.arange(paths), steps + 1))


@partial(jax.jit, static_argnames=("steps",))
def _paths(
    form: UpdateForm,
    second: SecondMomentForm,
    keys: jax.Array,
    start: jax.Array,
    learning_rate: jax.Array,
    kernel: jax.Array | None,
    groups: jax.Array,
    *,
    steps: int,
) -> jax.Array:
    """Logits ``(paths, steps + 1, ..., H)`` of noisy runs from ``start`` ``(..., H)``, one for each key."""

    def run(key: jax.Array) -> jax.Array:
        """Logits ``(steps + 1, ..., H)`` of one run."""

        def step(logits: jax.Array, i: jax.Array) -> tuple[jax.Array, jax.Array]:
            """One noisy update; hands on the logits before it."""
            g = evaluate_update(form, logits)

            # Eigenvectors times roots of eigenvalues: a square root of the covariance E[g g^T] - E[g] E[g]^T
            values, vectors = jnp.linalg.eigh(
                evaluate_second_moment(second, logits) - g[..., :, None] * g[..., None, :]
            )

            # A new key for every step, so that a path does not depend on how many steps follow
            draws = jax.random.normal(jax.random.fold_in(key, i), g.shape)
            root = jnp.sqrt(jnp.maximum(values, 0.0) / groups)  # rounding can push a zero eigenvalue below 0
            noisy = g + jnp.einsum("...hi,...i->...h", vectors, root * draws)
            return logits + learning_rate * apply_kernel(kernel, noisy), logits

        return jax.lax.scan(step, start, jnp.arange(steps + 1))[1]

    return jax.vmap(run)(keys)
