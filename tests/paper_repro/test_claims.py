"""Verdicts on the chain and on the trained network: a hand-made table for every verdict that a claim can get."""

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison, curves, escape, silent_groups, two_step, two_step_limit, two_step_map

from paper_repro.claims import on_network
from paper_repro.claims.effects import runs_to_decide
from paper_repro.claims.table import all_claims, claim_numbers, judge_claims
from paper_repro.claims.verdicts import kind
from paper_repro.report.schema import CLAIM_NUMBERS, CLAIMS, check_table
from paper_repro.studies import all_negative
from paper_repro.studies import escape as escape_study
from paper_repro.studies import two_step as two_step_study

HOLDS = "holds"
NOT = "does not hold"
UNDECIDED = "undecided"
HALF = "holds in 1, fails in 1 of 2 parts"


def judged(found):
    """The verdict of a finding, None for none; a finding always says on what it stands, and so for people."""
    if found is None:
        return None
    assert found.statistic
    assert found.interval
    assert found.sentence.endswith(".")
    return found.verdict


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
        ({"silent_groups": silent_groups()}, HALF),
        ({"silent_groups": silent_groups(alive=0.0)}, NOT),
        ({}, None),
    ],
)
def test_2_colouring_speaks(tables, said):
    assert judged(all_negative.colouring_speaks(tables)) == said


def test_2_names_the_share_of_groups_that_speak():
    found = all_negative.colouring_speaks({"silent_groups": silent_groups()})
    assert (
        "are 90.0% of all-negative ones at step accuracy 0.5, 20.0% at the worst accuracy tried (0.1)"
        in found.statistic
    )
    assert found.sentence.startswith("Under SPO an all-negative group gives an update if first errors differ")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"silent_groups": silent_groups()}, HOLDS),
        ({"silent_groups": silent_groups(stuck=0.2)}, HALF),
        ({"silent_groups": silent_groups(stuck_share=(0.1, 0.8))}, "holds in 1, reversed in 1 of 2 parts"),
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
        (THEOREM | {"two_step": two_step(lead_success=-0.1)}, "holds in 2, reversed in 1 of 3 parts"),
        (THEOREM | {"two_step_limit": two_step_limit(last=0.9)}, "holds in 2, reversed in 1 of 3 parts"),
        (THEOREM | {"two_step_limit": two_step_limit(growing=False)}, "holds in 2, fails in 1 of 3 parts"),
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
        ({"escape": escape({2: (10, 20), 4: (80, 15)})}, "holds in 1, reversed in 1 of 2 settings"),
        ({"escape": escape({2: (10, 20), 4: (10, 15)})}, NOT),
        ({"escape": escape({2: (10.1, 10), 4: (80, 15)})}, "holds in 1, undecided in 1 of 2 settings"),
        ({"escape": escape({2: (20, 10)}, seeds=range(3))}, UNDECIDED),  # three against three cannot be sure
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


def test_5_the_networks_are_judged_too():
    tables = {"escape": escape({4: (80, 15)}), "curves": curves(-6.0)}
    found = escape_study.all_negative_helps(tables)
    assert judged(found) == "holds; networks: does not hold"
    easy = curves(-6.0).assign(all_negative=0.2)
    assert judged(escape_study.all_negative_helps(tables | {"curves": easy})) == HOLDS


AHEAD, LEVEL, BACK = (curves(lead, forecast=lead) for lead in (6.0, 0.0, -6.0))
SECOND = {"experiment": "H4-adam"}
JUDGES = [on_network.acceleration, on_network.early_gain, on_network.entropy_falls]


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    ("table", "said"),
    [
        (AHEAD, HOLDS),
        (pd.concat([AHEAD, curves(6.0, **SECOND)]), HOLDS),
        (pd.concat([AHEAD, curves(-6.0, **SECOND)]), "holds in 1, reversed in 1 of 2 settings"),
        (pd.concat([AHEAD, curves(0.0, **SECOND)]), "holds in 1, undecided in 1 of 2 settings"),
        (pd.concat([AHEAD, curves(-6.0, **SECOND, note="steps too large")]), HOLDS),
        (BACK, NOT),
        (LEVEL, UNDECIDED),
        (curves(6.0, rules=("grpo",)), None),
        (AHEAD[AHEAD["source"] == "theory"], None),
        (None, None),
    ],
    ids=["ahead", "twice", "and behind", "and level", "and broken", "behind", "level", "GRPO", "theory", "nothing"],
)
def test_4_8_14_the_networks_lead(judge, table, said):
    verdict = judged(judge({} if table is None else {"curves": table}))
    assert (verdict and verdict.split("; forecasts")[0]) == said


