"""Signal to noise of a log: subset by subset in plain Python, and unbiased against the exact theory of a chain."""

from itertools import combinations, permutations, product
from math import exp, sqrt
from statistics import fmean, pstdev

import numpy as np
import pytest

from spo_theory import ReasoningChain, expected_update, rule
from spo_theory.diagnosis.groups import groups_of, pooled
from spo_theory.diagnosis.rollouts import Columns
from spo_theory.diagnosis.signal import gains_of_subsets, signal_of_outcomes, signal_of_steps
from spo_theory.exact.moments import group_covariance

STEPS = 3


def log(groups):
    """Rollouts of groups of first errors; `STEPS` is a correct response. Each group is a question of its own."""
    columns = Columns("table")
    for question, first_errors in enumerate(groups):
        for k in first_errors:
            columns.add(question, 0, k == STEPS, float(k == STEPS), first_error=k, steps=STEPS)
    return columns.finish()


def drawn(groups=25, size=5, seed=0):
    """Groups of different difficulty; the first one is all wrong."""
    generator = np.random.default_rng(seed)
    found = [[0, 1, 2, 0, 1][:size]]
    for _ in range(groups - 1):
        right = generator.beta(1, 1)
        found.append([int(np.argmin(np.r_[generator.random(STEPS) < right, False])) for _ in range(size)])
    return found


def standardized(rewards):
    mean, std = fmean(rewards), pstdev(rewards)
    return [(r - mean) / std if std > 1e-12 else 0.0 for r in rewards]


def grpo(first_errors):
    return [[a] * STEPS for a in standardized([float(k == STEPS) for k in first_errors])]


def spo(first_errors):
    """The paper's colours, slope 10 and threshold 1/2, where no response is correct."""
    if STEPS in first_errors:
        return grpo(first_errors)
    return [[a] * STEPS for a in standardized([1 / (1 + exp(-10 * (k / STEPS - 0.5))) for k in first_errors])]


def gain_against(weights, inside, other):
    """Rise of the log-odds at the steps that one response takes, with it as the baseline of every step."""
    total = 0.0
    for w, k in zip(weights, inside, strict=True):
        for s in range(min(k, STEPS - 1) + 1):
            total += w[s] * ((k > s) * (other >= s) - (other > s))
    return total / len(inside)


@pytest.mark.parametrize(("name", "weights"), [("grpo", grpo), ("spo, all-wrong groups", spo)])
def test_judged_steps_subset_by_subset(name, weights):
    groups = drawn()
    found = {one.k: one for one in signal_of_steps(log(groups), groups_of(log(groups))) if one.name == name}
    assert list(found) == [2, 3]
    for k, one in found.items():
        gains, squares = [], []
        for group in groups:
            places = list(combinations(range(len(group)), k))
            against = []
            for inside in places:
                w = weights([group[i] for i in inside])
                outside = [group[i] for i in range(len(group)) if i not in inside]
                against.append([gain_against(w, [group[i] for i in inside], other) for other in outside])
            gains.append(fmean(fmean(g) for g in against))
            squares.append(fmean(fmean(a * b for a, b in permutations(g, 2)) for g in against))
        mean = fmean(gains)
        noise = sqrt(fmean(squares) - mean**2)
        assert one.gain == pytest.approx(mean)
        assert one.noise == pytest.approx(noise)
        assert one.batch.value == pytest.approx(sqrt(1000 / k) * mean / noise)
        assert one.batch.low < one.batch.value < one.batch.high


def test_outcomes_subset_by_subset():
    groups = drawn(size=4)
    for one in signal_of_outcomes(groups_of(log(groups))):
        moments = []
        for group in groups:
            for inside in combinations(group, one.k):
                right = [float(k == STEPS) for k in inside]
                moments.append(fmean(a * r for a, r in zip(standardized(right), right, strict=True)))
        assert one.gain == pytest.approx(fmean(moments))
        assert one.noise == pytest.approx(pstdev(moments))
        assert one.batch.value == pytest.approx(sqrt(1000 / one.k) * fmean(moments) / pstdev(moments))


@pytest.mark.parametrize("name", ["grpo", "ngrpo", "spo, all-wrong groups", "spo_prefix"])
def test_estimates_are_unbiased_on_a_chain(name):
    """Weighed by their chances, all samples of four responses together give the exact mean and second moment."""
    success = np.array([0.4, 0.7])
    chain = ReasoningChain(step_success=success)
    method = rule(name.split(",")[0], group_size=2)
    visits = np.array([1.0, success[0]])
    mean = expected_update(chain, method)
    second = group_covariance(chain, method) + np.outer(mean, mean)

    chances = np.array([1 - success[0], success[0] * (1 - success[1]), success.prod()])
    samples = np.array(list(product(range(3), repeat=4)))
    weight = chances[samples].prod(-1)
    places = np.array(list(combinations(range(4), 2)))
    gain, square = gains_of_subsets(name, places, samples == 2, samples, np.ones((len(samples), 4, 2)))
    assert weight @ gain == pytest.approx(visits @ mean, rel=1e-12)
    assert weight @ square == pytest.approx(visits @ second @ visits, rel=1e-12)


def test_groups_of_one_question_in_one_step_make_larger_ones():
    columns = Columns("table")
    for group, reward in (("a1", 1.0), ("a1", 0.0), ("a2", 0.0), ("a2", 0.0)):
        columns.add("a", 0, reward == 1, reward, group=group)
    rollouts = columns.finish()
    assert groups_of(rollouts).size.tolist() == [2, 2]
    assert groups_of(pooled(rollouts)).size.tolist() == [4]
    assert [one.k for one in signal_of_outcomes(groups_of(pooled(rollouts)))] == [2, 4]


def test_nothing_is_said_where_there_is_nothing():
    alone = log([[0], [3]])
    assert signal_of_outcomes(groups_of(alone)) == []
    assert signal_of_steps(alone, groups_of(alone)) == []
    silent = signal_of_outcomes(groups_of(log([[0, 0], [1, 2]])))
    assert [one.batch.value for one in silent] == [0.0]
