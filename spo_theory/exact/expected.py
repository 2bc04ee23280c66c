"""Exact expected advantages and updates for any group size (docs/theory/expected-advantages.md)."""

import math
import warnings
from collections.abc import Callable
from functools import partial
from math import comb
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.quadrature import group_nodes, node_count
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities, class_scores
from spo_theory.parts.baselines import GroupAdvantage, confidence_odds
from spo_theory.parts.credit import WholeResponse
from spo_theory.validation import InputError, check, problem, refuse

Engine = Literal["auto", "enumerate", "quadrature"]
Expectation = Callable[[Any], jax.Array]
MAX_COMPOSITIONS = 2_000_000  # what an enumeration may hold: some hundred MB
LARGEST_LOG = 700.0  # beyond exp(700) = 1e304 multinomial coefficients overflow, and logarithms take over
PAIR_TABLE = 2**22  # entries of the largest table of pairs of classes: 32 MB
BLOCK = 2**19  # numbers an evaluation works on at a time: 4 MB, about what a cache holds
DEFAULT = GroupAdvantage()
LARGEST_GROUP, MOST_CLASSES = 4096, 65  # the range the quadrature was verified in
SMALLEST = 1e-150  # a probability of 0 is moved here before a logarithm: values stay 0, slopes stay right


class NoExactForm(InputError):
    """The engine has no exact form for this rule or setting; the message names the Monte Carlo instead."""


def need_exact(ok: bool, name: str, value: Any, allowed: str, instead: str = "simulate") -> None:
    """Raise `NoExactForm` unless ``ok``; the message ends in the function of `spo_theory` to use instead."""
    if not ok:
        raise NoExactForm("; ".join(problem(False, name, value, f"{allowed}; or use spo_theory.{instead}")))


class AccuracyWarning(UserWarning):
    """The quadrature was used outside the range in which it is certified; the message has its error estimate."""


def composition_count(total: int, parts: int) -> int:
    """Number of rows of `compositions`."""
    return comb(total + parts - 1, parts - 1)


def compositions(total: int, parts: int) -> np.ndarray:
    """All counts ``(C, parts)`` that sum to ``total``."""
    if parts == 1:
        return np.array([[total]])
    heads = [compositions(total - last, parts - 1) for last in range(total + 1)]
    return np.concatenate([np.pad(h, ((0, 0), (0, 1)), constant_values=i) for i, h in enumerate(heads)])


def member_classes(counts: np.ndarray) -> np.ndarray:
    """Class of every member of groups with the given counts: ``(C, K)`` to ``(C, counts.sum(1))``."""
    member = np.arange(int(counts[0].sum()))
    return (member[None, :, None] >= np.cumsum(counts, axis=1)[:, None, :-1]).sum(-1)


