"""The trainer: its loss, its logs, and that it implements the rule exactly."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_ind

from spo_theory import InputError, ReasoningChain, expected_update, rule, simulate, solve
from spo_theory.parts.objectives import Clipped
from toy_llm import TrainConfig, train
from toy_llm.config import settings
from toy_llm.judging import learned as learned_judge
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training import checkpoint, divergence
from toy_llm.training.gradient_noise import signal_and_noise
from toy_llm.training.loop import (
    TrainingDiverged,
    collect,
    make_judge,
    make_policy,
    policy_loss,
    updates,
)
from toy_llm.training.losses import clipped_share
from toy_llm.training.steps import batch_loss, learning_rate, minibatches

TINY = {
    "horizon": 3, "modulus": 5, "layers": 1, "width": 16, "heads": 2, "questions": 4, "group_size": 4, "updates": 3,
}  # fmt: skip


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """One folder of warm starts for all tests."""
    return str(tmp_path_factory.mktemp("warm starts"))


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("grpo", None),
        ("dr_grpo", None),
        ("spo", "all_negative"),
        ("spo", "all_incorrect"),
        ("spo_prefix", "all_negative"),
    ],
)
def test_tabular_gradient_agrees_with_the_exact_update(name, scope):
    """The trainer's gradient on sampled groups, averaged, is the expected update within its standard error."""
    q, task = [0.5, 0.4, 0.6], ChainTask(3)
    config = TrainConfig(horizon=3, rule=name, group_size=4, scope=scope)
    update_rule, table, rows = config.make_rule(), TabularPolicy(task, q), []
    for index in range(200):
        batch = collect(table, task, update_rule, 64, "test", 0, index)
        log_p = table.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
        loss = policy_loss(Clipped(), log_p, batch.rollout.log_probs, batch.advantages, batch.token_advantages)
        rows.append(-torch.autograd.grad(loss, table.logits)[0].numpy())
    rows = np.array(rows)
    error = rows.std(0, ddof=1) / np.sqrt(len(rows))
    exact = expected_update(ReasoningChain(step_success=q), update_rule)
    assert (np.abs(rows.mean(0) - exact) < 4 * error).all()
    assert (error < 0.01).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_tabular_training_follows_the_simulated_and_the_exact_dynamics(name):
    config = TrainConfig(
        policy="tabular", rule=name, horizon=3, start_accuracy=0.4, learning_rate=0.5, updates=60, questions=64
    )
    runs = np.array([train(replace(config, seed=s))["success_exact"] for s in range(16)])
    chain = ReasoningChain(step_success=[0.4] * 3)
    chains = simulate(chain, config.make_rule(), 60, 0.5, questions=64, seeds=256)
    same = chains.pivot(index="seed", columns="step", values="success").to_numpy()
    at = [1, 5, 10, 20, 30, 40, 60]
    t = ttest_ind(runs[:, at], same[:, at], equal_var=False)
    assert (t.pvalue > 1e-4).all()
    exact = solve(chain, config.make_rule(), 60, 0.5)["success"].to_numpy()
    assert (np.abs(runs.mean(0) - exact) < runs.std(0, ddof=1) + 1e-12).all()  # the path runs through the band


def test_log_of_a_run(cache, tmp_path):
    config = TrainConfig(**TINY, cache_dir=cache, checkpoint=str(tmp_path / "model.pt"), kl_coef=0.1)
    table = train(config)
    assert list(table["step"]) == [0, 1, 2, 3]
    np.testing.assert_allclose(table["all_negative"] + table["all_positive"] + table["mixed"], 1)
    assert table["success_exact"].to_numpy() == pytest.approx(table["success"].to_numpy(), abs=0.5)
    assert table["kl"].iloc[0] == pytest.approx(0, abs=1e-6)
    assert table["grad_norm"].isna().tolist() == [False, False, False, True]
    for column in ("reward_mean", "reward_std", "entropy", "zero_advantage", "seconds", "q_3", "accuracy_3"):
        assert column in table
    assert set(checkpoint.parameters(table.attrs["checkpoint"])) >= {"head.weight"}


def test_shares_go_by_correctness_not_by_reward(cache):
    """Coloured all-negative groups have different rewards and are all-negative all the same."""
    table = train(TrainConfig(**TINY | {"updates": 0}, start_accuracy=0.05, cache_dir=cache))
    assert table["all_negative"].iloc[0] == 1.0
    assert table["zero_advantage"].iloc[0] < 1.0


