"""Suites through the whole trainer: updates, judges, offline sets, resuming, evaluation, settings."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from paper_repro.cli import main
from spo_theory import InputError
from toy_llm import TrainConfig, train
from toy_llm.evaluation import Evaluation, evaluate_suites
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.suites import SUITES, TRAINED
from toy_llm.training.loop import load_policy, make_policy, updates
from toy_llm.training.rollout import collect

TINY = {
    "suites": ("add", "carry"), "size": "small", "start_updates": 20, "questions": 16, "group_size": 4, "updates": 3,
    "kl_every": 1,
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
    return TrainConfig(**TINY, cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "grpo", "aggregation": "response"},
        {"rule": "spo", "scope": "all_incorrect", "aggregation": "token", "kl_estimator": "k2", "kl_coef": 0.1},
        {"rule": "spo_prefix", "aggregation": "constant", "inner_epochs": 2, "minibatches": 2},
        {"judge": "noisy", "miss": 0.3, "false_alarm": 0.1},
        {"mode": "offline", "stored_batches": 2},
        {"scope": "all_incorrect", "rts_length": "true"},
        {"temperature": 0.7, "optimizer": "adamw", "suites": ("nested",)},
    ],
    ids=lambda o: "-".join(map(str, o.values())),
)
def test_every_kind_of_run_moves_and_is_repeatable(config, options):
    config = replace(config, **options)
    one, again = (train(config).drop(columns="seconds") for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    assert one.response_length.between(1, 16).all()
    assert (one.kl.iloc[1:] > 1e-9).all() == (config.rule != "grpo")  # nothing is solved yet: GRPO stands still
    assert one.ended.between(0.01, 1).all()


def test_a_resumed_run_is_the_same_to_the_bit(config, tmp_path):
    config = replace(config, optimizer="adam", checkpoint=str(tmp_path / "run.pt"), checkpoint_every=1)
    whole = train(config).drop(columns="seconds")
    policy = make_policy(config)
    run = updates(config, policy)
    for _ in range(3):
        next(run)
    run.close()
    pd.testing.assert_frame_equal(train(replace(config, resume=True)).drop(columns="seconds"), whole)


def test_the_gradient_of_an_update_is_that_of_plain_sequences(config):
    """One SGD step against the surrogate of every response encoded on its own, token by token."""
    config = replace(config, updates=1, learning_rate=1.0, noise_every=0, rule="spo", scope="all_incorrect")
    policy = make_policy(config)
    module = policy.module
    before = [p.detach().clone() for p in module.parameters()]
    list(updates(config, policy))
    step = [b - p.detach() for b, p in zip(before, module.parameters(), strict=True)]

    policy = make_policy(config)

    module = policy.module
    batch = collect(policy, policy.task, config.make_rule(), 16, "train", config.seed, 0)
    total = torch.zeros(())
    for prompt, group, mask, advantages in zip(
        batch.prompts, batch.rollout.responses, batch.mask, batch.advantages, strict=True
    ):
        for response, written, advantage in zip(group, mask, advantages, strict=True):
            n = int(written.sum())
            logits, _ = module(torch.cat([prompt, response[:n]])[None])
            log_p = logits[0, -n - 1 : -1].log_softmax(-1).gather(-1, response[:n, None])
            total = total - advantage * log_p.sum() / 64
    wanted = torch.autograd.grad(total, list(module.parameters()))
    assert any(g.abs().max() > 1e-3 for g in wanted)
    for a, b in zip(step, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=2e-3)


def test_evaluation_of_every_suite_held_out_ones_too(config):
    models = []
    for seed in (0, 1):
        policy = make_policy(config)
        module = policy.module
        list(updates(replace(config, seed=seed, updates=1), policy))
        models.append(module)
    how = Evaluation(questions=6, samples=8, ks=(1, 4, 8), resamples=50)
    table = evaluate_suites({n: [TransformerPolicy(m, s) for m in models] for n, s in SUITES.items()}, how)
    assert set(table.suite) == set(SUITES)
    passed = table[table.metric == "pass@k"].pivot(index="suite", columns="k", values="value")
    assert (passed[1] <= passed[4] + 1e-12).all()
    assert (passed[4] <= passed[8] + 1e-12).all()
    assert table[table.metric == "response_length"].value.between(1, 16).all()
    assert {f"accuracy_{h}" for h in range(1, 8)} <= set(table[table.suite == "longer"].metric)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"suites": ("add", "sums")}, "'sums'"),
        ({"suites": ("longer",)}, "'longer'"),
        ({"suites": ("add", "add")}, "('add', 'add')"),
        ({"suites": ("add",), "horizon": 3}, "horizon = 3"),
        ({"suites": ("add",), "width": 32}, "width = 32"),
        ({"suites": ("add",), "policy": "tabular"}, "policy = 'tabular'"),
        ({"suites": ("add",), "size": "huge"}, "size = 'huge'"),
        ({"suites": ("add",), "start": "raw"}, "start = 'raw'"),
        ({"size": "large"}, "size = 'large'"),
        ({"start": "distilled"}, "start = 'distilled'"),
        ({"start_updates": 0}, "start_updates = 0"),
        (
            {"suites": ("add",), "rule": "grpo", "rts_length": "true"},
            "option 'rts_length' = 'true' is not allowed for rule 'grpo': rules with it are spo",
        ),
        ({"suites": ("add",), "rts_length": "own"}, "rts_length = 'own'"),
    ],
)
def test_bad_settings_are_refused_by_name(options, named):
    with pytest.raises(InputError) as error:
        TrainConfig(**options).validate()
    assert named in str(error.value)


def test_every_start_has_learnt_all_suites_to_train_on():
    config = TrainConfig(suites=("add",))
    assert config.warm_start().suites == TRAINED
    assert replace(config, suites=("nested", "add")).warm_start().key == config.warm_start().key
    assert replace(config, suites=("chain_sum",)).warm_start().suites == (*TRAINED, "chain_sum")


def test_a_checkpoint_gives_its_policy_without_the_warm_start(config, tmp_path):
    config = replace(config, checkpoint=str(tmp_path / "run.pt"))
    policy = make_policy(config)
    module = policy.module
    list(updates(config, policy))
    shutil.rmtree(config.cache_dir)
    found = load_policy(tmp_path / "run.pt")
    assert found.task.name == "add+carry"
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), found.model.parameters(), strict=True))
    assert load_policy(tmp_path / "run.pt", SUITES["longer"]).task is SUITES["longer"]
    with pytest.raises(InputError, match="vocabulary"):
        load_policy(tmp_path / "run.pt", ChainTask(3))


def test_checkpoints_are_evaluated_from_the_command_line(config, tmp_path, capsys):
    paths = []
    for seed in (0, 1):
        paths.append(str(tmp_path / f"run{seed}.pt"))
        train(replace(config, seed=seed, checkpoint=paths[-1]))
    small = ["--questions", "6", "--samples", "8", "--ks", "1", "8"]
    out = tmp_path / "table.csv"
    assert main(["evaluate", "--checkpoints", *paths, *small, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in (*SUITES, "pass@8", "2 seeds and 6 questions"))
    table = pd.read_csv(out)
    assert set(table.suite) == set(SUITES)
    assert (table.seeds == 2).all()
    assert main(["evaluate", "--checkpoints", paths[0], *small, "--suites", "nested"]) == 0
    assert "carry" not in capsys.readouterr().out

    other = str(tmp_path / "other.pt")
    train(replace(config, learning_rate=1e-4, checkpoint=other))
    for bad, named in (
        (["--checkpoints", paths[0], other], "['learning_rate'"),
        (["--checkpoints", str(tmp_path / "none.pt")], "none.pt"),
        (["--checkpoints", paths[0], "--suites", "sums"], "'sums'"),
        (["--checkpoints", paths[0], "--ks", "128"], "ks = (128,)"),
    ):
        assert main(["evaluate", *bad]) == 2
        assert named in capsys.readouterr().err


def test_a_run_on_chains_is_evaluated_on_its_own_chains(tmp_path, capsys):
    path = str(tmp_path / "run.pt")
    config = TrainConfig(
        horizon=2, modulus=5, width=16, heads=2, updates=1, start_updates=2, cache_dir=str(tmp_path), checkpoint=path
    )
    train(config)
    assert main(["evaluate", "--checkpoints", path, "--questions", "4", "--samples", "8", "--ks", "8"]) == 0
    assert "chain" in capsys.readouterr().out


def test_problems_of_another_package_are_trained_on_like_any_suite(tmp_path):
    pytest.importorskip("reasoning_gym", reason="the extra 'gym' is not installed")
    options = TINY | {"suites": ("chain_sum",), "updates": 1, "start_updates": 2}
    path = str(tmp_path / "run.pt")
    table = train(TrainConfig(**options, cache_dir=str(tmp_path), checkpoint=path))
    assert len(table) == 2
    assert load_policy(path).task.name.startswith("chain_sum")
    assert load_policy(path, SUITES["add"]).task is SUITES["add"]
