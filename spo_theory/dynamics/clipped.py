"""Several updates on one batch: importance ratios and clipping, exactly (docs/theory/clipping.md)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd

from spo_theory.dynamics.maps import apply_kernel, check_run, records
from spo_theory.dynamics.sampled import simulate
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.method import Method, with_clips
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.parts.objectives import Ratio
from spo_theory.validation import check, is_whole


def surrogate_gradient_function(
    chain: Any,
    rule: Method,
    clip_low: float | None = None,
    clip_high: float | None = None,
    ratio: Ratio | None = None,
) -> Callable[[Any, Any], jax.Array]:
    """Expected gradient of the objective: a jit-able function of logits ``(old, now)``, both ``(..., *D)``.

    Responses come from ``old``; advantages and ratios refer to it. Of the clipped surrogate a step counts unless its
    advantage is positive and its ratio above ``1 + clip_high``, or its advantage negative and its ratio below
    ``1 - clip_low``. ``ratio``: ``token``, every step has its own (GRPO, PPO); ``sequence``, all steps of a response
    share the product of theirs (GSPO, arXiv 2507.18071, without its root). None: the rule's own. At ``now = old`` it is
    the expected update. Raises `NoExactForm`, naming the Monte Carlo, where there is no exact one. Derived in
    docs/theory/clipping.md.
    """
    clipped = with_clips(rule, clip_low, clip_high, ratio)
    return partial(evaluate_update, prepare_update(chain, clipped, off_policy=True))


def solve_clipped(
    chain: ReasoningChain,
    rule: Method,
    steps: int,
    inner_updates: int = 4,
    learning_rate: float = 1.0,
    clip_low: float | None = None,
    clip_high: float | None = None,
    ratio: Ratio | None = None,
    kernel: Any = None,
    questions: int = 64,
    seeds: int = 5,
) -> pd.DataFrame:
    """Dynamics with ``inner_updates`` gradient steps on every batch, which stays that of its first step.

    ``clip_low``, ``clip_high``, ``ratio``: None for the rule's own, see `surrogate_gradient_function`. Exact (an
    infinite batch) wherever that is; otherwise the jitted simulation with ``questions`` groups per batch and ``seeds``
    seeds. The column ``source`` says which: "exact" or "simulated".
    Returns a tidy DataFrame, one row per batch (and seed): step, success, all_negative, q_1..q_H, source (and seed).
    Raises `InputError` for bad settings. Derived in docs/theory/clipping.md.
    """
    k = check_run(chain, steps, learning_rate, "sgd", kernel)
    check(is_whole(inner_updates, 1), "inner_updates", inner_updates, "a whole number, at least 1")
    clipped = with_clips(rule, clip_low, clip_high, ratio)
    try:
        form = prepare_update(chain, clipped, padded=True, off_policy=True)
    except NoExactForm:
        sampled = simulate(chain, clipped, steps, learning_rate, questions, seeds, kernel, inner_updates=inner_updates)
        return sampled.assign(source="simulated")

    path = _clipped_path(form, chain.logits, float(learning_rate), k, inner_updates=inner_updates, steps=steps)
    return records(np.asarray(path), rule.group_size).assign(source="exact")


@partial(jax.jit, static_argnames=("inner_updates", "steps"))
def _clipped_path(
    form: UpdateForm,
    start: jax.Array,
    learning_rate: jax.Array,
    kernel: jax.Array | None,
    *,
    inner_updates: int,
    steps: int,
) -> jax.Array:
    """Logits ``(steps + 1, ..., H)`` at the start of every batch."""

    def step(old: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        now = old
        for _inner in range(inner_updates):
            now = now + learning_rate * apply_kernel(kernel, evaluate_update(form, old, now))
        return now, old

    return jax.lax.scan(step, start, length=steps + 1)[1]