def test_4_is_judged_by_forecasts_too():
    assert judged(on_network.acceleration({"curves": AHEAD})) == "holds; forecasts: holds"
    found = on_network.acceleration({"curves": curves(6.0, forecast=-6.0)})
    assert judged(found) == "holds; forecasts: does not hold"
    assert kind(found.verdict) == "mixed"


def test_4_takes_the_most_complete_forecast():
    """A simpler level that says the opposite does not decide."""
    simpler = curves(6.0, forecast=-6.0).query("source == 'theory'").assign(level="kernel")
    found = on_network.acceleration({"curves": pd.concat([AHEAD, simpler])})
    assert judged(found) == "holds; forecasts: holds"


def test_4_starts_are_the_repetitions_where_there_are_three():
    """Four runs from each of three starts are three values, whose spread is that of the starts."""
    runs = [curves(6.0 + 0.1 * i).assign(seed=lambda t, i=i: t["seed"] + 3 * i) for i in range(4)]
    (effect,) = on_network.acceleration({"curves": pd.concat(runs)}).effects[""]
    assert (effect.n, effect.of) == (3, "warm starts")
    means = [np.mean([np.log(20 / (14 - 0.1 * i - jitter)) for i in range(4)]) for jitter in (-0.4, 0.0, 0.4)]
    assert effect.estimate == pytest.approx(np.exp(np.mean(means)), rel=1e-3)
    two = pd.concat(runs).query("start < 2")
    (effect,) = on_network.acceleration({"curves": two}).effects[""]
    assert (effect.n, effect.of) == (8, "runs")


def test_4_runs_that_do_not_arrive():
    """A run that is not there counts as its last update; where neither rule arrives, nothing is known."""
    late = pd.concat([curves(0.0, rules=("grpo",), half=90.0), curves(6.0, rules=("spo",))])
    found = on_network.acceleration({"curves": late})
    assert found.verdict.split(";")[0] == HOLDS
    assert "3 pairs of runs with one that never arrives" in found.statistic
    never = pd.concat([curves(0.0, rules=("grpo",)), curves(0.0, rules=("spo",), half=90.0)])
    assert on_network.acceleration({"curves": never}).verdict.split(";")[0] == NOT
    both = curves(0.0, half=90.0)
    assert on_network.acceleration({"curves": both}).verdict.split(";")[0] == UNDECIDED


def test_8_counts_the_lead_and_not_the_growth_of_a_lag():
    """A lag that grows is no gain, though its first two thirds are above its last third."""
    slower = curves(-6.0, half=34.0)
    assert judged(on_network.early_gain({"curves": slower})) != HOLDS


def test_14_needs_the_entropy():
    assert on_network.entropy_falls({"curves": AHEAD.drop(columns="entropy")}) is None


def test_claims_without_data_are_not_run_and_one_is_not_testable():
    table = check_table(judge_claims({}), CLAIMS, "claims")
    assert table["verdict"].value_counts().to_dict() == {"not run": 16, "not testable here": 1}
    assert set(table["statistic"]) == {
        "its experiment was not run",
        "the judge here is a comparison of integers: its cost says nothing about a language model's",
    }
    assert (table["figure"] == "").all()
    assert claim_numbers({}).empty


def test_the_table_of_claims_is_in_the_papers_order():
    numbers = [claim.number for claim in all_claims()]
    assert numbers == list(range(1, 18))
    table = check_table(judge_claims({"curves": AHEAD, "comparison": comparison()}), CLAIMS, "claims")
    assert [int(text.split(".")[0]) for text in table["claim"]] == numbers
    row = table.iloc[3]
    assert row["claim"] == "4. The acceleration carries over from the stylized model to training."
    assert row["where"] == "Abstract"
    assert row["kind"] == "holds"
    assert row["figure"] == "training"


def test_the_numbers_behind_verdicts_have_a_row_for_every_claim_and_setting():
    tables = {"curves": pd.concat([AHEAD, curves(0.0, **SECOND)]), "escape": escape({2: (20, 10)})}
    table = check_table(claim_numbers(tables), CLAIM_NUMBERS, "claims_numbers")
    four = table[(table["claim"] == 4) & (table["family"] == "")].set_index("setting")
    assert list(four["outcome"]) == [UNDECIDED, HOLDS]
    assert four["low"].iloc[1] > 1 == four["null"].iloc[1]
    assert four["n_to_decide"].isna().iloc[1]
    assert set(table["claim"]) == {4, 5, 8, 14}


def test_an_undecided_claim_says_how_many_seeds_would_decide():
    nearly = curves(0.6)
    found = on_network.acceleration({"curves": nearly})
    (effect,) = found.effects[""]
    assert effect.outcome == UNDECIDED
    needed = runs_to_decide(effect, tests=1)
    assert needed > 3
    assert f"4 steps, groups of 8, SGD: about {needed} warm starts instead of 3" in found.would_decide
