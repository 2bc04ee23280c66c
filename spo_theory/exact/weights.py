"""Expected step weights, prepared once and evaluated as functions of arrays (docs/theory/step-weights.md).

Three kinds, from the fastest to the most general; all are pytrees, so they can be arguments of compiled code:
`ClassWeights` (one advantage for each outcome class, any group size), `EnumeratedWeights` (credit that depends on
outcome classes alone) and `TracedWeights` (weights that depend on probabilities or on the responses of a pair).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from spo_theory.exact.by_class.forms import Slabs
from spo_theory.exact.by_class.scopes import RuleForm, evaluate_rule
from spo_theory.exact.compositions import Multinomial
from spo_theory.exact.traced import Traced
from spo_theory.group import Group
from spo_theory.method import Method
from spo_theory.parts.baselines import confidence_odds
from spo_theory.parts.objectives import Objective


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["advantages", "negative", "member", "place", "wrong", "others", "objective"],
    meta_fields=["steps"],
)
@dataclass(frozen=True)
class ClassWeights:
    """One expected advantage for each outcome class, which acts on all steps of a response.

    advantages: form of ``E[A_1 | k]``. negative: form of ``E[min(A_1, 0) | k]``, for policies that have moved on
    (None: only the sampling policy is served). member, place: ``(K, C)`` and ``(K,)``, from the K classes of the world
    to the C of the forms (None: they are the same). wrong: boolean ``(K,)``. others: G - 1, for a penalty by
    confidence, or None.
    """

    advantages: RuleForm
    negative: RuleForm | None
    member: Any
    place: Any
    wrong: Any
    others: Any
    steps: int
    objective: Traced[Objective]

    def given(self, probs: jax.Array, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """``E[w_1s | class of 1 is k]`` ``(..., K, S)``."""
        penalty: Any = 0.0
        if self.others is not None:
            # In an all-negative group a wrong response is penalized by the odds of its own probability
            log_prob = jnp.where(self.wrong, step_log_probs.sum(-1), -jnp.inf)
            others_wrong = jnp.where(self.wrong, probs, 0.0).sum(-1, keepdims=True) ** self.others
            penalty = confidence_odds(log_prob) * others_wrong

        # The sampling policy weighs every step of a response by its advantage
        advantage = self._of_class(self.advantages, probs) - penalty
        shape = (*advantage.shape, self.steps)
        if log_ratio is None:
            return jnp.broadcast_to(advantage[..., None], shape)

        # For another policy the objective clips by the sign of the advantage, so positive and negative parts are needed
        assert self.negative is not None, "prepared for the sampling policy alone"
        blame = self._of_class(self.negative, probs) - penalty
        praise = jnp.broadcast_to((advantage - blame)[..., None], shape)
        return _by_sign(self.objective.value, praise, jnp.broadcast_to(blame[..., None], shape), log_ratio)

    def _of_class(self, form: RuleForm, probs: jax.Array) -> jax.Array:
        """A form's value ``(..., K)`` for the classes of the world."""
        if self.member is None:
            return evaluate_rule(form, probs)
        return evaluate_rule(form, probs @ self.member)[..., self.place]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["slabs", "member", "place", "objective"],
    meta_fields=["shape"],
)
@dataclass(frozen=True)
class EnumeratedWeights:
    """Sum over all compositions of the other responses of credit that depends on outcome classes alone.

    slabs: of the compositions' `Multinomial` and of the positive and the negative part of the credit of the given
    response ``(C, V * S)``. member, place: ``(K, V)`` and ``(K,)``, from the K classes of the world to the V that the
    method can tell apart. shape: (V, S).
    """

    slabs: Slabs
    member: Any
    place: Any
    shape: tuple[int, int]
    objective: Traced[Objective]

    def given(self, probs: jax.Array, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """``E[w_1s | class of 1 is k]`` ``(..., K, S)``."""
        seen = probs @ self.member

        # Both parts of the credit share the probabilities of the compositions
        def both(chance: Multinomial, positive: jax.Array, negative: jax.Array) -> tuple[jax.Array, jax.Array]:
            share = chance(seen)
            return share @ positive, share @ negative

        praise, blame = (self._of_class(x) for x in self.slabs.total(both))
        if log_ratio is None:
            return praise + blame
        return _by_sign(self.objective.value, praise, blame, log_ratio)

    def _of_class(self, flat: jax.Array) -> jax.Array:
        """From ``(..., V * S)`` to the classes of the world, ``(..., K, S)``."""
        return flat.reshape(*flat.shape[:-1], *self.shape)[..., self.place, :]


def _by_sign(objective: Objective, praise: jax.Array, blame: jax.Array, log_ratio: jax.Array) -> jax.Array:
    """Weights of expected positive and negative credit: a response has one or the other, so they are weighed apart."""
    positive = objective.weights(praise[..., 0], praise, log_ratio)
    return positive + objective.weights(blame[..., 0], blame, log_ratio)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["chance", "members", "holder", "whole", "looks", "reference", "method"],
    meta_fields=["power"],
)
@dataclass(frozen=True)
class TracedWeights:
    """Sum over all group compositions of weights that are computed anew for every policy.

    chance: of the compositions of the others. members: ``(R, G)``, class of each response of every whole composition.
    holder: ``(R, K)``, one member of each class there. whole: ``(C, K)``, composition that the others and one more of
    each class make. looks: correct, first_error, lengths and true_lengths of the K classes. reference: ``(..., K, S)``,
    log-probabilities of their steps under the reference policy, or None. power: of the weights.
    """

    chance: Multinomial
    members: Any
    holder: Any
    whole: Any
    looks: tuple[Any, Any, Any, Any]
    reference: Any
    method: Traced[Method]
    power: int = 1

    def given(self, probs: jax.Array, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """``E[w_1s | class of 1 is k]`` ``(..., K, S)``."""
        weight = self.of_classes(step_log_probs, log_ratio)
        classes = jnp.arange(weight.shape[-2])
        given = weight[..., self.whole, classes[None, :], :]
        return jnp.einsum("...c,...cks->...ks", self.chance(probs), given)

    def of_classes(self, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """Weight ``(..., R, K, S)`` of a response of each class in every composition."""
        # The method sees whole groups, all compositions at once
        correct, first_error, lengths, true_lengths = (jnp.asarray(look) for look in self.looks)
        log_prob = step_log_probs[..., self.members, :]
        group = Group(
            correct[self.members],
            first_error[self.members],
            lengths[self.members],
            true_lengths=jnp.broadcast_to(true_lengths, lengths[self.members].shape),
            log_prob=log_prob,
            reference_log_prob=None if self.reference is None else self.reference[..., self.members, :],
        )
        # Members of one class have equal weights, so one of them stands for the class
        ratio = jnp.zeros_like(log_prob) if log_ratio is None else log_ratio[..., self.members, :]
        weights = self.method.value.weights(group, ratio) ** self.power
        leading = (1,) * (weights.ndim - 3)
        return jnp.take_along_axis(weights, self.holder.reshape(*leading, *self.holder.shape, 1), axis=-2)


StepWeights = ClassWeights | EnumeratedWeights | TracedWeights
