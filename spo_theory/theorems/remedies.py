"""Statements about other remedies for all-negative groups: aligned rewards, hints, groups that are sampled anew
(docs/theory/statements.md#other-remedies)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.stats import binom

from spo_theory.exact.groups import all_groups, group_probabilities
from spo_theory.exact.update import expected_update
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.parts.filters import MixedGroups
from spo_theory.parts.rewards import Scope
from spo_theory.parts.samplers import DynamicSampling
from spo_theory.theorems.statement import statement

ROUND_OFF = 1e-11

STARTS = ReasoningChain(
    step_success=[[0.3, 0.3, 0.3], [0.8, 0.5, 0.2], [0.2, 0.5, 0.8], [0.95, 0.4, 0.6], [0.1, 0.9, 0.1], [0.6, 0.6, 0.9]]
)
"""Three steps: equal ones, early and late weak ones, and a nearly certain step before an uncertain one."""


def rate_of_log_success(chain: ReasoningChain, method: Method) -> np.ndarray:
    """First-order rise of log success per unit of time ``(N,)`` under a method's expected update.

    >>> chain = ReasoningChain(step_success=[[0.5, 0.5]])
    >>> rate_of_log_success(chain, rule("grpo", group_size=2)).round(4).tolist()
    [0.125]
    """
    update = np.asarray(expected_update(chain, method))
    return np.asarray(((1 - chain.step_success) * update).sum(-1))


def largest_rate(chain: ReasoningChain, group_size: int, scope: Scope) -> np.ndarray:
    """The rate of log success ``(N,)`` that no standardized rewards exceed, summed over all groups.

    Rewards are free in the groups of ``scope``; in the other ones they are GRPO's. In a free group the best advantages
    are the standardized first-order gains v, and raise log success by their standard deviation.
    """
    q = chain.step_success
    horizon = q.shape[-1]
    right = np.cumsum((1 - q) ** 2, axis=-1)
    none = np.zeros_like(q[:, :1])

    # The gain of class k: its k right steps, less the first wrong one
    gain = np.concatenate([none, right], axis=-1)
    gain[:, :-1] -= q * (1 - q)

    # The best of a group, and what GRPO makes of the same group
    groups = all_groups(horizon, group_size)
    gains = gain[:, groups]
    best = gains.std(-1)
    correct = (groups == horizon).astype(float)
    spread = correct.std(-1, keepdims=True)
    advantages = np.where(spread > 0, (correct - correct.mean(-1, keepdims=True)) / np.where(spread > 0, spread, 1), 0)
    plain = (advantages * gains).mean(-1)

    free = (groups < horizon).all(-1) if scope == "all_negative" else np.ones(len(groups), dtype=bool)
    chances = group_probabilities(groups, chain.class_probs)
    return np.asarray((chances * np.where(free, best, plain)).sum(-1))


@statement(
    "Of all rewards that are standardized over the group, aligned colours raise log success fastest to first order: "
    "in all-negative groups and in all groups, for every start and group size.",
    "proved",
    checked="six starts of three steps, G = 2 and 4, both scopes; the engine's rate is the largest there can be to "
    "1e-11, and those of GRPO and of three colourings of the same groups are not above it",
)
def aligned_colours_are_best() -> Iterator[str]:
    """Group sizes and scopes in which aligned colours miss the largest rate, or another rule exceeds it."""
    for group_size in (2, 4):
        for scope in ("all_negative", "all_incorrect"):
            best = largest_rate(STARTS, group_size, scope)
            aligned = rule("aligned", group_size=group_size, scope=scope, estimate="policy")
            error = float(np.abs(rate_of_log_success(STARTS, aligned) - best).max())
            if not error <= ROUND_OFF:
                yield f"G = {group_size}, {scope}: aligned colours are {error:.2g} off the largest rate"

            # Others have the same mixed groups with scope all_negative, and give theirs away with all_incorrect
            others = [rule("grpo", group_size=group_size)]
            for beta, gamma in ((1.0, 0.5), (5.0, 0.5), (20.0, 0.2)):
                others.append(rule("spo", group_size=group_size, scope=scope, beta=beta, gamma=gamma))
            for other in others:
                more = float((rate_of_log_success(STARTS, other) - best).max())
                if not more <= ROUND_OFF:
                    yield f"G = {group_size}, {scope}: {other.name} is {more:.2g} faster"


def hinted_rate(chain: ReasoningChain, group_size: int, depth: int) -> np.ndarray:
    """The rate of log success ``(N,)`` of the whole question under GRPO with ``depth`` steps given, in closed form.

    >>> chain = ReasoningChain(step_success=[[0.5, 0.5]])
    >>> hinted_rate(chain, group_size=2, depth=0).round(4).tolist()
    [0.125]
    """
    asked = chain.step_success[:, depth:]
    success = asked.prod(-1)

    # Mean of sqrt(k (G - k)) / G over the number of correct responses k
    k = np.arange(group_size + 1)
    push = (binom.pmf(k, group_size, success[:, None]) * np.sqrt(k * (group_size - k))).sum(-1) / group_size
    return np.asarray(push / (1 - success) * ((1 - asked) ** 2).sum(-1))


@statement(
    "Hints transfer: under GRPO on questions with d given steps, log success of the whole question rises at the rate "
    "c_G(S) / (1 - S) times the sum of (1 - q_h)^2 over the steps asked for, S their success.",
    "proved",
    checked="six starts of three steps, G = 2, 4, 8, hints of any depth (the mean over d); to 1e-11",
)
def hints_transfer() -> Iterator[str]:
    """Group sizes for which the engine's rate under hints of any depth is another one."""
    horizon = STARTS.horizon
    for group_size in (2, 4, 8):
        hinted = rule("hints", group_size=group_size, depth="uniform")
        law = np.mean([hinted_rate(STARTS, group_size, depth) for depth in range(horizon)], axis=0)
        error = float(np.abs(rate_of_log_success(STARTS, hinted) - law).max())
        if not error <= ROUND_OFF:
            yield f"G = {group_size}: {error:.2g} off"


def with_mixed_groups_alone(plain: Method) -> Method:
    """The method with dynamic sampling: groups of one kind of response are thrown away and sampled anew.

    >>> with_mixed_groups_alone(rule("grpo")).sampler.resamples
    True
    """
    return replace(plain, keep=MixedGroups(), sampler=DynamicSampling())


@statement(
    "Dynamic sampling saves no rollouts: replacing silent groups multiplies GRPO's expected update by the groups that "
    "are sampled for each that is kept, so the update per rollout stays what it was.",
    "proved",
    checked="six starts of three steps, G = 2, 4, 8; to 1e-11 of the update",
)
def resampling_saves_no_rollouts() -> Iterator[str]:
    """Group sizes for which the update of a kept group is not GRPO's times the groups sampled for it."""
    success = STARTS.success
    for group_size in (2, 4, 8):
        plain = rule("grpo", group_size=group_size)
        sampled_for_one = 1 / (1 - success**group_size - (1 - success) ** group_size)
        kept = np.asarray(expected_update(STARTS, with_mixed_groups_alone(plain)))
        wanted = sampled_for_one[:, None] * np.asarray(expected_update(STARTS, plain))
        error = float(np.abs(kept / wanted - 1).max())
        if not error <= ROUND_OFF:
            yield f"G = {group_size}: {error:.2g} apart"
