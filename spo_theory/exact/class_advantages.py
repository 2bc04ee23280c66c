"""The fast path: methods whose weights are one expected advantage per outcome class, for any group size.

It serves every method that standardizes a reward of the outcome class (plain or coloured), learns from every group and
credits the whole response; the penalty by confidence adds a closed form. Derived in
docs/theory/expected-advantages.md.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.certified import prepare_certified
from spo_theory.exact.prepare import Engine, Statistic
from spo_theory.exact.scopes import RuleForm, combine_rewards, evaluate_rule
from spo_theory.method import Method
from spo_theory.outcomes.world import World
from spo_theory.parts.baselines import ConfidencePenalty, GroupAdvantage, confidence_odds
from spo_theory.parts.credit import WholeResponse
from spo_theory.parts.filters import EveryGroup
from spo_theory.parts.rewards import Colouring, Outcome, reasoning_trajectory_score

Expectation = Callable[[Any], jax.Array]


def serves(method: Method) -> bool:
    """Whether the fast path gives the expected weights of ``method`` where the policy is the sampling one."""
    return (
        _rewards_are_served(method)
        and isinstance(method.keep, EveryGroup)
        and isinstance(method.baseline, GroupAdvantage | ConfidencePenalty)
        and isinstance(method.credit, WholeResponse)
        and method.objective.by_sign
    )


def _rewards_are_served(method: Method) -> bool:
    """Plain rewards are; colours only where a group of equal rewards has no advantages, see `combine_rewards`."""
    if isinstance(method.reward, Outcome):
        return True
    relative = isinstance(method.baseline, GroupAdvantage) and method.baseline.baseline == "mean"
    return isinstance(method.reward, Colouring) and relative


def serves_moments(method: Method) -> bool:
    """Whether the fast path also gives second moments: not with a penalty by confidence."""
    return serves(method) and isinstance(method.baseline, GroupAdvantage)


def statistics(method: Method) -> GroupAdvantage:
    """The group statistics inside the baseline of a method that the fast path serves."""
    baseline = method.baseline
    found = baseline.otherwise if isinstance(baseline, ConfidencePenalty) else baseline
    assert isinstance(found, GroupAdvantage)
    return found


class ClassRewards:
    """Rewards of the classes of ``world`` under ``method``, wrong classes first and all correct ones as one.

    plain, coloured: ``(W + 1,)``; coloured is None without colouring. of: for every class of the world its place.
    """

    def __init__(self, world: World, method: Method) -> None:
        wrong = np.flatnonzero(~world.correct)
        self.of = np.full(world.classes, len(wrong))
        self.of[wrong] = np.arange(len(wrong))
        self.member = np.eye(len(wrong) + 1)[self.of]
        self.plain = np.append(np.zeros(len(wrong)), 1.0)

        self.coloured: np.ndarray | None = None
        colouring = method.colouring
        if colouring is not None:
            true = np.broadcast_to(world.true_lengths, world.lengths.shape)
            lengths = world.lengths if colouring.length == "written" else true
            rts = reasoning_trajectory_score(world.first_error, np.asarray(lengths, dtype=float))
            self.coloured = np.append(colouring.values(rts[wrong]), 1.0)


def advantage_function(world: World, method: Method, engine: Engine = "auto") -> Expectation:
    """``E[A_1 | class of 1 is k]`` ``(..., K)`` as a function of the class probabilities ``(..., K)``.

    Its second argument, the probability ``(..., K)`` that the policy gives to a response of each class, matters only
    to a penalty by confidence.
    """
    rewards = ClassRewards(world, method)
    baseline = statistics(method)
    scope = None if method.colouring is None else method.colouring.scope
    form = combine_rewards(
        rewards.plain, rewards.coloured, scope, lambda r: prepare_certified(r, method.group_size, baseline, engine)
    )

    def expected(p: Any, confidence: Any = None) -> jax.Array:
        p = jnp.asarray(p, float)
        found = evaluate_rule(form, p @ rewards.member)[..., rewards.of]
        if not method.baseline.uses_log_prob:
            return found

        # In an all-negative group a wrong response is penalized by the odds of its own probability
        others_wrong = jnp.where(world.correct, 0.0, p).sum(-1, keepdims=True) ** (method.group_size - 1)
        return found - confidence_odds(jnp.where(world.correct, 0.0, confidence)) * others_wrong

    return expected


def moment_functions(world: World, method: Method, engine: Engine = "auto") -> tuple[Expectation, Expectation]:
    """``E[A_1^2 | k]`` ``(..., K)`` and ``E[A_1 A_2 | k, j]`` ``(..., K, K)`` as functions of the probabilities."""
    rewards = ClassRewards(world, method)
    baseline = statistics(method)
    scope = None if method.colouring is None else method.colouring.scope

    def combined(statistic: Statistic) -> RuleForm:
        return combine_rewards(
            rewards.plain,
            rewards.coloured,
            scope,
            lambda r: prepare_certified(r, method.group_size, baseline, engine, statistic),
        )

    square = combined("square")
    product = combined("product")
    of = rewards.of
    return (
        lambda p: evaluate_rule(square, p @ rewards.member)[..., of],
        lambda p: evaluate_rule(product, p @ rewards.member)[..., of[:, None], of[None, :]],
    )
