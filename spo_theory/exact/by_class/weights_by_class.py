"""The fast path: methods whose weights are one expected advantage for each outcome class, for any group size.

It serves every method that standardizes a reward of the outcome class (plain or coloured), learns from every group and
credits the whole response; a penalty by confidence adds a closed form. Derived in docs/theory/expected-advantages.md.
"""

from typing import Any

import numpy as np

from spo_theory.allowed import numbers
from spo_theory.exact.by_class.certified import prepare_certified
from spo_theory.exact.by_class.forms import Exponent
from spo_theory.exact.by_class.prepare import Engine, Statistic
from spo_theory.exact.by_class.scopes import RuleForm, class_rewards, combine_rewards
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.traced import Traced
from spo_theory.exact.weights import ClassWeights
from spo_theory.method import Method
from spo_theory.outcomes.world import World
from spo_theory.parts.baselines import ConfidencePenalty, GroupAdvantage, GroupStatistics
from spo_theory.parts.credit import WholeResponse
from spo_theory.parts.filters import EveryGroup
from spo_theory.parts.rewards import Colouring, Outcome, reasoning_trajectory_score
from spo_theory.validation import check


def serves(method: Method) -> bool:
    """Whether the fast path gives the expected weights of ``method``: each part of it must be one that it knows."""
    return (
        _rewards_are_served(method)
        and isinstance(method.keep, EveryGroup)
        and isinstance(method.baseline, GroupStatistics | ConfidencePenalty)
        and isinstance(method.credit, WholeResponse)
        and method.objective.by_sign
    )


def _rewards_are_served(method: Method) -> bool:
    """Plain rewards are; colours only where a group of equal rewards has no advantages, see `combine_rewards`."""
    if isinstance(method.reward, Outcome):
        return True
    return isinstance(method.reward, Colouring) and isinstance(method.baseline, GroupAdvantage)


def serves_moments(method: Method) -> bool:
    """Whether the fast path also gives second moments: not with a penalty by confidence."""
    return serves(method) and isinstance(method.baseline, GroupStatistics)


def statistics(method: Method) -> GroupStatistics:
    """The group statistics inside the baseline of a method that the fast path serves.

    A penalty by confidence has its own closed form; what it does in other groups is what counts here.
    """
    baseline = method.baseline
    found = baseline.otherwise if isinstance(baseline, ConfidencePenalty) else baseline
    assert isinstance(found, GroupStatistics)
    return found


class ClassRewards:
    """Rewards of the classes of ``world`` under ``method``, wrong classes first and all correct ones as one.

    plain, coloured: ``(W + 1,)`` for W wrong classes; coloured is None without colouring. place: for every class of the
    world its place there ``(K,)``. member: ``(K, W + 1)``, the same as a matrix. Both are None if nothing moves.
    """

    def __init__(self, world: World, method: Method) -> None:
        # Forms expect one correct class, the last one; most worlds have their classes in this order already
        wrong = np.flatnonzero(~world.correct)
        place = np.full(world.classes, len(wrong))
        place[wrong] = np.arange(len(wrong))
        moved = not np.array_equal(place, np.arange(world.classes))
        self.place = place if moved else None
        self.member = np.eye(len(wrong) + 1)[place] if moved else None

        # Colours go by the lengths of the steps that were written, or by those of the right response
        lengths = world.lengths
        if method.colouring is not None and method.colouring.length == "true":
            lengths = np.broadcast_to(world.true_lengths, world.lengths.shape)
        rts = reasoning_trajectory_score(world.first_error, np.asarray(lengths, dtype=float))
        self.plain, self.coloured = class_rewards(method, rts[wrong])

    def form(
        self, method: Method, statistic: Statistic = "mean", engine: Engine = "auto", *, padded: bool = False
    ) -> RuleForm:
        """The form of a statistic of the group's advantages under the method's scope."""
        return _form(method, self.plain, self.coloured, statistic, engine, padded=padded)


def form_of_rts(method: Method, rts: Any, statistic: Statistic = "mean", engine: Engine = "auto") -> RuleForm:
    """The form of a statistic for classes with the given RTS ``(K,)``, the last one correct.

    Raises `NoExactForm` for methods without one advantage for each class.
    """
    scores = numbers("rts", rts)
    check(scores.ndim == 1 and scores.size >= 2, "rts.shape", scores.shape, "(K,) with K at least 2, the last correct")
    check(bool(((scores >= 0) & (scores <= 1)).all()), "rts", scores.tolist(), "numbers from 0 to 1")
    served = serves(method) if statistic == "mean" else serves_moments(method)
    if not served:
        raise NoExactForm(f"rule = {method.name!r} is not allowed: its weights are not one advantage for each class")
    plain, coloured = class_rewards(method, scores[:-1])
    return _form(method, plain, coloured, statistic, engine)


def _form(
    method: Method,
    plain: np.ndarray,
    coloured: np.ndarray | None,
    statistic: Statistic,
    engine: Engine,
    *,
    padded: bool = False,
) -> RuleForm:
    size = method.group_size
    baseline = statistics(method)
    return combine_rewards(
        method,
        plain,
        coloured,
        lambda rewards: prepare_certified(rewards, size, baseline, engine, statistic, padded=padded),
    )


def prepare_class_weights(
    world: World,
    method: Method,
    engine: Engine = "auto",
    *,
    padded: bool = False,
    off_policy: bool = False,
    statistic: Statistic = "mean",
) -> ClassWeights:
    """Expected weights of a method that the fast path serves (`serves`).

    ``engine``, ``padded``: as in `spo_theory.exact.by_class.prepare.prepare`. ``statistic``: ``mean`` of the weights,
    or ``square``. ``off_policy``: serve policies that differ from the sampling one too. That takes the expectation of
    the negative part of advantages, which is known for two rewards and enumerated for more. Raises `NoExactForm` where
    that enumeration is too large. Derived in docs/theory/expected-advantages.md.
    """
    rewards = ClassRewards(world, method)
    penalized = method.baseline.uses_log_prob
    return ClassWeights(
        advantages=rewards.form(method, statistic, engine, padded=padded),
        negative=rewards.form(method, "negative", engine, padded=padded) if off_policy else None,
        member=rewards.member,
        place=rewards.place,
        wrong=~world.correct,
        others=Exponent.of(method.group_size - 1) if penalized else None,
        steps=world.lengths.shape[1],
        objective=Traced(method.objective),
    )
