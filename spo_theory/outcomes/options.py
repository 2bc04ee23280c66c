"""Steps with several options: one right, the wrong ones not equally likely (docs/theory/options.md)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.exact.expected import Engine, need_exact, rule_advantage_function
from spo_theory.method import Method
from spo_theory.parts.credit import WholeResponse
from spo_theory.parts.rewards import reasoning_trajectory_score
from spo_theory.validation import check, problem, refuse


def option_update_function(rule: Method, rts: Any, method: Engine = "auto") -> Callable[[Any], jax.Array]:
    """Expected update of the options' logits: a jit-able function from ``(..., H, M)`` to ``(..., H, M)``.

    Step h is a softmax over M options of which option 0 is right; all wrong ones end the correct prefix, so classes
    and advantages know nothing of which it was. ``rts`` ``(H + 1,)``. Raises `InputError` for prefix credit and for a
    penalty by confidence. Derived in docs/theory/options.md.
    """
    need_exact(isinstance(rule.credit, WholeResponse), "credit", rule.credit, "WholeResponse()")
    need_exact(not rule.baseline.uses_log_prob, "baseline", rule.baseline, "without a penalty")
    advantages = rule_advantage_function(rule, rts, method)

    def update(logits: Any) -> jax.Array:
        x = jnp.asarray(logits, float)
        pi = jax.nn.softmax(x, axis=-1)
        q, miss = pi[..., 0], pi[..., 1:].sum(-1)
        prefix = jnp.cumprod(q, axis=-1)
        before = jnp.concatenate([jnp.ones_like(prefix[..., :1]), prefix[..., :-1]], axis=-1)
        p = jnp.concatenate([before * miss, prefix[..., -1:]], axis=-1)
        weighted = p * advantages(p)
        wrong = weighted[..., :-1]  # responses whose first error is step h
        right = jnp.cumsum(weighted[..., ::-1], axis=-1)[..., ::-1][..., 1:]  # those that took step h right
        share = pi[..., 1:] / miss[..., None]
        taken = jnp.concatenate([right[..., None], wrong[..., None] * share], axis=-1)
        return taken - (right + wrong)[..., None] * pi

    return update


def solve_options(
    logits: Any, rule: Method, steps: int, learning_rate: float = 1.0, step_lengths: Any = None
) -> pd.DataFrame:
    """Follow the exact expected updates of a chain of softmax steps from ``logits`` ``(H, M)``, option 0 right.

    Every option's logit is its own parameter. Returns a tidy DataFrame: step, success, q_1..q_H (probability of the
    right option) and concentration_1..H (sum of squared shares of the wrong options: 1/(M-1) if all are equally
    likely, 1 if there is but one). Raises `InputError` for bad settings. Derived in docs/theory/options.md.
    """
    x = np.asarray(logits, dtype=float)
    shaped = x.ndim == 2 and len(x) >= 1 and x.shape[1] >= 2
    refuse(
        problem(shaped, "logits.shape", x.shape, "(H, M), H at least 1 and M at least 2")
        + problem(bool(np.isfinite(x).all()), "logits", "not finite", "finite numbers")
        + problem(isinstance(steps, int) and steps >= 0, "steps", steps, "a whole number, at least 0")
        + problem(bool(np.isfinite(learning_rate)) and learning_rate > 0, "learning_rate", learning_rate, "above 0")
    )
    h = len(x)
    sizes = np.ones(h) if step_lengths is None else np.asarray(step_lengths, dtype=float)
    good = sizes.shape == (h,) and bool((np.isfinite(sizes) & (sizes > 0)).all())
    check(good, "step_lengths", sizes.tolist(), f"{h} finite numbers above 0")
    update = option_update_function(rule, reasoning_trajectory_score(np.arange(h + 1), np.tile(sizes, (h + 1, 1))))

    def step(state: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return state + learning_rate * update(state), state

    _, path = jax.jit(lambda s: jax.lax.scan(step, s, length=steps + 1))(jnp.asarray(x))
    pi = np.asarray(jax.nn.softmax(path, axis=-1))
    share = pi[..., 1:] / pi[..., 1:].sum(-1, keepdims=True)
    q, crowd = pi[..., 0], (share**2).sum(-1)
    table = {"step": np.arange(steps + 1), "success": q.prod(1)}
    table |= {f"q_{i + 1}": q[:, i] for i in range(h)}
    return pd.DataFrame(table | {f"concentration_{i + 1}": crowd[:, i] for i in range(h)})
