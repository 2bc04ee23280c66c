"""Every statement is what its status says, and the checks can fail."""

from fractions import Fraction

import numpy as np
import pytest

from spo_theory import ReasoningChain, expected_update, rule
from spo_theory.theorems.catalogue import THEOREMS
from spo_theory.theorems.groups import all_groups, pair_update


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.name)
def test_verdict_matches_status(theorem):
    verdict = theorem.check()
    assert verdict.holds == (theorem.status != "refuted"), verdict
    assert bool(verdict.counterexample) != verdict.holds
    assert verdict.checked


def test_names_are_unique_and_all_groups_are_there():
    assert len({t.name for t in THEOREMS}) == len(THEOREMS)
    assert len(all_groups(2, 3)) == 10
    assert len({tuple(sorted(row)) for row in all_groups(3, 4).tolist()}) == 35


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
