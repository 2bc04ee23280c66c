"""What is measured at the start: log-odds, gradients and the kernel, against independent computations."""

import numpy as np
import pytest
import torch

from spo_theory import rule
from toy_llm.linearization import (
    gradient_variance,
    log_odds_gradients,
    mean_kernel,
    measure_start,
)
from toy_llm.network.log_odds import step_log_odds
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.rollout import collect, group_of

TASK = ChainTask(horizon=3, modulus=5)


@pytest.fixture
def policy():
    torch.manual_seed(0)
    return TransformerPolicy(Transformer(TASK.vocabulary, TASK.prompt_length + 3, 1, 16, 2, 2.0), TASK)


def test_log_odds_do_not_cancel():
    logits = torch.tensor([[0.0, 1.0, 2.0], [60.0, 0.0, 0.0]], dtype=torch.float64)
    odds = step_log_odds(logits[None], torch.tensor([[2, 0]]), torch.tensor([[0, 1]]), 2)[0]
    assert odds[0].item() == pytest.approx(2 - np.log(np.exp(0) + np.exp(1)))
    assert odds[1].item() == pytest.approx(60 - np.log(2))


def test_gradients_against_a_plain_backward_pass(policy):
    prompts, answers = TASK.questions("test", 0, 0, 3)
    tokens = torch.cat([prompts, answers], dim=1)
    odds, gradients = log_odds_gradients(policy, prompts, answers)
    for n in range(3):
        logits, _ = policy.model(tokens[n : n + 1, :-1], last=3)
        right = logits[0].gather(-1, answers[n, :, None])[:, 0]
        own = right - torch.logsumexp(logits[0].scatter(-1, answers[n, :, None], -torch.inf), -1)
        torch.testing.assert_close(own.detach(), odds[n])
        for h in range(3):
            flat = torch.cat(
                [g.flatten() for g in torch.autograd.grad(own[h], list(policy.model.parameters()), retain_graph=True)]
            )
            torch.testing.assert_close(gradients[n, h], flat, atol=1e-5, rtol=1e-4)


def test_mean_kernel_averages_over_different_questions():
    g = torch.randn(4, 2, 7, generator=torch.Generator().manual_seed(0))
    pairs = [g[a] @ g[b].T for a in range(4) for b in range(4) if a != b]
    np.testing.assert_allclose(mean_kernel(g), torch.stack(pairs).mean(0).double().numpy(), rtol=1e-5)


def test_kernel_predicts_a_small_gradient_step(policy):
    """Moving the parameters by a little along a step's mean gradient moves the log-odds as the kernel says."""
    start = measure_start(policy, questions=64, kernel_questions=32)
    rate, h = 1e-4, 1
    direction = torch.from_numpy(start.features[h]).float()
    with torch.no_grad():
        at = 0
        for p in policy.model.parameters():
            p += rate * direction[at : at + p.numel()].view_as(p)
            at += p.numel()
    prompts, answers = TASK.questions("measure", 0, 0, 32)
    odds, _ = log_odds_gradients(policy, prompts, answers)
    before = measured_before(start)
    change = odds.double().numpy().mean(0) - before
    np.testing.assert_allclose(change, rate * start.features @ start.features[h], rtol=0.05, atol=1e-6)


def measured_before(start):
    torch.manual_seed(0)
    fresh = TransformerPolicy(Transformer(TASK.vocabulary, TASK.prompt_length + 3, 1, 16, 2, 2.0), TASK)
    prompts, answers = TASK.questions("measure", 0, 0, 32)
    odds, _ = log_odds_gradients(fresh, prompts, answers)
    assert start.log_odds.shape == (64, 3)
    return odds.double().numpy().mean(0)


@pytest.mark.parametrize("name", rule.names())
def test_gradient_variance_is_that_of_the_step_weights(name):
    """Every method: the gradients of three batches from the weights of their steps, one token each."""
    update_rule = rule(name, group_size=4)
    task = ChainTask(horizon=2, modulus=3)  # short, so that also an untrained network is right at times
    torch.manual_seed(0)
    policy = TransformerPolicy(Transformer(task.vocabulary, task.prompt_length + 2, 1, 16, 2, 2.0), task)
    rows = []
    for index in range(3):
        batch = collect(policy, task, update_rule, 8, "variance", 5, index)
        now = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
        weights = update_rule.weights(group_of(task, batch))
        if batch.question_weights is not None:
            weights = batch.question_weights[:, None, None] * weights
        found = torch.autograd.grad((weights * now).sum(-1).mean(), list(policy.model.parameters()))
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
    expected = torch.stack(rows).var(0).double().numpy()
    assert expected.max() > 1e-6
    got = gradient_variance(policy, update_rule, 8, batches=3, seed=5)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5 * expected.max())


def test_gradient_variance_shrinks_with_the_batch(policy):
    r = rule("spo", group_size=4)
    small, large = (gradient_variance(policy, r, n, batches=24).sum() for n in (8, 32))
    assert large / small == pytest.approx(0.25, rel=0.35)
