"""Exact expected updates of a rule on the chain (docs/theory/expected-advantages.md)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.certified import prepare_certified
from spo_theory.exact.forms import Expectation, Exponent
from spo_theory.exact.prepare import Engine
from spo_theory.exact.scopes import RuleForm, combine_scopes, evaluate_rule
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.parts.credit import WholeResponse


@partial(jax.tree_util.register_dataclass, data_fields=["advantages", "blame"], meta_fields=[])
@dataclass(frozen=True)
class UpdateForm:
    """Expected advantages and, for a rule with credit to the prefix, of their negative part (else None)."""

    advantages: RuleForm
    blame: RuleForm | None = None


def prepare_advantages(rule: Method, rts: Any, method: Engine = "auto", *, padded: bool = False) -> RuleForm:
    """Form of ``E[A_1 | k]`` of ``rule`` for classes with the given ``rts`` ``(K,)``, for `scopes.evaluate_rule`.

    The last class is the correct one. ``padded``: as in `spo_theory.exact.prepare.prepare`.
    """
    form = combine_scopes(
        rule, rts, lambda r: prepare_certified(r, rule.group_size, rule.advantage, method, padded=padded)
    )
    if not rule.baseline.uses_log_prob:
        return form
    return RuleForm(form.whole, form.negative, Exponent.of(rule.group_size - 1))


def prepare_negative_part(rule: Method, rts: Any, method: Engine = "auto", *, padded: bool = False) -> RuleForm:
    """Form of ``E[min(A_1, 0) | k]`` of ``rule``, as in `negative_part_function`."""
    return combine_scopes(
        rule, rts, lambda r: prepare_certified(r, rule.group_size, rule.advantage, method, "negative", padded=padded)
    )


def prepare_update(rule: Method, rts: Any, method: Engine = "auto", *, padded: bool = False) -> UpdateForm:
    """Form of the expected update of ``rule`` for classes with the given ``rts`` ``(H + 1,)``, for `evaluate_update`.

    Errors as in `rule_update_function`. ``padded``: as in `spo_theory.exact.prepare.prepare`.
    """
    advantages = prepare_advantages(rule, rts, method, padded=padded)
    if isinstance(rule.credit, WholeResponse):
        return UpdateForm(advantages)
    return UpdateForm(advantages, prepare_negative_part(rule, rts, method, padded=padded))


def evaluate_update(form: UpdateForm, logits: Any) -> jax.Array:
    """Expected update ``(..., H)`` of step logits ``(..., H)``; jit-able with ``form`` as an argument."""
    p, s = class_probabilities(logits), class_scores(logits)
    a = evaluate_rule(form.advantages, p)
    if form.blame is None:
        return jnp.einsum("...k,...kh->...h", p * a, s)

    # before the first error all of the advantage acts, from it on only its negative part
    classes = np.arange(s.shape[-2])[:, None]
    steps = np.arange(s.shape[-1])[None, :]
    acting = jnp.where(steps < classes, a[..., None], evaluate_rule(form.blame, p)[..., None])
    return jnp.sum(p[..., None] * acting * s, axis=-2)


evaluate_update_compiled = jax.jit(evaluate_update)


def rule_advantage_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """Prepare the exact expected advantages of ``rule`` for classes with the given ``rts`` ``(K,)``.

    The last class is the correct one. Returns a jit-, vmap- and grad-able function from ``p`` ``(..., K)`` to
    ``(..., K)``. Derived in docs/theory/expected-advantages.md#scopes.
    """
    return partial(evaluate_rule, prepare_advantages(rule, rts, method))


def negative_part_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """Prepare ``E[min(A_1, 0) | k]`` of ``rule`` for classes with the given ``rts`` ``(K,)``, as a function of ``p``.

    With two different rewards every wrong response has an advantage of at most 0 and every correct one of at least
    0, so it is `rule_advantage_function`, of any size; more rewards need enumeration: `InputError`, naming the Monte
    Carlo, where that is too large. Derived in docs/theory/statements.md.
    """
    return partial(evaluate_rule, prepare_negative_part(rule, rts, method))


def rule_update_function(rule: Method, rts: Any, method: Engine = "auto") -> Callable[[Any], jax.Array]:
    """Prepare the expected update of ``rule``: a function from step logits ``(..., H)`` to ``(..., H)``.

    ``rts`` ``(H + 1,)``: of the outcome classes. Jit-, vmap- and grad-able. A rule with credit to the prefix alone
    needs the expectation of the negative part of advantages, which only enumeration gives: `InputError`, naming the
    Monte Carlo, where that is too large. Derived in docs/theory/expected-advantages.md and statements.md.
    """
    return partial(evaluate_update, prepare_update(rule, rts, method))


def expected_update(chain: ReasoningChain, rule: Method, method: Engine = "auto") -> np.ndarray:
    """Expected update ``g_h = sum_k p_k E[A | k] s_kh`` of every step logit, shape ``(..., H)``.

    Per unit of learning rate, for the loss minus mean of advantage times summed log-probabilities.
    Errors as in `rule_update_function`. Derived in docs/theory/expected-advantages.md.

    >>> from spo_theory import rule
    >>> expected_update(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo", group_size=2))
    array([0.125, 0.125])
    """
    return np.asarray(evaluate_update_compiled(prepare_update(rule, chain.rts, method, padded=True), chain.logits))
