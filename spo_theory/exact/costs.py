"""What an update costs: rollouts, tokens, judged steps, reference solutions (docs/theory/remedies.md#costs).

What a method needs is found by asking it, see `spo_theory.needs`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.portions import Parts, parts_of
from spo_theory.exact.search import refuse_search
from spo_theory.method import Method
from spo_theory.needs import needs_of
from spo_theory.outcomes.world import Model, World, as_world

COSTS = ("rollouts", "tokens_generated", "tokens_trained", "steps_judged", "solutions")
"""What is counted, always in this order. Tokens are in the unit of the world's step lengths."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "alike", "silent", "judged", "kept", "read", "tokens", "wrong", "solution", "size", "parts", "parameters",
    ],
    meta_fields=["model"],
)  # fmt: skip
@dataclass(frozen=True)
class CostForm:
    """Everything about the costs of an update that does not depend on the policy.

    alike ``(K, K)``, silent ``(2,)``, judged ``(2,)``, kept ``(3,)`` (None: groups are not replaced): see
    `spo_theory.needs.Needs`. read: steps of each class that a judge reads in
    each portion, ``(W, K)``. tokens: that the policy writes, ``(W, K)``. wrong: ``(K,)``. solution: whether a portion
    takes a reference solution, ``(W,)``. size: G. parts: portions. parameters, model: of the world.
    """

    alike: Any
    silent: Any
    judged: Any
    kept: Any
    read: Any
    tokens: Any
    wrong: Any
    solution: Any
    size: Any
    parts: Parts
    parameters: Any
    model: Model


def prepare_costs(world: Any, method: Method) -> CostForm:
    """Prepare the expected costs of an update of ``method`` in ``world``, for `evaluate_costs`.

    Raises `NoExactForm` as `spo_theory.exact.portions.parts_of`. Derived in docs/theory/remedies.md#costs.
    """
    world = as_world(world)
    refuse_search(method)
    horizon = int(np.count_nonzero(world.true_lengths))
    needs = needs_of(method, horizon)
    parts = parts_of(world, method)
    wrong = ~world.correct
    alike = needs.alike[np.ix_(world.first_error, world.first_error)] & wrong[:, None] & wrong
    given = method.sampler.portions(horizon).given

    # A judge reads on until it calls a step wrong, from the first step that was not given
    reads = np.minimum(world.first_error + 1, horizon)[None, :] - given[:, None]
    solution = parts.taught | (given > 0) | method.sampler.looks
    resamples = getattr(method.sampler, "resamples", False)
    return CostForm(
        alike=alike.astype(float),
        silent=needs.silent.astype(float),
        judged=needs.judged.astype(float),
        kept=needs.kept.astype(float) if resamples else None,
        read=np.where(world.correct, 0.0, np.maximum(reads, 0.0)),
        tokens=_written(world, parts),
        wrong=wrong.astype(float),
        solution=solution.astype(float),
        size=np.float64(method.group_size),
        parts=parts,
        parameters=world.parameters,
        model=world.model,
    )


def _written(world: World, parts: Parts) -> np.ndarray:
    """Tokens ``(W, K)`` that the policy writes: all steps that are not given, up to the last one asked for."""
    inside = np.array(parts.learnt)
    # What stands behind the last step of a whole question is written too
    horizon = int(np.count_nonzero(world.true_lengths))
    whole = inside[:, horizon - 1]
    inside[:, horizon:] = whole[:, None]
    return inside.astype(float) @ np.asarray(world.lengths, float).T


def evaluate_costs(form: CostForm, logits: Any) -> jax.Array:
    """Expected costs ``(..., 5)`` of one question in one update at logits ``(..., *D)``, in the order of `COSTS`.

    ``form``: from `prepare_costs`. Rollouts and tokens count those of groups that are thrown away too; tokens are
    trained on if their group has a weight that is not 0. Derived in docs/theory/remedies.md#costs.

    Example:
        >>> from spo_theory import ReasoningChain, rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> evaluate_costs(prepare_costs(chain, rule("spo", group_size=2)), chain.logits).round(3).tolist()
        [2.0, 4.0, 2.5, 1.5, 0.0]
    """
    logits = jnp.asarray(logits, float)
    before = form.model.step_log_probs(logits, form.parameters)
    p = form.parts.odds(before) * form.model.probs(logits, form.parameters)[..., None, :]
    size = form.size

    # Of each portion: chances of a wrong and of a right response, and the tokens of either
    failing = jnp.sum(p * form.wrong, -1)
    passing = jnp.sum(p * (1 - form.wrong), -1)
    of_wrong = jnp.sum(p * form.wrong * form.tokens, -1)
    of_right = jnp.sum(p * (1 - form.wrong) * form.tokens, -1)

    # Tokens in groups without a weight: all wrong and alike, all right, or mixed
    like = p @ form.alike
    silent_wrong = jnp.sum(p * form.wrong * form.tokens * jnp.diagonal(form.alike) * like ** (size - 1), -1)
    in_negative = of_wrong * failing ** (size - 1)
    in_positive = of_right * passing ** (size - 1)
    in_mixed = of_wrong + of_right - in_negative - in_positive
    trained = of_wrong + of_right - silent_wrong - form.silent[0] * in_mixed - form.silent[1] * in_positive

    # Steps that a judge reads, in all-negative and in mixed groups
    reading = jnp.sum(p * form.wrong * form.read, -1)
    read_negative = reading * failing ** (size - 1)
    judged = form.judged[0] * read_negative + form.judged[1] * (reading - read_negative)

    # Groups that are replaced have been sampled as well
    tries: Any = 1.0
    if form.kept is not None:
        alone = jnp.stack([failing**size, 1 - failing**size - passing**size, passing**size], axis=-1)
        share = alone @ form.kept
        tries = jnp.where(share > 0, 1 / jnp.where(share > 0, share, 1.0), jnp.inf)

    # A solution that is taught costs its tokens once, and no rollouts
    taught = form.parts.taught
    own = form.tokens[:, form.parts.correct]
    columns = [
        jnp.where(taught, 0.0, size * tries * jnp.ones_like(failing)),
        jnp.where(taught, 0.0, size * tries * (of_wrong + of_right)),
        jnp.where(taught, own, size * tries * trained),
        jnp.where(taught, 0.0, size * judged),
        form.solution * jnp.ones_like(failing),
    ]
    chance = form.parts.chances(before)
    return jnp.sum(chance[..., None] * jnp.stack(columns, axis=-1), axis=-2)
