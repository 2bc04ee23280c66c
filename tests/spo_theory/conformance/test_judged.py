"""Rewards, step weights and colourings: the project's own pass, wrong ones are found."""

import numpy as np
import pytest

from spo_theory import InputError, rule
from spo_theory.conformance import check
from spo_theory.group import Group
from spo_theory.parts.rewards import Colouring, Outcome


def rewards(reward):
    return lambda correct, first_error, lengths: reward(Group(correct, first_error, lengths, dtype=np.float32))


def weights(name, **options):
    def function(correct, first_error, mask):
        method = rule(name, group_size=correct.shape[-1], **options)
        lengths = mask.astype(np.float32)
        return np.where(mask, method.weights(Group(correct, first_error, lengths)), 0)

    return function


@pytest.mark.parametrize("reward", [Outcome(), Colouring(), Colouring(scope="all_incorrect"), Colouring(shape="raw")])
def test_rewards_of_the_project_pass(reward):
    report = check(rewards(reward), kind="rewards")
    assert report.failed == []
    assert "follows" in str(report.identified)


@pytest.mark.parametrize("name", ["grpo", "spo", "spo_prefix", "ngrpo", "sign"])
def test_step_weights_of_the_project_pass(name):
    report = check(weights(name), kind="step-weights")
    assert report.failed == []
    assert str(report.identified) == f"follows {name}"


@pytest.mark.parametrize(
    "colouring", [Colouring(), Colouring(0.5, 10.0), Colouring(shape="raw"), Colouring(grid=2**-12)]
)
def test_colourings_of_the_project_pass(colouring):
    numbers = {name: value for name, value in vars(colouring).items() if name != "length"}
    assert check(colouring.values, kind="colouring", **numbers).failed == []


def logistic(rts, beta=10.0, gamma=0.5):
    return 1 / (1 + np.exp(-beta * (rts - gamma)))


REWARDS = {
    "scope of the batch": (
        lambda c, f, n: np.where(c, 1.0, np.where(c.any(), 0.0, logistic(f / n))),
        {},
        "groups_are_independent",
    ),
    "mixed groups coloured": (lambda c, f, n: np.where(c, 1.0, logistic(f / n)), {}, "mixed_groups_are_not_coloured"),
    "sign of the slope": (
        lambda c, f, n: np.where(c, 1.0, np.where(c.any(-1, keepdims=True), 0.0, logistic(f / n, -10))),
        {},
        "later_errors_earn_more",
    ),
    "longest response for its own": (
        lambda c, f, n: np.where(c, 1.0, np.where(c.any(-1, keepdims=True), 0.0, logistic(f / n.max()))),
        {},
        "values_in_all_wrong_groups",
    ),
    "wrong earn more than right": (lambda c, f, n: np.where(c, 1.0, f + 1.0), {}, "correct_earn_most"),
    "first errors in an outcome reward": (
        lambda c, f, n: np.where(c, 1.0, 0.1 * f),
        {"reward": "outcome"},
        "mixed_groups_are_not_coloured",
    ),
}


@pytest.mark.parametrize("name", REWARDS)
def test_wrong_rewards_are_found(name):
    function, numbers, found = REWARDS[name]
    report = check(function, kind="rewards", **(numbers or {"reward": "colouring"}))
    assert found in [finding.property.name for finding in report.failed]
    assert "first_error = np.array" in report.failed[0].counterexample


def test_wrong_step_weights_are_found():
    whole = check(weights("spo"), kind="step-weights", rule="spo_prefix")
    assert "wrong_steps_are_not_praised" in [finding.property.name for finding in whole.failed]

    def padded(correct, first_error, mask):
        return np.where(mask, weights("grpo")(correct, first_error, mask), 1.0)

    assert "padding" in [one.property.name for one in check(padded, kind="step-weights", rule="grpo").failed]


def test_wrong_colourings_are_found():
    for function, found in (
        (lambda rts: logistic(rts, -10), "increasing"),
        (lambda rts: 1.01 * logistic(rts), "below_one"),
        (lambda rts: logistic(rts - rts.mean() + 0.5), "each_alone"),
        (lambda rts: logistic(rts, 9.0), "values"),
    ):
        report = check(function, kind="colouring", beta=10.0, gamma=0.5)
        assert found in [finding.property.name for finding in report.failed]


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="reward"):
        check(logistic, kind="rewards", reward="shaped")
    with pytest.raises(InputError, match="rule"):
        check(logistic, kind="step-weights", rule="ppo")
    with pytest.raises(InputError, match="beta"):
        check(logistic, kind="colouring", beta=-1.0)
