"""Exact second moments of advantages and of the group gradient (docs/theory/second-moments.md)."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.allowed import checked, instance, one_of, optional
from spo_theory.exact.by_class import weights_by_class
from spo_theory.exact.by_class.advantages import evaluate_of
from spo_theory.exact.by_class.certified import prepare_certified
from spo_theory.exact.by_class.forms import Expectation
from spo_theory.exact.by_class.prepare import Engine
from spo_theory.exact.by_class.scopes import RuleForm, evaluate_of_classes, evaluate_rule
from spo_theory.exact.compositions import Multinomial, multinomial
from spo_theory.exact.enumeration import Groups, check_size, distinguished, prepare_traced, static_weights
from spo_theory.exact.kept import KeptShare, prepare_kept
from spo_theory.exact.portions import PortionModel, PortionMoments, of_whole_questions, parts_of
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.search import refuse_search
from spo_theory.exact.update import UpdateEngine, check_logits, expected_update
from spo_theory.exact.weights import TracedWeights
from spo_theory.limits import count
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.world import WORLD, Model, as_world
from spo_theory.parts.across import Independent
from spo_theory.parts.baselines import GroupAdvantage, GroupStatistics
from spo_theory.validation import refuse


def square_function(rewards: Any, group_size: int, advantage: GroupAdvantage, method: Engine = "auto") -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1^2 | class of 1 is k]`` ``(..., K)`` for fixed rewards ``(K,)``.

    ``advantage``: how rewards of a group become advantages. ``method``: the engine; it, errors and warnings are those
    of `spo_theory.exact.by_class.advantages.expected_advantages`. The function can be jitted, vmapped and
    differentiated. Derived in docs/theory/second-moments.md#squares-and-products.
    """
    check_advantage(advantage)
    return partial(evaluate_of, prepare_certified(rewards, group_size, advantage, method, "square"), np.size(rewards))


def check_advantage(advantage: Any) -> None:
    """Raise `InputError` unless ``advantage`` turns rewards into advantages by themselves."""
    instance(GroupStatistics, "a baseline of rewards alone, such as GroupAdvantage()").check("advantage", advantage)


def product_function(rewards: Any, group_size: int, advantage: GroupAdvantage, method: Engine = "auto") -> Expectation:
    """Function from ``p`` ``(..., K)`` to ``E[A_1 A_2 | classes of 1 and 2 are k and j]`` ``(..., K, K)``.

    ``rewards`` ``(K,)``, ``method``, errors: as in `square_function`. Derived in
    docs/theory/second-moments.md#squares-and-products.
    """
    check_advantage(advantage)
    return partial(evaluate_of, prepare_certified(rewards, group_size, advantage, method, "product"), np.size(rewards))


def rule_square_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """``E[A^2 | k]`` ``(..., K)`` of ``rule`` as a function of class probabilities ``p`` ``(..., K)``.

    ``rule``: a method with one advantage for each class. ``rts`` ``(K,)``: reasoning trajectory score of each class,
    the last one correct. ``method``: the engine. Derived in docs/theory/second-moments.md#squares-and-products.
    """
    METHOD.check("rule", rule)
    return partial(evaluate_of_classes, weights_by_class.form_of_rts(rule, rts, "square", method), np.size(rts))