def test_seeds_repeat_and_differ(cache):
    a, b, c = (train(TrainConfig(**TINY, cache_dir=cache, seed=s)).drop(columns="seconds") for s in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert not a["entropy"].equals(c["entropy"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_several_inner_epochs_and_adam_run(cache, optimizer):
    options = TINY | {"optimizer": optimizer, "inner_epochs": 3, "max_grad_norm": 0.5, "learning_rate": 1e-3}
    table = train(TrainConfig(**options, cache_dir=cache, temperature=1.2))
    assert np.isfinite(table["grad_norm"][:-1]).all()


def test_divergence_is_reported(cache):
    config = TrainConfig(**TINY, cache_dir=cache)
    table = TabularPolicy(ChainTask(3, 5), [0.5] * 3)
    with torch.no_grad():
        table.logits.fill_(float("nan"))
    with pytest.raises((TrainingDiverged, InputError), match=r"not finite|finite numbers"):
        list(updates(config, table))


@pytest.mark.parametrize("steps", [1, 4])
def test_a_step_that_is_too_large_ends_in_a_clear_error(cache, steps):
    """Also when it is the last one: the final row is not silently NaN."""
    options = TINY | {"updates": steps, "learning_rate": 1e38}
    with pytest.raises(TrainingDiverged, match="not finite at update 1: lower learning_rate"):
        train(TrainConfig(**options, cache_dir=cache))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"horizon": -2}, "horizon = -2"),
        ({"group_size": 1}, "group_size = 1"),
        ({"rule": "pro"}, "rule = 'pro'"),
        ({"beta": 0.0}, "beta = 0.0"),
        ({"learning_rate": -1.0}, "learning_rate = -1.0"),
        ({"start_accuracy": 1.0}, "start_accuracy = 1.0"),
        ({"width": 30, "heads": 4}, "width = 30"),
        ({"device": "abacus"}, "device = 'abacus'"),
        ({"checkpoint": "/proc/none/model.pt"}, "checkpoint"),
        ({"policy": "oracle"}, "policy = 'oracle'"),
        ({"seed": -1}, "seed = -1"),
        ({"start_seed": -1}, "start_seed = -1"),
        ({"checkpoint": "."}, "checkpoint = '.'"),
        ({"minibatches": 3}, "minibatches = 3"),
        ({"minibatches": 0}, "minibatches = 0"),
        ({"inner_epochs": True}, "inner_epochs = True"),
        ({"optimizer": "lion"}, "optimizer = 'lion'"),
        ({"schedule": "step"}, "schedule = 'step'"),
        ({"aggregation": "mean"}, "aggregation = 'mean'"),
        ({"kl_estimator": "k4"}, "kl_estimator = 'k4'"),
        ({"mode": "replay"}, "mode = 'replay'"),
        ({"judge": "kind"}, "judge = 'kind'"),
        ({"judge": "noisy", "miss": 1.5}, "miss = 1.5"),
        ({"false_alarm": 0.1}, "false_alarm = 0.1"),
        ({"votes": 3}, "votes = 3"),
        ({"judge": "noisy", "votes": 0}, "votes = 0"),
        ({"judge_accuracy": 0.4}, "judge_accuracy = 0.4"),
        ({"judge": "learned", "judge_accuracy": 1.0}, "judge_accuracy = 1.0"),
        ({"judge": "noisy", "judge_updates": 5}, "judge_updates = 5"),
        ({"train_on": "negative"}, "train_on = 'negative'"),
        ({"weight_decay": -0.1}, "weight_decay = -0.1"),
        ({"learning_rate": float("nan")}, "learning_rate = nan"),
        ({"resume": True}, "resume = True"),
        ({"checkpoint_every": 5}, "checkpoint_every = 5"),
    ],
)
def test_bad_configurations_are_refused_by_name(options, named):
    with pytest.raises(InputError) as error:
        train(TrainConfig(**options))
    assert named in str(error.value)


def test_all_problems_are_named_at_once():
    with pytest.raises(InputError) as error:
        train(TrainConfig(horizon=0, questions=0, learning_rate=0.0, rule="x"))
    lines = str(error.value).splitlines()
    assert {line.split(" = ")[0] for line in lines} >= {"horizon", "questions", "learning_rate", "rule"}


