"""Several updates on one batch: importance ratios and clipping, exactly (docs/theory/clipping.md)."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.dynamics.maps import apply_kernel, check_run, records
from spo_theory.dynamics.sampled import simulate
from spo_theory.exact.refusals import NoExactForm, need_exact
from spo_theory.exact.scopes import evaluate_rule
from spo_theory.exact.update import UpdateForm, prepare_advantages, prepare_negative_part
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.parts.credit import WholeResponse
from spo_theory.validation import check, problem, refuse

Ratio = Literal["token", "sequence"]


def surrogate_gradient_function(
    rule: Method, rts: Any, clip_low: float = 0.2, clip_high: float = 0.2, ratio: Ratio = "token"
) -> Callable[[Any, Any], jax.Array]:
    """Expected gradient of the clipped surrogate: a jit-able function of logits ``(old, now)``, both ``(..., H)``.

    Responses come from ``old``; advantages and ratios refer to it. ``token``: every step has its own ratio
    (GRPO, PPO); ``sequence``: all steps of a response share the product of theirs (GSPO, arXiv 2507.18071, without
    its root). A step counts unless its advantage is positive and its ratio above ``1 + clip_high``, or its advantage
    negative and its ratio below ``1 - clip_low``. That needs ``E[max(A, 0) | k]`` and ``E[min(A, 0) | k]`` apart: known
    for two rewards, by enumeration otherwise (`NoExactForm`, naming the Monte Carlo, where that is too large).
    At ``now = old`` it is the expected update. Derived in docs/theory/clipping.md.
    """
    form = _prepare_surrogate(rule, rts, clip_low, clip_high, ratio, padded=False)
    return partial(surrogate_gradient, form, clip_low=clip_low, clip_high=clip_high, ratio=ratio)


def _prepare_surrogate(
    rule: Method, rts: Any, clip_low: float, clip_high: float, ratio: Ratio, *, padded: bool
) -> UpdateForm:
    """Forms of the expected advantage and of its negative part; refuses what `surrogate_gradient_function` does."""
    refuse(
        problem(0 < clip_low <= 1, "clip_low", clip_low, "above 0 and at most 1")
        + problem(clip_high > 0, "clip_high", clip_high, "above 0")
        + problem(ratio in get_args(Ratio), "ratio", ratio, " or ".join(get_args(Ratio)))
    )
    need_exact(isinstance(rule.credit, WholeResponse), "credit", rule.credit, "WholeResponse()")
    need_exact(not rule.baseline.uses_log_prob, "baseline", rule.baseline, "without a penalty")
    blame = prepare_negative_part(rule, rts, padded=padded)
    return UpdateForm(prepare_advantages(rule, rts, padded=padded), blame)


def _log_steps(logits: jax.Array) -> jax.Array:
    """Log-probability ``(..., H + 1, H)`` of each step of each class, 0 for steps beyond the first error."""
    h = logits.shape[-1]
    k = jnp.arange(h + 1)[:, None]
    step = jnp.arange(h)[None, :]
    right = jax.nn.log_sigmoid(logits)[..., None, :]
    wrong = jax.nn.log_sigmoid(-logits)[..., None, :]
    return jnp.where(step < k, right, jnp.where(step == k, wrong, 0.0))


def surrogate_gradient(
    form: UpdateForm, old: Any, now: Any, *, clip_low: Any, clip_high: Any, ratio: Ratio
) -> jax.Array:
    """`surrogate_gradient_function` at logits ``old`` and ``now`` ``(..., H)``; jit-able, all but ``ratio`` traced."""
    before = jnp.asarray(old, float)
    after = jnp.asarray(now, float)
    p = class_probabilities(before)
    negative = evaluate_rule(form.blame, p)
    positive = evaluate_rule(form.advantages, p) - negative

    change = _log_steps(after) - _log_steps(before)
    if ratio == "sequence":
        change = jnp.broadcast_to(change.sum(-1, keepdims=True), change.shape)
    r = jnp.exp(change)

    # a clipped step has no slope
    active = jnp.where(r <= 1 + clip_high, positive[..., None], 0.0)
    active = active + jnp.where(r >= 1 - clip_low, negative[..., None], 0.0)
    return jnp.sum(p[..., None] * active * r * class_scores(after), axis=-2)


def solve_clipped(
    chain: ReasoningChain,
    rule: Method,
    steps: int,
    inner_updates: int = 4,
    learning_rate: float = 1.0,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    ratio: Ratio = "token",
    kernel: Any = None,
    questions: int = 64,
    seeds: int = 5,
) -> pd.DataFrame:
    """Dynamics with ``inner_updates`` gradient steps on every batch, which stays that of its first step.

    Exact (an infinite batch) wherever `surrogate_gradient_function` is; otherwise the jitted simulation with
    ``questions`` groups per batch and ``seeds`` seeds. The column ``source`` says which: "exact" or "simulated".
    Returns a tidy DataFrame, one row per batch (and seed): step, success, all_negative, q_1..q_H, source (and seed).
    Raises `InputError` for bad settings. Derived in docs/theory/clipping.md.
    """
    k = check_run(chain, steps, learning_rate, "sgd", kernel)
    whole = isinstance(inner_updates, int) and not isinstance(inner_updates, bool) and inner_updates >= 1
    check(whole, "inner_updates", inner_updates, "a whole number, at least 1")
    try:
        form = _prepare_surrogate(rule, chain.rts, clip_low, clip_high, ratio, padded=True)
    except NoExactForm:
        if ratio != "token":
            raise
        options: dict[str, Any] = {"inner_updates": inner_updates, "clip_low": clip_low, "clip_high": clip_high}
        sampled = simulate(chain, rule, steps, learning_rate, questions, seeds, kernel, **options)
        return sampled.assign(source="simulated")

    clips = (float(clip_low), float(clip_high))
    settings: dict[str, Any] = {"ratio": ratio, "inner_updates": inner_updates, "steps": steps}
    path = _clipped_path(form, chain.logits, float(learning_rate), k, clips, **settings)
    return records(np.asarray(path), rule.group_size).assign(source="exact")


@partial(jax.jit, static_argnames=("ratio", "inner_updates", "steps"))
def _clipped_path(
    form: UpdateForm,
    start: jax.Array,
    learning_rate: jax.Array,
    kernel: jax.Array | None,
    clips: tuple[jax.Array, jax.Array],
    *,
    ratio: Ratio,
    inner_updates: int,
    steps: int,
) -> jax.Array:
    """Logits ``(steps + 1, ..., H)`` at the start of every batch."""

    def step(old: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        now = old
        for _inner in range(inner_updates):
            g = surrogate_gradient(form, old, now, clip_low=clips[0], clip_high=clips[1], ratio=ratio)
            now = now + learning_rate * apply_kernel(kernel, g)
        return now, old

    return jax.lax.scan(step, start, length=steps + 1)[1]
