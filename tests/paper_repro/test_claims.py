"""Verdicts on the chain and on the trained network: a hand-made table for every verdict that a claim can get."""

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison, curves, escape, silent_groups, two_step, two_step_limit, two_step_map

from paper_repro.claims.table import all_claims, judge_claims
from paper_repro.claims.verdicts import by_intervals, verdict
from paper_repro.report.schema import VERDICTS
from paper_repro.studies import all_negative, network
from paper_repro.studies import escape as escape_study
from paper_repro.studies import two_step as two_step_study

HOLDS, PART, NOT, UNTESTED = VERDICTS


def judged(found):
    """The verdict of a finding, None for none; a finding always says on what it stands."""
    if found is None:
        return None
    assert found.statistic
    assert found.interval
    return found.verdict


@pytest.mark.parametrize(("passed", "said"), [([True, True], HOLDS), ([True, False], PART), ([False], NOT)])
def test_parts_of_a_claim_make_its_verdict(passed, said):
    assert verdict(passed) == said


@pytest.mark.parametrize(
    ("effects", "null", "said"),
    [
        ([(0.1, 0.3), (0.2, 0.4)], 0.0, HOLDS),
        ([(0.1, 0.3), (-0.1, 0.1)], 0.0, PART),
        ([(0.1, 0.3), (-0.3, -0.1)], 0.0, PART),
        ([(-0.3, -0.1), (-0.1, 0.1)], 0.0, NOT),
        ([(-0.1, 0.1)], 0.0, UNTESTED),
        ([(0.1, 0.3)], 1.0, NOT),
        ([(np.nan, np.nan)], 0.0, UNTESTED),
    ],
)
def test_intervals_make_a_verdict(effects, null, said):
    found = by_intervals("statistic", "interval", effects, null)
    assert found.verdict == said
    assert ("too few seeds" in found.interval) is (said == UNTESTED)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"silent_groups": silent_groups()}, HOLDS),
        ({"silent_groups": silent_groups(grpo=1e-9)}, NOT),
        ({}, None),
    ],
)
def test_1_grpo_is_silent(tables, said):
    assert judged(all_negative.grpo_is_silent(tables)) == said


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"silent_groups": silent_groups(stuck=0.2)}, HOLDS),
        ({"silent_groups": silent_groups()}, PART),
        ({"silent_groups": silent_groups(alive=0.0)}, NOT),
        ({}, None),
    ],
)
def test_2_colouring_speaks(tables, said):
    assert judged(all_negative.colouring_speaks(tables)) == said


def test_2_names_the_share_of_groups_that_speak():
    found = all_negative.colouring_speaks({"silent_groups": silent_groups()})
    assert "they are 90.0% of all-negative groups at step accuracy 0.5, 20.0% at the worst" in found.statistic


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"silent_groups": silent_groups()}, HOLDS),
        ({"silent_groups": silent_groups(stuck=0.2)}, PART),
        ({"silent_groups": silent_groups(stuck_share=(0.1, 0.8))}, PART),
        ({"silent_groups": silent_groups(stuck=0.2, stuck_share=(0.1, 0.8))}, NOT),
        ({}, None),
    ],
)
def test_17_limits(tables, said):
    assert judged(all_negative.limits(tables)) == said


THEOREM = {"two_step": two_step(), "two_step_limit": two_step_limit()}
BEHIND = {"two_step": two_step(lead_p=-0.1, lead_success=-0.1)}


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (THEOREM, HOLDS),
        (THEOREM | {"two_step": two_step(lead_success=-0.1)}, PART),
        (THEOREM | {"two_step_limit": two_step_limit(last=0.9)}, PART),
        (THEOREM | {"two_step_limit": two_step_limit(growing=False)}, PART),
        (BEHIND | {"two_step_limit": two_step_limit(last=0.9)}, NOT),
        ({"two_step": two_step()}, None),
        ({"two_step_limit": two_step_limit()}, None),
    ],
)
def test_3_theorem(tables, said):
    assert judged(two_step_study.theorem(tables)) == said


