"""Batches of free-form responses: verdicts turned into advantages per token, and what is logged of them."""

from dataclasses import dataclass

import pytest
import torch
from free_form import END, Memoryless

from spo_theory import rule
from spo_theory.parts.objectives import Clipped
from toy_llm import TrainConfig
from toy_llm.judging.exact import Verdict
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.network.policy import Rollout
from toy_llm.problems.suite import Question
from toy_llm.problems.suites import SUITES
from toy_llm.problems.tokens import END as END_TOKEN
from toy_llm.problems.tokens import encode
from toy_llm.training.loop import updates
from toy_llm.training.losses import policy_loss
from toy_llm.training.metrics import measure
from toy_llm.training.rollout import Judged, collect, score

PAD, STEP = 0, 1
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

    task = HandJudged()

    def sample(self, prompts, answers, group_size, generator, temperature=1.0):
        probs = torch.tensor([[0.5, 0.4], [0.2, 1.0]])
        parts = {"responses": RESPONSES, "log_probs": torch.zeros(2, 3, 6), "entropy": torch.tensor(0.7)}
        parts["true_probs"] = probs
        if "mask" in Rollout._fields:
            parts["mask"] = HandJudged().judge(RESPONSES, TRUE).mask
        return Rollout(**parts)


def batch(name="spo", judge=None, **options):
    return collect(Recorded(), HandJudged(), rule(name, group_size=3, **options), 2, "test", 0, 5, judge=judge)


def test_every_token_gets_the_advantage_of_its_step():
    """A wrong response with a positive advantage is credited for the tokens of its first, right step alone."""
    told = torch.tensor([[2, 1, 0], [0, 1, 0]])
    judge = JudgeSource("by hand", lambda *place: lambda *asked: told)
    found = batch("spo_prefix", judge)
    a = found.advantages
    assert a[1, 1] > 0
    wanted = a[..., None].repeat(1, 1, 6)
    wanted[1, 1, 2:] = 0.0
    assert torch.equal(found.token_advantages[found.mask], wanted[found.mask])
    assert found.mask[1, 1].tolist() == [True] * 4 + [False] * 2
    plain = batch("spo", judge)
    assert torch.equal(plain.token_advantages, plain.advantages[..., None].expand(2, 3, 6))


def test_rts_weighs_steps_by_their_tokens():
    """Two of five tokens are right: RTS 2/5, coloured with slope 10 around 1/2."""
    found = batch("spo", scope="all_incorrect")
    assert found.rewards[0, 1].item() == pytest.approx(1 / (1 + torch.exp(torch.tensor(-10 * (2 / 5 - 0.5))).item()))
    assert found.rewards[0, 0].item() == 1


def test_rts_over_the_true_length_gives_nothing_for_an_early_end():
    """True: 2;1. Right prefix "2;", two tokens: of three, four and six written ones, or of the four true ones."""
    task, most = SUITES["add"], SUITES["add"].response_length
    question, answer = task.tensors([Question(encode("mod10,7+5+9="), 2, lambda written: (2, 1)[len(written)])])
    texts = [encode(t) + [END_TOKEN] * (most - len(encode(t))) for t in ("2;end", "2;7end", "2;7;8end", "3;1end")]
    responses = torch.tensor([texts])
    verdict = task.judge(responses, answer)
    rollout = Rollout(responses, torch.zeros(1, 4, most), torch.tensor(0.0), torch.ones(1, 4))
    rules = {n: rule("spo", group_size=4, shape="raw", rts_length=n) for n in ("written", "true")}
    judged = Judged(question, answer, rollout, verdict, verdict.first_error)
    rts = {length: score(task, update_rule, judged).rewards[0] for length, update_rule in rules.items()}
    assert rts["written"].tolist() == pytest.approx([2 / 3, 2 / 4, 2 / 6, 0])
    assert rts["true"].tolist() == pytest.approx([2 / 4, 2 / 4, 2 / 4, 0])
    alarm = Judged(question, answer, rollout, verdict, torch.tensor([[2, 2, 3, 2]]))  # a judge that passes every step
    most_of_it = score(task, rules["true"], alarm).rewards[0]
    assert most_of_it.tolist() == pytest.approx([1] * 4)


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

    def at(*place):
        asked.append(place)
        return deaf

    heard, true = batch("spo", JudgeSource("deaf", at)), batch("spo")
    assert asked == [("test", 5), ((2, 1), (2, 3, 6), (2, 6))]
    assert (heard.advantages[1] == 0).all()  # every wrong response is said to be right throughout: none stands out
    assert torch.equal(heard.first_error, heard.verdict.steps)
    assert torch.equal(heard.correct, true.correct)
    for name in ("success", "accuracy_1", "accuracy_2", "all_negative"):
        assert measure(heard)[name] == measure(true)[name]


def test_free_form_gradient_is_that_of_the_chance_of_success():
    """Without division by the spread the mean gradient is ``(1 - 1/G)`` times that of P(correct), exactly."""
    policy, rows = Memoryless(), []
    for index in range(150):
        found = collect(policy, policy.task, rule("dr_grpo", group_size=4), 64, "test", 0, index)
        now = policy.log_probs(found.prompts, found.answers, found.rollout.responses)
        given = (now, found.rollout.log_probs, found.advantages, found.token_advantages)
        loss = policy_loss(Clipped(), *given, mask=found.mask)
        rows.append(-torch.autograd.grad(loss, policy.logits)[0])
    p = policy.logits.softmax(-1)
    exact = 0.75 * torch.autograd.grad(p[0, 0] * p[1, 0] * p[2, END], policy.logits)[0]
    mean, error = torch.stack(rows).mean(0), torch.stack(rows).std(0) / 150**0.5
    assert ((mean - exact).abs() <= 4 * error).all()
    assert error.max() < 0.05 * exact.abs().max()
    assert (mean[3] == 0).sum() == 0  # the last place is reached, and its gradient is noise around 0


@pytest.mark.parametrize("aggregation", ["sum", "response", "token", "constant"])
def test_free_form_training_learns_to_stop(aggregation):
    config = TrainConfig(rule="spo", updates=60, learning_rate=2.0, aggregation=aggregation, questions=32)
    policy = Memoryless()
    first = collect(policy, policy.task, config.make_rule(), 32, "train", 0, 0)
    now = policy.log_probs(first.prompts, first.answers, first.rollout.responses)
    given = (now, now.detach(), first.advantages, first.token_advantages)
    loss = policy_loss(Clipped(), *given, mask=first.mask, aggregation=aggregation, constant=4)
    norm = torch.autograd.grad(loss, policy.logits)[0].norm().item()
    rows = list(updates(config, policy))
    assert rows[0]["grad_norm"] == pytest.approx(norm, rel=1e-6)
    assert rows[0]["success"] < 0.2 < 0.8 < rows[-1]["success"]
    assert rows[-1]["response_length"] == pytest.approx(3, abs=0.3)
    assert rows[-1]["success_exact"] == pytest.approx(rows[-1]["success"], abs=0.1)
    assert rows[0]["ended"] < rows[-1]["ended"]
