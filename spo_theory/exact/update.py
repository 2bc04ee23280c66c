"""Exact expected updates of any method over any world (docs/theory/step-weights.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.allowed import one_of
from spo_theory.exact.by_class import weights_by_class
from spo_theory.exact.by_class.forms import Expectation, Exponent
from spo_theory.exact.by_class.prepare import Engine
from spo_theory.exact.by_class.scopes import evaluate_of_classes
from spo_theory.exact.enumeration import check_size, is_static, prepare_enumerated, prepare_traced
from spo_theory.exact.kept import ResampledWeights, given_kept
from spo_theory.exact.portions import PortionWeights, of_whole_questions, parts_of
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.search import SearchWeights, prepare_search, refuse_search
from spo_theory.exact.weights import StepWeights
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.world import Model, World, as_world
from spo_theory.parts.across import Across, Independent
from spo_theory.parts.baselines import Signed, VirtualCorrect
from spo_theory.parts.tree_search import TreeSearch
from spo_theory.validation import check, refuse

UpdateEngine = Literal["auto", "enumerate", "quadrature", "every_group"]
"""How an expected update is computed, see `prepare_update`."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["weights", "parameters", "correct"],
    meta_fields=["model", "across", "centred"],
)
@dataclass(frozen=True)
class UpdateForm:
    """Everything about an expected update that does not depend on the logits.

    weights: prepared expected step weights. parameters, model: of the world. correct: boolean ``(K,)``, which classes
    are. across: how much each question of a population counts. centred: whether the weight that most responses have in
    common is taken out of all of them before they are summed. A form is a pytree, so it can be an argument of compiled
    code. Made by `prepare_update`, used by `evaluate_update`.
    """

    weights: StepWeights | PortionWeights | ResampledWeights | SearchWeights
    parameters: Any
    model: Model
    correct: Any
    across: Across
    centred: bool = False

    @classmethod
    def of(cls, weights: Any, world: World, method: Method) -> "UpdateForm":
        """The form of ``method`` in ``world``, from step weights over all groups."""
        delivered = given_kept(weights, world, method)
        return cls(delivered, world.parameters, world.model, world.correct, method.across)


def choose_engine(world: Any, method: Method) -> str:
    """The engine that ``auto`` takes for ``method`` in ``world`` (a `World`, or what has one, such as a chain).

    Returns "class_advantages" where one advantage for each class suffices, else "every_group", or "monte_carlo" where
    there are too many group compositions. Source: docs/theory/step-weights.md#expected-weights.
    """
    if weights_by_class.serves(method):
        return "class_advantages"
    try:
        check_size(as_world(world), method)
    except NoExactForm:
        return "monte_carlo"
    return "every_group"


def prepare_update(
    world: Any, method: Method, engine: UpdateEngine = "auto", *, padded: bool = False, off_policy: bool = False
) -> UpdateForm:
    """Prepare the expected update of ``method`` in ``world`` (a `World`, or what has one, such as a chain).

    ``engine``: methods with one advantage for each class take ``quadrature``, ``enumerate`` (over their rewards) or
    ``auto``, the cheaper of the two. All other methods, and all methods with ``every_group``, take the sum over all
    group compositions (`spo_theory.exact.enumeration`). ``padded``: leave room in the arrays for other settings, so
    that code compiled for one serves the next. ``off_policy``: serve policies that differ from the sampling one too.
    Raises `NoExactForm`, naming the Monte Carlo, where ``engine`` does not serve, and `InputError` for what is no
    world, rule or engine. Derived in docs/theory/step-weights.md#expected-weights.
    """
    world = as_world(world)
    refuse(METHOD.problems("rule", method) + one_of(UpdateEngine).problems("method", engine))

    # Questions that are asked in part are as many chains as there are portions, with one form for all
    if not method.sampler.whole:
        whole = of_whole_questions(method)
        inner = prepare_update(world, whole, engine, padded=padded, off_policy=off_policy)
        return replace(inner, weights=PortionWeights(inner.weights, parts_of(world, method)), centred=False)

    # The responses of a search depend on each other
    if isinstance(method.sampler, TreeSearch):
        return UpdateForm.of(prepare_search(world, method), world, method)

    served = weights_by_class.serves(method)
    if engine == "quadrature" and not served:
        raise NoExactForm(f"engine = 'quadrature' is not allowed for rule {method.name!r}: use 'auto'")

    # From the fastest to the most general: the first kind of weights that serves is taken
    if served and engine != "every_group":
        weights: StepWeights = weights_by_class.prepare_class_weights(
            world, method, engine, padded=padded, off_policy=off_policy
        )
    elif is_static(method):
        weights = prepare_enumerated(world, method, padded=padded)
    else:
        weights = prepare_traced(world, method)

    # Only where responses of one kind have a common advantage, not one that is 0 on average over the group
    centred = isinstance(method.baseline, VirtualCorrect | Signed)
    return replace(UpdateForm.of(weights, world, method), centred=centred)