def test_rule_is_the_shared_one():
    assert TrainConfig(rule="spo", beta=5.0, convention="trl").make_rule() == rule("spo", beta=5.0, convention="trl")


def test_options_of_the_rule_are_one_setting_whatever_way_they_are_given():
    by_name = TrainConfig(rule="spo", train_on="mixed", beta=5.0, rts_length="true")
    assert by_name.rule_options == (("beta", 5.0), ("rts_length", "true"), ("train_on", "mixed"))
    pairs = {"rts_length": "true", "train_on": "mixed", "beta": 5.0}
    same = [TrainConfig(rule_options=pairs), TrainConfig(rule_options=tuple(pairs.items()))]
    assert [hash(config) for config in same] == [hash(by_name)] * 2
    assert [repr(config) for config in same] == [repr(by_name)] * 2
    assert by_name.make_rule() == rule("spo", **pairs)

    assert replace(by_name, beta=3.0).make_rule() == rule("spo", **pairs | {"beta": 3.0})
    assert replace(by_name, seed=1).rule_options == by_name.rule_options
    assert TrainConfig(beta=None, scope=None) == TrainConfig()
    assert TrainConfig(rule="rebel", rule_options={"eta": 0.5}).make_rule() == rule("rebel", group_size=8, eta=0.5)


def test_options_of_another_rule_are_refused_by_name_and_value():
    other = replace(TrainConfig(rule="spo", beta=5.0, clip_low=0.1), rule="grpo")
    assert other.problems() == [
        "option 'beta' = 5.0 is not allowed for rule 'grpo': rules with it are dpo, spo, spo_prefix, step_dpo"
    ]
    assert replace(other, rule="spo_prefix").problems() == []
    [line] = TrainConfig(rule="rebel", rule_options={"etta": 1}).problems()
    assert line.startswith("option 'etta' = 1 is not allowed for rule 'rebel': use group_size, eta")
    [line] = TrainConfig(rule="rebel", rule_options={"eta": -1}).problems()
    assert line == "eta = -1 is not allowed: eta must be a finite number above 0"


@pytest.mark.parametrize("value", [5, "abc", ("beta",), {3: 4}, {"group_size": 4}])
def test_what_are_no_options_is_refused(value):
    with pytest.raises(InputError, match=r"^rule_options = .* is not allowed: rule_options must be") as error:
        TrainConfig(rule_options=value)
    assert "\n" not in str(error.value)


def test_every_setting_says_what_it_is_and_what_it_may_be():
    for f in fields(TrainConfig):
        about = settings()[f.name]
        assert about.text.endswith("."), f.name
        assert about.allowed.words, f.name
        assert about.allowed.holds(f.default), f.name


def test_learning_rate_schedules():
    def rates(**options):
        config = TrainConfig(updates=10, learning_rate=2.0, **options)
        return [learning_rate(config, n) for n in range(10)]

    assert rates() == [2.0] * 10
    assert rates(warmup=4) == [0.5, 1.0, 1.5] + [2.0] * 7
    np.testing.assert_allclose(rates(schedule="linear"), 2 * (1 - np.arange(10) / 10))
    cosine = 1 + np.cos(np.pi * np.arange(8) / 8)
    np.testing.assert_allclose(rates(schedule="cosine", warmup=2), [1.0, 2.0, *cosine])


def test_minibatches_share_out_the_questions_in_a_new_order_every_epoch():
    config = TrainConfig(questions=12, minibatches=3, inner_epochs=2)
    parts = list(minibatches(config, 0))
    assert [len(p) for p in parts] == [4] * 6
    first, second = torch.cat(parts[:3]), torch.cat(parts[3:])
    assert first.tolist() != second.tolist()
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(12))
    assert [p.tolist() for p in minibatches(config, 0)] == [p.tolist() for p in parts]
    assert [p.tolist() for p in minibatches(config, 1)] != [p.tolist() for p in parts]