def test_3_says_where_the_conclusion_reverses():
    tables = THEOREM | {"two_step": two_step(elsewhere=-0.1), "two_step_map": two_step_map()}
    found = two_step_study.theorem(tables)
    assert found.verdict == HOLDS  # the theorem is about the paper's start alone
    assert "From (0.9, 0.5), outside the theorem, SPO is behind at k = 1..5" in found.statistic
    assert "gains less on 33% of all starting points" in found.statistic


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"escape": escape({2: (20, 10), 4: (80, 15)})}, HOLDS),
        ({"escape": escape({2: (10, 20), 4: (80, 15)})}, PART),
        ({"escape": escape({2: (10.5, 10), 4: (10, 15)})}, NOT),  # at 2 a seed of GRPO is before one of SPO
        ({"escape": escape({2: (20, 10)}).query("rule == 'spo'")}, None),
        ({"escape": escape({2: (20, 10)}).assign(all_negative=0.1)}, None),
        ({}, None),
    ],
)
def test_5_all_negative_groups_help(tables, said):
    assert judged(escape_study.all_negative_helps(tables)) == said


def test_5_a_run_that_never_arrives_counts_as_late():
    table = escape({4: (80, 15)})
    table.loc[(table["rule"] == "grpo") & (table["source"] == "monte_carlo"), "updates"] = np.nan
    assert judged(escape_study.all_negative_helps({"escape": table})) == HOLDS


AHEAD, LEVEL, BACK = curves(6.0), curves(0.0), curves(-6.0)
SECOND = {"experiment": "H4-adam"}


@pytest.mark.parametrize("judge", [network.acceleration, network.early_gain, network.entropy_falls])
@pytest.mark.parametrize(
    ("table", "said"),
    [
        (AHEAD, HOLDS),
        (pd.concat([AHEAD, curves(6.0, **SECOND)]), HOLDS),
        (pd.concat([AHEAD, curves(-6.0, **SECOND)]), PART),
        (pd.concat([AHEAD, curves(0.0, **SECOND)]), PART),
        (BACK, NOT),
        (LEVEL, UNTESTED),
        (curves(6.0, rules=("grpo",)), None),
        (AHEAD[AHEAD["source"] == "theory"], None),
        (None, None),
    ],
    ids=["ahead", "twice ahead", "ahead and behind", "ahead and level", "behind", "level", "GRPO", "theory", "nothing"],
)
def test_4_8_14_the_networks_lead(judge, table, said):
    assert judged(judge({} if table is None else {"curves": table})) == said


def test_4_runs_that_do_not_arrive():
    """GRPO not there counts as its last update; SPO not there leaves no lower bound."""
    late = pd.concat([curves(0.0, rules=("grpo",), half=90.0), curves(6.0, rules=("spo",))])
    found = network.acceleration({"curves": late})
    assert found.verdict == HOLDS
    assert "at least: GRPO not there in 3 seeds" in found.statistic
    never = pd.concat([curves(0.0, rules=("grpo",)), curves(0.0, rules=("spo",), half=90.0)])
    assert network.acceleration({"curves": never}).verdict == UNTESTED


def test_8_counts_the_lead_and_not_the_growth_of_a_lag():
    """A lag that grows is no gain, though its first two thirds are above its last third."""
    slower = curves(-6.0, half=34.0)
    assert judged(network.early_gain({"curves": slower})) != HOLDS


def test_14_needs_the_entropy():
    assert network.entropy_falls({"curves": AHEAD.drop(columns="entropy")}) is None


def test_claims_without_data_are_not_testable_and_say_why():
    table = judge_claims({})
    assert set(table["verdict"]) == {UNTESTED}
    assert set(table["statistic"]) == {
        "its experiment was not run",
        "the judge here is a comparison of integers: its cost says nothing about a language model's",
    }
    assert (table["figure"] == "").all()


def test_the_table_of_claims_is_in_the_papers_order():
    numbers = [claim.number for claim in all_claims()]
    assert numbers == list(range(1, 18))
    table = judge_claims({"curves": AHEAD, "comparison": comparison()})
    assert [int(text.split(".")[0]) for text in table["claim"]] == numbers
    row = table.iloc[3]
    assert row["claim"] == "4. The acceleration carries over from the stylized model to training."
    assert row["where"] == "Abstract"
    assert row["verdict"] == HOLDS
    assert row["figure"] == "training"