def prepare_squares(world: Any, method: Method, *, padded: bool = False) -> UpdateForm:
    """As `prepare_update`, for squared weights: `evaluate_weights` then gives ``E[w_1s^2 | class of 1 is k]``.

    Raises `NoExactForm` where only the Monte Carlo remains. Derived in docs/theory/second-moments.md.
    """
    world = as_world(world)
    METHOD.check("rule", method)
    refuse_search(method)
    if not method.sampler.whole:
        inner = prepare_squares(world, of_whole_questions(method), padded=padded)
        return replace(inner, weights=PortionWeights(inner.weights, parts_of(world, method)))

    if weights_by_class.serves_moments(method):
        squares = weights_by_class.prepare_class_weights(world, method, padded=padded, statistic="square")
        return UpdateForm.of(squares, world, method)
    weights: StepWeights
    if is_static(method):
        weights = prepare_enumerated(world, method, padded=padded, power=2)
    else:
        weights = prepare_traced(world, method, power=2)
    return UpdateForm.of(weights, world, method)


def evaluate_weights(form: UpdateForm, logits: Any, now: Any = None, *, probs: Any = None) -> jax.Array:
    """Expected step weights ``E[w_1s | class of 1 is k]`` ``(..., K, S)`` for groups sampled under ``logits``.

    ``logits``: ``(..., *D)``. ``now`` ``(..., *D)``: the policy after some gradient steps on the batch (None: the one
    that sampled). ``probs`` ``(..., K)``: numbers to use instead of the classes' probabilities, which need not sum
    to 1; the result is a form of degree G - 1 in them. Derived in docs/theory/step-weights.md#expected-weights.
    """
    logits = jnp.asarray(logits, float)
    model = form.model
    before = model.step_log_probs(logits, form.parameters)
    # Step by step, the log-probability ratio of the policy now and the sampling one; None skips what it would change
    log_ratio = None
    if now is not None:
        log_ratio = model.step_log_probs(jnp.asarray(now, float), form.parameters) - before

    chance = model.probs(logits, form.parameters) if probs is None else probs
    return form.weights.given(chance, before, log_ratio)


def evaluate_update(form: UpdateForm, logits: Any, now: Any = None) -> jax.Array:
    """Expected update ``(..., *D)``, per unit of learning rate, of groups sampled under ``logits`` ``(..., *D)``.

    ``form``: from `prepare_update`. ``now`` ``(..., *D)``: the policy that is updated (None: the one that sampled).
    The questions of a population, the axis before those of the logits, count as the method says, in the limit of many
    groups of each. Can be jitted with ``form`` as an argument. Derived in docs/theory/step-weights.md.
    """
    logits = jnp.asarray(logits, float)
    chance = form.model.probs(logits, form.parameters)
    weights = evaluate_weights(form, logits, now)
    if form.centred and now is None:
        weights = weights - _of_commonest_class(chance, weights)
    weights = chance[..., None] * weights
    moved = logits if now is None else jnp.asarray(now, float)
    update = form.model.along_scores(moved, form.parameters, weights)
    if isinstance(form.across, Independent) or chance.ndim == 1:
        return update

    # With many groups of each question their mean rewards, here success rates, are known
    success = jnp.where(jnp.asarray(form.correct), chance, 0.0).sum(-1)[..., None]
    share = form.across(success, success)
    return update * share.reshape(share.shape + (1,) * (update.ndim - share.ndim))


