"""Exact expected gradients of a network, against sums over all groups of all responses through the trainer's loss."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch

from paper_repro.forecast.expected_updates import ExpectedUpdates, follows_from_classes
from paper_repro.forecast.mean_field import expected_loss, expected_updates, mean_field, step_lengths
from spo_theory import ReasoningChain, expected_update, rule
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.update import update_function
from spo_theory.outcomes.judged import confusion, expected_update_judged
from toy_llm.config import TrainConfig
from toy_llm.network.policy import Rollout
from toy_llm.network.tabular import TabularPolicy
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suites import suite
from toy_llm.training.policies import make_policy
from toy_llm.training.rollout import Judged, score
from toy_llm.training.steps import batch_loss, learning_rate

TASK = ChainTask(horizon=2, modulus=3)
BY_CLASS = [name for name in rule.names() if follows_from_classes(rule(name)) and rule(name).sampler.whole]
"""Methods whose weights follow from the outcome classes of fresh groups of whole questions."""


def network():
    torch.manual_seed(0)
    model = Transformer(TASK.vocabulary, TASK.prompt_length + 2, layers=1, width=8, heads=2, output_scale=1.0)
    return TransformerPolicy(model.double(), TASK)


POLICIES = {"transformer": network, "tabular": lambda: TabularPolicy(TASK, [0.4, 0.7])}


def gradient(loss, policy):
    found = torch.autograd.grad(loss, list(policy.module.parameters()), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(policy.module.parameters(), found, strict=True)]


def loss_of_all_groups(config, policy, prompt, answer):
    """The trainer's loss of every group of responses, weighed by its chance: no class, no formula of the theory."""
    # A table knows the values of a step; a network may also write the equals sign
    values = TASK.modulus if isinstance(policy, TabularPolicy) else TASK.vocabulary
    texts = torch.tensor(list(product(range(values), repeat=TASK.horizon)))
    groups = torch.tensor(list(product(range(len(texts)), repeat=config.group_size)))

    # Every group is one question of a batch
    many = len(groups)
    given = (prompt.expand(many, -1), answer.expand(many, -1))
    responses = texts[groups]
    with torch.no_grad():
        log_probs = policy.log_probs(*given, responses)
    verdict = TASK.judge(responses, given[1])
    rollout = Rollout(responses, log_probs, log_probs.mean(), torch.ones(many, TASK.horizon))
    batch = score(TASK, config.make_rule(), Judged(*given, rollout, verdict, verdict.first_error))
    chance = many * log_probs.sum((-1, -2)).exp()
    kept = 1.0 if batch.question_weights is None else batch.question_weights
    return batch_loss(config, policy, replace(batch, question_weights=kept * chance), slice(None))[0]


def assert_equal_gradients(policy, loss, other):
    for one, two in zip(gradient(loss, policy), found := gradient(other, policy), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-11)
    assert max(g.abs().max() for g in found) > 1e-4


@pytest.mark.parametrize(
    ("name", "kind"), [(name, "transformer") for name in BY_CLASS] + [(name, "tabular") for name in ("grpo", "spo")]
)
def test_the_expected_gradient_is_the_sum_over_all_groups(name, kind):
    """In every parameter; on other wrong values and on what follows an error it does not depend."""
    policy = POLICIES[kind]()
    config = TrainConfig(horizon=2, modulus=3, rule=name, group_size=2)
    prompts, answers = TASK.questions("test", 0, 0, 1)
    exact = expected_loss(expected_updates(config), policy, prompts, answers, config)
    assert_equal_gradients(policy, exact, loss_of_all_groups(config, policy, prompts, answers))


@pytest.mark.parametrize("aggregation", ["response", "token", "constant"])
def test_other_aggregations_where_all_responses_are_equally_long(aggregation):
    policy = network()
    config = TrainConfig(horizon=2, modulus=3, rule="spo", group_size=2, aggregation=aggregation)
    prompts, answers = TASK.questions("test", 0, 0, 1)
    exact = expected_loss(expected_updates(config), policy, prompts, answers, config)
    assert_equal_gradients(policy, exact, loss_of_all_groups(config, policy, prompts, answers))


def test_methods_that_follow_from_classes_are_told():
    assert all(follows_from_classes(rule(name)) for name in BY_CLASS)
    assert not follows_from_classes(rule("lens"))


def test_a_group_of_three_and_the_mean_over_questions():
    policy = network()
    config = TrainConfig(horizon=2, modulus=3, rule="spo", group_size=3, scope="all_incorrect")
    prompts, answers = TASK.questions("test", 0, 0, 2)
    exact = expected_loss(expected_updates(config), policy, prompts, answers, config)
    summed = [loss_of_all_groups(config, policy, prompts[n : n + 1], answers[n : n + 1]) for n in range(2)]
    assert_equal_gradients(policy, exact, sum(summed) / 2)


