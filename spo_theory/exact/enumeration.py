"""Expected step weights of any method over any world, by a sum over all group compositions.

A composition says how many of the G responses fall into each class. Given the class of one response, the numbers of
the other G - 1 in each class are multinomial, so ``E[w_1s | class of 1 is k]`` is a sum of the method's own weights
over compositions of the others. Derived in docs/theory/step-weights.md.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.expected import (
    MAX_COMPOSITIONS,
    NoExactForm,
    composition_count,
    compositions,
    member_classes,
    multinomial,
)
from spo_theory.method import Method
from spo_theory.outcomes.world import World

LARGEST_TABLE = 60_000_000
"""Numbers that the table of step weights may hold: half a GB."""


@dataclass(frozen=True)
class Classes:
    """Classes that a method can tell apart.

    first: one class of the world for each ``(V,)``. of: for every class of the world the one it belongs to ``(K,)``.
    """

    first: np.ndarray
    of: np.ndarray

    @property
    def count(self) -> int:
        """Number of them, V."""
        return len(self.first)


def distinguished(world: World, method: Method) -> Classes:
    """The classes of ``world`` that ``method`` can tell apart: all of them if it weighs by probabilities."""
    if method.baseline.uses_log_prob or not method.objective.by_sign:
        every = np.arange(world.classes)
        return Classes(every, every)

    # Classes that a method sees alike get one weight: wrong options of one step, or answers a judge takes for the same
    seen = np.column_stack([world.correct, world.first_error, world.lengths]).astype(float)
    _, first, of = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    return Classes(first, np.ravel(of))


def rows_needed(world: World, method: Method) -> int:
    """Number of group compositions of ``method`` over ``world``."""
    return composition_count(method.group_size, distinguished(world, method).count)


def check_size(world: World, method: Method) -> None:
    """Raise `NoExactForm` if the enumeration would be too large; the message names the Monte Carlo."""
    rows = rows_needed(world, method)
    numbers = rows * method.group_size * world.lengths.shape[1]
    if rows > MAX_COMPOSITIONS or numbers > LARGEST_TABLE:
        raise NoExactForm(
            f"group compositions = {rows} of {method.group_size} responses are not allowed: an enumeration holds at "
            f"most {MAX_COMPOSITIONS} and {LARGEST_TABLE} step weights; use engine = 'monte_carlo'"
        )


class Enumeration:
    """All compositions of a group of G responses over V classes, and of the others of one response.

    counts: ``(R, V)``, responses of each class in every composition. members: ``(R, G)``, the class of each.
    others: ``(C, V)``, counts of the other G - 1. whole: ``(C, V)``, the row of ``counts`` that others and one more
    response of each class make. holder: ``(R, V)``, one member of each class in a row, 0 where there is none.
    """

    def __init__(self, group_size: int, classes: int) -> None:
        self.counts = compositions(group_size, classes)
        self.members = member_classes(self.counts)
        self.others = compositions(group_size - 1, classes)
        self.whole = self._find_rows(self.others)

        # Members stand in order of their class: the first one of a class comes behind all of smaller classes
        before = np.cumsum(self.counts, axis=1) - self.counts
        self.holder = np.where(self.counts > 0, before, 0)

    def _find_rows(self, others: np.ndarray) -> np.ndarray:
        """Row of ``counts`` for every row of ``others`` and every class of the one that is added, ``(C, V)``."""
        # Counts are found by a random linear code, since digits of base G + 1 overflow for many classes
        code = np.random.default_rng(0).integers(1, 2**62, size=self.counts.shape[1], dtype=np.int64)
        with np.errstate(over="ignore"):
            codes = self.counts @ code
            wanted = (others @ code)[:, None] + code[None, :]
        order = np.argsort(codes)
        found = order[np.searchsorted(codes, wanted, sorter=order)]
        if not (codes[found] == wanted).all() or len(np.unique(codes)) != len(codes):
            raise ArithmeticError("two group compositions have one code")  # needs a collision in 64 bits
        return found

    def given(self, per_member: Any) -> Any:
        """From a value of every member ``(..., R, G, S)`` to that of the given response ``(..., C, V, S)``."""
        xp = np if isinstance(per_member, np.ndarray) else jnp
        leading = (1,) * (per_member.ndim - 3)
        of_class = xp.take_along_axis(per_member, self.holder.reshape(*leading, *self.holder.shape, 1), -2)
        return of_class[..., self.whole, np.arange(self.counts.shape[1])[None, :], :]


class StepWeights:
    """Expected step weights of ``method`` over ``world``; prepared once, then a function of arrays.

    ``given(logits, now)`` is ``E[w_1s | class of 1 is k]`` ``(..., K, S)`` for groups sampled under ``logits``
    ``(..., *D)`` and weighed under the policy ``now`` (None: the same). Jit-, vmap- and grad-able. Raises `NoExactForm`
    where there are too many compositions.
    """

    def __init__(self, world: World, method: Method) -> None:
        check_size(world, method)
        self.world = world
        self.method = method
        self.classes = distinguished(world, method)
        self.groups = Enumeration(method.group_size, self.classes.count)
        self.chance_of_others = multinomial(self.groups.others)
        self.member = np.eye(self.classes.count)[self.classes.of]

        # What does not depend on the logits is computed here, by the method itself
        self.positive: Any = None
        self.negative: Any = None
        if self.is_static:
            credit = method.step_credit(world.group(self.classes.first[self.groups.members]))
            self.static_credit = np.asarray(credit, dtype=float)
            table = self.groups.given(self.static_credit)
            self.positive = jnp.asarray(np.maximum(table, 0.0))
            self.negative = jnp.asarray(np.minimum(table, 0.0))

    @property
    def is_static(self) -> bool:
        """Whether credit depends on outcome classes alone, and weights on the sign of credit and the log-ratio."""
        return self.method.objective.by_sign and not self.method.baseline.uses_log_prob

    def given(self, logits: Any, now: Any = None, *, parameters: Any = None, probs: Any = None) -> jax.Array:
        """``E[w_1s | class of 1 is k]`` ``(..., K, S)``.

        ``parameters``: of the world, if not its own. ``probs`` ``(..., K)``: instead of the probabilities of the
        classes; the result is a form of degree G - 1 in them, so they need not sum to 1.
        """
        logits = jnp.asarray(logits, float)
        parameters = self.world.parameters if parameters is None else parameters
        p = self.world.model.probs(logits, parameters) if probs is None else probs
        chance = self.chance_of_others(p @ self.member)
        if not self.is_static:
            table = self.groups.given(self.member_weights(logits, now))
            return jnp.einsum("...c,...cvs->...vs", chance, table)[..., self.classes.of, :]

        positive = jnp.einsum("...c,cvs->...vs", chance, self.positive)[..., self.classes.of, :]
        negative = jnp.einsum("...c,cvs->...vs", chance, self.negative)[..., self.classes.of, :]
        log_ratio = self.log_ratio(logits, now)
        objective = self.method.objective
        # A response has praise or blame, never both: their expectations are weighed apart
        return objective.weights(positive[..., 0], positive, log_ratio) + objective.weights(
            negative[..., 0], negative, log_ratio
        )

    def log_ratio(self, logits: Any, now: Any) -> jax.Array:
        """Log-ratio ``(..., K, S)`` of each step of each class, policy ``now`` over policy ``logits``."""
        before = self.world.model.step_log_probs(logits, self.world.parameters)
        if now is None:
            return jnp.zeros_like(before)
        return self.world.model.step_log_probs(jnp.asarray(now, float), self.world.parameters) - before

    def member_weights(self, logits: Any, now: Any = None) -> jax.Array:
        """The method's weights ``(..., R, G, S)`` for every member of every composition."""
        chosen = self.classes.first[self.groups.members]
        log_prob = self.world.model.step_log_probs(logits, self.world.parameters)[..., chosen, :]
        group = self.world.group(chosen, log_prob)
        log_ratio = self.log_ratio(logits, now)[..., chosen, :]
        return self.method.weights(group, log_ratio)

    def second_moment(self, logits: Any) -> jax.Array:
        """``E[g g^T]`` ``(..., D, D)`` of the update g of one group, D the flattened logits; policy as sampled."""
        logits = jnp.asarray(logits, float)
        p = self.world.model.probs(logits, self.world.parameters)
        scores = self.world.model.step_scores(logits, self.world.parameters)
        scores = scores.reshape(*scores.shape[: scores.ndim - self.world.axes], -1)

        # Weight of each distinguished class in every composition
        members = self.static_credit if self.is_static else self.member_weights(logits)
        leading = (1,) * (members.ndim - 3)
        holder = self.groups.holder.reshape(*leading, *self.groups.holder.shape, 1)
        weight = jnp.take_along_axis(members, holder, -2)

        # Mean score of a response that is known to be of a distinguished class
        chance_of_class = p @ self.member
        share = p / jnp.where(chance_of_class > 0, chance_of_class, 1.0)[..., self.classes.of]
        mean_score = jnp.einsum("...k,kv,...ksd->...vsd", share, self.member, scores)

        count = jnp.asarray(self.groups.counts, float)
        chance = multinomial(self.groups.counts)(chance_of_class)
        size = self.method.group_size
        update = jnp.einsum("rv,...rvs,...vsd->...rd", count, weight, mean_score) / size
        between = jnp.einsum("...r,...rd,...re->...de", chance, update, update)
        if self.classes.count == self.world.classes:
            return between

        # Responses that look alike may still differ in what they did: their spread adds, response by response
        pairs = jnp.einsum("...r,rv,...rvs,...rvt->...vst", chance, count, weight, weight) / size**2
        of_class = pairs[..., self.classes.of, :, :]
        of_classes = jnp.einsum("...k,...kst,...ksd,...kte->...de", share, of_class, scores, scores)
        of_means = jnp.einsum("...vst,...vsd,...vte->...de", pairs, mean_score, mean_score)
        return between + of_classes - of_means