def rule_product_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """``E[A_1 A_2 | k, j]`` ``(..., K, K)`` of ``rule`` as a function of class probabilities ``p`` ``(..., K)``.

    Responses 1 and 2 are of one group. Arguments as in `rule_square_function`. Derived in
    docs/theory/second-moments.md#squares-and-products.
    """
    METHOD.check("rule", rule)
    return partial(evaluate_of_classes, weights_by_class.form_of_rts(rule, rts, "product", method), np.size(rts))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["square", "product", "member", "place", "group_size", "parameters"],
    meta_fields=["model"],
)
@dataclass(frozen=True)
class ClassMoments:
    """``E[A^2 | k]`` and ``E[A_1 A_2 | k, j]`` of a method with one advantage for each class.

    square, product: forms of the two. member, place: as in `spo_theory.exact.weights.ClassWeights`. group_size: G.
    parameters, model: of the world. Source: docs/theory/second-moments.md#covariance.
    """

    square: RuleForm
    product: RuleForm
    member: Any
    place: Any
    group_size: Any
    parameters: Any
    model: Model

    def second_moment(self, logits: jax.Array) -> jax.Array:
        """``E[g g^T]`` ``(..., D, D)``: each response with itself, and with each of the others."""
        p = self.model.probs(logits, self.parameters)
        scores = _flat_scores(self.model, logits, self.parameters).sum(-2)
        seen = p if self.member is None else p @ self.member

        # From the classes of the forms to those of the world
        square = evaluate_rule(self.square, seen)
        product = evaluate_rule(self.product, seen)
        if self.place is not None:
            square = square[..., self.place]
            product = product[..., self.place[:, None], self.place[None, :]]

        # G responses and G (G - 1) ordered pairs of them, over G^2
        own = jnp.einsum("...k,...kh,...ki->...hi", p * square, scores, scores)
        cross = jnp.einsum("...k,...j,...kj,...kh,...ji->...hi", p, p, product, scores, scores)
        return own / self.group_size + (1 - 1 / self.group_size) * cross


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["chance", "counts", "member", "place", "weights", "parameters", "kept"],
    meta_fields=["model", "group_size"],
)
@dataclass(frozen=True)
class EnumeratedMoments:
    """Sum over all compositions of a group of the outer square of its update.

    chance: of the R compositions, with ``counts`` ``(R, V)``. member, place: as in
    `spo_theory.exact.weights.EnumeratedWeights`. weights: ``(R, V, S)``, or a `TracedWeights` that computes them.
    parameters, model: of the world. kept: how often a group is kept, where the sampler replaces the others (None: it
    does not). Source: docs/theory/step-weights.md#covariance.
    """

    chance: Multinomial
    counts: Any
    member: Any
    place: Any
    weights: Any
    parameters: Any
    model: Model
    group_size: int
    kept: KeptShare | None = None

    def second_moment(self, logits: jax.Array) -> jax.Array:
        """``E[g g^T]`` ``(..., D, D)``, given that the group is kept where no others are delivered."""
        over_all = self._over_all_groups(logits)
        if self.kept is None:
            return over_all
        share = self.kept.of(self.model.probs(logits, self.parameters))[..., None, None]
        return over_all / jnp.where(share > 0, share, 1.0)

    def _over_all_groups(self, logits: jax.Array) -> jax.Array:
        """``E[g g^T]`` ``(..., D, D)`` over all groups; g is 0 for those that are not kept."""
        p = self.model.probs(logits, self.parameters)
        scores = _flat_scores(self.model, logits, self.parameters)
        # Weights that depend on probabilities are computed anew at every policy
        weight = self.weights
        if isinstance(weight, TracedWeights):
            weight = weight.of_classes(self.model.step_log_probs(logits, self.parameters), None)

        # Mean score of a response that is known to be of a class the method can tell apart
        seen = p @ self.member
        share = p / jnp.where(seen > 0, seen, 1.0)[..., self.place]
        mean_score = jnp.einsum("...k,kv,...ksd->...vsd", share, self.member, scores)

        # The update of a group of each composition, and its square on average over them
        chance = self.chance(seen)
        count = jnp.asarray(self.counts, float)
        update = jnp.einsum("rv,...rvs,...vsd->...rd", count, weight, mean_score) / self.group_size
        between = jnp.einsum("...r,...rd,...re->...de", chance, update, update)
        if self.member.shape[0] == self.member.shape[1]:
            return between

        # Responses that look alike may still differ in what they did: their spread adds, response by response
        pairs = jnp.einsum("...r,rv,...rvs,...rvt->...vst", chance, count, weight, weight) / self.group_size**2
        of_class = pairs[..., self.place, :, :]
        of_classes = jnp.einsum("...k,...kst,...ksd,...kte->...de", share, of_class, scores, scores)
        of_means = jnp.einsum("...vst,...vsd,...vte->...de", pairs, mean_score, mean_score)
        return between + of_classes - of_means


