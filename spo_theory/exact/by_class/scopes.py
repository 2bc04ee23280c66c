"""Expectations of a rule: one form, or one for mixed and one for all-negative groups."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.by_class.forms import Exponent, Form, evaluate
from spo_theory.method import Method
from spo_theory.validation import check


@partial(jax.tree_util.register_dataclass, data_fields=["whole", "negative", "penalty"], meta_fields=[])
@dataclass(frozen=True)
class RuleForm:
    """Expectation of a statistic under a rule's scope.

    whole: form over all classes. negative: form over the wrong classes, of what groups without a correct response add
    (None: nothing). penalty: G - 1 where such a group penalizes confident responses (None: it does not).
    Source: docs/theory/expected-advantages.md#scopes.
    """

    whole: Form
    negative: Form | None = None
    penalty: Exponent | None = None


def class_rewards(rule: Method, rts_of_wrong: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Rewards ``(W + 1,)`` of W wrong classes, with the given RTS ``(W,)``, and of a correct one: plain and coloured.

    The second is None for a rule without colouring. Colours come from the rule's own reward function; a correct
    response always has the reward 1.
    """
    rts = np.asarray(rts_of_wrong, dtype=float)
    plain = np.append(np.zeros(len(rts)), 1.0)
    if rule.colouring is None:
        return plain, None
    return plain, np.append(rule.colouring.values(rts), 1.0)


def combine_rewards(
    rule: Method, plain: np.ndarray, coloured: np.ndarray | None, prepare: Callable[[np.ndarray], Form]
) -> RuleForm:
    """Expectation of a group statistic under a rule's scope, from the rewards of `class_rewards`.

    ``prepare(rewards)`` returns the form of the statistic for fixed rewards. It must be 0 in a group of equal rewards.
    With colouring in all-negative groups only, the plain rewards give what mixed groups contribute, and the coloured
    rewards of the wrong classes give the rest. The probabilities of the wrong classes sum to 1 - P, so their form
    brings the factor ``(1 - P)^(G - given)`` with it, smooth at P = 1.
    Derived in docs/theory/expected-advantages.md#scopes.
    """
    if rule.colouring is None or coloured is None:
        return RuleForm(prepare(plain))
    if rule.colouring.scope == "all_incorrect":
        return RuleForm(prepare(coloured))
    return RuleForm(prepare(plain), prepare(coloured[:-1]))


def evaluate_rule(form: RuleForm, p: Any) -> jax.Array:
    """The expectation ``(..., K)``, or ``(..., K, K)``, at class probabilities ``p`` ``(..., K)``.

    The last class is the correct one. Can be jitted with ``form`` as an argument.
    Derived in docs/theory/expected-advantages.md#scopes.
    """
    p = jnp.asarray(p, float)
    found = evaluate(form.whole, p)
    # An all-negative group adds nothing to the correct class: its row (and column) is filled up with 0
    wrong = p[..., :-1]
    if form.negative is not None:
        inside = evaluate(form.negative, wrong)
        given = form.negative.given
        found = found + jnp.pad(inside, [(0, 0)] * (inside.ndim - given) + [(0, 1)] * given)
    if form.penalty is None:
        return found

    # The probability of a response is that of its class: each class stands for one response
    silent = wrong.sum(-1, keepdims=True) ** form.penalty
    return found - jnp.concatenate([_odds(wrong, p) * silent, jnp.zeros_like(p[..., :1])], axis=-1)


def evaluate_of_classes(form: RuleForm, classes: int, p: Any) -> jax.Array:
    """`evaluate_rule` at ``p`` ``(..., K)`` for ``classes`` K; raises `InputError` for another number of classes."""
    check(np.shape(p)[-1:] == (classes,), "class_probs.shape", np.shape(p), f"(..., {classes})")
    return evaluate_rule(form, p)


def _odds(wrong: jax.Array, p: jax.Array) -> jax.Array:
    """``c / (1 - c)`` of the wrong classes, with probabilities ``wrong`` ``(..., K - 1)``; ``p``: of all."""
    # Where one class has nearly all probability, what is left of it is what the others have
    others = (p @ (1.0 - np.eye(p.shape[-1])))[..., :-1]
    return wrong / jnp.where(wrong < 0.5, 1 - wrong, others)
