"""Expected step weights, update and covariance of any method over any world, and which engine gave them.

``quadrature`` serves methods that standardize a reward of the outcome class and credit the whole response, for any
group size (`spo_theory.exact.class_advantages`); ``enumerate`` sums over all group compositions and serves every
method (`spo_theory.exact.enumeration`); ``monte_carlo`` samples groups, with standard errors, where both end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact import class_advantages
from spo_theory.exact.enumeration import StepWeights, check_size
from spo_theory.exact.expected import NoExactForm
from spo_theory.method import Method
from spo_theory.outcomes.world import World, as_world
from spo_theory.validation import check, is_whole

EngineName = Literal["auto", "quadrature", "enumerate", "monte_carlo"]
SAMPLED_GROUPS = 20_000
"""Groups that the Monte Carlo draws unless told otherwise."""


@dataclass(frozen=True)
class Expectation:
    """What a method does on average. engine: which one computed it.

    step_weights: ``(..., K, S)``, expected weight of each step of a response given its class. update: ``(..., *D)``,
    of the logits, per unit of learning rate. covariance: ``(..., D, D)`` of the update of one group, D flattened, or
    None where it was not asked for. standard_error: ``(..., *D)`` of the update, None if it is exact.
    """

    engine: str
    step_weights: np.ndarray
    update: np.ndarray
    covariance: np.ndarray | None = None
    standard_error: np.ndarray | None = None


def expectation(
    world: Any,
    method: Method,
    engine: EngineName = "auto",
    *,
    covariance: bool = False,
    groups: int = SAMPLED_GROUPS,
    seed: int = 0,
) -> Expectation:
    """Expected step weights and update of ``method`` in ``world``, and, if asked for, a group's covariance.

    ``world``: a `World` or what has one, such as a `ReasoningChain`. ``engine``: ``auto`` takes the quadrature where it
    applies, else the enumeration, else the Monte Carlo with ``groups`` groups (at least 2) and ``seed``. The result
    names the engine. Raises `InputError` for bad settings and `NoExactForm` where the engine asked for does not serve.

    Example:
        >>> from spo_theory import ReasoningChain, rule
        >>> found = expectation(ReasoningChain(step_success=[0.5, 0.5]), rule("raft", group_size=2))
        >>> found.engine, found.update.round(4).tolist()
        ('enumerate', [0.125, 0.125])
    """
    check(engine in get_args(EngineName), "engine", engine, " or ".join(get_args(EngineName)))
    check(is_whole(groups, 2), "groups", groups, "a whole number, at least 2")
    world = as_world(world)
    used = choose_engine(world, method) if engine == "auto" else engine

    if used == "monte_carlo":
        from spo_theory.exact.monte_carlo import sampled_expectation

        return sampled_expectation(world, method, groups, seed, covariance=covariance)

    weights = step_weight_function(world, method, used)(world.logits)
    update = along_scores(world, world.logits, world.class_probs[..., None] * weights)
    spread = None
    if covariance:
        spread = np.asarray(covariance_function(world, method, used)(world.logits))
    return Expectation(used, np.asarray(weights), np.asarray(update), spread)


def choose_engine(world: Any, method: Method) -> str:
    """The engine that ``auto`` takes: "quadrature", "enumerate" or "monte_carlo"."""
    if class_advantages.serves(method):
        return "quadrature"
    try:
        check_size(as_world(world), method)
    except NoExactForm:
        return "monte_carlo"
    return "enumerate"


def step_weight_function(world: Any, method: Method, engine: str = "auto") -> Callable[..., jax.Array]:
    """Prepare the exact expected step weights: a function from logits ``(..., *D)`` to ``(..., K, S)``.

    A second argument of the function is the policy ``now`` after some gradient steps on the batch (None: the one that
    sampled); for ``parameters`` and ``probs`` see `spo_theory.exact.enumeration.StepWeights.given`. Jit-, vmap- and
    grad-able. Raises `NoExactForm` where ``engine`` does not serve, naming one that does.
    """
    world = as_world(world)
    used = _exact(world, method, engine)
    if used == "enumerate":
        return StepWeights(world, method).given

    fast = class_advantages.advantage_function(world, method)
    slow: list[StepWeights] = []

    def given(logits: Any, now: Any = None, *, parameters: Any = None, probs: Any = None) -> jax.Array:
        # Off the sampling policy, and where a penalty makes advantages no form in p, all groups are enumerated
        if now is not None or (probs is not None and method.baseline.uses_log_prob):
            if not slow:
                slow.append(StepWeights(world, method))
            return slow[0].given(logits, now, parameters=parameters, probs=probs)

        chosen = world.parameters if parameters is None else parameters
        p = world.model.probs(logits, chosen) if probs is None else probs
        confidence = None
        if method.baseline.uses_log_prob:
            confidence = jnp.exp(world.model.step_log_probs(logits, chosen).sum(-1))
        return jnp.broadcast_to(fast(p, confidence)[..., None], (*p.shape, world.lengths.shape[1]))

    return given


def update_function(world: Any, method: Method, engine: str = "auto") -> Callable[..., jax.Array]:
    """Prepare the exact expected update: a function from logits ``(..., *D)`` (and ``now``) to ``(..., *D)``.

    Per unit of learning rate, for the maximization of the objective. The function takes ``parameters`` of the world
    by keyword, if not its own. Arguments and errors as in `step_weight_function`.
    """
    world = as_world(world)
    weights = step_weight_function(world, method, engine)

    def update(logits: Any, now: Any = None, *, parameters: Any = None) -> jax.Array:
        found = weights(logits, now, parameters=parameters)
        chosen = world.parameters if parameters is None else parameters
        p = world.model.probs(logits, chosen)
        return along_scores(world, logits if now is None else now, p[..., None] * found, chosen)

    return update


def along_scores(world: World, logits: Any, weights: jax.Array, parameters: Any = None) -> jax.Array:
    """Sum ``(..., *D)`` over classes and steps of ``weights`` ``(..., K, S)`` times the scores at ``logits``."""
    logits = jnp.asarray(logits, float)
    scores = world.model.step_scores(logits, world.parameters if parameters is None else parameters)
    letters = "abc"[: world.axes]
    return jnp.einsum(f"...ks,...ks{letters}->...{letters}", weights, scores)


def second_moment_function(world: Any, method: Method, engine: str = "auto") -> Callable[[Any], jax.Array]:
    """Prepare ``E[g g^T]`` of the update g of one group: from logits ``(..., *D)`` to ``(..., D, D)``, D flattened."""
    world = as_world(world)
    used = _exact(world, method, engine)
    if used == "enumerate" or not class_advantages.serves_moments(method):
        return StepWeights(world, method).second_moment
    square, product = class_advantages.moment_functions(world, method)
    size = method.group_size

    def second(logits: Any) -> jax.Array:
        logits = jnp.asarray(logits, float)
        p = world.model.probs(logits, world.parameters)
        step_scores = world.model.step_scores(logits, world.parameters)
        scores = step_scores.sum(-1 - world.axes).reshape(*p.shape, -1)

        # One response with itself, and each of the G (G - 1) ordered pairs of different ones
        own = jnp.einsum("...k,...kd,...ke->...de", p * square(p), scores, scores)
        weighted = p[..., :, None] * product(p) * p[..., None, :]
        pair = jnp.einsum("...kj,...kd,...je->...de", weighted, scores, scores)
        return (own + (size - 1) * pair) / size

    return second


def covariance_function(world: Any, method: Method, engine: str = "auto") -> Callable[[Any], jax.Array]:
    """Prepare the covariance ``(..., D, D)`` of the update of one group, as a function of logits ``(..., *D)``."""
    world = as_world(world)
    second = second_moment_function(world, method, engine)
    update = update_function(world, method, engine)

    def covariance(logits: Any) -> jax.Array:
        moment = second(logits)
        mean = update(logits).reshape(*moment.shape[:-1])
        return moment - mean[..., :, None] * mean[..., None, :]

    return covariance


def _exact(world: World, method: Method, engine: str) -> str:
    """``engine`` with ``auto`` replaced; raises `NoExactForm` where no exact one serves."""
    used = choose_engine(world, method) if engine == "auto" else engine
    if used == "monte_carlo":
        check_size(world, method)
    if used == "quadrature" and not class_advantages.serves(method):
        raise NoExactForm(f"engine = 'quadrature' is not allowed for rule {method.name!r}: use 'enumerate'")
    return used
