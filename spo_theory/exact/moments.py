"""Exact second moments of advantages and of the group gradient (docs/theory/second-moments.md)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.expected import (
    Engine,
    Expectation,
    certified,
    check_prepared,
    check_rows,
    choose_method,
    combine_scopes,
    compositions,
    expected_update,
    in_blocks,
    member_classes,
    merge_equal,
    multinomial,
    need_exact,
    warn_uncertified,
)
from spo_theory.exact.quadrature import group_nodes
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.credit import WholeResponse
from spo_theory.validation import check

SMALLEST = 1e-100  # a factor phi below this is not divided by: what it multiplies is 0 to every digit


def _squares(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, method: str, refine: int) -> Expectation:
    if method == "enumerate":
        counts = compositions(group_size - 1, len(rewards))
        others = rewards[member_classes(counts)]
        groups = (np.concatenate([np.full((len(counts), 1), r), others], axis=1) for r in rewards)
        chance, table = multinomial(counts), jnp.asarray(np.stack([advantage(g)[:, 0] ** 2 for g in groups], axis=1))
        return in_blocks(lambda p: chance(p) @ table, len(counts))
    rule = group_nodes(rewards, group_size, advantage, power=2, refine=refine)
    kernel, weight = jnp.asarray(rule.kernel), jnp.asarray(rule.weight * (group_size - 1) / group_size**2)
    d = jnp.asarray(rewards[None, :] - rewards[:, None])

    def expected(p: jax.Array) -> jax.Array:
        share = p[..., None, :] * kernel
        phi = share.sum(-1)
        # (r_k - mean)^2 is a sum over pairs of other responses: the same one twice, or two different ones
        same = jnp.einsum("...l,lk,...lk->...k", weight * phi ** (group_size - 2), kernel, share @ d**2)
        if group_size == 2:
            return same
        pair = weight * phi ** (group_size - 3)
        return same + (group_size - 2) * jnp.einsum("...l,lk,...lk->...k", pair, kernel, (share @ d) ** 2)

    return in_blocks(expected, rule.kernel.size)


def _products(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, method: str, refine: int) -> Expectation:
    classes = len(rewards)
    if method == "enumerate":
        counts = compositions(group_size - 2, classes)
        others = rewards[member_classes(counts)]
        table = np.empty((len(counts), classes, classes))
        for k in range(classes):
            for j in range(k, classes):
                two = np.broadcast_to(rewards[[k, j]], (len(counts), 2))
                a = advantage(np.concatenate([two, others], axis=1))
                table[:, k, j] = table[:, j, k] = a[:, 0] * a[:, 1]
        chance, flat = multinomial(counts), jnp.asarray(table.reshape(len(counts), -1))
        return in_blocks(lambda p: (chance(p) @ flat).reshape(*p.shape[:-1], classes, classes), len(counts))
    rule = group_nodes(rewards, group_size, advantage, power=2, refine=refine)
    n = group_size
    kernel, weight = jnp.asarray(rule.kernel), jnp.asarray(rule.weight / n**2)
    d = jnp.asarray(rewards[None, :] - rewards[:, None])

    def expected(p: jax.Array) -> jax.Array:
        share = p[..., None, :] * kernel
        phi = share.sum(-1)
        # mean and variance of a reward drawn at a node, the mean only ever as a distance from it
        above = (share @ d) / jnp.where(phi > SMALLEST, phi, 1.0)[..., None]
        spread = jnp.sum(share * above**2, axis=-1) / jnp.where(phi > SMALLEST, phi, 1.0)
        w = weight * phi ** (n - 2)

        def contract(x: jax.Array, left: jax.Array) -> jax.Array:
            return jnp.swapaxes(x[..., None] * left, -1, -2) @ left

        apart = contract(w, kernel)
        return (
            (n - 2) ** 2 * contract(w, above * kernel) + (n - 2) * contract(w * spread, kernel) - (n - 1) * d**2 * apart
        )

    return in_blocks(expected, rule.kernel.size)


def square_function(rewards: Any, group_size: int, advantage: GroupAdvantage, method: Engine = "auto") -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1^2 | class of 1 is k]`` ``(..., K)`` for fixed rewards ``(K,)``.

    ``method``, errors: as in `spo_theory.exact.expected.expected_advantages`. Derived in
    docs/theory/second-moments.md#squares-and-products.
    """
    return _moment(_squares, rewards, group_size, advantage, method, given=1)