SecondMomentForm = ClassMoments | EnumeratedMoments | PortionMoments


def _flat_scores(model: Model, logits: jax.Array, parameters: Any) -> jax.Array:
    """Scores ``(..., K, S, D)`` of every step, the logits of a question in one row."""
    scores = model.step_scores(logits, parameters)
    steps = model.step_log_probs(logits, parameters).ndim
    return scores.reshape(*scores.shape[:steps], -1)


def prepare_second_moment(
    world: Any, method: Method, engine: UpdateEngine = "auto", *, padded: bool = False
) -> SecondMomentForm:
    """Prepare ``E[g g^T]``, where g is the update of one group, for `evaluate_second_moment`.

    Arguments as in `spo_theory.exact.update.prepare_update`. Raises `NoExactForm` where only the Monte Carlo remains.
    Derived in docs/theory/second-moments.md#covariance and docs/theory/step-weights.md#covariance.
    """
    world = as_world(world)
    refuse(METHOD.problems("rule", method) + one_of(UpdateEngine).problems("method", engine))
    refuse_search(method)
    if not method.sampler.whole:
        parts = parts_of(world, method)
        inner = prepare_second_moment(world, of_whole_questions(method), engine, padded=padded)
        # ``inner`` is of whole questions: its model is replaced by that of the portions
        assert not isinstance(inner, PortionMoments)
        portioned = replace(inner, model=PortionModel(world.model), parameters=(world.parameters, parts))
        return PortionMoments(portioned, parts, world.parameters, world.model, world.axes)

    # One advantage for each class: squares and products of two responses suffice, for any group size
    if weights_by_class.serves_moments(method) and engine != "every_group":
        rewards = weights_by_class.ClassRewards(world, method)
        square = rewards.form(method, "square", engine, padded=padded)
        product = rewards.form(method, "product", engine, padded=padded)
        size = np.float64(method.group_size)
        return ClassMoments(square, product, rewards.member, rewards.place, size, world.parameters, world.model)

    if engine == "quadrature":
        raise NoExactForm(f"engine = 'quadrature' is not allowed for rule {method.name!r}: use 'auto'")

    # Otherwise every composition of a whole group has its own update, if there are not too many of them
    check_size(world, method)
    classes = distinguished(world, method)
    groups = Groups(method.group_size, classes.count)
    if method.uses_log_prob:
        weights: Any = prepare_traced(world, method)
    else:
        weights = groups.of_classes(static_weights(world, method, classes, groups))
    return EnumeratedMoments(
        chance=multinomial(groups.counts),
        counts=groups.counts,
        member=classes.member,
        place=classes.place,
        weights=weights,
        parameters=world.parameters,
        model=world.model,
        group_size=method.group_size,
        kept=prepare_kept(world, method) if method.sampler.resamples else None,
    )


def evaluate_second_moment(form: SecondMomentForm, logits: Any) -> jax.Array:
    """``E[g g^T]`` ``(..., D, D)`` at logits ``(..., *D)``, D flattened; g is the update of one group.

    ``form``: from `prepare_second_moment`. Can be jitted with ``form`` as an argument.
    Derived in docs/theory/second-moments.md#covariance.
    """
    return form.second_moment(jnp.asarray(logits, float))


evaluate_second_moment_compiled = jax.jit(evaluate_second_moment)


