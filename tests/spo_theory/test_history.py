"""History resampling on a population, against a loop over epochs written out."""

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule, solve
from spo_theory.dynamics.history import solve_history

QUESTIONS = ReasoningChain(step_success=[[0.95, 0.97], [0.4, 0.5], [0.9, 0.6]])


@pytest.mark.parametrize("left_out", ["once", "forever"])
@pytest.mark.parametrize("shared", [False, True])
def test_epochs_against_a_loop(left_out, shared):
    method = rule("history_resampling", group_size=4, left_out=left_out)
    kernel = np.array([[1.0, 0.3], [0.3, 1.0]]) if shared else None
    logits = QUESTIONS.logits.copy()
    left = np.ones(3)
    found = solve_history(QUESTIONS, method, 4, 0.5, kernel)
    paid = 0.0
    for _, row in found.iterrows():
        chain = ReasoningChain(logits=logits)
        success = chain.success
        assert row["success"] == pytest.approx(success.mean(), rel=1e-12)
        assert row["asked"] == pytest.approx(left.sum(), rel=1e-12)
        assert row["rollouts"] == pytest.approx(paid, rel=1e-12)
        mixed = 1 - success**4 - (1 - success) ** 4
        assert row["informative"] == pytest.approx(left @ mixed / left.sum(), rel=1e-12)
        g = left[:, None] * expected_update(chain, rule("grpo", group_size=4))
        logits = logits + 0.5 * (kernel @ g.sum(0) / left.sum() if shared else g)
        paid += 4 * left.sum()
        left = 1 - left * success**4 if left_out == "once" else left * (1 - success**4)


def test_another_rule_asks_every_question():
    plain = solve_history(QUESTIONS, rule("grpo", group_size=4), 10)
    np.testing.assert_allclose(
        plain["success"], solve(QUESTIONS, rule("grpo", group_size=4), 10)["success"], rtol=1e-12
    )
    assert (plain["asked"] == 3).all()


def test_the_claim_more_groups_are_informative_at_fewer_rollouts():
    """SRPO's figure 8 in the mean field: easy questions are left out, and the others have the same groups as ever."""
    easy = ReasoningChain(step_success=[[0.97, 0.97]] * 3 + [[0.3, 0.4]])
    plain, history = (solve_history(easy, rule(name, group_size=8), 30) for name in ("grpo", "history_resampling"))
    assert (history["informative"][1:] > plain["informative"][1:]).all()
    assert history["rollouts"].iloc[-1] < 0.8 * plain["rollouts"].iloc[-1]


def test_solve_refuses_several_questions():
    with pytest.raises(InputError, match="sampler = HistoryResampling"):
        solve(QUESTIONS, rule("history_resampling"), 3)
    one = ReasoningChain(step_success=[0.4, 0.5])
    grpo = solve(one, rule("grpo"), 5)["success"]
    np.testing.assert_allclose(solve(one, rule("history_resampling"), 5)["success"], grpo, rtol=1e-12)
    with pytest.raises(InputError, match="several questions"):
        solve_history(one, rule("grpo"), 3)
