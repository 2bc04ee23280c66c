"""Offline training: a stored set of the start policy's rollouts, judged once."""

import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from spo_theory import InputError
from spo_theory.parts.objectives import Clipped
from toy_llm import TrainConfig, train
from toy_llm.judging.exact import Verdict
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.training.loop import make_policy, policy_loss, updates
from toy_llm.training.offline import stored_path, stored_rollouts
from toy_llm.training.rollout import score, with_start_log_probs
from toy_llm.training.steps import batch_loss

TINY = {
    "horizon": 3, "modulus": 5, "layers": 1, "width": 16, "heads": 2, "questions": 4, "group_size": 4, "updates": 4,
}  # fmt: skip


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """A folder with the warm start that all tests begin with."""
    folder = tmp_path_factory.mktemp("warm")
    make_policy(TrainConfig(**TINY, cache_dir=str(folder)))
    return folder


@pytest.fixture
def config(tmp_path, warm):
    shutil.copytree(warm, tmp_path / "cache")
    return TrainConfig(**TINY, mode="offline", stored_batches=2, cache_dir=str(tmp_path / "cache"), noise_every=0)


def test_the_set_is_sampled_and_judged_once_and_read_back_as_it_was(config, monkeypatch):
    policy = make_policy(config)
    asked = []

    def step_judge(prompts, responses, answers, verdict):
        asked.append(len(prompts))
        return verdict.first_error.clamp(max=1)

    judge = JudgeSource("hears one step", lambda stream, index: step_judge)
    made = stored_rollouts(config, policy, judge)
    monkeypatch.setattr(TransformerPolicy, "sample", None)  # nothing is sampled again
    again = stored_rollouts(config, policy, judge)
    assert asked == [4, 4]
    assert all((judged.first_error <= 1).all() for judged in again)
    assert stored_path(config, policy, judge) != stored_path(config, policy)
    assert len(made) == len(again) == 2
    for one, two in zip(made, again, strict=True):
        for name in ("prompts", "answers", "first_error"):
            assert torch.equal(getattr(one, name), getattr(two, name))
        assert all(torch.equal(a, b) for a, b in zip(one.rollout, two.rollout, strict=True))
        assert all(torch.equal(getattr(one.verdict, f.name), getattr(two.verdict, f.name)) for f in fields(Verdict))
    assert not torch.equal(made[0].prompts, made[1].prompts)


def test_updates_use_the_stored_set_in_turn_with_its_log_probs(config):
    """The gradient of every update by hand, from the stored batches and the policy as it moves."""
    table = train(config)
    policy = make_policy(config)
    module = policy.module
    stored = stored_rollouts(config, policy)
    for step in range(config.updates):
        batch = score(policy.task, config.make_rule(), stored[step % 2])
        now = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
        loss = policy_loss(Clipped(), now, batch.rollout.log_probs, batch.advantages, batch.token_advantages)
        module.zero_grad()
        loss.backward()
        norm = torch.stack([p.grad.square().sum() for p in module.parameters()]).sum().sqrt().item()
        assert table["grad_norm"][step] == pytest.approx(norm, rel=1e-5)
        with torch.no_grad():
            for p in module.parameters():
                p -= config.learning_rate * p.grad


def test_offline_rows_describe_the_current_policy(config):
    """On the questions that online training would have had, so the first rows of both agree."""
    config = replace(config, learning_rate=0.05)
    offline, online = train(config), train(replace(config, mode="online", stored_batches=16))
    for column in ("success", "success_exact", "entropy", "all_negative"):
        assert offline[column][0] == online[column][0]
    assert offline["success_exact"][4] != offline["success_exact"][0]
    assert offline["kl"][4] > 0


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"group_size": 8}, {"stored_batches": 3}, {"temperature": 1.1}, {"questions": 8}],
)
def test_a_set_belongs_to_what_it_was_sampled_with(config, change):
    policy = make_policy(config)
    module = policy.module
    path = stored_path(config, policy)
    assert stored_path(replace(config, **change), policy) != path
    assert stored_path(replace(config, rule="grpo", learning_rate=1.0), policy) == path
    with torch.no_grad():
        module.head.weight[0, 0] += 1e-6
    assert stored_path(config, policy) != path


def test_a_corrupt_set_is_refused(config):
    train(config)
    path = next(Path(config.cache_dir).glob("rollouts-*.pt"))
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match=rf"{path.name}.* is corrupt"):
        train(config)


def test_the_penalty_pulls_to_the_start_on_the_stored_rollouts(config):
    """Two steps by hand: the reference of each loss is the start policy's view of the stored responses."""
    config = replace(config, stored_batches=1, updates=2, kl_coef=0.5, kl_every=0)
    trained = make_policy(config)
    list(updates(config, trained))

    policy = make_policy(config)
    start = policy.frozen_copy()
    (judged,) = stored_rollouts(config, policy)
    batch = with_start_log_probs(score(policy.task, config.make_rule(), judged), start, config.temperature)
    for _ in range(2):
        loss, _ = batch_loss(config, policy, batch, slice(None))
        parameters = list(policy.module.parameters())
        for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.data -= config.learning_rate * slope
    for one, two in zip(trained.module.parameters(), policy.module.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
