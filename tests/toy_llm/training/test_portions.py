"""Questions asked in part, in the trainer: what is given, what counts, what is learnt."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from free_form import Memoryless

from spo_theory import ReasoningChain, expected_update, rule
from spo_theory.exact.costs import COSTS, evaluate_costs, prepare_costs
from spo_theory.parts.samplers import HintedGroups, ShorterQuestions
from toy_llm import TrainConfig, train
from toy_llm.network.tabular import TabularPolicy
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.costs import NO_COSTS, costs
from toy_llm.training.metrics import measure
from toy_llm.training.portions import Asked, draw_asked, given_tokens, step_probs
from toy_llm.training.rollout import collect
from toy_llm.training.steps import batch_loss

Q = [0.4, 0.7, 0.3]
TASK = ChainTask(3)


def network(task, length=20):
    torch.manual_seed(0)
    return TransformerPolicy(Transformer(task.vocabulary, length, 1, 16, 2, 2.0), task)


METHODS = [
    ("hints", {"depth": "uniform"}),
    ("hints", {"depth": "adaptive"}),
    ("easier_questions", {"lengths": "mixed"}),
    ("easier_questions", {"lengths": "curriculum"}),
    ("imitation", {"share": 1.0}),
    ("imitation", {"share": 0.3}),
]


@pytest.mark.parametrize(("name", "options"), METHODS)
def test_the_gradient_of_the_trainer_is_the_theory_s_on_average(name, options):
    """60 batches of 64 groups from the tabular policy: within 4 standard errors."""
    update_rule = rule(name, group_size=4, **options)
    config = TrainConfig(policy="tabular", horizon=3, rule=name, group_size=4, rule_options=options)
    rows = []
    for index in range(60):
        policy = TabularPolicy(TASK, Q)
        loss, _ = batch_loss(config, policy, collect(policy, TASK, update_rule, 64, "test", 0, index), slice(None))
        rows.append(-torch.autograd.grad(loss, policy.logits)[0].numpy())
    error = np.std(rows, axis=0, ddof=1) / np.sqrt(60)
    exact = expected_update(ReasoningChain(step_success=Q), update_rule)
    assert (np.abs(np.mean(rows, axis=0) - exact) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("policy", [TabularPolicy(TASK, Q), network(TASK), Memoryless()], ids=["table", "net", "free"])
def test_given_tokens_are_true_and_are_not_learnt(policy):
    batch = collect(policy, policy.task, rule("hints", group_size=4, depth="uniform"), 40, "test", 0, 0)
    given = given_tokens(policy.task, batch.answers, batch.asked)
    assert set(given.tolist()) == set(range(3 if not isinstance(policy, Memoryless) else 2))
    place = torch.arange(batch.answers.shape[1])
    inside = (place < given[:, None])[:, None].expand(batch.rollout.responses.shape)
    true = batch.answers[:, None].expand(batch.rollout.responses.shape)
    assert (batch.rollout.responses[inside] == true[inside]).all()
    assert not batch.mask[inside].any()
    assert (batch.token_advantages[inside] == 0).all()
    assert batch.token_advantages[~inside].abs().max() > 0
    assert (batch.first_error >= batch.asked.given[:, None]).all()


def test_the_rest_of_a_hinted_response_is_sampled_as_ever():
    """Behind the given tokens the log-probabilities are the network's own on the whole response."""
    policy = network(TASK)
    batch = collect(policy, TASK, rule("hints", group_size=4, depth="uniform"), 16, "test", 0, 0)
    now = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
    torch.testing.assert_close((now * batch.mask).detach(), batch.rollout.log_probs * batch.mask, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", [TabularPolicy(TASK, Q), Memoryless()], ids=["table", "free"])
def test_an_easier_question_is_right_if_its_steps_are(policy):
    batch = collect(policy, policy.task, rule("easier_questions", group_size=4), 40, "test", 0, 0)
    whole = policy.task.judge(batch.rollout.responses, batch.answers)
    until = batch.asked.until[:, None]
    assert set(batch.asked.until.tolist()) == set(range(1, policy.task.judge(
        batch.answers[:, None], batch.answers).first_error.max() + 1))  # fmt: skip
    for q in range(40):
        for g in range(4):
            right = whole.first_error[q, g] >= until[q]
            ended = whole.correct[q, g] if until[q] == 2 and isinstance(policy, Memoryless) else True
            assert batch.correct[q, g] == (right & ended)
    assert not (batch.mask & (whole.token_step >= until[..., None])).any()


def test_taught_questions_have_their_solutions_for_responses():
    policy = network(TASK)
    batch = collect(policy, TASK, rule("imitation", group_size=4, share=0.5), 40, "test", 0, 0)
    taught = batch.asked.taught
    assert 10 < taught.sum() < 30
    assert (batch.rollout.responses[taught] == batch.answers[taught, None]).all()
    assert (batch.advantages[taught] == 1).all()
    now = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
    torch.testing.assert_close(now.detach(), batch.rollout.log_probs, rtol=1e-5, atol=1e-6)

    # What is logged is of sampled responses alone
    row = measure(batch)
    assert row["success"] == pytest.approx(batch.correct[~taught].float().mean().item())
    alone = collect(policy, TASK, rule("imitation", group_size=4), 8, "test", 0, 0)
    assert np.isnan(measure(alone)["success"])
    assert 0 < measure(alone)["success_exact"] < 1


def test_adaptive_depths_come_from_the_policy_s_own_chances():
    """Each question of the network has its own: the fewest given steps that leave a fair chance, by hand."""
    policy = network(TASK)
    prompts, answers = TASK.questions("test", 0, 0, 30)
    probs, steps = step_probs(policy, prompts, answers)
    assert (steps == 3).all()
    rollout = policy.sample(prompts, answers, 2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(probs, rollout.true_probs, rtol=1e-4, atol=1e-6)
    threshold = 0.02
    found = draw_asked(policy, HintedGroups("adaptive", threshold), prompts, answers, torch.Generator())
    for one, depth in zip(probs, found.given.tolist(), strict=True):
        good = [d for d in range(3) if one[d:].prod() >= threshold]
        assert depth == min([*good, 2])
    assert len(set(found.given.tolist())) > 1
    found = draw_asked(policy, ShorterQuestions("curriculum", threshold), prompts, answers, torch.Generator())
    for one, until in zip(probs, found.until.tolist(), strict=True):
        assert until == max([1, *(d + 1 for d in range(3) if one[: d + 1].prod() >= threshold)])


def test_a_whole_question_asked_in_part_is_the_whole_question():
    """Depth 0 everywhere changes nothing: the rollouts and the verdict are those of GRPO, to the bit."""
    policy = TabularPolicy(TASK, [0.9] * 3)
    plain = collect(policy, TASK, rule("grpo", group_size=4), 16, "train", 0, 3)
    hinted = collect(policy, TASK, rule("hints", group_size=4, threshold=0.1), 16, "train", 0, 3)
    assert isinstance(hinted.asked, Asked)
    assert torch.equal(plain.rollout.responses, hinted.rollout.responses)
    assert torch.equal(plain.token_advantages, hinted.token_advantages)
    assert torch.equal(plain.mask, hinted.mask)


def test_offline_and_resumed_runs_ask_the_same_parts(tmp_path):
    config = TrainConfig(
        policy="tabular",
        horizon=3,
        start_accuracy=0.4,
        rule="hints",
        rule_options={"depth": "uniform"},
        questions=8,
        updates=4,
        learning_rate=0.5,
        mode="offline",
        stored_batches=2,
        cache_dir=str(tmp_path),
    )
    first = train(config)
    again = train(config)
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), again.drop(columns="seconds"))

    # Stored rollouts of whole questions are others
    train(replace(config, rule="grpo", rule_options={}))
    assert len(list(tmp_path.glob("rollouts-*"))) == 2

    kept = {"checkpoint": str(tmp_path / "run.pt"), "checkpoint_every": 2}
    online = replace(config, mode="online", stored_batches=16, cache_dir=TrainConfig.cache_dir, **kept)
    whole = train(online)
    train(replace(online, updates=2))
    resumed = train(replace(online, resume=True))
    pd.testing.assert_frame_equal(whole.drop(columns="seconds"), resumed.drop(columns="seconds"))


@pytest.mark.parametrize(("name", "options"), [*METHODS, ("spo", {}), ("grpo", {})])
def test_costs_of_batches_are_the_theory_s_on_average(name, options):
    """40 batches of 64 groups, every column: within 4 standard errors."""
    update_rule = rule(name, group_size=4, **options)
    policy = TabularPolicy(TASK, Q)
    rows = [costs(collect(policy, TASK, update_rule, 64, "test", 0, index)) for index in range(40)]
    chain = ReasoningChain(step_success=Q)
    exact = evaluate_costs(prepare_costs(chain, update_rule), chain.logits)
    assert list(rows[0]) == list(COSTS) == list(NO_COSTS)
    for place, column in enumerate(COSTS):
        values = np.array([row[column] for row in rows]) / 64
        error = values.std(ddof=1) / np.sqrt(40)
        assert abs(values.mean() - exact[place]) <= 4 * error + 1e-9, column