def test_methods_that_look_beyond_their_group_are_refused():
    for name in ("dpo", "ipo", "group_invariant"):
        with pytest.raises(NoExactForm, match=f"rule = '{name}'"):
            ExpectedUpdates(rule(name))


def test_questions_of_all_lengths_have_the_chains_updates():
    """Rows of a batch, each with as many steps as its question has, of as many tokens; colours see the tokens."""
    update_rule = rule("spo", rts_length="true", group_size=4)
    log_odds = np.random.default_rng(0).normal(size=(20, 3))
    lengths = np.array([[2, 1, 3], [2, 2, 0], [1, 1, 0], [4, 2, 6]] * 5)
    found = ExpectedUpdates(update_rule)(log_odds, lengths)
    for row, odds, steps in zip(found[:4], log_odds, lengths, strict=False):
        h = int((steps > 0).sum())
        chain = ReasoningChain(logits=odds[:h], step_lengths=steps[:h].astype(float))
        np.testing.assert_allclose(row[:h], expected_update(chain, update_rule), rtol=1e-10)
        assert (row[h:] == 0).all()
    assert np.isfinite(found).all()


def test_a_judge_that_errs_is_the_one_of_the_theory():
    update_rule = rule("spo", group_size=4)
    odds = np.array([[0.3, -0.2]])
    found = ExpectedUpdates(update_rule, partial(confusion, miss=0.2, false_alarm=0.1))(odds, np.ones((1, 2), int))
    expected = expected_update_judged(ReasoningChain(logits=odds[0]), update_rule, 0.2, 0.1)
    np.testing.assert_allclose(found[0], expected, rtol=1e-10)


def test_lengths_of_steps_are_those_of_the_true_response():
    task = suite("carry")
    _, answers = task.questions("test", 0, 0, 20)
    verdict = task.judge(answers[:, None], answers)
    found = step_lengths(task, answers)
    assert found[:, : verdict.step_lengths.shape[-1]].tolist() == verdict.step_lengths[:, 0].tolist()
    assert len({tuple(row) for row in found.tolist()}) > 2


def test_the_table_moves_as_the_chain():
    """One log-odds a step, plain SGD: the forecast is the chain's own path of expected updates."""
    config = TrainConfig(policy="tabular", horizon=2, start_accuracy=0.4, learning_rate=0.5, updates=4, rule="spo")
    policy = make_policy(config)
    rows = list(mean_field(config, policy))
    logits = ReasoningChain(step_success=[0.4, 0.4]).logits
    for _ in range(4):
        logits = logits + 0.5 * expected_update(ReasoningChain(logits=logits), config.make_rule())
    np.testing.assert_allclose(policy.logits.detach().numpy(), logits, rtol=1e-10)
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "warmup": 2},
        {"optimizer": "adam", "max_grad_norm": 0.01},
    ],
    ids=["adamw", "clipped adam"],
)
def test_steps_are_those_of_torchs_optimizers(options):
    """By hand: the expected gradient is given to torch's own optimizer, schedule and clip."""
    config = TrainConfig(policy="tabular", horizon=2, start_accuracy=0.4, learning_rate=0.1, updates=4, **options)
    policy = make_policy(config)
    list(mean_field(config, policy))

    logits = torch.nn.Parameter(torch.logit(torch.tensor([0.4, 0.4], dtype=torch.float64)))
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    optimizer = kind([logits], lr=0.1, weight_decay=config.weight_decay)
    for step in range(4):
        optimizer.param_groups[0]["lr"] = learning_rate(config, step)
        update = expected_update(ReasoningChain(logits=logits.detach().numpy()), config.make_rule())
        logits.grad = torch.tensor(-update)
        torch.nn.utils.clip_grad_norm_([logits], config.max_grad_norm or float("inf"))
        optimizer.step()
    np.testing.assert_allclose(policy.logits.detach().numpy(), logits.detach().numpy(), rtol=1e-9)


def test_several_steps_on_a_batch_have_the_chains_ratios():
    config = TrainConfig(
        policy="tabular", horizon=2, start_accuracy=0.4, learning_rate=0.5, updates=1, rule="spo", inner_epochs=3
    )
    policy = make_policy(config)
    list(mean_field(config, policy))
    start = np.log(0.4 / 0.6) * np.ones(2)
    update = update_function(ReasoningChain(logits=start), config.make_rule())
    logits = start
    for _ in range(3):
        logits = logits + 0.5 * np.asarray(update(start, logits))
    np.testing.assert_allclose(policy.logits.detach().numpy(), logits, rtol=1e-10)
