"""Exact expected advantages and updates for any group size (docs/theory.md, section 2)."""

import warnings
from collections.abc import Callable
from math import comb, lgamma
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.advantages import GroupAdvantage
from spo_theory.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.checks import check, problem, refuse
from spo_theory.quadrature import node_count, nodes
from spo_theory.rules import Rule

Method = Literal["auto", "enumerate", "quadrature"]
Expectation = Callable[[Any], jax.Array]
MAX_COMPOSITIONS = 2_000_000  # what an enumeration may hold: some hundred MB
POWERS_UP_TO = 128  # largest group whose multinomial coefficients stay far from overflow


class AccuracyWarning(UserWarning):
    """The quadrature was used outside the range in which it is certified; the message has its error estimate."""


def compositions(total: int, parts: int) -> np.ndarray:
    """All counts ``(C, parts)`` that sum to ``total``; ``C = comb(total + parts - 1, parts - 1)``."""
    if parts == 1:
        return np.array([[total]])
    heads = [compositions(total - last, parts - 1) for last in range(total + 1)]
    return np.concatenate([np.pad(h, ((0, 0), (0, 1)), constant_values=i) for i, h in enumerate(heads)])


def member_classes(counts: np.ndarray) -> np.ndarray:
    """Class of every member of groups with the given counts: ``(C, K)`` to ``(C, counts.sum(1))``."""
    member = np.arange(int(counts[0].sum()))
    return (member[None, :, None] >= np.cumsum(counts, axis=1)[:, None, :-1]).sum(-1)


def multinomial(counts: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    """Jit-able function from ``p`` ``(..., K)`` to the probability ``(..., C)`` of each row of counts.

    Exact at ``p_k = 0``, with the right derivative there.
    """
    size = int(counts[0].sum())
    log_factorial = np.array([lgamma(n + 1.0) for n in range(size + 1)])
    log_ways = log_factorial[size] - log_factorial[counts].sum(1)
    if size > POWERS_UP_TO:
        n, ways = jnp.asarray(counts, float), jnp.asarray(log_ways)

        def by_logarithm(p: jax.Array) -> jax.Array:
            log_p = jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1.0)), -1e300)
            return jnp.exp(log_p @ n.T + ways)

        return by_logarithm
    ways = jnp.asarray(np.rint(np.exp(log_ways)) if size <= 16 else np.exp(log_ways))
    column = [jnp.asarray(counts[:, k]) for k in range(counts.shape[1])]

    def by_powers(p: jax.Array) -> jax.Array:
        factors = jnp.concatenate([jnp.ones((*p.shape, 1)), jnp.repeat(p[..., None], size, axis=-1)], axis=-1)
        powers = jnp.cumprod(factors, axis=-1)  # (..., K, size + 1); a product, so that 0^0 = 1 and slopes are right
        result = ways
        for k, n in enumerate(column):
            result = result * powers[..., k, n]
        return result

    return by_powers