def _of_commonest_class(chance: jax.Array, weights: jax.Array) -> jax.Array:
    """Weight ``(..., 1, 1)`` of the first step of the likeliest class.

    On average over responses scores are 0, so one number less on every weight changes no update; but where success is
    rare, nearly all responses share a weight of order 1, whose sum would leave round-off larger than the rest.
    """
    commonest = jnp.argmax(chance, axis=-1)[..., None, None]
    return jnp.take_along_axis(weights[..., :1], commonest, axis=-2)


evaluate_update_compiled = jax.jit(evaluate_update)


def update_function(world: Any, method: Method, engine: UpdateEngine = "auto") -> Callable[..., jax.Array]:
    """The expected update as a function from logits ``(..., *D)`` to ``(..., *D)``.

    The result is per unit of learning rate, for the maximization of the objective. A second argument ``now``
    ``(..., *D)`` is the policy after some gradient steps on the batch. The function can be jitted, vmapped and
    differentiated. Arguments and errors as in `prepare_update`. Derived in docs/theory/step-weights.md.

    >>> from spo_theory import ReasoningChain, rule
    >>> update = update_function(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo", group_size=2))
    >>> print(update([2.0, 0.0]).round(4))
    [0.0525 0.2202]
    """
    # Most callers never move the policy off the samples, so that form is prepared when it is first needed
    on_policy = prepare_update(world, method, engine)
    moved: list[UpdateForm] = []
    described = as_world(world)

    def update(logits: Any, now: Any = None) -> jax.Array:
        check_logits(described, logits)
        if now is None:
            return evaluate_update(on_policy, logits)
        if not moved:
            moved.append(prepare_update(world, method, engine, off_policy=True))
        return evaluate_update(moved[0], logits, now)

    return update


def check_logits(world: World, logits: Any, name: str = "logits") -> None:
    """Raise `InputError` unless ``logits`` have the shape of those of a question of ``world`` in their last axes.

    ``name``: of the parameter, for the message. Costs nothing in compiled code, where shapes are fixed.
    """
    wanted = world.logits.shape[world.logits.ndim - world.axes :]
    shape = np.shape(logits)
    check(shape[len(shape) - world.axes :] == wanted, f"{name}.shape", shape, f"(..., {', '.join(map(str, wanted))})")


def rule_advantage_function(rule: Method, rts: Any, method: Engine = "auto") -> Expectation:
    """Expected advantage ``E[A_1 | class of 1 is k]`` ``(..., K)`` as a function of class probabilities ``(..., K)``.

    ``rule``: a method with one advantage for each class. ``rts`` ``(K,)``: reasoning trajectory score of each class,
    the last one correct. ``method``: the engine. The function can be jitted, vmapped and differentiated.
    Raises `NoExactForm` for other methods, `InputError` for scores outside [0, 1].
    Derived in docs/theory/expected-advantages.md#scopes.
    """
    METHOD.check("rule", rule)
    form = weights_by_class.form_of_rts(rule, rts, "mean", method)
    if rule.baseline.uses_log_prob:
        form = replace(form, penalty=Exponent.of(rule.group_size - 1))
    return partial(evaluate_of_classes, form, np.size(rts))


def expected_update(chain: Any, rule: Method, method: UpdateEngine = "auto") -> np.ndarray:
    """Expected update of every logit: ``g_h = sum_k p_k sum_s E[w_s | k] s_ksh``, shape ``(..., H)`` on a chain.

    ``chain``: a `ReasoningChain`, or a `World` with logits of any shape, which is then the shape of the result.
    ``rule``: the update rule. ``method``: the engine, as in `prepare_update`. The update is per unit of learning rate,
    for the maximization of the objective. Raises `NoExactForm`, naming the Monte Carlo, where ``method`` does not
    serve. Derived in docs/theory/expected-advantages.md.

    >>> from spo_theory import ReasoningChain, rule
    >>> expected_update(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo", group_size=2))
    array([0.125, 0.125])
    """
    form = prepare_update(chain, rule, method, padded=True)
    logits = as_world(chain).logits
    found = np.asarray(evaluate_update_compiled(form, logits))
    finite = bool(np.isfinite(found).all())
    check(finite, "logits", logits.tolist(), f"nearer to 0: the update of rule {rule.name!r} is no number there")
    return found
