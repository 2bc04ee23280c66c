"""Levels of the ladder: what each serves, and that forecasts of a tiny run come near its training."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from paper_repro.forecast.comparison import compare
from paper_repro.forecast.configuration import Configuration
from paper_repro.forecast.curves import follow, held_out, success_of
from paper_repro.forecast.forecast import approximations, check_level, forecast, train_network
from paper_repro.report.schema import COMPARISON, CURVES, check_table
from paper_repro.studies.suite_forecast import QUICK, by_suite, forecast_headlines
from spo_theory import InputError
from toy_llm.config import TrainConfig
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask

LEVELS = ("chain", "kernel", "mean_field", "noisy")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A network that learns within seconds: two steps modulo 3, eight questions an update."""
    folder = str(tmp_path_factory.mktemp("starts"))
    base = TrainConfig(
        horizon=2,
        modulus=3,
        layers=1,
        width=16,
        heads=2,
        start_updates=150,
        start_accuracy=0.5,
        questions=32,
        learning_rate=0.05,
        updates=24,
        cache_dir=folder,
    )
    return Configuration("tiny", base, starts=(0,), runs=3, draws=3, held_out=27, points=12, rules=("spo",))


def test_forecasts_come_near_what_is_trained(tiny):
    """The levels that move the network are nearer than a frozen chain; the tables are as they should be."""
    frames = [forecast(tiny, 0, level) for level in LEVELS]
    frames += [train_network(tiny, rule, seed) for rule in tiny.rules for seed in tiny.seeds]
    curves = pd.concat(frames, ignore_index=True)
    check_table(curves, CURVES, "curves")
    table = compare(curves)
    check_table(table, COMPARISON, "comparison")
    found = table.set_index(["rule", "level"])
    for level in ("mean_field", "noisy"):
        assert found.loc[("spo", level), "r2"] > 0.9
        assert found.loc[("spo", level), "rmse"] < 0.5 * found.loc[("spo", "chain"), "rmse"]
    measured = curves[curves["source"] == "network"]
    assert measured["seed"].nunique() == 3
    assert set(measured["level"]) == {"sampled"}


@pytest.mark.parametrize(
    ("options", "level", "named"),
    [
        ({"optimizer": "adamw"}, "kernel", "optimizer = 'adamw'"),
        ({"suites": ("add",)}, "chain", "suites = ('add',)"),
        ({"judge": "noisy", "miss": 0.1}, "kernel", "judge = 'noisy'"),
        ({"judge": "learned"}, "mean_field", "judge = 'learned'"),
        ({"mode": "offline"}, "noisy", "mode = 'offline'"),
        ({"policy": "tabular"}, "noisy", "policy = 'tabular'"),
    ],
)
def test_a_level_that_does_not_serve_says_so(options, level, named):
    with pytest.raises(InputError) as error:
        check_level(TrainConfig(**options), level)
    assert str(error.value).startswith(f"{named} is not allowed")


def test_what_makes_the_mean_field_approximate():
    plain = TrainConfig(rule="spo")
    assert approximations(plain) == {}
    assert approximations(replace(plain, suites=("add",), rule_options={"rts_length": "true"})) == {}
    said = {
        "rts_length": replace(plain, suites=("add",)),
        "inner_epochs": replace(plain, inner_epochs=2),
        "kl_coef": replace(plain, kl_coef=0.1),
        "max_grad_norm": replace(plain, max_grad_norm=1.0),
        "optimizer": replace(plain, optimizer="adamw"),
        "rule": replace(plain, rule="lens"),
        "aggregation": replace(plain, suites=("add",), rule="grpo", aggregation="token"),
    }
    for name, config in said.items():
        assert list(approximations(config)) == [name]


def test_success_is_measured_before_the_update_it_stands_beside():
    """A table whose log-odds are set by hand after every update."""
    policy = TabularPolicy(ChainTask(2), [0.5, 0.5])

    def rows():
        for step in range(5):
            with torch.no_grad():
                policy.logits += 1.0
            yield {"step": step}

    table = follow(policy, rows(), TrainConfig(horizon=2, group_size=4, updates=4), questions=3, points=2)
    assert table["step"].tolist() == [0, 2, 4]
    success = 1 / (1 + np.exp(-table["step"])) ** 2
    np.testing.assert_allclose(table["success"], success)
    np.testing.assert_allclose(table["all_negative"], (1 - success) ** 4)


def test_held_out_questions_are_not_those_of_training():
    kind = held_out(TrainConfig(horizon=6), 50)["chain"]
    prompts, _ = ChainTask(6).questions("train", 0, 0, 50)
    assert not torch.equal(kind.prompts, prompts)
    chance = success_of(TabularPolicy(ChainTask(6), [0.5] * 6), kind)
    np.testing.assert_allclose(chance, 0.5**6)


def test_suites_are_forecast_one_by_one(tmp_path):
    """A tiny network, two updates: tables only, what it has learnt says nothing."""
    base = replace(QUICK.base, updates=2, start_updates=5, cache_dir=str(tmp_path))
    tiny = replace(QUICK, base=base, runs=1, held_out=8, rules=("spo",))
    frames = [forecast(tiny, 0, level) for level in ("mean_field", "noisy")]
    table = by_suite(pd.concat([*frames, train_network(tiny, "spo", 0)], ignore_index=True))
    assert sorted(set(table["suite"])) == ["add", "carry"]
    assert set(table["level"]) == {"mean_field", "noisy"}
    assert np.isfinite(table[["gain", "predicted_gain", "rmse"]]).all(axis=None)


def test_scores_of_a_suite_by_hand():
    step = np.arange(5)
    rows = [("network", "sampled", seed, 0, step / 10 + jitter) for seed, jitter in enumerate((-0.01, 0.01))]
    rows += [("theory", "noisy", None, draw, step / 10 + jitter) for draw, jitter in enumerate((0.0, 0.02))]
    frames = [
        pd.DataFrame({"step": step, "success_add": value, "success_sampled": 0.5}).assign(
            experiment="E", rule="spo", source=source, level=level, seed=seed, draw=draw
        )
        for source, level, seed, draw, value in rows
    ]
    curves = pd.concat(frames, ignore_index=True)
    row = by_suite(curves).iloc[0]
    assert (row["gain"], row["predicted_gain"]) == (pytest.approx(0.4), pytest.approx(0.4))
    assert row["rmse"] == pytest.approx(0.01)
    assert row["r2"] == pytest.approx(1 - 5 * 0.01**2 / 0.1)
    assert row["in_band"] == 1.0
    (line,) = forecast_headlines({"suite_curves": curves})
    assert "R² of a suite's mean curve 0.995" in line
    assert forecast_headlines({}) == []