def _by_enumeration(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage) -> Expectation:
    counts = compositions(group_size - 1, len(rewards))
    table = np.empty(counts.shape)
    for block in np.array_split(np.arange(len(counts)), 1 + counts.size * group_size // 2**24):
        others = rewards[member_classes(counts[block])]
        for k, own in enumerate(rewards):  # the advantage of a response of class k among these others
            table[block, k] = advantage(np.concatenate([np.full((len(block), 1), own), others], axis=1))[:, 0]
    chance, a = multinomial(counts), jnp.asarray(table)
    return lambda p: chance(jnp.asarray(p, float)) @ a


def _by_quadrature(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, refine: int = 1) -> Expectation:
    # std with ddof 1 is std with ddof 0 times a factor, which moves into eps and the result
    factor = np.sqrt(group_size / (group_size - advantage.ddof))
    rule = nodes(rewards, group_size, advantage.eps / factor, refine=refine)
    kernel = jnp.asarray(rule.kernel)
    weight = jnp.asarray(rule.weight * (group_size - 1) / group_size / factor)
    difference = jnp.asarray(rewards[None, :] - rewards[:, None])  # [j, k] = r_k - r_j

    def expected(p: Any) -> jax.Array:
        share = jnp.asarray(p, float)[..., None, :] * kernel
        others = share.sum(-1) ** (group_size - 2)
        # the pair difference leaves out equal rewards exactly: no cancellation when one class dominates
        return jnp.einsum("...l,lk,...lk->...k", weight * others, kernel, share @ difference)

    return expected


def choose_method(rewards: np.ndarray, group_size: int) -> str:
    """The cheaper exact method for these rewards and this group size, by predicted work per evaluation."""
    distinct = np.unique(rewards)
    if len(distinct) < 2:
        return "enumerate"
    rows = comb(group_size + len(distinct) - 2, len(distinct) - 1)
    return "enumerate" if rows <= min(node_count(distinct, group_size), MAX_COMPOSITIONS) else "quadrature"


def advantage_function(
    rewards: Any,
    group_size: int,
    *,
    std_eps: float = 0.0,
    ddof: int = 0,
    scale: Literal["std", "none"] = "std",
    method: Method = "auto",
) -> Expectation:
    """Prepare `expected_advantages` for fixed rewards: a function from ``p`` ``(..., K)`` to ``(..., K)``.

    All that does not depend on ``p`` is computed here, once. The function can be jitted, vmapped and
    differentiated, and checks nothing. Arguments and errors as in `expected_advantages`.
    """
    return _prepare(rewards, group_size, GroupAdvantage(ddof, std_eps, scale), method)


def _prepare(rewards: Any, group_size: int, advantage: GroupAdvantage, method: str, refine: int = 1) -> Expectation:
    r = np.asarray(rewards, dtype=float)
    whole = isinstance(group_size, int | np.integer) and not isinstance(group_size, bool)
    refuse(
        problem(r.ndim == 1 and r.size > 0, "rewards.shape", r.shape, "(K,) with K at least 1")
        + problem(bool(np.isfinite(r).all()), "rewards", r.tolist(), "finite numbers")
        + problem(whole and group_size >= 2, "group_size", group_size, "a whole number, at least 2")
        + problem(method in get_args(Method), "method", method, " or ".join(get_args(Method)))
    )
    if advantage.scale == "none":
        difference = jnp.asarray(r[None, :] - r[:, None]) * (group_size - 1) / group_size
        return lambda p: jnp.asarray(p, float) @ difference
    distinct, index = np.unique(r, return_inverse=True)
    if len(distinct) == 1:
        return lambda p: 0.0 * jnp.asarray(p, float)
    if method == "auto":
        method = choose_method(distinct, group_size)
    if method == "enumerate":
        rows = comb(group_size + len(distinct) - 2, len(distinct) - 1)
        check(rows <= MAX_COMPOSITIONS, "group compositions", rows, f"at most {MAX_COMPOSITIONS}; use quadrature")
        inner = _by_enumeration(distinct, group_size, advantage)
    else:
        inner = _by_quadrature(distinct, group_size, advantage, refine)
    if len(distinct) == len(r) and bool((np.diff(index) > 0).all()):
        return inner
    member = jnp.asarray(np.eye(len(distinct))[index])  # classes of equal reward count as one
    return lambda p: inner(jnp.asarray(p, float) @ member)[..., index]


def _check_probabilities(p: np.ndarray, classes: int) -> None:
    check(p.ndim >= 1 and p.shape[-1] > 0, "class_probs.shape", p.shape, "(..., K) with K at least 1")
    check(p.shape[-1] == classes, "class_probs.shape[-1]", p.shape[-1], f"{classes}, the number of rewards")
    inside = (p >= 0) & (p <= 1 + 1e-9)
    check(bool(inside.all()), "class_probs", p[~inside][:1].tolist(), "between 0 and 1")
    total = p.sum(-1)
    worst = float(np.ravel(total)[np.argmax(np.abs(np.ravel(total) - 1))])
    check(abs(worst - 1) <= 1e-9, "sum of class_probs", worst, "1 (to 1e-9)")


def expected_advantages(
    class_probs: Any,
    rewards: Any,
    group_size: int,
    *,
    std_eps: float = 0.0,
    ddof: int = 0,
    scale: Literal["std", "none"] = "std",
    method: Method = "auto",
) -> jax.Array:
    """Expected advantage of a response given its outcome class, exactly: ``E[A_1 | class of 1 is k]``.

    ``class_probs``: ``(..., K)``, each row a distribution over classes, from which the ``group_size`` responses
    are drawn independently. ``rewards``: ``(K,)``, the reward of each class. ``std_eps``, ``ddof``, ``scale``:
    as in `spo_theory.advantages.GroupAdvantage`. ``method``: ``enumerate`` sums over all group compositions,
    ``quadrature`` integrates (any G and K), ``auto`` takes the cheaper. Returns ``(..., K)``.

    Raises `InputError` for bad probabilities, rewards or settings; warns with `AccuracyWarning` and an error
    estimate where the quadrature is not certified. Derived in docs/theory.md, section 2.
    """
    r = np.asarray(rewards, dtype=float)
    if not isinstance(class_probs, jax.core.Tracer):
        _check_probabilities(np.asarray(class_probs, dtype=float), r.size)
    function = advantage_function(r, group_size, std_eps=std_eps, ddof=ddof, scale=scale, method=method)
    distinct = np.unique(r)
    if scale == "std" and len(distinct) > 1 and not isinstance(class_probs, jax.core.Tracer):
        used = choose_method(distinct, group_size) if method == "auto" else method
        far = group_size > 4096 or len(distinct) > 65 or np.ptp(distinct) / np.diff(distinct).min() > 1e4
        if used == "quadrature" and far:
            error = quadrature_error(class_probs, r, group_size, std_eps=std_eps, ddof=ddof)
            warnings.warn(f"quadrature outside its certified range: estimated error {error:.1e}", AccuracyWarning, 2)
    return function(class_probs)


def quadrature_error(class_probs: Any, rewards: Any, group_size: int, *, std_eps: float = 0.0, ddof: int = 0) -> float:
    """Largest change of an expected advantage when the quadrature's spacings are halved, over the largest one.

    Arguments as in `expected_advantages`. Derived in docs/theory.md, section 2.
    """
    advantage = GroupAdvantage(ddof, std_eps)
    coarse, fine = (np.asarray(_prepare(rewards, group_size, advantage, "quadrature", n)(class_probs)) for n in (1, 2))
    return float(np.abs(coarse - fine).max() / max(np.abs(fine).max(), np.finfo(float).tiny))


def class_rewards(rule: Rule, rts: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Rewards ``(K,)`` of the outcome classes of ``rts`` ``(K,)``, the last class correct: plain and coloured.

    The second is None for a rule without colouring. Both come from the rule's own reward function.
    """
    k = np.arange(len(rts))
    correct = k == len(rts) - 1
    plain = correct.astype(float)
    if rule.colouring is None:
        return plain, None
    return plain, np.where(correct, 1.0, rule.colouring.values(np.asarray(rts, dtype=float)))


def combine_scopes(rule: Rule, rts: Any, prepare: Callable[[np.ndarray], Expectation], others: int) -> Expectation:
    """Expectation given ``k`` of a group statistic under a rule's scope, as a function of ``p`` ``(..., K)``.

    ``prepare(rewards)`` gives the expectation for fixed rewards. Groups coloured only when all-negative are
    split: with a correct response the plain rewards hold; without one (``others`` other responses are wrong
    too) the classes are independent draws from the wrong ones, renormalized. Plain rewards contribute nothing
    to all-negative groups. Derived in docs/theory.md, section 2.4.
    """
    plain, coloured = class_rewards(rule, rts)
    if coloured is None:
        return prepare(plain)
    if rule.colouring is not None and rule.colouring.scope == "all_incorrect":
        return prepare(coloured)
    mixed, negative = prepare(plain), prepare(coloured[:-1])

    def expected(p: Any) -> jax.Array:
        p = jnp.asarray(p, float)
        wrong = p[..., :-1].sum(-1, keepdims=True)
        inside = negative(p[..., :-1] / jnp.where(wrong > 0, wrong, 1.0)) * wrong**others
        return mixed(p) + jnp.concatenate([inside, jnp.zeros_like(p[..., -1:])], axis=-1)

    return expected


def rule_advantage_function(rule: Rule, rts: Any, method: Method = "auto") -> Expectation:
    """Prepare the exact expected advantages of ``rule`` for classes with the given ``rts`` ``(K,)``.

    The last class is the correct one. Returns a jit-, vmap- and grad-able function from ``p`` ``(..., K)`` to
    ``(..., K)``. Derived in docs/theory.md, section 2.4.
    """
    return combine_scopes(
        rule, rts, lambda r: _prepare(r, rule.group_size, rule.advantage, method), rule.group_size - 1
    )


def expected_update(chain: ReasoningChain, rule: Rule, method: Method = "auto") -> np.ndarray:
    """Expected update ``g_h = sum_k p_k E[A | k] s_kh`` of every step logit, shape ``(..., H)``.

    Per unit of learning rate, for the loss minus mean of advantage times summed log-probabilities.
    Derived in docs/theory.md, section 2.
    """
    p, s = class_probabilities(chain.logits), class_scores(chain.logits)
    a = rule_advantage_function(rule, chain.rts, method)(p)
    return np.asarray(jnp.einsum("...k,...kh->...h", p * a, s))