def product_function(rewards: Any, group_size: int, advantage: GroupAdvantage, method: Engine = "auto") -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1 A_2 | classes of 1 and 2 are k and j]`` ``(..., K, K)``.

    ``rewards`` ``(K,)``, ``method``, errors: as in `square_function`. Derived in
    docs/theory/second-moments.md#squares-and-products.
    """
    return _moment(_products, rewards, group_size, advantage, method, given=2)


def _moment(
    build: Any, rewards: Any, group_size: int, advantage: GroupAdvantage, method: str, given: int
) -> Expectation:
    r = np.asarray(rewards, dtype=float)
    check_prepared(r, group_size, method)

    def at(refine: int) -> Expectation:
        def prepare(distinct: np.ndarray) -> Expectation:
            used = choose_method(distinct, group_size, advantage, method)
            if used == "enumerate":
                check_rows(group_size, len(distinct))
            return build(distinct, group_size, advantage, used, refine)

        return merge_equal(r, prepare, given, silent=advantage.baseline == "mean")

    function = at(1)
    if not certified(r, group_size, advantage, method):
        warn_uncertified(function, at(2), r.size)
    return function


def rule_square_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """``E[A^2 | k]`` of ``rule`` for classes with the given ``rts`` ``(K,)``, as a function of ``p`` ``(..., K)``.

    Derived in docs/theory/second-moments.md#squares-and-products.
    """
    return combine_scopes(rule, rts, lambda r: square_function(r, rule.group_size, rule.advantage, method))


def rule_product_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """``E[A_1 A_2 | k, j]`` ``(..., K, K)`` of ``rule`` for classes with the given ``rts`` ``(K,)``.

    Derived in docs/theory/second-moments.md#squares-and-products.
    """
    return combine_scopes(rule, rts, lambda r: product_function(r, rule.group_size, rule.advantage, method), given=2)


def second_moment_function(rule: Method, rts: Any, method: Engine = "auto") -> Any:
    """Jit-able function from logits ``(..., H)`` to ``E[g g^T]`` ``(..., H, H)``, g the gradient of one group.

    ``g = (1/G) sum_i A_i s_i``. Derived in docs/theory/second-moments.md#covariance.
    """
    need_exact(
        isinstance(rule.credit, WholeResponse),
        "credit",
        rule.credit,
        "WholeResponse() for second moments",
        "sampled_update",
    )
    need_exact(
        not rule.baseline.uses_log_prob,
        "baseline",
        rule.baseline,
        "without a penalty for second moments",
        "sampled_update",
    )
    square, product, n = (
        rule_square_function(rule, rts, method),
        rule_product_function(rule, rts, method),
        rule.group_size,
    )

    def second_moment(logits: Any) -> jax.Array:
        p, s = class_probabilities(logits), class_scores(logits)
        own = jnp.einsum("...k,...kh,...ki->...hi", p * square(p), s, s)
        cross = jnp.einsum("...k,...j,...kj,...kh,...ji->...hi", p, p, product(p), s, s)
        return own / n + (1 - 1 / n) * cross

    return second_moment


def group_covariance(chain: ReasoningChain, rule: Method, method: Engine = "auto") -> np.ndarray:
    """Covariance ``(..., H, H)`` of the gradient of one group with respect to the step logits, per question.

    Derived in docs/theory/second-moments.md#covariance.
    """
    return _moments(chain, rule, method)[1]


def _moments(chain: ReasoningChain, rule: Method, method: Engine) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``(..., H)`` and covariance ``(..., H, H)`` of the gradient of one group."""
    mean = expected_update(chain, rule, method)
    second = second_moment_function(rule, chain.rts, method)(chain.logits)
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