def test_a_minibatch_step_is_the_update_of_its_questions(cache):
    """SGD, one epoch, two minibatches: the same parameters as two steps by hand."""
    config = TrainConfig(**TINY | {"updates": 1, "minibatches": 2, "learning_rate": 0.1}, cache_dir=cache)
    policy = make_policy(config)
    module = policy.module
    batch = collect(policy, policy.task, config.make_rule(), 4, "train", 0, 0)
    for rows in minibatches(config, 0):
        now = policy.log_probs(batch.prompts[rows], batch.answers[rows], batch.rollout.responses[rows])
        loss = policy_loss(
            Clipped(), now, batch.rollout.log_probs[rows], batch.advantages[rows], batch.token_advantages[rows]
        )
        gradients = torch.autograd.grad(loss, list(module.parameters()))
        with torch.no_grad():
            for p, g in zip(module.parameters(), gradients, strict=True):
                p -= 0.1 * g
    trained_policy = make_policy(config)
    trained = trained_policy.module
    list(updates(config, trained_policy))
    for one, two in zip(module.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=5e-7)  # float32; a step changes them by 1e-3 and more


@pytest.mark.parametrize("aggregation", ["sum", "token"])
@pytest.mark.parametrize("start_accuracy", [0.02, 0.4])
def test_groups_without_advantages_are_left_out_and_nothing_changes(cache, aggregation, start_accuracy):
    """Loss, gradient and clipped share of a later epoch, against a pass through the network with all groups."""
    options = TINY | {"rule": "grpo", "questions": 32, "start_accuracy": start_accuracy, "aggregation": aggregation}
    config = TrainConfig(**options, cache_dir=cache)
    policy = make_policy(config)
    module = policy.module
    batch = collect(policy, policy.task, config.make_rule(), 32, "train", 0, 0)
    learnt = (batch.advantages != 0).any(-1)
    assert learnt.sum() == 0 if start_accuracy == 0.02 else 0 < learnt.sum() < 32
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():  # ratios that differ from 1 and are clipped here and there
            p += 0.1 * torch.randn(p.shape, generator=generator)
    passed = []

    class Counted:
        def log_probs(self, prompts, answers, responses, temperature):
            passed.append(len(prompts))
            return policy.log_probs(prompts, answers, responses, temperature)

    # the start's log-probabilities are also there where the divergence is only measured
    measured = replace(batch, start_log_probs=batch.rollout.log_probs)
    loss, clipped = batch_loss(config, Counted(), measured, slice(None))
    now, old, parameters = (
        policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses),
        batch.rollout.log_probs,
        list(module.parameters()),
    )
    given = (Clipped(), now, old, batch.advantages, batch.token_advantages)
    whole = policy_loss(*given, aggregation=aggregation)
    assert passed == [int((learnt | (torch.arange(32) == 0)).sum())]  # the first stays, if only for zeros
    assert clipped == clipped_share(*given)
    torch.testing.assert_close(loss, whole, rtol=1e-6, atol=1e-9)
    for one, two in zip(*(torch.autograd.grad(x, parameters) for x in (loss, whole)), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-7)


