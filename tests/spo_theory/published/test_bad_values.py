"""An erring judge with credit to the prefix, and the values that published formulas refuse."""

from itertools import product

import numpy as np
import pytest
from every_group import Q

from spo_theory import InputError, expected_update, rule
from spo_theory.outcomes.judged import confusion, expected_update_judged
from spo_theory.published.davis_recht import transform_clock
from spo_theory.published.mroueh import kl_fixed_point, kl_round, kl_slope
from spo_theory.published.rad import noisy_bandit_flow, noisy_outcome_update
from spo_theory.published.suk_duan import largest_safe_rate, success_lower_bound
from spo_theory.published.zhou import u_statistic, u_statistic_mse


def test_an_erring_judge_with_credit_to_the_prefix():
    """Without errors it is the expected update of the rule; with errors the sum over every pair and every verdict."""
    prefix = rule("spo_prefix", group_size=2)
    np.testing.assert_allclose(expected_update_judged(Q, prefix), expected_update(Q, prefix), rtol=1e-13)
    miss, false_alarm = 0.3, 0.2
    judged = np.vstack([confusion(2, miss, false_alarm), [0.0, 0.0, 1.0]])  # a correct response stays one
    total = np.zeros(2)
    for true in product(range(3), repeat=2):
        for heard in product(range(3), repeat=2):
            chance = np.prod([Q.class_probs[k] * judged[k, j] for k, j in zip(true, heard, strict=True)])
            correct = np.array(true) == 2
            reward = np.where(correct, 3, heard)  # any increasing colours: in a pair only the order counts
            for i in (0, 1):
                sign = np.sign(reward[i] - reward[1 - i]) if not correct.all() else 0
                for h in range(min(true[i] + 1, 2)):
                    blamed_or_credited = h < heard[i] or sign < 0 or correct[i]
                    total[h] += chance * sign * blamed_or_credited * Q.scores[true[i], h] / 2
    np.testing.assert_allclose(expected_update_judged(Q, prefix, miss, false_alarm), total, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: transform_clock(1.0), "p = "),
        (lambda: transform_clock(0.5, "half"), "scale = 'half'"),
        (lambda: kl_round(0.5, 0.0, 1.0), "anchor = "),
        (lambda: kl_round(1.5, 0.5, 1.0), "p = "),
        (lambda: kl_fixed_point(0.5, 0.0), "beta = 0.0"),
        (lambda: kl_fixed_point(0.05, 2.0, rounds=3), "rounds = 3"),
        (lambda: kl_slope(0.5, 1.0, var_eps=0.0), "var_eps = 0.0"),
        (lambda: noisy_outcome_update(Q, 8, 1.2, 0.0), "tpr = "),
        (lambda: noisy_outcome_update(Q, 8, 1.0, np.nan), "fpr = "),
        (lambda: noisy_bandit_flow([0.0, 1.0], [True], 0.5, 0.1), "right.shape"),
        (lambda: noisy_bandit_flow([0.0, 1.0], [True, False], 1.0, 1.0), "acceptance rate"),
        (lambda: largest_safe_rate(1.0, 0), "horizon = 0"),
        (lambda: success_lower_bound(0.5, -1.0), "mass = "),
        (lambda: success_lower_bound(1.0, 1.0), "start = "),
        (lambda: u_statistic(np.zeros((1, 2)), np.zeros(1)), "group size = 1"),
        (lambda: u_statistic(np.zeros((3, 2)), np.zeros(2)), "rewards.shape"),
        (lambda: u_statistic_mse(Q, 1), "group_size = 1"),
        (lambda: expected_update_judged(Q, rule("spo"), miss=1.1), "miss = 1.1"),
    ],
)
def test_bad_values_are_refused(call, text):
    with pytest.raises(InputError, match=text.replace("(", r"\(")):
        call()
