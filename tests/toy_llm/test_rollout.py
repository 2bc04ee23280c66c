"""Batches of free-form responses: verdicts turned into advantages per token, and what is logged of them."""

from dataclasses import dataclass

import pytest
import torch

from spo_theory import rule
from toy_llm.model import Rollout
from toy_llm.rollout import Verdict, collect, measure

PAD, STEP, END = 0, 1, 2
TRUE = torch.tensor([[5, STEP, 6, END, END, END], [7, END, END, END, END, END]])
"""One question of two steps, one of one."""
RESPONSES = torch.tensor(
    [
        [[5, STEP, 6, END, END, END], [5, STEP, 9, 9, END, END], [9, STEP, 6, STEP, 6, STEP]],
        [[END, END, END, END, END, END], [8, STEP, 7, END, END, END], [8, 8, 8, 8, 8, END]],
    ]
)


@dataclass(frozen=True)
class HandJudged:
    """The responses above, judged by hand; a step is closed by STEP or END."""

    end: int = END

    def questions(self, stream, seed, start, count):
        return torch.zeros(2, 1, dtype=torch.int64), TRUE

    def answer_steps(self, answers):
        return torch.tensor([[0, 0, 1, 1, -1, -1], [0, 0, -1, -1, -1, -1]])

    def judge(self, responses, answers):
        lengths = torch.tensor([[[2, 2, 0], [2, 3, 0], [2, 2, 2]], [[1, 0, 0], [2, 2, 0], [6, 0, 0]]])
        ends = lengths.cumsum(-1)
        token = torch.arange(6).expand(2, 3, 6)
        return Verdict(
            correct=torch.tensor([[True, False, False], [False, False, False]]),
            first_error=torch.tensor([[2, 1, 0], [0, 0, 0]]),
            steps=(lengths > 0).sum(-1),
            step_lengths=lengths,
            mask=token < ends[..., -1:],
            token_step=(token[..., None] >= ends[..., None, :]).sum(-1).clamp(max=2),
        )


class Recorded:
    """A policy that always gives the responses above."""

    def sample(self, prompts, answers, group_size, generator, temperature=1.0):
        probs = torch.tensor([[0.5, 0.4], [0.2, 1.0]])
        parts = {"responses": RESPONSES, "log_probs": torch.zeros(2, 3, 6), "entropy": torch.tensor(0.7)}
        parts["true_probs"] = probs
        if "mask" in Rollout._fields:
            parts["mask"] = HandJudged().judge(RESPONSES, TRUE).mask
        return Rollout(**parts)


def batch(name="spo", step_judge=None, **options):
    return collect(
        Recorded(), HandJudged(), rule(name, group_size=3, **options), 2, "test", 0, 0, step_judge=step_judge
    )


def test_every_token_gets_the_advantage_of_its_step():
    found = batch("spo_prefix", scope="all_incorrect")
    mask, first, a = found.mask, found.first_error, found.advantages
    steps = found.verdict.token_step
    for q in range(2):
        for g in range(3):
            keep = found.correct[q, g] or a[q, g] <= 0
            wanted = [a[q, g] if keep or steps[q, g, t] < first[q, g] else 0.0 for t in range(6)]
            got = found.token_advantages[q, g]
            assert [x.item() for x, m in zip(got, mask[q, g], strict=True) if m] == pytest.approx(
                [float(x) for x, m in zip(wanted, mask[q, g], strict=True) if m]
            )
    plain = batch("spo")
    assert torch.equal(plain.token_advantages, plain.advantages[..., None].expand(2, 3, 6))


def test_rts_weighs_steps_by_their_tokens():
    """Two of five tokens are right: RTS 2/5, coloured with slope 10 around 1/2."""
    found = batch("spo", scope="all_incorrect")
    assert found.rewards[0, 1].item() == pytest.approx(1 / (1 + torch.exp(torch.tensor(-10 * (2 / 5 - 0.5))).item()))
    assert found.rewards[0, 0].item() == 1


def test_metrics_of_responses_of_different_lengths():
    row = measure(batch())
    assert row["success"] == pytest.approx(1 / 6)
    assert row["success_exact"] == pytest.approx((0.5 * 0.4 + 0.2) / 2)
    assert row["all_negative"] == row["mixed"] == 0.5
    assert row["response_length"] == pytest.approx((4 + 5 + 6 + 1 + 4 + 6) / 6)
    assert row["ended"] == pytest.approx(5 / 6)
    assert row["q_1"] == pytest.approx((0.5 + 0.2) / 2)
    assert row["q_2"] == pytest.approx(0.4)  # of the one question that has a second step
    assert row["accuracy_1"] == pytest.approx(2 / 6)
    assert row["accuracy_2"] == pytest.approx(1 / 2)  # of the two responses that got there


def test_the_rule_hears_the_step_judge_and_the_log_the_truth():
    asked = []

    def deaf(prompts, responses, answers, verdict):
        asked.append((prompts.shape, responses.shape, answers.shape))
        return verdict.steps

    heard, true = batch("spo", deaf), batch("spo")
    assert asked == [((2, 1), (2, 3, 6), (2, 6))]
    assert (heard.advantages[1] == 0).all()  # every wrong response is said to be right throughout: none stands out
    assert torch.equal(heard.first_error, heard.verdict.steps)
    assert torch.equal(heard.correct, true.correct)
    for name in ("success", "accuracy_1", "accuracy_2", "all_negative"):
        assert measure(heard)[name] == measure(true)[name]