def test_adamw_decays_weights_apart_from_the_gradient(cache):
    """GRPO on groups without a correct response has no gradient at all: only the decay is left."""
    options = TINY | {"rule": "grpo", "start_accuracy": 0.02, "optimizer": "adamw", "weight_decay": 0.5}
    config = TrainConfig(**options | {"learning_rate": 0.1, "schedule": "linear"}, cache_dir=cache)
    policy = make_policy(config)
    module = policy.module
    before = [p.detach().clone() for p in module.parameters()]
    rows = list(updates(config, policy))
    assert [row["all_negative"] for row in rows] == [1.0] * 4
    for one, two in zip(before, module.parameters(), strict=True):
        left = (1 - 0.05) * (1 - 0.05 * 2 / 3) * (1 - 0.05 / 3)
        torch.testing.assert_close(one * left, two.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("aggregation", ["response", "token", "constant"])
def test_aggregations_differ_by_the_length_when_all_responses_are_equally_long(cache, aggregation):
    config = TrainConfig(**TINY | {"updates": 1}, cache_dir=cache)
    whole, shared = (train(replace(config, aggregation=a))["grad_norm"][0] for a in ("sum", aggregation))
    assert whole == pytest.approx(3 * shared, rel=1e-5)


def test_signal_and_noise_are_unbiased():
    """Halves of a batch: the squared length of the expected update, and the variance of the batch's."""
    q, task = [0.5, 0.4, 0.6], ChainTask(3)
    update_rule = TrainConfig(horizon=3, rule="grpo", group_size=4).make_rule()
    table, rows, whole = TabularPolicy(task, q), [], []
    for index in range(400):
        halves = []
        for part in (2 * index, 2 * index + 1):
            batch = collect(table, task, update_rule, 16, "test", 0, part)
            log_p = table.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
            loss = policy_loss(Clipped(), log_p, batch.rollout.log_probs, batch.advantages, batch.token_advantages)
            halves.append(torch.autograd.grad(loss, table.logits)[0])
        rows.append(signal_and_noise(tuple(halves)))
        whole.append(sum(halves) / 2)
    mean, error = (pd.DataFrame(rows).agg(f) for f in ("mean", "sem"))
    exact = (expected_update(ReasoningChain(step_success=q), update_rule) ** 2).sum()
    assert abs(mean["grad_signal"] - exact) < 4 * error["grad_signal"]
    variance = float(torch.stack(whole).var(0).sum())
    assert abs(mean["grad_noise"] - variance) < 4 * np.hypot(error["grad_noise"], variance * np.sqrt(2 / 400))


def test_an_exploding_loss_stops_the_run(cache, monkeypatch):
    monkeypatch.setattr(divergence, "EXPLODED", 1e-9)
    config = TrainConfig(**TINY | {"inner_epochs": 2, "learning_rate": 0.1}, cache_dir=cache)
    with pytest.raises(TrainingDiverged, match=r"loss is .* at update 0: lower learning_rate .* no checkpoint"):
        train(config)


def test_a_useless_judge_is_heard_by_the_rule_alone(cache):
    """miss 1: every incorrect response is said to be right throughout, so no all-negative group has a gradient."""
    options = TINY | {"start_accuracy": 0.05, "updates": 1}
    exact = TrainConfig(**options, cache_dir=cache)
    deaf, keen = train(replace(exact, judge="noisy", miss=1.0)), train(replace(exact, judge="noisy"))
    plain = train(exact)
    assert plain["all_negative"][0] == deaf["all_negative"][0] == 1.0
    assert plain["grad_norm"][0] == keen["grad_norm"][0] > 0 == deaf["grad_norm"][0]
    assert deaf["zero_advantage"][0] == 1.0 > plain["zero_advantage"][0]
    half = replace(exact, judge="noisy", miss=0.5, updates=3)
    one, two, other = (train(c).drop(columns="seconds") for c in (half, half, replace(half, false_alarm=0.3)))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert not one["reward_mean"].equals(other["reward_mean"])


@pytest.mark.parametrize("train_on", ["all_negative", "some_correct"])
def test_other_groups_are_not_learnt_from(cache, train_on):
    config = TrainConfig(**TINY | {"questions": 32}, cache_dir=cache)
    policy = make_policy(config)
    rules = config.make_rule(), replace(config, train_on=train_on).make_rule()
    whole, part = (collect(policy, policy.task, update_rule, 32, "train", 0, 0) for update_rule in rules)
    chosen = whole.correct.any(-1) == (train_on == "some_correct")
    assert 0 < chosen.sum() < 32
    assert (part.advantages[~chosen] == 0).all()
    assert (part.token_advantages[~chosen] == 0).all()
    assert torch.equal(part.advantages[chosen], whole.advantages[chosen])
    assert (part.advantages[chosen] != 0).any()
    assert torch.equal(part.rewards, whole.rewards)


def test_votes_and_seeds_give_judges_of_their_own(cache):
    names = {
        make_judge(TrainConfig(judge="noisy", miss=0.2, votes=votes, seed=seed), ChainTask(3)).name
        for votes in (1, 3)
        for seed in (0, 1)
    }
    assert len(names) == 4
    voters = make_judge(TrainConfig(judge="noisy", miss=0.2, votes=3), ChainTask(3)).at("train", 0).judges
    assert len({voter.seed for voter in voters}) == 3


def test_the_learned_judge_is_the_one_that_is_trained_for_the_task(cache, monkeypatch):
    asked = []

    def stand_in(spec, task, cache_dir, progress):
        asked.append((spec, task, cache_dir))
        return lambda prompts, responses, answers, verdict: verdict.steps

    monkeypatch.setattr(learned_judge, "learned_judge", stand_in)
    config = TrainConfig(**TINY, cache_dir=cache, judge="learned", judge_accuracy=0.4, start_accuracy=0.05)
    assert train(config)["zero_advantage"][0] == 1.0
    assert asked == [(learned_judge.JudgeSpec(accuracy=0.4, seed=0), ChainTask(3, 5), cache)]
