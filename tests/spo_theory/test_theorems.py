"""Every statement is what its status says, and the checks can fail."""

from fractions import Fraction
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pytest

from spo_theory import ReasoningChain, expected_update, rule, theorems
from spo_theory.exact.groups import all_groups, group_probabilities
from spo_theory.theorems import THEOREMS, TOPICS, two_steps, updates
from spo_theory.theorems.statement import Statement, Verdict, statement
from spo_theory.theorems.updates import pair_update


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.name)
def test_verdict_matches_status(theorem):
    verdict = theorem.check()
    assert verdict.holds == (theorem.status != "refuted"), verdict
    assert bool(verdict.counterexample) != verdict.holds
    assert verdict.checked


def test_every_statement_of_every_topic_is_listed_once():
    assert len({t.name for t in THEOREMS}) == len(THEOREMS)
    entered = {v.name for topic in TOPICS for v in vars(topic).values() if isinstance(v, Statement)}
    assert entered == {t.name for t in THEOREMS}
    files = {f.stem for f in Path(theorems.__file__).parent.glob("*.py")} - {"__init__", "statement"}
    assert files == {topic.__name__.rpartition(".")[2] for topic in TOPICS}


def test_the_order_is_that_of_the_docs():
    names = [t.name for t in THEOREMS]
    assert names[:4] == [
        "grpo_is_silent",
        "colouring_speaks",
        "all_negative_scope_keeps_mixed_groups",
        "all_incorrect_scope_keeps_mixed_groups",
    ]
    assert names[10:12] == ["useless_judge_is_silent", "useless_judge_is_silent_in_all_incorrect"]
    assert names[-1] == "resampling_saves_no_rollouts"
    assert len(names) == 42


def test_a_check_stops_at_the_first_counterexample():
    asked = []

    @statement("No number is above 2.", "refuted", checked="1 to 5")
    def small_numbers():
        for n in range(1, 6):
            asked.append(n)
            if n > 2:
                yield f"n = {n}"

    assert small_numbers.name == "small_numbers"
    assert small_numbers.check() == Verdict(False, "1 to 5", "n = 3")
    assert asked == [1, 2, 3]


def test_a_wrong_update_is_found(monkeypatch):
    """The checks look at the exact sums too: with other ones they fail, and say that these are not the engine's."""
    monkeypatch.setattr(updates, "pair_update", lambda q, coloured, prefix_credit=False: [Fraction(1)] * len(q))
    for claim in (updates.pair_closed_forms, updates.prefix_credit_never_loses):
        assert claim.check().counterexample.startswith("grpo, H = 1: the engine's update of a pair is 0.8")


def test_all_groups_are_there_with_their_probability():
    assert len(all_groups(2, 3)) == 10
    classes = all_groups(3, 4)
    assert len({tuple(sorted(row)) for row in classes.tolist()}) == 35
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=2)
    found = group_probabilities(classes, p)

    # by brute force: every ordered group, its probability added to that of its sorted form
    row_of = {tuple(row): i for i, row in enumerate(classes.tolist())}
    expected = np.zeros((2, 35))
    for ordered in product(range(4), repeat=4):
        expected[:, row_of[tuple(sorted(ordered))]] += p[:, list(ordered)].prod(1)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["grpo", "spo", "spo_prefix"])
def test_rational_pair_update_is_the_engines(name):
    """The exact rational arithmetic of the proofs and the general engine agree."""
    q = (Fraction(2, 5), Fraction(1, 2), Fraction(7, 10))
    r, coloured, prefix = rule(name, group_size=2), name != "grpo", name == "spo_prefix"
    got = expected_update(ReasoningChain(step_success=[float(x) for x in q]), r)
    np.testing.assert_allclose(got, [float(x) for x in pair_update(q, coloured, prefix)], rtol=1e-13)


def test_the_bound_is_of_the_engines_update():
    chain, g = ReasoningChain(step_success=[0.3, 0.2, 0.25]), 16
    p = float(chain.success)
    bound = np.sqrt(g - 1) * p * (1 - chain.step_success) / (1 - p)
    update = expected_update(chain, rule("grpo", group_size=g))
    assert (update <= bound).all()
    assert (update >= 0.8 * bound).all()  # and it is sharp for small P


@pytest.mark.parametrize("odds", [10, 30, 500, 1e5])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_bounds_of_the_proof_that_success_stays_ahead(odds, share):
    """Increments of the odds in docs/theory/statements.md#success-is-ahead, with 50 digits."""
    with mpmath.workdps(50):
        u = mpmath.mpf(odds)
        v = max(10, share * u)
        rise_u = u * mpmath.expm1(u / (1 + u) ** 2)
        rise_v = v * mpmath.expm1(u**2 / (1 + u) ** 2 * v / (1 + v) ** 2)
        rise_w = u * mpmath.expm1(u**2 / (1 + u) ** 3)
        assert 1 - 1.5 / u - 2 / u**2 <= rise_u <= 1
        assert rise_v >= 1 - 1.5 / v - 2 / u - 2 / v**2 - 2 / (u * v)
        assert 1 - 3 / u <= rise_w <= 1 - 2.5 / u + 6.5 / u**2


def test_the_premises_of_that_proof_can_fail():
    """At the start of training they do not hold yet, and a lead in odds of 3 is not enough."""
    assert not all(two_steps.premises_of_the_lead(np.zeros(2), np.zeros(2)).values())
    late = np.log([1000.0, 990.0])
    assert all(two_steps.premises_of_the_lead(late, np.log([992.0, 992.0])).values())
    assert not all(two_steps.premises_of_the_lead(late, np.log([993.5, 993.5])).values())
