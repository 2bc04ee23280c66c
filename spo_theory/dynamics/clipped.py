"""Several updates on one batch: importance ratios and clipping, exactly (docs/theory/clipping.md)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import pandas as pd

from spo_theory.allowed import checked
from spo_theory.dynamics.maps import solve
from spo_theory.dynamics.sampled import seed_list, simulate
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.update import check_logits, evaluate_update, prepare_update
from spo_theory.limits import count
from spo_theory.method import METHOD, Method, with_clips
from spo_theory.outcomes.chain import CHAIN, ReasoningChain
from spo_theory.outcomes.world import WORLD, as_world
from spo_theory.parts.objectives import Ratio


@checked(chain=WORLD, rule=METHOD)
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

    Example:
        >>> from spo_theory import rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> gradient = surrogate_gradient_function(chain, rule("grpo", group_size=2))
        >>> gradient(chain.logits, chain.logits).round(3).tolist()
        [0.125, 0.125]
    """
    clipped = with_clips(rule, clip_low, clip_high, ratio)
    form = prepare_update(chain, clipped, off_policy=True)
    world = as_world(chain)

    def gradient(old: Any, now: Any) -> jax.Array:
        """The gradient at ``now`` of groups sampled under ``old``."""
        check_logits(world, old, "old")
        check_logits(world, now, "now")
        return evaluate_update(form, old, now)

    return gradient


@checked(chain=CHAIN, rule=METHOD, inner_updates=count(), questions=count())
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

    Example:
        >>> from spo_theory import rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> curve = solve_clipped(chain, rule("grpo", group_size=2), steps=2, inner_updates=2)
        >>> curve["success"].round(3).tolist(), set(curve["source"])
        ([0.25, 0.316, 0.394], {'exact'})
    """
    # The exact engine and the simulation both read clips and inner updates from the rule itself
    sampler = replace(rule.sampler, inner_updates=inner_updates)  # type: ignore[type-var]
    seed_list(seeds)
    clipped = replace(with_clips(rule, clip_low, clip_high, ratio), sampler=sampler)

    # Whether an exact form exists depends on the rule, the chain and the group size: the engine itself says so
    try:
        return solve(chain, clipped, steps, learning_rate, kernel=kernel).assign(source="exact")
    except NoExactForm:
        sampled = simulate(chain, clipped, steps, learning_rate, questions, seeds, kernel)
        return sampled.assign(source="simulated")
