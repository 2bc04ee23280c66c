"""Effects and their outcomes: tests against scipy, Holm against all intersections, power by draws."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from paper_repro.claims.effects import decide, exact, holm, of_values, runs_to_decide
from paper_repro.claims.verdicts import counted, finding, kind, verdict

SURE = np.array([1.0, 1.1, 0.9, 1.0])
UNSURE = np.array([1.0, -1.0, 0.5, 0.2])


def outcomes(*effects):
    return [one.outcome for one in decide(effects)]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["holds", "holds"], "holds"),
        (["undecided", "undecided"], "undecided"),
        (["reversed", "fails"], "does not hold"),
        (
            ["holds", "holds", "reversed", "undecided", "undecided", "holds"],
            "holds in 3, reversed in 1, undecided in 2 of 6 settings",
        ),
        (["reversed", "undecided"], "reversed in 1, undecided in 1 of 2 settings"),
        ([], "not run"),
    ],
)
def test_settings_are_counted(found, said):
    assert counted(found) == said
    assert kind(said) == (said if " in " not in said else "mixed")


@pytest.mark.parametrize(("passed", "said"), [([True, True], "holds"), ([False], "does not hold")])
def test_parts_of_a_claim_make_its_verdict(passed, said):
    assert verdict(passed) == said
    assert verdict([*passed, not passed[0]]).startswith("holds in")


@pytest.mark.parametrize("null", [0.0, 0.8])
def test_the_test_is_students(null):
    one = of_values("a", UNSURE, "", null=null)
    other = ttest_1samp(UNSURE, null)
    assert one.p == pytest.approx(other.pvalue)
    interval = other.confidence_interval()
    assert (one.low, one.high) == pytest.approx((interval.low, interval.high))


def test_ratios_are_tested_by_their_logarithms():
    ratios = np.array([1.5, 2.0, 3.0])
    one = of_values("a", ratios, "ratio", null=1.0, ratio=True)
    assert one.p == pytest.approx(ttest_1samp(np.log(ratios), 0).pvalue)
    assert one.estimate == pytest.approx(9.0 ** (1 / 3))
    assert one.low < one.estimate < one.high


def test_outcomes_follow_direction_and_size():
    assert outcomes(of_values("a", SURE, "")) == ["holds"]
    assert outcomes(of_values("a", -SURE, "")) == ["reversed"]
    assert outcomes(of_values("a", -SURE, "", opposite="fails")) == ["fails"]
    assert outcomes(of_values("a", -SURE, "", direction="below")) == ["holds"]
    assert outcomes(of_values("a", SURE, "", null=2.0)) == ["reversed"]
    assert outcomes(of_values("a", UNSURE, "")) == ["undecided"]
    assert outcomes(of_values("a", np.array([1.0, 1.0]), "")) == ["undecided"]  # two runs decide nothing
    assert outcomes(of_values("a", np.zeros(5), "")) == ["undecided"]
    assert outcomes(exact("a", 0.1), exact("a", 0.0), exact("a", -0.1)) == ["holds", "fails", "reversed"]
    assert outcomes(exact("a", 0.0, direction="equal"), exact("a", float("nan"))) == ["holds", "fails"]


def test_several_settings_are_corrected_and_those_that_do_not_count_are_not():
    """What is sure alone is not sure as one of eight."""
    values = np.array([1.0, 1.6, 0.7, 1.2])
    alone = of_values("a", values, "")
    assert 0.05 / 8 < alone.p < 0.05
    assert outcomes(alone) == ["holds"]
    others = [of_values(str(i), UNSURE, "") for i in range(7)]
    assert outcomes(alone, *others)[0] == "undecided"
    aside = [of_values(str(i), UNSURE, "", counts=False) for i in range(7)]
    assert outcomes(alone, *aside)[0] == "holds"


def test_holm_is_the_closure_of_bonferroni():
    """An adjusted value is the largest Bonferroni value of all intersections that hold the hypothesis."""
    generator = np.random.default_rng(0)
    for _ in range(20):
        p = generator.uniform(0, 0.3, size=5)
        sets = [s for size in range(1, 6) for s in combinations(range(5), size)]
        brute = [max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(5)]
        assert holm(p) == pytest.approx(brute)
    assert holm([0.01, float("nan")])[0] == 0.01


@pytest.mark.parametrize("tests", [1, 4])
def test_so_many_runs_decide_four_times_in_five(tests):
    """By 20,000 draws (standard error 0.003) of as many values with the measured mean and spread."""
    measured = np.array([0.0, 1.0, 2.0])
    runs = runs_to_decide(of_values("a", measured, ""), tests)
    draws = np.random.default_rng(1).normal(1.0, 1.0, size=(20_000, runs))
    power = np.mean(ttest_1samp(draws, 0, axis=1).pvalue < 0.05 / tests)
    assert power >= 0.8 - 0.012
    fewer = np.mean(ttest_1samp(draws[:, :-1], 0, axis=1).pvalue < 0.05 / tests)
    assert fewer < 0.8 + 0.012


def test_no_number_of_runs_is_named_where_none_is_known():
    assert runs_to_decide(of_values("a", UNSURE[:2], ""), 1) is None
    assert runs_to_decide(of_values("a", np.array([1.0, -1.0, 0.001]), ""), 1) is None  # far more than a thousand


def test_a_finding_tells_people_and_counts():
    families = {"": [of_values("4 steps", SURE, ""), of_values("6 steps", UNSURE, "")], "networks": []}
    found = finding("SPO is", "lead", families, words={"holds": "ahead"})
    assert found.verdict == "holds in 1, undecided in 1 of 2 settings"
    assert found.sentence == "SPO is ahead with 4 steps (+1.000); undecided with 6 steps (+0.175)."
    assert "corrected for several settings (Holm)" in found.interval
    assert found.would_decide.startswith("6 steps: about ")
    assert finding("SPO is", "lead", {"": [of_values("4 steps", SURE, "", counts=False)]}) is None