def second_moment_function(world: Any, method: Method, engine: UpdateEngine = "auto") -> Any:
    """Jit-able function from logits ``(..., *D)`` to ``E[g g^T]`` ``(..., D, D)``, D flattened.

    ``g = (1/G) sum_i sum_s w_is s_is`` is the update of one group, with weights w and scores s. Arguments and errors
    as in `prepare_second_moment`. Derived in docs/theory/second-moments.md#covariance.
    """
    form = prepare_second_moment(world, method, engine)
    described = as_world(world)

    def second_moment(logits: Any) -> jax.Array:
        """The matrix at ``logits``."""
        check_logits(described, logits)
        return evaluate_second_moment(form, logits)

    return second_moment


@checked(chain=WORLD, rule=METHOD)
def group_covariance(chain: Any, rule: Method, method: UpdateEngine = "auto") -> np.ndarray:
    """Covariance ``(..., H, H)`` of the gradient of one group with respect to the step logits, per question.

    ``chain``: a `ReasoningChain`, or a `World`, whose logits of a question are then flattened. ``method``: the engine,
    as in `spo_theory.exact.update.prepare_update`. The square roots of the diagonal have the unit of
    `spo_theory.expected_update`. Raises `NoExactForm` where only the Monte Carlo remains.
    Derived in docs/theory/second-moments.md#covariance.

    >>> from spo_theory import rule
    >>> group_covariance(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo", group_size=2)).tolist()
    [[0.046875, 0.015625], [0.015625, 0.03125]]
    """
    return _moments(chain, rule, method)[1]


def _moments(chain: Any, rule: Method, method: UpdateEngine) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``(..., H)`` and covariance ``(..., H, H)`` of the gradient of one group."""
    world = as_world(chain)
    form = prepare_second_moment(world, rule, method, padded=True)
    second = np.asarray(evaluate_second_moment_compiled(form, world.logits))
    alone = replace(rule, across=Independent())  # a group by itself, whatever its question counts in a batch
    mean = expected_update(world, alone, method).reshape(*second.shape[:-1])
    return mean, second - mean[..., :, None] * mean[..., None, :]


@checked(chain=WORLD, rule=METHOD, questions=optional(count()))
def batch_covariance(
    chain: ReasoningChain, rule: Method, questions: int | None = None, method: UpdateEngine = "auto"
) -> np.ndarray:
    """Covariance ``(H, H)`` of the mean gradient of a batch of questions, one group each, all sharing the logits.

    ``questions``: None for every question of the chain exactly once; a number B for B questions drawn at random from
    the chain's, with replacement. ``method``: the engine. Raises `InputError` for a B below 1, `NoExactForm` where
    only the Monte Carlo remains. Derived in docs/theory/second-moments.md#batches.
    """
    mean, covariance = _moments(chain, rule, method)
    if mean.ndim == 1:
        return covariance / (questions or 1)
    # Which questions are drawn adds the spread of their means; with every question once there is no such draw
    within = covariance.mean(0)
    if questions is None:
        return within / len(mean)
    centred = mean - mean.mean(0)
    return (within + centred.T @ centred / len(mean)) / questions


@checked(chain=WORLD, rule=METHOD, questions=count())
def signal_to_noise(
    chain: ReasoningChain, rule: Method, questions: int = 1, method: UpdateEngine = "auto"
) -> np.ndarray:
    """Expected update over its standard deviation, ``(..., H)``, for a batch of ``questions`` groups of one question.

    A number without unit, which grows with the square root of ``questions``; 0 where the update does not vary.
    ``method``: the engine, as in `spo_theory.exact.update.prepare_update`. Raises `InputError` for ``questions`` below
    1, `NoExactForm` where only the Monte Carlo remains. Derived in docs/theory/second-moments.md#batches.

    >>> from spo_theory import rule
    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> signal_to_noise(chain, rule("grpo", group_size=2), questions=4).round(4).tolist()
    [1.1547, 1.4142]
    """
    mean, covariance = _moments(chain, rule, method)
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1) / questions)
    return np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
