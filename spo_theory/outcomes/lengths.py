"""Loss normalizations when responses differ in length (docs/theory/lengths.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.allowed import ABOVE_0, checked, numbers, one_of
from spo_theory.exact.refusals import need_exact
from spo_theory.exact.update import check_logits, evaluate_weights, prepare_update
from spo_theory.limits import count
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import CHAIN, ReasoningChain
from spo_theory.outcomes.world import WORLD, Model, World, as_world
from spo_theory.validation import check

Normalization = Literal["response", "token", "constant"]
STEP = 0.25  # spacing in the logarithm of the Laplace variable; the rule's error falls like exp(-pi^2 / spacing)
TAIL = 40.0  # exp(-40) = 4e-18 does not change a double


def _laplace_nodes(shortest: float, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t and weights with ``sum w exp(-t S) = 1 / S`` for every S from ``shortest`` to ``longest``."""
    v = np.arange(-4.35, np.log(TAIL * longest / shortest) + STEP, STEP)
    t = np.exp(v - np.exp(-v)) / longest
    return t, t * (1 + np.exp(-v)) * STEP


@checked(chain=CHAIN)
def rambling_world(chain: ReasoningChain, after_error: float | Any) -> World:
    """``chain`` with wrong responses that ramble on for some tokens after the wrong step.

    ``after_error``: tokens after the wrong step, at least 0; one number, or one for each class of wrong responses
    ``(H,)``. The chain's step lengths count in the same unit. The rambling is one more step, which teaches nothing:
    it makes a response longer and has no score. Returns a `World` of H + 1 steps. Raises `InputError` for negative or
    infinite lengths. Derived in docs/theory/lengths.md.

    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> rambling_world(chain, after_error=3.0).lengths.tolist()
    [[1.0, 0.0, 3.0], [1.0, 1.0, 3.0], [1.0, 1.0, 0.0]]
    """
    given = numbers("after_error", after_error)
    fits = given.size == 1 or given.shape == (chain.horizon,)
    check(fits, "after_error.shape", given.shape, f"() or ({chain.horizon},)")
    check(bool((given >= 0).all()), "after_error", given.tolist(), "finite numbers, at least 0")
    more = np.broadcast_to(given, (chain.horizon,))

    # Steps after the wrong one are not written, and a correct response does not ramble
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
    """A model with one more step, which has probability 1 and no score.

    inner: the model without it, with logits ``(..., H)``. Source: docs/theory/lengths.md.
    """

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


@checked(world=WORLD, rule=METHOD, normalization=one_of(Normalization), constant=ABOVE_0, groups=count())
def normalized_update_function(
    world: Any,
    rule: Method,
    normalization: Normalization = "response",
    constant: float = 1.0,
    groups: int = 1,
) -> Callable[[Any], jax.Array]:
    """Expected update under a loss normalization: a jit-able function from logits ``(..., *D)`` to ``(..., *D)``.

    ``world``: its lengths are the tokens of each step; a step's score is the sum over its tokens. ``response`` divides
    the token losses of each response by its own length (GRPO, arXiv 2402.03300). ``token`` divides the sum over all
    tokens of a batch of ``groups`` groups of the question by their number (DAPO, arXiv 2503.14476). ``constant``
    divides by ``constant`` tokens per response (Dr. GRPO, arXiv 2503.20783).
    Raises `InputError` for bad lengths or settings, `NoExactForm` where only the Monte Carlo remains.
    Derived in docs/theory/lengths.md.
    """
    # Refusals come before any work; a length of 0 could not divide
    plain = as_world(world)
    size = plain.lengths.sum(-1)
    check(bool((np.isfinite(size) & (size > 0)).all()), "lengths", size.tolist(), "finite numbers above 0")

    # What a response is as long as depends on the part of the question that was asked
    need_exact(rule.sampler.whole, "sampler", rule.sampler, "FreshGroups() with a loss normalization")
    # A mean over all tokens damps probabilities, and then the share of kept groups is no probability any more
    fresh = normalization != "token" or not rule.sampler.resamples
    need_exact(fresh, "normalization", normalization, f"another one for rule {rule.name!r}, which samples again")
    form = prepare_update(plain, rule)

    # A divisor that a response knows by itself only rescales what its class contributes
    if normalization != "token":
        each = size if normalization == "response" else np.full_like(size, constant)

        # As the plain expected update, with each class's probability over its divisor
        def separate(logits: Any) -> jax.Array:
            check_logits(plain, logits)
            share = plain.model.probs(logits, plain.parameters) / each
            weights = share[..., None] * evaluate_weights(form, logits)
            return plain.model.along_scores(logits, plain.parameters, weights)

        return separate

    # The number of all tokens S couples the responses; 1 / S = int_0^inf exp(-t S) dt takes them apart again
    responses = rule.group_size * groups
    node, weight = _laplace_nodes(responses * size.min(), responses * size.max())
    damping = np.exp(-node[:, None] * size)
    scale = responses * weight

    def together(logits: Any) -> jax.Array:
        # Damped by its length, each response counts for itself: at every node the classes are as if independent
        check_logits(plain, logits)
        logits = jnp.asarray(logits, float)
        damped = plain.model.probs(logits, plain.parameters)[..., None, :] * damping
        # The other groups of the batch only lengthen it: their advantages do not act on this response
        other_groups = damped.sum(-1) ** (rule.group_size * (groups - 1))
        # Every node needs its own copy of the logits, on a new axis before those of one question
        of_one_question = logits.shape[logits.ndim - plain.axes :]
        at_nodes = jnp.expand_dims(logits, -1 - plain.axes)
        at_nodes = jnp.broadcast_to(at_nodes, (*damped.shape[:-1], *of_one_question))
        # The sum over the nodes is the quadrature of 1 / S
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

    ``normalization``: what the token losses are divided by, see `normalized_update_function`. The RTS is the correct
    prefix over the whole response, rambling included. Per unit of learning rate. Errors as in `rambling_world` and
    `normalized_update_function`. Derived in docs/theory/lengths.md.

    >>> from spo_theory import rule
    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> expected_update_normalized(chain, rule("grpo", group_size=2), after_error=3.0).round(4).tolist()
    [0.0562, 0.0531]
    """
    world = rambling_world(chain, after_error)
    return np.asarray(normalized_update_function(world, rule, normalization, constant, groups)(chain.logits))
