"""The checkers find known mistakes: each mutant is a bug that was really made somewhere."""

import numpy as np
import properties
import pytest
from scipy.special import expit
from strategies import Groups

from spo_theory import rule
from spo_theory.advantages import GroupAdvantage

REWARDS = np.array([[0.0, 1.0, 0.2, 0.7], [0.1, 0.1, 0.1, 0.1], [3.0, 3.0, 3.0, 1.0]])
ORDER = np.array([2, 0, 3, 1])


def good(r):
    return GroupAdvantage()(r)


def check_all(advantages):
    properties.sums_to_zero(advantages, REWARDS)
    properties.zero_exactly_when_equal(advantages, REWARDS)
    properties.permutation_equivariant(advantages, REWARDS, ORDER)
    properties.affine_invariant(advantages, REWARDS, 3.0, -2.0)
    properties.bounded(advantages, REWARDS)
    properties.groups_independent(advantages, REWARDS, REWARDS[1:] * 2)


def test_the_real_rule_passes():
    check_all(good)


MUTANTS = {
    "batch std instead of group std": lambda r: (r - r.mean(-1, keepdims=True)) / r.std(),
    "whole batch as one group": lambda r: (r - r.mean()) / r.std(),
    "group ids shuffled": lambda r: good(r.reshape(r.shape[::-1]).T.copy()).reshape(r.shape),
    "variance floor": lambda r: (r - r.mean(-1, keepdims=True)) / np.sqrt(np.maximum(r.var(-1, keepdims=True), 0.5)),
    "leave-one-out mean": lambda r: r - (r.sum(-1, keepdims=True) - r) / (r.shape[-1] - 1) + 1e-3,
    "first response as baseline": lambda r: r - r[..., :1],
    "advantage of a lone failure too large": lambda r: good(r) * 1.5,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_advantages_are_caught(name):
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        check_all(MUTANTS[name])


def test_swapped_ddof_is_caught_by_its_value():
    one, zero = GroupAdvantage(ddof=1)(REWARDS[:1]), GroupAdvantage(ddof=0)(REWARDS[:1])
    np.testing.assert_allclose(one, zero * np.sqrt(3 / 4), rtol=1e-14)


def test_reversed_colouring_is_caught():
    def reversed_sign(correct, first_error, lengths):
        return np.where(correct, 1.0, expit(-5 * (first_error / lengths - 0.5)))

    with pytest.raises(AssertionError, match="does not increase"):
        properties.increases_with_prefix(reversed_sign, 4)


def test_colouring_that_reaches_a_correct_reward_is_caught():
    def saturated(correct, first_error, lengths):
        return np.where(correct, 1.0, (first_error + 1) / lengths)

    with pytest.raises(AssertionError, match="as much as a correct one"):
        properties.increases_with_prefix(saturated, 4)


def test_colouring_every_incorrect_response_is_caught():
    first_error = np.array([[3, 1, 0], [2, 1, 0]])
    groups = Groups(first_error == 3, first_error, np.full((2, 3), 3))
    properties.mixed_groups_keep_outcome_reward(rule("spo", group_size=3).rewards, groups)
    with pytest.raises(AssertionError, match="was coloured"):
        properties.mixed_groups_keep_outcome_reward(rule("spo", group_size=3, scope="all_incorrect").rewards, groups)
