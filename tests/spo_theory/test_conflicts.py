"""The conflicts of docs/theory/remedies.md#conflicts: each formula against the engine, each number computed."""

import numpy as np
import pytest
from scipy.optimize import brentq

from spo_theory import ReasoningChain, expected_update, rule
from spo_theory.exact.moments import group_covariance
from spo_theory.method import Method
from spo_theory.outcomes.judged import judged_update_function
from spo_theory.parts.baselines import Raw
from spo_theory.parts.filters import AllNegativeGroups
from spo_theory.parts.rewards import PlusMinusOne

G = 8
BLAME = Method("blame", G, reward=PlusMinusOne(), baseline=Raw(), keep=AllNegativeGroups())
COLOURS = rule("spo", group_size=G, beta=5.0, train_on="all_negative")


def signal_to_noise(chain, method):
    miss = 1 - chain.step_success
    return miss @ expected_update(chain, method) / np.sqrt(miss @ group_covariance(chain, method) @ miss)


def test_a_common_push_on_all_negative_groups_helps_a_little_and_is_noisy():
    found = []
    for horizon in (2, 4):
        chain = ReasoningChain(step_success=[0.3] * horizon)
        success = float(chain.success)
        push = success * (1 - success) ** (G - 1) * (1 - chain.step_success)
        np.testing.assert_allclose(expected_update(chain, BLAME), push, rtol=1e-9)
        found.append([signal_to_noise(chain, BLAME), signal_to_noise(chain, COLOURS)])
    np.testing.assert_allclose(found, [[0.65, 0.82], [0.13, 1.8]], rtol=0.03)


@pytest.mark.parametrize(("horizon", "ratio"), [(4, 0.050), (8, 0.00041)])
def test_an_easy_question_pays_above_a_tiny_kernel(horizon, ratio):
    """The rate of the mixed batch, by the engine with a kernel over both kinds of steps: its zero is the ratio."""
    hard = ReasoningChain(step_success=[0.3] * horizon)
    easy = expected_update(ReasoningChain(step_success=[0.3] * 2), rule("grpo", group_size=G))
    own = expected_update(hard, rule("grpo", group_size=G))
    miss = 1 - hard.step_success

    def gain(c, share=0.5):
        cross = np.full((horizon, 2), c)
        moved = (1 - share) * own + share * cross @ easy
        return miss @ moved - miss @ own

    assert brentq(gain, 0, 1) == pytest.approx(ratio, rel=0.02)
    assert gain(-0.01) < gain(0.0) < 0 < gain(0.1)


@pytest.mark.parametrize(("scope", "pays_from"), [("all_negative", 0.0), ("all_incorrect", 0.17)])
def test_from_which_share_of_truth_a_grade_pays(scope, pays_from):
    chain = ReasoningChain(step_success=[0.3] * 3)
    miss = 1 - chain.step_success
    judged = judged_update_function(chain, rule("spo", group_size=G, beta=5.0, scope=scope))
    plain = expected_update(chain, rule("grpo", group_size=G))

    def gain(share):
        random = np.pad(np.full((3, 3), 1 / 3), ((0, 0), (0, 1)))
        return float(miss @ (np.asarray(judged(chain.logits, share * np.eye(3, 4) + (1 - share) * random)) - plain))

    if pays_from == 0:
        assert gain(0.0) == pytest.approx(0.0, abs=1e-12)
        assert 0 < gain(0.01) < gain(0.1) < gain(1.0)
    else:
        assert gain(0.0) < -0.01
        assert brentq(gain, 0, 1) == pytest.approx(pays_from, abs=0.005)
