"""Loss normalizations when responses differ in length (docs/theory/lengths.md)."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.expected import Engine, need_exact, rule_advantage_function
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.parts.credit import WholeResponse
from spo_theory.validation import check, problem, refuse

Normalization = Literal["response", "token", "constant"]
STEP = 0.25  # spacing in the logarithm of the Laplace variable; the rule's error falls like exp(-pi^2 / spacing)
TAIL = 40.0  # exp(-40) = 4e-18 does not change a double


def _laplace_nodes(shortest: float, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t and weights with ``sum w exp(-t S) = 1 / S`` for every S from ``shortest`` to ``longest``."""
    v = np.arange(-4.35, np.log(TAIL * longest / shortest) + STEP, STEP)
    t = np.exp(v - np.exp(-v)) / longest
    return t, t * (1 + np.exp(-v)) * STEP


def normalized_update_function(
    rule: Method,
    rts: Any,
    lengths: Any,
    normalization: Normalization = "response",
    constant: float = 1.0,
    groups: int = 1,
    method: Engine = "auto",
) -> Callable[[Any], jax.Array]:
    """Expected update under a loss normalization: a jit-able function from logits ``(..., H)`` to ``(..., H)``.

    ``rts``, ``lengths`` ``(H + 1,)``: RTS and tokens of a response of every class (a response may stop at its error or
    ramble on). ``response``: every response's token losses are divided by its own length, then averaged over
    responses (GRPO, arXiv 2402.03300). ``token``: the sum over all tokens of a batch of ``groups`` groups of the
    question is divided by their number (DAPO, arXiv 2503.14476). ``constant``: divided by ``constant`` tokens per
    response (Dr. GRPO, arXiv 2503.20783). A step's score is the sum over its tokens in all of them. ``token``
    couples the responses through their total length; it is exact by one more quadrature, from
    ``1 / S = int_0^inf exp(-t S) dt``. Raises `InputError` for bad lengths or settings and for rules whose expected
    advantage is no form in the class probabilities. Derived in docs/theory/lengths.md.
    """
    size, spread = np.asarray(lengths, dtype=float), np.asarray(rts, dtype=float)
    whole = isinstance(groups, int) and not isinstance(groups, bool) and groups >= 1
    refuse(
        problem(size.shape == spread.shape, "lengths.shape", size.shape, f"{spread.shape}, one for every class")
        + problem(bool((np.isfinite(size) & (size > 0)).all()), "lengths", size.tolist(), "finite numbers above 0")
        + problem(normalization in get_args(Normalization), "normalization", normalization, "response, token, constant")
        + problem(bool(np.isfinite(constant)) and constant > 0, "constant", constant, "a finite number above 0")
        + problem(whole, "groups", groups, "a whole number, at least 1")
    )
    need_exact(isinstance(rule.credit, WholeResponse), "credit", rule.credit, "WholeResponse()")
    need_exact(not rule.baseline.uses_log_prob, "baseline", rule.baseline, "without a penalty")
    advantages = rule_advantage_function(rule, spread, method)

    def update(share: jax.Array, logits: jax.Array) -> jax.Array:
        return jnp.einsum("...k,...kh->...h", share, class_scores(logits))

    if normalization != "token":
        each = jnp.asarray(size if normalization == "response" else np.full_like(size, constant))

        def separate(logits: Any) -> jax.Array:
            p = class_probabilities(logits)
            return update(p * advantages(p) / each, logits)

        return separate

    responses = rule.group_size * groups
    t, weight = _laplace_nodes(responses * size.min(), responses * size.max())
    damp = jnp.asarray(np.exp(-t[:, None] * size))
    scale = jnp.asarray(responses * weight)

    def together(logits: Any) -> jax.Array:
        p = class_probabilities(logits)
        tilted = p[..., None, :] * damp
        others = tilted.sum(-1) ** (rule.group_size * (groups - 1))
        share = jnp.einsum("l,...l,...lk->...k", scale, others, tilted * advantages(tilted))
        return update(share, logits)

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

    ``after_error``: one number or one per class of wrong responses ``(H,)``, at least 0; step lengths count in the same
    unit, and the RTS is the correct prefix over the whole response. Other arguments as in `normalized_update_function`.
    Derived in docs/theory/lengths.md.
    """
    more = np.broadcast_to(np.asarray(after_error, dtype=float), (chain.horizon,))
    check(bool((np.isfinite(more) & (more >= 0)).all()), "after_error", more.tolist(), "finite numbers, at least 0")
    prefix = np.concatenate([[0.0], np.cumsum(chain.step_lengths)])
    lengths = np.append(prefix[1:] + more, prefix[-1])
    rts = prefix / lengths
    return np.asarray(normalized_update_function(rule, rts, lengths, normalization, constant, groups)(chain.logits))
