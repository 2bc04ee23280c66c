"""The transformer: the packed and the cached paths are the plain forward pass."""

import pytest
import torch

from toy_llm.model import Transformer, TransformerPolicy
from toy_llm.tabular import TabularPolicy
from toy_llm.task import ChainTask

TASK = ChainTask(horizon=4, modulus=5)


@pytest.fixture
def policy():
    torch.manual_seed(0)
    return TransformerPolicy(Transformer(TASK.vocabulary, TASK.prompt_length + 4, 2, 16, 4), TASK)


def plain_log_probs(policy, prompts, responses):
    """Every response encoded on its own, whole sequence, no sharing and no cache."""
    q, g, h = responses.shape
    tokens = torch.cat([prompts[:, None].expand(q, g, -1), responses], dim=-1).flatten(0, 1)
    logits, _ = policy.model(tokens)
    log_p = logits[:, -h - 1 : -1].log_softmax(-1)
    return log_p.gather(-1, responses.flatten(0, 1)[..., None]).squeeze(-1).view(q, g, h)


def test_shared_prompt_path_equals_plain_forward_with_gradient(policy):
    prompts, answers = TASK.questions("train", 0, 0, 6)
    responses = torch.randint(5, (6, 3, 4), generator=torch.Generator().manual_seed(1))
    weight = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(2))
    results = []
    for log_p in (policy.log_probs(prompts, answers, responses), plain_log_probs(policy, prompts, responses)):
        policy.model.zero_grad()
        (log_p * weight).sum().backward()
        results.append((log_p.detach(), [p.grad.clone() for p in policy.model.parameters()]))
    torch.testing.assert_close(results[0][0], results[1][0], atol=2e-5, rtol=2e-5)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampled_log_probs_are_those_of_the_policy(policy, temperature):
    prompts, answers = TASK.questions("train", 0, 0, 5)
    rollout = policy.sample(prompts, answers, 3, torch.Generator().manual_seed(0), temperature)
    again = policy.log_probs(prompts, answers, rollout.responses, temperature)
    torch.testing.assert_close(rollout.log_probs, again.detach(), atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(
        rollout.true_probs.log(), plain_log_probs(policy, prompts, answers[:, None])[:, 0], atol=2e-5, rtol=2e-5
    )


def test_sampling_follows_the_probabilities(policy):
    prompts, answers = (x.expand(64, -1) for x in TASK.questions("train", 0, 0, 1))
    rollout = policy.sample(prompts, answers, 64, torch.Generator().manual_seed(3))
    logits, _ = policy.model(prompts[:1], last=1)
    p = logits[0, 0].softmax(-1).detach().double()
    n = 64 * 64
    counts = torch.bincount(rollout.responses[..., 0].flatten(), minlength=p.numel()).double()
    assert ((counts - n * p).abs() < 4.5 * (n * p * (1 - p)).sqrt()).all()


def test_group_members_do_not_see_each_other(policy):
    prompts, answers = TASK.questions("train", 0, 0, 2)
    responses = torch.randint(5, (2, 3, 4), generator=torch.Generator().manual_seed(1))
    changed = responses.clone()
    changed[:, 0] = (changed[:, 0] + 1) % 5
    a, b = (policy.log_probs(prompts, answers, r).detach() for r in (responses, changed))
    assert torch.equal(a[:, 1:], b[:, 1:])
    assert not torch.equal(a[:, 0], b[:, 0])


def test_tabular_policy_has_the_chain_probabilities():
    table = TabularPolicy(TASK, [0.2, 0.5, 0.7, 0.9])
    prompts, answers = (x.expand(500, -1) for x in TASK.questions("train", 0, 0, 1))
    rollout = table.sample(prompts, answers, 8, torch.Generator().manual_seed(0))
    again = table.log_probs(prompts, answers, rollout.responses)
    torch.testing.assert_close(rollout.log_probs, again.detach())
    hit = (rollout.responses[..., 0] == answers[:, None, 0]).double().mean()
    assert abs(hit - 0.2) < 4 * (0.16 / 4000) ** 0.5
    total = sum(table.log_probs(prompts[:1], answers[:1], torch.full((1, 1, 4), v)).exp()[0, 0, 0] for v in range(5))
    assert total.item() == pytest.approx(1.0)
