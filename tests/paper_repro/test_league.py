"""The league: its table from curves made by hand, and a run of each kind of rule."""

import numpy as np
import pandas as pd
import pytest

from paper_repro.forecast.configuration import Configuration
from paper_repro.studies.league import (
    COSTS,
    OPTIONS,
    RULES,
    at_equal_cost,
    configuration,
    headlines,
    jobs,
    league,
    more,
)
from spo_theory import rule


def curve(name, seed, slope, source="network", updates=40):
    """Success that rises by ``slope`` an update; every cost is 2 an update."""
    step = np.arange(updates + 1)
    table = pd.DataFrame(
        {"step": step, "success": np.minimum(slope * step, 1.0), "rule": name, "seed": seed, "start": seed}
    )
    logged = dict.fromkeys((*COSTS, "entropy", "response_length", "zero_advantage"), 2.0)
    return table.assign(source=source, **logged)


@pytest.fixture(scope="module")
def table():
    frames = [curve("grpo", seed, 0.02 + 0.001 * seed) for seed in range(4)]
    frames += [curve("spo", seed, 0.04 + 0.003 * seed) for seed in range(4)]
    frames += [curve("sign", 0, 0.001), curve("spo", 0, 0.05, source="theory")]
    return league(pd.concat(frames, ignore_index=True)).set_index("rule")


def test_updates_and_costs_until_half_success(table):
    times = [0.5 / (0.04 + 0.003 * seed) for seed in range(4)]
    assert table.loc["spo", "updates"] == pytest.approx(np.mean(times), rel=1e-3)
    assert table.loc["spo", "low"] < np.mean(times) < table.loc["spo", "high"]
    assert table.loc["spo", "rollouts"] == pytest.approx(np.mean([2 * np.ceil(t) for t in times]))
    assert table.loc["spo", "forecast"] == pytest.approx(10.0)
    assert np.isnan(table.loc["grpo", "forecast"])
    assert table.index[0] == "spo"


def test_who_does_not_arrive_has_no_time(table):
    assert table.loc["sign", "arrived"] == 0
    assert table.loc["sign", ["updates", "rollouts"]].isna().all()


def test_ratios_are_paired_by_seed(table):
    """At least twice as fast in every seed."""
    ratios = [np.log((0.02 + 0.001 * s) / (0.04 + 0.003 * s)) for s in range(4)]
    assert table.loc["spo", "log_ratio"] == pytest.approx(np.mean(ratios), rel=1e-3)
    assert table.loc["spo", "p_value"] < 1e-3
    assert np.isnan(table.loc["grpo", "p_value"])


def test_success_when_all_have_spent_the_same():
    """The budget is what the cheapest run spends in all; a rule that costs twice as much is read off half-way."""
    frames = [curve("grpo", seed, 0.01 + 0.001 * seed) for seed in range(3)]
    dear = [curve("spo", seed, 0.015 + 0.003 * seed) for seed in range(3)]
    frames += [one.assign(rollouts=4.0) for one in dear]
    table = pd.concat(frames, ignore_index=True)
    table.loc[table["rule"] == "grpo", "steps_judged"] = 0.0
    found = at_equal_cost(table).set_index(["cost", "rule"])

    # 40 updates of 2 rollouts: colouring has then made 20 updates of 4
    assert (found.loc["rollouts", "budget"] == 80).all()
    assert found.loc[("rollouts", "grpo"), "success"] == pytest.approx(40 * 0.011)
    assert found.loc[("rollouts", "spo"), "success"] == pytest.approx(20 * 0.018)
    assert found.loc[("rollouts", "spo"), "lead"] == pytest.approx(20 * 0.018 - 40 * 0.011)
    assert found.loc[("tokens_generated", "spo"), "success"] == pytest.approx(40 * 0.018)
    assert found.loc[("tokens_generated", "spo"), "p_value"] < 0.05
    assert list(found.loc["steps_judged"].index) == ["spo"]
    lines = headlines({"league_at_equal_cost": found.reset_index()})
    assert lines[0].startswith("When every rule has spent 80 rollouts in a run: GRPO 0.44, SPO")
    assert headlines({}) == []


def test_jobs_train_every_rule_from_every_warm_start():
    for quick in (True, False):
        one = configuration(quick)
        names = [job.name for job in jobs(quick) + ([] if quick else more())]
        assert len(set(names)) == len(names)
        assert set(names) == {
            *(f"league/start-{seed}" for seed in one.seeds),
            *(f"league/{name}-{seed}" for seed in one.seeds for name in one.rules),
        }
        assert one.config("imitation", 0).make_rule().sampler.share == dict([OPTIONS[0][1:]])["share"]
    assert set(RULES) <= set(rule.names())
    assert isinstance(configuration(True), Configuration)
