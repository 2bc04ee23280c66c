"""Verdicts on the ten suites: a hand-made table for every verdict that a claim can get."""

import pandas as pd
import pytest
from hand_tables import runs, weak_judge

from paper_repro.claims.verdicts import kind
from paper_repro.studies.suites import claims
from paper_repro.studies.suites.study import STUDY
from toy_llm.problems.suites import SUITES, TRAINED

HOLDS = "holds"
NOT = "does not hold"
UNDECIDED = "undecided"
BOTH = "holds in 1, undecided in 1 of 2 settings"
HELD_OUT = tuple(suite for suite in SUITES if suite not in TRAINED)
BOTH_WAYS = (0.35, 0.4, 0.47)
"""Three seeds that lie on both sides of GRPO's 0.40, 0.41, 0.42."""


def suites(values, **labels):
    """Runs on the eight suites that are trained on, and on those held out."""
    return runs(values, TRAINED, HELD_OUT, **labels)


def judged(found):
    """The verdict of a finding, None for none; a finding always says on what it stands."""
    if found is None:
        return None
    assert found.statistic
    assert found.interval
    return found.verdict


def everywhere(values, sizes=("small", "medium"), starts=("base", "distilled")):
    return pd.concat([suites(values, size=size, start=start) for size in sizes for start in starts])


AHEAD = {"none": 0.1, "grpo": 0.4, "spo": 0.5}
BEHIND = {"none": 0.1, "grpo": 0.5, "spo": 0.4}
LEVEL = {"none": 0.1, "grpo": 0.4, "spo": BOTH_WAYS}
PARTLY = pd.concat([everywhere(AHEAD, starts=("base",)), everywhere(LEVEL, starts=("distilled",))])


@pytest.mark.parametrize("judge", [claims.suites_lead, claims.across_sizes, claims.pass_at_16])
@pytest.mark.parametrize(
    ("table", "said"),
    [
        (everywhere(AHEAD), HOLDS),
        (PARTLY, "mixed"),
        (everywhere(BEHIND), NOT),
        (everywhere(LEVEL), UNDECIDED),
        (None, None),
    ],
    ids=["ahead", "partly", "behind", "level", "nothing"],
)
def test_7_9_15_leads_over_grpo(judge, table, said):
    verdict = judged(judge({} if table is None else {"suites": table}))
    assert (verdict and kind(verdict.split("; gains")[0])) == said


@pytest.mark.parametrize("judge", [claims.suites_lead, claims.pass_at_16])
@pytest.mark.parametrize(("name", "told"), [("spo_prefix", 0.3), ("spo_variant", 0.3)])
def test_7_15_the_papers_rule_decides_and_its_variants_are_told(judge, name, told):
    found = judge({"suites": suites(AHEAD | {name: told})})
    assert found.verdict == HOLDS
    assert "which is not the paper's" in found.statistic
    found = judge({"suites": suites(BEHIND | {name: 0.9})})
    assert found.verdict == NOT


def test_7_counts_the_suites_on_which_spo_is_ahead():
    found = claims.suites_lead({"suites": suites(AHEAD)})
    assert f"SPO is ahead on {len(TRAINED)} of {len(SUITES)} suites with adamw" in found.statistic


def test_7_tells_response_lengths_for_both_readings_of_rts():
    tables = {"suites": suites(AHEAD), "suite_lengths": suites({"spo": 6.0}, rts_length="true")}
    said = claims.suites_lead(tables).statistic
    assert "before 0.1; grpo adamw 0.4; spo adamw 0.5; spo adamw with RTS over the true length 6.0" in said


@pytest.mark.parametrize(("medium", "said"), [(0.42, "holds"), (0.6, "does not hold"), (BOTH_WAYS, UNDECIDED)])
def test_9_gains_shrink_with_size(medium, said):
    """The small network gains 0.1 over GRPO, give or take; the medium one less, more, or who knows."""
    small = suites({"grpo": 0.4, "spo": (0.5, 0.512, 0.519)}, size="small")
    table = pd.concat([small, suites({"grpo": 0.4, "spo": medium}, size="medium")])
    assert judged(claims.across_sizes({"suites": table})).endswith(f"gains shrink with size: {said}")


def test_9_needs_more_than_one_size():
    assert claims.across_sizes({"suites": suites(AHEAD)}) is None


def test_15_needs_sixteen_samples():
    few = suites(AHEAD)
    assert claims.pass_at_16({"suites": few[few["k"] != 16]}) is None


