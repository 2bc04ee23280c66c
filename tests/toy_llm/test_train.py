"""The trainer: its loss, its logs, and that it implements the rule exactly."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_ind

from spo_theory import InputError, ReasoningChain, expected_update, rule, simulate, solve
from toy_llm import TrainConfig, train
from toy_llm.storage import load
from toy_llm.tabular import TabularPolicy
from toy_llm.task import ChainTask
from toy_llm.train import TrainingDiverged, collect, k3, policy_loss, updates

TINY = {
    "horizon": 3, "modulus": 5, "layers": 1, "width": 16, "heads": 2, "questions": 4, "group_size": 4, "updates": 3,
}  # fmt: skip


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
        loss = policy_loss(log_p, batch.rollout.log_probs, batch.step_advantages, 0.2, 0.2)
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


def test_clipped_surrogate_by_hand():
    old = torch.zeros(1, 2, 2, dtype=torch.float64)
    now = torch.log(torch.tensor([[[1.5, 0.9], [1.5, 0.5]]], dtype=torch.float64))
    a = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    expected = -((min(3.0, 1.28 * 2) + 0.9 * 2) + (min(-1.5, -1.28) + min(-0.5, -0.8))) / 2
    assert policy_loss(now, old, a, 0.2, 0.28).item() == pytest.approx(expected)
    reference = now - 0.3
    penalty = (np.exp(-0.3) + 0.3 - 1) * 4 / 2
    got = policy_loss(now, old, a, 0.2, 0.28, reference, kl_coef=0.5).item()
    assert got == pytest.approx(expected + 0.5 * penalty)


def test_k3_is_unbiased_and_non_negative():
    generator = torch.Generator().manual_seed(0)
    p, r = (torch.rand(6, generator=generator).double().softmax(0) for _ in range(2))
    value = k3(p.log(), r.log())
    assert (value >= 0).all()
    assert (p * value).sum().item() == pytest.approx((p * (p / r).log()).sum().item())


def test_log_of_a_run(tmp_path):
    config = TrainConfig(**TINY, cache_dir=str(tmp_path), checkpoint=str(tmp_path / "model.pt"), kl_coef=0.1)
    table = train(config)
    assert list(table["step"]) == [0, 1, 2, 3]
    np.testing.assert_allclose(table["all_negative"] + table["all_positive"] + table["mixed"], 1)
    assert table["success_exact"].to_numpy() == pytest.approx(table["success"].to_numpy(), abs=0.5)
    assert table["kl"].iloc[0] == pytest.approx(0, abs=1e-6)
    assert table["grad_norm"].isna().tolist() == [False, False, False, True]
    for column in ("reward_mean", "reward_std", "entropy", "zero_advantage", "seconds", "q_3", "accuracy_3"):
        assert column in table
    assert set(load(table.attrs["checkpoint"])) >= {"head.weight"}


def test_shares_go_by_correctness_not_by_reward(tmp_path):
    """Coloured all-negative groups have different rewards and are all-negative all the same."""
    table = train(TrainConfig(**TINY | {"updates": 0}, start_accuracy=0.05, cache_dir=str(tmp_path)))
    assert table["all_negative"].iloc[0] == 1.0
    assert table["zero_advantage"].iloc[0] < 1.0


def test_seeds_repeat_and_differ(tmp_path):
    a, b, c = (train(TrainConfig(**TINY, cache_dir=str(tmp_path), seed=s)).drop(columns="seconds") for s in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert not a["entropy"].equals(c["entropy"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_several_inner_epochs_and_adam_run(tmp_path, optimizer):
    options = TINY | {"optimizer": optimizer, "inner_epochs": 3, "max_grad_norm": 0.5, "learning_rate": 1e-3}
    table = train(TrainConfig(**options, cache_dir=str(tmp_path), temperature=1.2))
    assert np.isfinite(table["grad_norm"][:-1]).all()


def test_divergence_is_reported(tmp_path):
    config = TrainConfig(**TINY, cache_dir=str(tmp_path))
    table = TabularPolicy(ChainTask(3, 5), [0.5] * 3)
    with torch.no_grad():
        table.logits.fill_(float("nan"))
    with pytest.raises((TrainingDiverged, InputError), match=r"not finite|finite numbers"):
        list(updates(config, table, table))


@pytest.mark.parametrize("steps", [1, 4])
def test_a_step_that_is_too_large_ends_in_a_clear_error(tmp_path, steps):
    """Also when it is the last one: the final row is not silently NaN."""
    options = TINY | {"updates": steps, "learning_rate": 1e38}
    with pytest.raises(TrainingDiverged, match="not finite at update 1: lower learning_rate"):
        train(TrainConfig(**options, cache_dir=str(tmp_path)))


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