def in_blocks(function: Expectation, size: int) -> Expectation:
    """Evaluate ``function`` of ``p`` ``(..., K)`` some rows at a time when one row needs ``size`` numbers."""
    rows = max(1, BLOCK // size)

    def blocked(p: Any) -> jax.Array:
        p = jnp.asarray(p, float)
        count = math.prod(p.shape[:-1])
        if p.ndim == 1 or count <= rows:
            return function(p)
        flat = jax.lax.map(function, p.reshape(count, p.shape[-1]), batch_size=rows)
        return flat.reshape(*p.shape[:-1], *flat.shape[1:])

    return blocked


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def powers(p: jax.Array, size: int) -> jax.Array:
    """``p^n`` for n = 0..size, shape ``(..., size + 1)``, with ``0^0 = 1`` and derivatives of any order right at 0."""
    n = jnp.arange(size + 1)
    if size > 64:  # repeated products lose a digit and more for large n, and are ten times faster for small
        return p[..., None] ** n
    return jnp.cumprod(jnp.where(n > 0, p[..., None], 1.0), axis=-1)


@powers.defjvp
def _slopes(size: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    table = powers(primals[0], size)
    lower = jnp.concatenate([jnp.zeros_like(table[..., :1]), table[..., :-1]], axis=-1)
    return table, jnp.arange(size + 1) * lower * tangents[0][..., None]


def log_multinomial(counts: np.ndarray) -> np.ndarray:
    """Logarithm ``(C,)`` of the number of orders of each row of counts ``(C, K)``, in extended precision."""
    size = int(counts[0].sum())
    log_factorial = np.cumsum(np.log(np.maximum(np.arange(size + 1), 1).astype(np.longdouble)))
    return log_factorial[size] - log_factorial[counts].sum(1)


def multinomial(counts: np.ndarray) -> Expectation:
    """Jit-able function from ``p`` ``(..., K)`` to the probability ``(..., C)`` of each row of counts.

    Right at ``p_k = 0``, with the right derivative there. Relative errors are below 1e-14, or, where the numbers of
    orders overflow (two classes from about 1,010 responses on), below 5e-16 times the number of responses;
    probabilities below 1e-60 may be lost.
    """
    size = int(counts[0].sum())
    log_ways = log_multinomial(counts)
    if log_ways.max() > LARGEST_LOG:
        n, ways = jnp.asarray(counts.T, float), jnp.asarray(log_ways.astype(float))

        def by_logarithm(p: jax.Array) -> jax.Array:
            return jnp.exp(jnp.log(jnp.where(p > SMALLEST, p, p + SMALLEST)) @ n + ways)

        return by_logarithm
    ways = np.exp(log_ways).astype(float)
    ways = jnp.asarray(np.rint(ways) if size <= 16 else ways)
    column = [jnp.asarray(counts[:, k]) for k in range(counts.shape[1])]

    def by_powers(p: jax.Array) -> jax.Array:
        table = powers(p, size)
        result = ways
        for k, n in enumerate(column):
            result = result * table[..., k, n]
        return result

    return by_powers


def _by_enumeration(
    rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, most: float = np.inf
) -> Expectation:
    """Expectation of the advantage, or of the smaller of it and ``most``, by summing over the other responses."""
    counts = compositions(group_size - 1, len(rewards))
    table = np.empty(counts.shape)
    for block in np.array_split(np.arange(len(counts)), 1 + counts.size * group_size // 2**24):
        others = rewards[member_classes(counts[block])]
        for k, own in enumerate(rewards):  # the advantage of a response of class k among these others
            first = advantage(np.concatenate([np.full((len(block), 1), own), others], axis=1))[:, 0]
            table[block, k] = np.minimum(first, most)
    chance, a = multinomial(counts), jnp.asarray(table)
    return in_blocks(lambda p: chance(p) @ a, len(counts))


def _by_quadrature(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, refine: int = 1) -> Expectation:
    rule = group_nodes(rewards, group_size, advantage, refine=refine)
    kernel, weight = rule.kernel, rule.weight * (group_size - 1) / group_size
    k, j = np.triu_indices(len(rewards), 1)
    transposed = jnp.asarray(np.ascontiguousarray(kernel.T))
    # a_k = sum_j p_j d_kj with d_kj odd: it leaves out equal rewards exactly, no cancellation if one class dominates
    if len(weight) * len(k) <= PAIR_TABLE:
        pairs = jnp.asarray(weight[:, None] * kernel[:, k] * kernel[:, j] * (rewards[k] - rewards[j]))
        place = np.full((len(rewards), len(rewards)), 2 * len(k))  # of d_kj among all d, all -d, and a 0
        place[k, j], place[j, k] = np.arange(len(k)), np.arange(len(k), 2 * len(k))

        def by_table(p: jax.Array) -> jax.Array:
            d = (p @ transposed) ** (group_size - 2) @ pairs
            d = jnp.concatenate([d, -d, jnp.zeros((*d.shape[:-1], 1))], axis=-1)
            return jnp.einsum("...kj,...j->...k", d[..., place], p)

        return in_blocks(by_table, len(weight))
    factors, weights = jnp.asarray(kernel), jnp.asarray(weight)
    difference = jnp.asarray(rewards[:, None] - rewards[None, :])

    def by_product(p: jax.Array) -> jax.Array:
        scaled = (weights * (p @ transposed) ** (group_size - 2))[..., None, :] * transposed
        return jnp.einsum("...kj,...j->...k", difference * (scaled @ factors), p)

    return in_blocks(by_product, kernel.size)


def choose_method(
    distinct: np.ndarray, group_size: int, advantage: GroupAdvantage = DEFAULT, method: str = "auto"
) -> str:
    """``method``, with ``auto`` replaced by the cheaper one for these distinct rewards, by predicted work.

    The mean only is a quadrature of one node, and exact; another baseline than the mean has no quadrature.
    """
    if advantage.baseline != "mean":
        need_exact(method != "quadrature", "method", method, "auto or enumerate with another baseline than the mean")
        return "enumerate"
    if method != "auto":
        return method
    if advantage.scale == "none":
        return "quadrature"
    rows = composition_count(group_size - 1, len(distinct))
    # a row gathers K powers and was measured to cost about twice a node
    return "enumerate" if rows <= min(node_count(distinct, group_size) // 2, MAX_COMPOSITIONS) else "quadrature"


def advantage_function(
    rewards: Any,
    group_size: int,
    *,
    std_eps: float = 0.0,
    ddof: int = 0,
    scale: Literal["std", "none"] = "std",
    method: Engine = "auto",
) -> Expectation:
    """Prepare `expected_advantages` for fixed rewards: a function from ``p`` ``(..., K)`` to ``(..., K)``.

    All that does not depend on ``p`` is computed here, once. The function can be jitted, vmapped and
    differentiated, and checks no probabilities. Outside the simplex it is a form of degree G - 1 in ``p``, the same
    by every method. Arguments, errors and warnings as in `expected_advantages`. Derived in
    docs/theory/expected-advantages.md.
    """
    return _prepare(rewards, group_size, GroupAdvantage(ddof, std_eps, scale), method)


def merge_equal(
    rewards: np.ndarray, prepare: Callable[[np.ndarray], Expectation], given: int = 1, silent: bool = True
) -> Expectation:
    """The expectation ``prepare(distinct rewards)`` for ``rewards`` ``(K,)``: classes of equal reward count as one.

    ``given``: 1 if the expectation is ``(..., K)``, 2 if it is ``(..., K, K)``. ``silent``: whether it is 0 if all
    rewards are equal.
    """
    distinct, index = np.unique(rewards, return_inverse=True)
    if len(distinct) == 1 and silent:
        shape = (len(rewards),) * given
        return lambda p: jnp.zeros((*jnp.asarray(p).shape[:-1], *shape))
    inner = prepare(distinct)
    if np.array_equal(index, np.arange(len(rewards))):
        return inner
    member, place = jnp.asarray(np.eye(len(distinct))[index]), np.ix_(*[index] * given)
    return lambda p: inner(jnp.asarray(p, float) @ member)[(..., *place)]


def check_prepared(rewards: np.ndarray, group_size: int, method: str) -> None:
    """Refuse rewards that are not ``(K,)`` finite numbers, a bad group size or an unknown method."""
    whole = isinstance(group_size, int | np.integer) and not isinstance(group_size, bool)
    refuse(
        problem(rewards.ndim == 1 and rewards.size > 0, "rewards.shape", rewards.shape, "(K,) with K at least 1")
        + problem(bool(np.isfinite(rewards).all()), "rewards", rewards.tolist(), "finite numbers")
        + problem(whole and group_size >= 2, "group_size", group_size, "a whole number, at least 2")
        + problem(method in get_args(Engine), "method", method, " or ".join(get_args(Engine)))
    )


def check_rows(group_size: int, classes: int) -> None:
    """Refuse an enumeration of more than `MAX_COMPOSITIONS` group compositions."""
    rows = composition_count(group_size - 1, classes)
    check(rows <= MAX_COMPOSITIONS, "group compositions", rows, f"at most {MAX_COMPOSITIONS}; use quadrature")


def _build(r: np.ndarray, group_size: int, advantage: GroupAdvantage, method: str, refine: int = 1) -> Expectation:
    def prepare(distinct: np.ndarray) -> Expectation:
        if choose_method(distinct, group_size, advantage, method) == "enumerate":
            check_rows(group_size, len(distinct))
            return _by_enumeration(distinct, group_size, advantage)
        return _by_quadrature(distinct, group_size, advantage, refine)

    return merge_equal(r, prepare, silent=advantage.baseline == "mean")


def _prepare(rewards: Any, group_size: int, advantage: GroupAdvantage, method: str, at: Any = None) -> Expectation:
    r = np.asarray(rewards, dtype=float)
    check_prepared(r, group_size, method)
    function = _build(r, group_size, advantage, method)
    if not certified(r, group_size, advantage, method):
        warn_uncertified(function, _build(r, group_size, advantage, method, refine=2), r.size, at)
    return function


def certified(rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, method: str) -> bool:
    """Whether results for these rewards ``(K,)`` lie in the verified range.

    Measured in docs/theory/expected-advantages.md#accuracy.
    """
    distinct = np.unique(rewards)
    if (
        (len(distinct) == 1 and advantage.baseline == "mean")
        or advantage.scale == "none"
        or (group_size <= LARGEST_GROUP and len(distinct) <= MOST_CLASSES)
    ):
        return True
    return choose_method(distinct, group_size, advantage, method) == "enumerate"


def relative_change(coarse: Expectation, fine: Expectation, p: Any) -> float:
    """Largest difference of two versions of an expectation at ``p``, over its largest value."""
    a, b = np.asarray(coarse(p)), np.asarray(fine(p))
    return float(np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(float).tiny))


def warn_uncertified(function: Expectation, fine: Expectation, classes: int, at: Any = None) -> None:
    """Warn with an error estimate at the probabilities ``at`` (default: equal ones) from a refined version."""
    error = relative_change(function, fine, np.full(classes, 1 / classes) if at is None else at)
    where = "equal class probabilities" if at is None else "these class probabilities"
    message = (
        f"outside the range the quadrature is certified in (group size up to {LARGEST_GROUP}, up to {MOST_CLASSES}"
    )
    warnings.warn(f"{message} classes); estimated relative error at {where}: {error:.1e}", AccuracyWarning, 4)


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
    method: Engine = "auto",
) -> jax.Array:
    """Expected advantage of a response given its outcome class, exactly: ``E[A_1 | class of 1 is k]``.

    ``class_probs``: ``(..., K)``, each row a distribution over classes, from which the ``group_size`` responses
    are drawn independently. ``rewards``: ``(K,)``, the reward of each class. ``std_eps``, ``ddof``, ``scale``:
    as in `spo_theory.parts.baselines.GroupAdvantage`. ``method``: ``enumerate`` sums over all group compositions,
    ``quadrature`` integrates (any G and K), ``auto`` takes the cheaper. Returns ``(..., K)``.

    Raises `InputError` for bad probabilities, rewards or settings; warns with `AccuracyWarning` and an error
    estimate where the quadrature is not certified. Derived in docs/theory/expected-advantages.md.
    """
    r = np.asarray(rewards, dtype=float)
    if not isinstance(class_probs, jax.core.Tracer):
        _check_probabilities(np.asarray(class_probs, dtype=float), r.size)
    at = None if isinstance(class_probs, jax.core.Tracer) else class_probs
    return _prepare(r, group_size, GroupAdvantage(ddof, std_eps, scale), method, at)(class_probs)


def quadrature_error(class_probs: Any, rewards: Any, group_size: int, *, std_eps: float = 0.0, ddof: int = 0) -> float:
    """Largest change of an expected advantage when the quadrature's spacings are halved, over the largest one.

    Arguments and errors as in `expected_advantages`. Derived in docs/theory/expected-advantages.md#accuracy.
    """
    r = np.asarray(rewards, dtype=float)
    _check_probabilities(np.asarray(class_probs, dtype=float), r.size)
    check_prepared(r, group_size, "quadrature")
    coarse, fine = (_build(r, group_size, GroupAdvantage(ddof, std_eps), "quadrature", n) for n in (1, 2))
    return relative_change(coarse, fine, class_probs)


def class_rewards(rule: Method, rts: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Rewards ``(K,)`` of the outcome classes of ``rts`` ``(K,)``, the last class correct: plain and coloured.

    The second is None for a rule without colouring. Both come from the rule's own reward function.
    """
    k = np.arange(len(rts))
    correct = k == len(rts) - 1
    plain = correct.astype(float)
    if rule.colouring is None:
        return plain, None
    return plain, np.where(correct, 1.0, rule.colouring.values(np.asarray(rts, dtype=float)))


def combine_scopes(rule: Method, rts: Any, prepare: Callable[[np.ndarray], Expectation], given: int = 1) -> Expectation:
    """Expectation of a group statistic under a rule's scope, given the classes of ``given`` of its responses.

    ``prepare(rewards)`` returns, for fixed rewards, a function from ``p`` ``(..., K)`` to that expectation, shape
    ``(..., K)`` or ``(..., K, K)`` for one or two given classes, a form of degree ``G - given`` in ``p``. The
    statistic must be 0 in a group of equal rewards. With colouring in all-negative groups only, the plain rewards
    give what the mixed groups contribute, and the coloured rewards of the wrong classes alone the rest: applied to
    their probabilities as they stand, a form brings the factor ``(1 - P)^(G - given)`` with it, smooth at P = 1.
    Derived in docs/theory/expected-advantages.md#scopes.
    """
    plain, coloured = class_rewards(rule, rts)
    scope = None if rule.colouring is None else rule.colouring.scope
    return combine_rewards(plain, coloured, scope, prepare, given)


def combine_rewards(
    plain: np.ndarray,
    coloured: np.ndarray | None,
    scope: str | None,
    prepare: Callable[[np.ndarray], Expectation],
    given: int = 1,
) -> Expectation:
    """`combine_scopes` for rewards ``(K,)`` of the classes, the last one correct; ``coloured`` None: no colouring."""
    if coloured is None:
        return prepare(plain)
    if scope == "all_incorrect":
        return prepare(coloured)
    mixed, negative = prepare(plain), prepare(coloured[:-1])

    def expected(p: Any) -> jax.Array:
        p = jnp.asarray(p, float)
        inside = negative(p[..., :-1])
        return mixed(p) + jnp.pad(inside, [(0, 0)] * (inside.ndim - given) + [(0, 1)] * given)

    return expected


def rule_advantage_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """Prepare the exact expected advantages of ``rule`` for classes with the given ``rts`` ``(K,)``.

    The last class is the correct one. Returns a jit-, vmap- and grad-able function from ``p`` ``(..., K)`` to
    ``(..., K)``. Derived in docs/theory/expected-advantages.md#scopes.
    """
    relative = combine_scopes(rule, rts, lambda r: _prepare(r, rule.group_size, rule.advantage, method))
    if not rule.baseline.uses_log_prob:
        return relative

    def penalized(p: Any) -> jax.Array:
        p = jnp.asarray(p, float)
        wrong = p[..., :-1]  # a response's probability is that of its class: one response a class
        silent = wrong.sum(-1, keepdims=True) ** (rule.group_size - 1)
        odds = confidence_odds(wrong)
        return relative(p) - jnp.concatenate([odds * silent, jnp.zeros_like(p[..., :1])], axis=-1)

    return penalized


def negative_part_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """Prepare ``E[min(A_1, 0) | k]`` of ``rule`` for classes with the given ``rts`` ``(K,)``, as a function of ``p``.

    With two different rewards every wrong response has an advantage of at most 0 and every correct one of at least
    0, so it is `rule_advantage_function`, of any size; more rewards need enumeration: `InputError`, naming the Monte
    Carlo, where that is too large. Derived in docs/theory/statements.md.
    """

    def prepare_all(rewards: np.ndarray) -> Expectation:
        distinct = np.unique(rewards)
        if len(distinct) == 2 and rule.advantage.baseline == "mean":
            lower = jnp.asarray(rewards == distinct[0])
            whole = _prepare(rewards, rule.group_size, rule.advantage, method)
            return lambda p: jnp.where(lower, whole(p), 0.0)

        def prepare(distinct: np.ndarray) -> Expectation:
            rows = composition_count(rule.group_size - 1, len(distinct))
            allowed = f"at most {MAX_COMPOSITIONS} for the negative part of advantages"
            need_exact(method != "quadrature" and rows <= MAX_COMPOSITIONS, "group compositions", rows, allowed)
            return _by_enumeration(distinct, rule.group_size, rule.advantage, most=0.0)

        return merge_equal(rewards, prepare, silent=rule.advantage.baseline == "mean")

    return combine_scopes(rule, rts, prepare_all)


def rule_update_function(rule: Method, rts: Any, method: Engine = "auto") -> Callable[[Any], jax.Array]:
    """Prepare the expected update of ``rule``: a function from step logits ``(..., H)`` to ``(..., H)``.

    ``rts`` ``(H + 1,)``: of the outcome classes. Jit-, vmap- and grad-able. A rule with credit to the prefix alone
    needs the expectation of the negative part of advantages, which only enumeration gives: `InputError`, naming the
    Monte Carlo, where that is too large. Derived in docs/theory/expected-advantages.md and statements.md.
    """
    advantages = rule_advantage_function(rule, rts, method)
    if isinstance(rule.credit, WholeResponse):

        def whole(logits: Any) -> jax.Array:
            p, s = class_probabilities(logits), class_scores(logits)
            return jnp.einsum("...k,...kh->...h", p * advantages(p), s)

        return whole

    blame = negative_part_function(rule, rts, method)
    classes, steps = np.arange(len(rts))[:, None], np.arange(len(rts) - 1)[None, :]

    def masked(logits: Any) -> jax.Array:
        p, s = class_probabilities(logits), class_scores(logits)
        acting = jnp.where(steps < classes, advantages(p)[..., None], blame(p)[..., None])
        return jnp.sum(p[..., None] * acting * s, axis=-2)

    return masked


def expected_update(chain: ReasoningChain, rule: Method, method: Engine = "auto") -> np.ndarray:
    """Expected update ``g_h = sum_k p_k E[A | k] s_kh`` of every step logit, shape ``(..., H)``.

    Per unit of learning rate, for the loss minus mean of advantage times summed log-probabilities.
    Errors as in `rule_update_function`. Derived in docs/theory/expected-advantages.md.
    """
    return np.asarray(rule_update_function(rule, chain.rts, method)(chain.logits))
