"""Where an erring judge stops helping: the computed boundary against its own gain and a brute-force update."""

from itertools import product

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule
from spo_theory.outcomes.judged import (
    colouring_gain_function,
    confusion,
    expected_update_judged,
    useful_judges,
    voted,
)

SPO = rule("spo", group_size=4, beta=5.0)


def test_useless_line_is_the_boundary_far_from_success():
    chain = ReasoningChain(step_success=(0.3, 0.3, 0.3))
    table = useful_judges(chain, SPO, np.linspace(0.05, 0.95, 7))
    np.testing.assert_allclose(table["miss"] + table["false_alarm"], 1, atol=1e-9)
    assert (table["helps"] == "below").all()


def test_a_second_boundary_where_colouring_is_about_to_hurt():
    """From q = (0.93, 0.67, 0.64) a perfect judge helps a little, and few false alarms already undo it."""
    chain = ReasoningChain(step_success=(0.93, 0.67, 0.64))
    table = useful_judges(chain, rule("spo", group_size=3, beta=5.0), [0.02])
    off_line = table[np.abs(table["miss"] + table["false_alarm"] - 1) > 1e-6]
    assert len(off_line) == 1
    gain = colouring_gain_function(chain, rule("spo", group_size=3, beta=5.0))
    root = float(off_line["false_alarm"].iloc[0])
    assert abs(gain(0.02, root)) < 1e-12
    assert gain(0.02, root - 0.01) > 0 > gain(0.02, root + 0.01)


def test_gain_is_the_difference_of_updates():
    chain = ReasoningChain(step_success=(0.4, 0.6, 0.5))
    plain = expected_update(chain, rule("grpo", group_size=4))
    judged = expected_update_judged(chain, SPO, 0.2, 0.1)
    expected = (judged - plain) @ (1 - chain.step_success)
    assert colouring_gain_function(chain, SPO)(0.2, 0.1) == pytest.approx(expected, rel=1e-12)
    assert confusion(3, 0.2, 0.1).sum(1) == pytest.approx(1)


def test_bad_input_is_named():
    chain = ReasoningChain(step_success=(0.4, 0.6))
    with pytest.raises(InputError, match="colouring = None"):
        colouring_gain_function(chain, rule("grpo"))
    with pytest.raises(InputError, match=r"misses = \[1\.5\]"):
        useful_judges(chain, SPO, [1.5])
    with pytest.raises(InputError, match="points = 2"):
        useful_judges(chain, SPO, [0.5], points=2)


@pytest.mark.parametrize("votes", [1, 2, 3, 5])
def test_votes_are_counted_over_all_ballots(votes):
    """One ordered ballot after another: the most frequent step, the earliest of those named equally often."""
    single = confusion(3, 0.3, 0.2)
    want = np.zeros_like(single)
    for ballot in product(range(4), repeat=votes):
        named = [ballot.count(step) for step in range(4)]
        want[:, named.index(max(named))] += single[:, list(ballot)].prod(1)
    np.testing.assert_allclose(voted(single, votes), want, rtol=1e-13, atol=1e-16)
    with pytest.raises(InputError, match="votes = 0"):
        voted(single, 0)


@pytest.mark.parametrize("miss", [0.001, 0.005, 0.3, 0.996])
def test_the_line_of_useless_judges_is_found_up_to_its_ends(miss):
    table = useful_judges(ReasoningChain(step_success=(0.3, 0.3, 0.3)), SPO, [miss], points=9)
    assert table["false_alarm"].tolist() == [1 - miss]
    assert table["helps"].tolist() == ["below"]


def test_with_scope_all_incorrect_the_line_is_no_boundary():
    coloured = rule("spo", group_size=8, beta=5.0, scope="all_incorrect")
    chain = ReasoningChain(step_success=(0.5, 0.4, 0.6))
    table = useful_judges(chain, coloured, [0.4], points=9)
    gain = colouring_gain_function(chain, coloured)
    assert abs(gain(0.4, 0.6)) > 1e-4
    assert (np.abs(table["false_alarm"] - 0.6) > 0.01).all()
    assert all(abs(gain(0.4, f)) < 1e-12 for f in table["false_alarm"])
