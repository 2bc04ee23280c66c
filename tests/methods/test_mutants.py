"""The checkers find known mistakes: each mutant is a bug that was really made somewhere."""

import numpy as np
import properties
import pytest
from scipy.special import expit
from strategies import Groups

from spo_theory import rule
from spo_theory.parts.baselines import GroupAdvantage

REWARDS = np.array([[0.0, 1.0, 0.2, 0.7], [0.1, 0.1, 0.1, 0.1], [3.0, 3.0, 3.0, 1.0]])
FIRST_ERROR = np.array([[3, 1, 0], [2, 1, 0]])
GROUPS = Groups(FIRST_ERROR == 3, FIRST_ERROR, np.full((2, 3), 3))


def good(r):
    return GroupAdvantage()(r)


def naive(r):
    return (r - r.mean(-1, keepdims=True)) / r.std(-1, keepdims=True)


def centred(r):
    return r - r.mean(-1, keepdims=True)


def test_the_real_rule_passes():
    properties.check_advantages(good, REWARDS)
    properties.check_advantages(GroupAdvantage(ddof=1), REWARDS, ddof=1)
    properties.check_rewards(rule("spo", group_size=3).rewards, GROUPS)


MUTANTS = {
    "sign reversed": (lambda r: -good(r), "larger reward has a smaller"),
    "batch std instead of group std": (lambda r: centred(r) / r.std(), "depend on another group"),
    "whole batch as one group": (lambda r: (r - r.mean()) / r.std(), "unequal rewards"),
    "group ids shuffled": (lambda r: good(r.reshape(r.shape[::-1]).T.copy()).T.reshape(r.shape), "unequal rewards"),
    "groups swapped": (lambda r: good(np.roll(r, 1, axis=0)), "unequal rewards"),
    "rounded mean of a constant group": (naive, "unequal rewards"),
    "variance floor": (lambda r: centred(r) / np.sqrt(np.maximum(r.var(-1, keepdims=True), 0.5)), "units of reward"),
    "first response as baseline": (lambda r: r - r[..., :1], "sum to zero"),
    "not divided by the std": (lambda r: GroupAdvantage(scale="none")(r), "units of reward"),
    "too large": (lambda r: good(r) * 1.5, "exceeds"),
    "ddof swapped": (GroupAdvantage(ddof=1), "not standardized"),
    "eps left in": (GroupAdvantage(eps=1e-6), "units of reward"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_advantages_are_caught(name):
    mutant, complaint = MUTANTS[name]
    with pytest.raises(AssertionError, match=complaint), np.errstate(all="ignore"):
        properties.check_advantages(mutant, REWARDS)


def test_ddof_swapped_the_other_way_is_caught():
    with pytest.raises(AssertionError, match="not standardized"):
        properties.check_advantages(good, REWARDS, ddof=1)


def test_reversed_colouring_is_caught():
    def reversed_sign(correct, first_error, lengths):
        return np.where(correct, 1.0, expit(-5 * (first_error / lengths - 0.5)))

    with pytest.raises(AssertionError, match="does not increase"):
        properties.check_rewards(reversed_sign, GROUPS)


def test_colouring_that_reaches_a_correct_reward_is_caught():
    def saturated(correct, first_error, lengths):
        return np.where(correct, 1.0, (first_error + 1) / lengths)

    with pytest.raises(AssertionError, match="as much as a correct one"):
        properties.check_rewards(saturated, GROUPS)


def test_colouring_every_incorrect_response_is_caught():
    with pytest.raises(AssertionError, match="was coloured"):
        properties.check_rewards(rule("spo", group_size=3, scope="all_incorrect").rewards, GROUPS)
