"""The transformer: the packed and the cached paths are the plain forward pass."""

import math

import pytest
import torch

from toy_llm.judging.exact import token_mask
from toy_llm.network.tabular import TabularPolicy
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suites import mixture
from toy_llm.problems.tokens import END, decode

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


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_precisions_and_kernels_of_attention_are_the_plain_forward(policy, dtype, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        policy.model.to(dtype)
        prompts, answers = TASK.questions("train", 0, 0, 6)
        rollout = policy.sample(prompts, answers, 8, torch.Generator().manual_seed(0))
        plain = plain_log_probs(policy, prompts, rollout.responses)
        packed = policy.log_probs(prompts, answers, rollout.responses)
    finally:
        torch.set_num_threads(before)
    bound = 100 * torch.finfo(dtype).eps
    torch.testing.assert_close(rollout.log_probs, plain, rtol=0, atol=bound)
    torch.testing.assert_close(packed, plain, rtol=0, atol=bound)


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


FREE = mixture(("add", "carry"))


@pytest.fixture
def free_form():
    """An untrained network that often ends early, rambles and writes nonsense."""
    torch.manual_seed(0)
    model = Transformer(FREE.vocabulary, FREE.prompt_length + FREE.response_length, 2, 16, 4, output_scale=1.0)
    with torch.no_grad():
        model.head.weight[END] *= 1.5
    return TransformerPolicy(model, FREE)


@pytest.mark.parametrize("group_size", [1, 6, 8])
def test_free_form_responses_have_the_probabilities_of_a_plain_forward(free_form, group_size):
    """Packed four, three and one to a sequence; the gradient too, and nothing for what follows the end."""
    prompts, answers = FREE.questions("train", 0, 0, 30)
    rollout = free_form.sample(prompts, answers, group_size, torch.Generator().manual_seed(1), 0.8)
    mask = token_mask(rollout.responses, END)
    lengths = mask.sum(-1)
    assert lengths.min() < 4
    assert lengths.max() > 6
    assert (rollout.responses[~mask] == END).all()
    weight = torch.randn(mask.shape, generator=torch.Generator().manual_seed(2)) * mask
    plain = plain_log_probs(scaled(free_form, 1 / 0.8), prompts, rollout.responses).masked_fill(~mask, 0.0)
    ours = free_form.log_probs(prompts, answers, rollout.responses, 0.8)
    torch.testing.assert_close(ours, plain, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(rollout.log_probs, plain.detach(), atol=2e-5, rtol=2e-5)
    assert (ours[~mask] == 0).all()
    gradients = [torch.autograd.grad((x * weight).sum(), list(free_form.model.parameters())) for x in (ours, plain)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=2e-4)


def scaled(policy, by):
    """The policy with its logits multiplied."""

    class Scaled:
        def model(self, tokens):
            logits, cache = policy.model(tokens)
            return by * logits, cache

    return Scaled()


def test_true_steps_have_the_probability_of_their_tokens(free_form):
    prompts, answers = FREE.questions("train", 0, 0, 20)
    found = free_form.sample(prompts, answers, 2, torch.Generator().manual_seed(1)).true_probs
    tokens = plain_log_probs(free_form, prompts, answers[:, None])[:, 0].detach()
    for row, answer, log_p in zip(found.tolist(), answers.tolist(), tokens.tolist(), strict=True):
        steps, at = decode(answer).removesuffix("end").split(";"), 0
        for h, step in enumerate(steps):
            end = at + len(step) + 1
            assert row[h] == pytest.approx(math.exp(sum(log_p[at:end])), rel=1e-4)
            at = end
        assert row[len(steps) :] == [1.0] * (FREE.horizon - len(steps))


def test_entropy_is_the_mean_over_written_tokens(free_form):
    """Of 400 responses to a question: the mean of minus log-probability is an estimate of it."""
    prompts, answers = (x.expand(50, -1) for x in FREE.questions("train", 0, 0, 1))
    rollout = free_form.sample(prompts, answers, 8, torch.Generator().manual_seed(5))
    mask = token_mask(rollout.responses, END)
    surprise = -rollout.log_probs[mask]
    assert float(rollout.entropy) == pytest.approx(
        surprise.mean().item(), abs=4 * surprise.std().item() / len(surprise) ** 0.5
    )


def test_free_form_sampling_follows_the_probabilities(free_form):
    """Two responses of two tokens are as frequent as their log-probabilities say."""
    prompts, answers = (x.expand(256, -1) for x in FREE.questions("train", 0, 0, 1))
    responses = free_form.sample(prompts, answers, 16, torch.Generator().manual_seed(3)).responses.flatten(0, 1)
    first, count = responses[:, 0].unique(return_counts=True)
    for token in (END, int(first[first != END][count[first != END].argmax()])):
        wanted = torch.full((1, 1, FREE.response_length), END)
        wanted[0, 0, 0] = token
        p = free_form.log_probs(prompts[:1], answers[:1], wanted).sum().exp().item()
        seen = (responses == wanted[0, 0]).all(-1).float().mean().item()
        assert abs(seen - p) < 4.5 * (p * (1 - p) / 4096) ** 0.5


def test_sampling_stops_when_all_have_ended(free_form):
    with torch.no_grad():
        free_form.model.head.weight.zero_()
        free_form.model.norm.bias.fill_(1.0)
        free_form.model.norm.weight.zero_()
        free_form.model.head.weight[END] = 10.0
    prompts, answers = FREE.questions("train", 0, 0, 3)
    calls = []
    forward = free_form.model.forward
    free_form.model.forward = lambda *a, **k: (calls.append(0), forward(*a, **k))[1]
    rollout = free_form.sample(prompts, answers, 4, torch.Generator().manual_seed(0))
    assert (rollout.responses == END).all()
    assert len(calls) == 1
    assert free_form.log_probs(prompts, answers, rollout.responses)[..., 1:].abs().max() == 0
