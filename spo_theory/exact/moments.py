"""Exact second moments of advantages and of the group gradient (docs/theory/second-moments.md)."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.certified import prepare_certified
from spo_theory.exact.forms import Expectation, evaluate
from spo_theory.exact.prepare import Engine, Statistic
from spo_theory.exact.refusals import need_exact
from spo_theory.exact.scopes import RuleForm, combine_scopes, evaluate_rule
from spo_theory.exact.update import expected_update
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.credit import WholeResponse
from spo_theory.validation import check


@partial(jax.tree_util.register_dataclass, data_fields=["square", "product", "group_size"], meta_fields=[])
@dataclass(frozen=True)
class SecondMomentForm:
    """``E[A^2 | k]``, ``E[A_1 A_2 | k, j]`` and the group size."""

    square: RuleForm
    product: RuleForm
    group_size: Any


def square_function(rewards: Any, group_size: int, advantage: GroupAdvantage, method: Engine = "auto") -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1^2 | class of 1 is k]`` ``(..., K)`` for fixed rewards ``(K,)``.

    ``method``, errors: as in `spo_theory.exact.advantages.expected_advantages`. Derived in
    docs/theory/second-moments.md#squares-and-products.
    """
    return partial(evaluate, prepare_certified(rewards, group_size, advantage, method, "square"))


def product_function(rewards: Any, group_size: int, advantage: GroupAdvantage, method: Engine = "auto") -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1 A_2 | classes of 1 and 2 are k and j]`` ``(..., K, K)``.

    ``rewards`` ``(K,)``, ``method``, errors: as in `square_function`. Derived in
    docs/theory/second-moments.md#squares-and-products.
    """
    return partial(evaluate, prepare_certified(rewards, group_size, advantage, method, "product"))


def prepare_moment(
    rule: Method, rts: Any, statistic: Statistic, method: Engine = "auto", *, padded: bool = False
) -> RuleForm:
    """Form of the ``square`` or ``product`` of ``rule`` for classes with the given ``rts`` ``(K,)``.

    For `spo_theory.exact.scopes.evaluate_rule`. Derived in docs/theory/second-moments.md#squares-and-products.
    """
    return combine_scopes(
        rule, rts, lambda r: prepare_certified(r, rule.group_size, rule.advantage, method, statistic, padded=padded)
    )


def rule_square_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """``E[A^2 | k]`` of ``rule`` for classes with the given ``rts`` ``(K,)``, as a function of ``p`` ``(..., K)``.

    Derived in docs/theory/second-moments.md#squares-and-products.
    """
    return partial(evaluate_rule, prepare_moment(rule, rts, "square", method))


def rule_product_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """``E[A_1 A_2 | k, j]`` ``(..., K, K)`` of ``rule`` for classes with the given ``rts`` ``(K,)``.

    Derived in docs/theory/second-moments.md#squares-and-products.
    """
    return partial(evaluate_rule, prepare_moment(rule, rts, "product", method))


def prepare_second_moment(rule: Method, rts: Any, method: Engine = "auto", *, padded: bool = False) -> SecondMomentForm:
    """Form of ``E[g g^T]`` of ``rule`` for classes with the given ``rts`` ``(H + 1,)``, for `evaluate_second_moment`.

    Raises `NoExactForm` for credit to the prefix and for a penalty.
    """
    need_exact(isinstance(rule.credit, WholeResponse), "credit", rule.credit, "WholeResponse()", "sampled_update")
    need_exact(not rule.baseline.uses_log_prob, "baseline", rule.baseline, "without a penalty", "sampled_update")
    square = prepare_moment(rule, rts, "square", method, padded=padded)
    product = prepare_moment(rule, rts, "product", method, padded=padded)
    return SecondMomentForm(square, product, np.float64(rule.group_size))


def evaluate_second_moment(form: SecondMomentForm, logits: Any) -> jax.Array:
    """``E[g g^T]`` ``(..., H, H)`` at logits ``(..., H)``; jit-able with ``form`` as an argument."""
    p, s = class_probabilities(logits), class_scores(logits)
    own = jnp.einsum("...k,...kh,...ki->...hi", p * evaluate_rule(form.square, p), s, s)
    cross = jnp.einsum("...k,...j,...kj,...kh,...ji->...hi", p, p, evaluate_rule(form.product, p), s, s)
    return own / form.group_size + (1 - 1 / form.group_size) * cross


evaluate_second_moment_compiled = jax.jit(evaluate_second_moment)


def second_moment_function(rule: Method, rts: Any, method: Engine = "auto") -> Any:
    """Jit-able function from logits ``(..., H)`` to ``E[g g^T]`` ``(..., H, H)``, g the gradient of one group.

    ``g = (1/G) sum_i A_i s_i``. Derived in docs/theory/second-moments.md#covariance.
    """
    return partial(evaluate_second_moment, prepare_second_moment(rule, rts, method))


def group_covariance(chain: ReasoningChain, rule: Method, method: Engine = "auto") -> np.ndarray:
    """Covariance ``(..., H, H)`` of the gradient of one group with respect to the step logits, per question.

    Derived in docs/theory/second-moments.md#covariance.
    """
    return _moments(chain, rule, method)[1]


def _moments(chain: ReasoningChain, rule: Method, method: Engine) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``(..., H)`` and covariance ``(..., H, H)`` of the gradient of one group."""
    mean = expected_update(chain, rule, method)
    form = prepare_second_moment(rule, chain.rts, method, padded=True)
    second = evaluate_second_moment_compiled(form, chain.logits)
    return mean, np.asarray(second) - mean[..., :, None] * mean[..., None, :]


def batch_covariance(
    chain: ReasoningChain, rule: Method, questions: int | None = None, method: Engine = "auto"
) -> np.ndarray:
    """Covariance ``(H, H)`` of the mean gradient of a batch of questions, one group each, all sharing the logits.

    ``questions``: None for every question of the chain exactly once; a number B for B questions drawn at random from
    the chain's, with replacement. Raises `InputError` for a B below 1. Derived in
    docs/theory/second-moments.md#batches.
    """
    whole = isinstance(questions, int | np.integer) and not isinstance(questions, bool) and questions >= 1
    check(questions is None or whole, "questions", questions, "a whole number, at least 1")
    mean, covariance = _moments(chain, rule, method)
    if mean.ndim == 1:
        return covariance / (questions or 1)
    within = covariance.mean(0)
    if questions is None:
        return within / len(mean)
    centred = mean - mean.mean(0)
    return (within + centred.T @ centred / len(mean)) / questions


def signal_to_noise(chain: ReasoningChain, rule: Method, questions: int = 1, method: Engine = "auto") -> np.ndarray:
    """Expected update over its standard deviation, ``(..., H)``, for a batch of ``questions`` groups of one question.

    0 where the update is 0. Raises `InputError` for ``questions`` below 1. Derived in
    docs/theory/second-moments.md#batches.
    """
    whole = isinstance(questions, int | np.integer) and not isinstance(questions, bool) and questions >= 1
    check(whole, "questions", questions, "a whole number, at least 1")
    mean, covariance = _moments(chain, rule, method)
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1) / questions)
    return np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
