"""Exact second moments of advantages and of the group gradient (docs/theory.md, section 3)."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from spo_theory.advantages import GroupAdvantage
from spo_theory.expected import (
    MAX_COMPOSITIONS,
    Expectation,
    combine_scopes,
    compositions,
    member_classes,
    multinomial,
)
from spo_theory.quadrature import node_count, nodes
from spo_theory.rules import Rule


def _square_by_enumeration(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage) -> Expectation:
    counts = compositions(group_size - 1, len(rewards))
    others = rewards[member_classes(counts)]
    table = [advantage(np.concatenate([np.full((len(counts), 1), r), others], axis=1))[:, 0] ** 2 for r in rewards]
    chance, square = multinomial(counts), jnp.asarray(np.stack(table, axis=1))
    return lambda p: chance(jnp.asarray(p, float)) @ square


def _square_by_quadrature(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage) -> Expectation:
    factor = np.sqrt(group_size / (group_size - advantage.ddof))
    rule = nodes(rewards, group_size, advantage.eps / factor, squared=True)
    kernel, weight = jnp.asarray(rule.kernel), jnp.asarray(rule.weight * (group_size - 1) / (group_size * factor) ** 2)
    d = jnp.asarray(rewards[None, :] - rewards[:, None])

    def expected(p: Any) -> Any:
        share = jnp.asarray(p, float)[..., None, :] * kernel
        phi = share.sum(-1)
        # (r_k - mean)^2 is a sum over pairs of other responses: the same one twice, or two different ones
        same = jnp.einsum("...l,lk,...lk->...k", weight * phi ** (group_size - 2), kernel, share @ d**2)
        if group_size == 2:
            return same
        pair = weight * phi ** (group_size - 3)
        return same + (group_size - 2) * jnp.einsum("...l,lk,...lk->...k", pair, kernel, (share @ d) ** 2)

    return expected


def square_function(rewards: Any, group_size: int, advantage: GroupAdvantage) -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1^2 | class of 1 is k]`` ``(..., K)`` for fixed rewards ``(K,)``.

    Derived in docs/theory.md, section 3.
    """
    r, index = np.unique(np.asarray(rewards, dtype=float), return_inverse=True)
    member = jnp.asarray(np.eye(len(r))[index])
    if advantage.scale == "none":
        d = jnp.asarray(r[None, :] - r[:, None])
        n = group_size

        def mean_only(p: Any) -> Any:
            total = p.sum(-1, keepdims=True)
            same = total ** (n - 2) * (p @ d**2)
            return (n - 1) / n**2 * (same + (n - 2) * total ** (n - 3) * (p @ d) ** 2 if n > 2 else same)

        inner: Expectation = mean_only
    elif len(r) == 1:
        inner = lambda p: 0.0 * p  # noqa: E731
    else:
        rows = len(compositions(group_size - 1, 2)) if len(r) == 2 else _rows(group_size, len(r))
        cheap = rows <= min(node_count(r, group_size), MAX_COMPOSITIONS)
        inner = (_square_by_enumeration if cheap else _square_by_quadrature)(r, group_size, advantage)
    return lambda p: inner(jnp.asarray(p, float) @ member)[..., index]


def _rows(group_size: int, classes: int) -> int:
    from math import comb

    return comb(group_size + classes - 2, classes - 1)


def rule_square_function(rule: Rule, rts: Any) -> Expectation:
    """``E[A^2 | k]`` of ``rule`` for classes with the given ``rts`` ``(K,)``, as a function of ``p`` ``(..., K)``.

    Derived in docs/theory.md, section 3.
    """
    return combine_scopes(rule, rts, lambda r: square_function(r, rule.group_size, rule.advantage))
