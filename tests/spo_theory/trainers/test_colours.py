"""Coloured rewards from correctness and right shares."""

import numpy as np
import pytest
import torch

from spo_theory import InputError, rule
from spo_theory.parts.rewards import reasoning_trajectory_score
from spo_theory.trainers.colours import coloured_rewards


@pytest.mark.parametrize("scope", ["all_negative", "all_incorrect"])
@pytest.mark.parametrize("xp", [np, torch])
def test_rewards_are_the_methods_own(scope, xp):
    random = np.random.default_rng(0)
    method = rule("spo", group_size=4, scope=scope)
    first_error = random.integers(0, 5, (50, 4))
    lengths = np.full((50, 4), 4)
    correct = first_error == 4
    rts = reasoning_trajectory_score(first_error, lengths)
    got = coloured_rewards(method, xp.asarray(correct), xp.asarray(rts))
    np.testing.assert_array_equal(np.asarray(got), method.rewards(correct, first_error, lengths))


def test_unjudged_responses_keep_their_outcome_reward():
    correct = np.array([[False, True], [False, False]])
    rts = np.array([[np.nan, np.nan], [np.nan, 0.5]])
    got = coloured_rewards(rule("spo", group_size=2, scope="all_incorrect"), correct, rts)
    assert got.tolist() == [[0.0, 1.0], [0.0, 0.5]]


def test_bad_input_is_named():
    with pytest.raises(InputError, match="method = 'grpo'"):
        coloured_rewards(rule("grpo", group_size=2), np.array([True, False]), np.zeros(2))
    with pytest.raises(InputError, match="group_size"):
        coloured_rewards(rule("spo", group_size=3), np.array([True, False]), np.zeros(2))
