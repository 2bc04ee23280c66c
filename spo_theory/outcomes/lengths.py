"""Loss normalizations when responses differ in length (docs/theory/lengths.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.update import evaluate_weights, prepare_update
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.world import Model, World, as_world
from spo_theory.validation import check, is_whole, problem, refuse

Normalization = Literal["response", "token", "constant"]
STEP = 0.25  # spacing in the logarithm of the Laplace variable; the rule's error falls like exp(-pi^2 / spacing)
TAIL = 40.0  # exp(-40) = 4e-18 does not change a double


def _laplace_nodes(shortest: float, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t and weights with ``sum w exp(-t S) = 1 / S`` for every S from ``shortest`` to ``longest``."""
    v = np.arange(-4.35, np.log(TAIL * longest / shortest) + STEP, STEP)
    t = np.exp(v - np.exp(-v)) / longest
    return t, t * (1 + np.exp(-v)) * STEP


def rambling_world(chain: ReasoningChain, after_error: float | Any) -> World:
    """``chain`` with wrong responses that stop at the wrong step and ramble on for some tokens.

    ``after_error``: tokens after the wrong step, one number or one per class of wrong responses ``(H,)``, at least 0;
    step lengths count in the same unit. The rambling is one more step that teaches nothing. Raises `InputError`.
    """
    more = np.broadcast_to(np.asarray(after_error, dtype=float), (chain.horizon,))
    check(bool((np.isfinite(more) & (more >= 0)).all()), "after_error", more.tolist(), "finite numbers, at least 0")

    plain = chain.world()
    written = np.arange(chain.horizon)[None, :] <= plain.first_error[:, None]
    rambling = np.append(more, 0.0)[:, None]
    return replace(
        plain,
        model=RamblingModel(plain.model),
        lengths=np.column_stack([plain.lengths * written, rambling]),
        true_lengths=np.append(chain.step_lengths, 0.0),
    )


@dataclass(frozen=True)
class RamblingModel:
    """A model with one more step, which has probability 1 and no score."""

    inner: Model

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., K)`` of each class."""
        return self.inner.probs(logits, parameters)

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., K, S + 1)`` of each step."""
        found = self.inner.step_log_probs(logits, parameters)
        return jnp.pad(found, [(0, 0)] * (found.ndim - 1) + [(0, 1)])

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., K, S + 1, H)`` of each step."""
        found = self.inner.step_scores(logits, parameters)
        return jnp.pad(found, [(0, 0)] * (found.ndim - 2) + [(0, 1), (0, 0)])

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., H)`` over classes and steps of ``weights`` times scores."""
        return self.inner.along_scores(logits, parameters, weights[..., :-1])


def normalized_update_function(
    world: Any,
    rule: Method,
    normalization: Normalization = "response",
    constant: float = 1.0,
    groups: int = 1,
) -> Callable[[Any], jax.Array]:
    """Expected update under a loss normalization: a jit-able function from logits ``(..., *D)`` to ``(..., *D)``.

    ``world``: its lengths are the tokens of each step. ``response``: every response's token losses are divided by its
    own length, then averaged over responses (GRPO, arXiv 2402.03300). ``token``: the sum over all tokens of a batch of
    ``groups`` groups of the question is divided by their number (DAPO, arXiv 2503.14476). ``constant``: divided by
    ``constant`` tokens per response (Dr. GRPO, arXiv 2503.20783). A step's score is the sum over its tokens in all of
    them. ``token`` couples the responses through their total length; it is exact by one more quadrature, from
    ``1 / S = int_0^inf exp(-t S) dt``. Raises `InputError` for bad lengths or settings, `NoExactForm` where only the
    Monte Carlo remains. Derived in docs/theory/lengths.md.
    """
    plain = as_world(world)
    size = plain.lengths.sum(-1)
    refuse(
        problem(bool((np.isfinite(size) & (size > 0)).all()), "lengths", size.tolist(), "finite numbers above 0")
        + problem(normalization in get_args(Normalization), "normalization", normalization, "response, token, constant")
        + problem(bool(np.isfinite(constant)) and constant > 0, "constant", constant, "a finite number above 0")
        + problem(is_whole(groups, 1), "groups", groups, "a whole number, at least 1")
    )
    # A penalty by confidence makes the fast path's advantages no form in the probabilities
    form = prepare_update(plain, rule, "enumerate" if rule.baseline.uses_log_prob else "auto")

    if normalization != "token":
        each = size if normalization == "response" else np.full_like(size, constant)

        def separate(logits: Any) -> jax.Array:
            share = plain.model.probs(logits, plain.parameters) / each
            weights = share[..., None] * evaluate_weights(form, logits)
            return plain.model.along_scores(logits, plain.parameters, weights)

        return separate

    responses = rule.group_size * groups
    node, weight = _laplace_nodes(responses * size.min(), responses * size.max())
    damping = np.exp(-node[:, None] * size)
    scale = responses * weight

    def together(logits: Any) -> jax.Array:
        # Damped by its length, each response counts for itself: at every node the classes are as if independent
        logits = jnp.asarray(logits, float)
        damped = plain.model.probs(logits, plain.parameters)[..., None, :] * damping
        other_groups = damped.sum(-1) ** (rule.group_size * (groups - 1))
        of_one_question = logits.shape[logits.ndim - plain.axes :]
        at_nodes = jnp.expand_dims(logits, -1 - plain.axes)
        at_nodes = jnp.broadcast_to(at_nodes, (*damped.shape[:-1], *of_one_question))
        given = evaluate_weights(form, at_nodes, probs=damped)
        share = jnp.einsum("l,...l,...lks->...ks", scale, other_groups, damped[..., None] * given)
        return plain.model.along_scores(logits, plain.parameters, share)

    return together


def expected_update_normalized(
    chain: ReasoningChain,
    rule: Method,
    after_error: float | Any,
    normalization: Normalization = "response",
    constant: float = 1.0,
    groups: int = 1,
) -> np.ndarray:
    """Expected update ``(..., H)`` of a chain whose wrong responses have ``after_error`` tokens after the wrong step.

    The RTS is the correct prefix over the whole response. Arguments and errors as in `rambling_world` and
    `normalized_update_function`. Derived in docs/theory/lengths.md.
    """
    world = rambling_world(chain, after_error)
    return np.asarray(normalized_update_function(world, rule, normalization, constant, groups)(chain.logits))