ONLY = {"mode": "offline", "train_on": "all_negative"}
POSITIVES = suites({"grpo": 0.9}, mode="offline", train_on="some_correct")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spo": 0.3}, HOLDS),
        ({"spo": 0.3, "spo_prefix": 0.02}, "holds in 1, reversed in 1 of 2 settings"),
        ({"spo": 0.02}, NOT),
        ({"spo": (0.05, 0.1, 0.15)}, UNDECIDED),
    ],
)
def test_6_offline(values, said):
    """The start solves 0.1; what groups with a correct response bring does not decide."""
    tables = {"suites": suites(AHEAD), "suite_offline": pd.concat([suites(values, **ONLY), POSITIVES])}
    found = claims.offline_improves(tables)
    assert found.verdict == said
    assert "GRPO on some-correct groups (told beside it) +0.810" in found.statistic


@pytest.mark.parametrize("missing", ["suites", "suite_offline"])
def test_6_needs_both_tables(missing):
    tables = {"suites": suites(AHEAD), "suite_offline": POSITIVES}
    tables.pop(missing)
    assert claims.offline_improves(tables) is None


NOISE = {"miss": 0.4, "false_alarm": 0.2}


def noisy(one, five, **labels):
    """Success with an exact judge is 0.5; ``one``, ``five``: with that many noisy judgments."""
    by_judge = (suites({"spo": 0.5}), suites({"spo": one}, **NOISE), suites({"spo": five}, votes=5, **NOISE))
    return pd.concat(by_judge).assign(**labels)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (noisy(0.48, 0.5), HOLDS),
        (pd.concat([noisy(0.48, 0.5), noisy(0.2, 0.5, rule="spo_prefix")]), "holds in 1, fails in 1 of 2 settings"),
        (noisy(0.2, 0.5), NOT),
        (noisy((0.2, 0.5, 0.8), 0.5), UNDECIDED),  # as good on average, but not surely
        (pd.concat([noisy(0.48, 0.5), noisy((0.2, 0.5, 0.8), 0.5, rule="spo_prefix")]), BOTH),
        (noisy((0.38, 0.41, 0.44), 0.5), UNDECIDED),  # a loss of a fifth, give or take
        (None, None),
    ],
)
def test_10_weaker_judges(table, said):
    assert judged(claims.weaker_judges({} if table is None else {"suite_judges": table})) == said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (noisy(0.3, 0.5), HOLDS),
        (pd.concat([noisy(0.3, 0.5), noisy(0.3, (0.28, 0.31, 0.36), rule="spo_prefix")]), BOTH),
        (noisy(0.3, 0.2), NOT),
        (noisy(0.3, (0.28, 0.31, 0.36)), UNDECIDED),
        (None, None),
    ],
)
def test_11_votes_help(table, said):
    assert judged(claims.votes_help({} if table is None else {"suite_judges": table})) == said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (weak_judge(), HOLDS),
        (weak_judge(judge=0.95), "holds in 2, reversed in 1 of 3 parts"),
        (weak_judge(judge=0.95, twin=0.95, start=0.95), NOT),
        (None, None),
    ],
)
def test_12_the_judge_need_not_solve(table, said):
    assert judged(claims.judge_need_not_solve({} if table is None else {"weak_judge": table})) == said


def colours(lost):
    """``lost``: what the noisy judge costs for each beta."""
    parts = []
    for beta, loss in lost.items():
        values = 0.5 - loss if isinstance(loss, float) else tuple(0.5 - one for one in loss)
        own = {"beta": beta, "gamma": 0.5}
        parts += [suites({"spo": (0.5, 0.5, 0.5)}, **own), suites({"spo": values}, **own, **NOISE)]
    return pd.concat(parts)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (colours({2.0: 0.3, 10.0: 0.1}), HOLDS),
        (colours({2.0: 0.2, 10.0: 0.2}), NOT),  # a choice that changes nothing
        (colours({2.0: (0.2, 0.201, 0.202), 10.0: (0.201, 0.2, 0.203)}), NOT),
        (colours({2.0: (0.1, 0.2, 0.4), 10.0: (0.2, 0.2, 0.2)}), UNDECIDED),
        (None, None),
    ],
)
def test_13_colouring_steadies(table, said):
    """The largest loss is never surely below the smallest; what fails the claim is that they are surely the same."""
    assert judged(claims.colouring_steadies({} if table is None else {"suite_colours": table})) == said


def test_13_is_corrected_for_the_choice_of_a_pair():
    """What is surely different as the only pair is not as one of many."""
    two = {2.0: (0.20, 0.22, 0.24), 10.0: (0.10, 0.13, 0.12)}
    many = two | {20.0 + i: (0.15, 0.16, 0.17) for i in range(6)}
    assert claims.colouring_steadies({"suite_colours": colours(two)}).verdict == HOLDS
    assert claims.colouring_steadies({"suite_colours": colours(many)}).verdict == UNDECIDED


def test_16_says_why_it_is_not_tested():
    (claim,) = (claim for claim in STUDY.claims if claim.number == 16)
    assert "comparison of integers" in claim.judge
