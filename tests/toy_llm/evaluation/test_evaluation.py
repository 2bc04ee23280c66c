"""Evaluation: pass@k against brute force, metrics against policies whose success is known, intervals that cover."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap

from spo_theory import InputError, rule
from toy_llm.evaluation import COLUMNS, Evaluation, evaluate, evaluate_suites, interval, pass_at_k
from toy_llm.judging.exact import Verdict
from toy_llm.network.policy import Rollout
from toy_llm.network.tabular import TabularPolicy
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask

TASK, STEPS = ChainTask(3), [0.6, 0.8, 0.5]
P = 0.6 * 0.8 * 0.5
SMALL = Evaluation(questions=40, samples=16, ks=(1, 4, 16), resamples=100)


def by_metric(frame):
    return frame[frame.metric != "pass@k"].set_index("metric").value


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_response(n):
    for c in range(n + 1):
        correct = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            hit = [any(chosen) for chosen in combinations(correct, k)]
            assert pass_at_k(np.array(c), n, k) == pytest.approx(sum(hit) / len(hit), abs=2e-16)


def test_pass_at_k_is_accurate_where_binomials_overflow_and_exact_at_its_ends():
    n = 3000
    for k in (1, 64, 1500, 2999):
        for c in (1, 7, 1000):
            exact = 1 - Fraction(comb(n - c, k), comb(n, k))
            assert pass_at_k(np.array([c]), n, k)[0] == pytest.approx(float(exact), rel=1e-12)
    for k in range(1, 65):
        estimate = pass_at_k(np.arange(65), 64, k)
        assert estimate[0] == 0
        assert (estimate[64 - k + 1 :] == 1).all()
        assert (np.diff(estimate) >= 0).all()
    assert (pass_at_k(np.arange(65), 64, 64) == (np.arange(65) > 0)).all()


def test_pass_at_k_is_unbiased():
    n, p = 10, 0.13
    weight = np.array([comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)])
    for k in range(1, n + 1):
        assert weight @ pass_at_k(np.arange(n + 1), n, k) == pytest.approx(1 - (1 - p) ** k, abs=1e-14)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(([1], 4, 5), "k"), (([1], 4, 0), "k"), (([5], 4, 2), "correct"), (([0.5], 4, 2), "correct")],
)
def test_impossible_counts_are_refused(arguments, named):
    with pytest.raises(InputError, match=f"^{named} = "):
        pass_at_k(*arguments)


def test_metrics_of_a_policy_that_is_known():
    settings = Evaluation(questions=500, samples=64, update_rule=rule("grpo", group_size=4), resamples=50)
    frame = evaluate(TabularPolicy(TASK, STEPS), "chain", settings)
    assert list(frame.columns) == list(COLUMNS)
    value, n = by_metric(frame), 500 * 64
    chances = {
        "success": (P, n),
        "all_negative": ((1 - P) ** 4, n // 4),
        "all_positive": (P**4, n // 4),
        "zero_advantage": ((1 - P) ** 4 + P**4, n // 4),
        "accuracy_1": (0.6, n),
        "accuracy_2": (0.8, 0.6 * n),
        "accuracy_3": (0.5, 0.48 * n),
    }
    for metric, (chance, count) in chances.items():
        assert value[metric] == pytest.approx(chance, abs=4 * (chance * (1 - chance) / count) ** 0.5), metric
    assert value["success_exact"] == pytest.approx(P, abs=1e-15)
    surprise = [-q * np.log(q) - (1 - q) * np.log((1 - q) / 9) for q in STEPS]  # the same before and after errors
    assert value["entropy"] == pytest.approx(np.mean(surprise), abs=4 * 1.2 / (3 * n) ** 0.5)
    assert value["response_length"] == 3
    assert value["ended"] == 1
    at_k = frame[frame.metric == "pass@k"].set_index("k")
    assert list(at_k.index) == [1, 2, 4, 8, 16, 32, 64]
    assert at_k.value[1] == pytest.approx(value["success"], abs=1e-15)
    for k, estimate in at_k.value.items():
        spread = k * (1 - P) ** (k - 1) * (P * (1 - P) / n) ** 0.5 + 1e-3  # delta method, and something for k near n
        assert estimate == pytest.approx(1 - (1 - P) ** k, abs=4 * spread), k
    assert ((frame.low <= frame.value + 1e-12) & (frame.value <= frame.high + 1e-12)).all()


def test_zero_advantage_groups_are_those_of_the_rule():
    policy = TabularPolicy(TASK, STEPS)
    plain, coloured = (
        by_metric(evaluate(policy, "chain", replace(SMALL, update_rule=rule(name)))) for name in ("grpo", "spo")
    )
    assert plain["zero_advantage"] == plain["all_negative"] + plain["all_positive"] > 0
    assert coloured["all_negative"] == plain["all_negative"]
    assert coloured["zero_advantage"] < plain["zero_advantage"]


def test_steps_never_reached_have_no_accuracy():
    frame = evaluate(TabularPolicy(TASK, [0.5, 1e-12, 0.5]), "chain", SMALL)
    row = frame[frame.metric == "accuracy_3"].iloc[0]
    assert np.isnan([row.value, row.low, row.high]).all()


END = 9


class Recorded:
    """A policy and its task in one: two questions, of two steps and of one, with three responses written by hand."""

    end, response_length, horizon = END, 4, 2

    def questions(self, stream, seed, start, count):
        return torch.zeros(2, 1, dtype=torch.int64), torch.tensor([[5, 6, END, END], [7, END, END, END]])

    def answer_steps(self, answers):
        return torch.tensor([[0, 1, 1, -1], [0, 0, -1, -1]])

    def judge(self, responses, answers):
        lengths = torch.tensor([[[1, 2, 0, 0], [1, 1, 2, 0], [4, 0, 0, 0]], [[1, 0, 0, 0], [2, 0, 0, 0], [1, 2, 0, 0]]])
        ends, token = lengths.cumsum(-1), torch.arange(4).expand(2, 3, 4)
        return Verdict(
            correct=torch.tensor([[True, False, False], [False, False, False]]),
            first_error=torch.tensor([[2, 1, 1], [0, 0, 1]]),  # the third: cut off while right; right and then more
            steps=(lengths > 0).sum(-1),
            step_lengths=lengths,
            mask=token < ends[..., -1:],
            token_step=(token[..., None] >= ends[..., None, :]).sum(-1).clamp(max=3),
        )

    @property
    def task(self):
        return self

    def sample(self, prompts, answers, group_size, generator, temperature=1.0):
        first = [[5, 6, END, END], [5, 8, 8, END], [8, 8, 8, 8]]
        responses = torch.tensor([first, [[END, END, END, END], [8, END, END, END], [8, 8, END, END]]])
        log_probs = torch.full((2, 3, 4), -2.0)
        rollout = {"responses": responses, "log_probs": log_probs, "entropy": torch.tensor(2.0)}
        rollout["true_probs"] = torch.tensor([[0.5, 0.4], [0.2, 1.0]])
        if "mask" in Rollout._fields:
            rollout["mask"] = self.judge(responses, answers).mask
        return Rollout(**rollout)


def test_responses_of_different_lengths_by_hand():
    settings = Evaluation(2, 3, (1, 2, 3), update_rule=rule("grpo", group_size=3), resamples=20)
    frame = evaluate(Recorded(), "by hand", settings)
    value = by_metric(frame)
    wanted = {
        "success": 1 / 6,
        "success_exact": (0.5 * 0.4 + 0.2) / 2,
        "all_negative": 1 / 2,
        "all_positive": 0,
        "zero_advantage": 1 / 2,
        "entropy": 2.0,  # of the tokens up to the end alone
        "response_length": (3 + 4 + 4 + 1 + 2 + 3) / 6,
        "ended": 5 / 6,
        "accuracy_1": 4 / 6,
        "accuracy_2": 1 / 2,  # of the two responses that wrote it; the other question has one step
    }
    assert value.to_dict() == pytest.approx(wanted)
    assert frame[frame.metric == "pass@k"].value.tolist() == pytest.approx([1 / 6, 1 / 3, 1 / 2])


def test_repeatable_and_policies_have_their_own_noise():
    model = Transformer(TASK.vocabulary, TASK.prompt_length + 3, 1, 16, 2)
    policy = TransformerPolicy(model, TASK)
    one, again = (evaluate(policy, "chain", SMALL) for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    both = evaluate([policy, policy], "chain", SMALL)
    assert (both.seeds == 2).all()
    entropy = by_metric(one)["entropy"], by_metric(both)["entropy"]
    assert entropy[0] != entropy[1]
    assert entropy[0] == pytest.approx(entropy[1], rel=0.05)


def test_suites_stand_below_each_other():
    suites = {name: [TabularPolicy(ChainTask(h), [0.7] * h)] for name, h in (("short", 2), ("long", 4))}
    frame = evaluate_suites(suites, SMALL)
    assert list(frame.suite.unique()) == ["short", "long"]
    assert set(frame[frame.suite == "long"].metric) - set(frame[frame.suite == "short"].metric) == {
        "accuracy_3",
        "accuracy_4",
    }


def crossed(generator, seeds, questions, spread_seeds, spread_questions, noise):
    """A table with effects of seeds and of questions; its expectation is 0."""
    return (
        spread_seeds * generator.standard_normal((seeds, 1))
        + spread_questions * generator.standard_normal((1, questions))
        + noise * generator.standard_normal((seeds, questions))
    )


@pytest.mark.parametrize(("seeds", "spread_seeds", "spread_questions"), [(20, 1.0, 0.5), (20, 0.0, 1.0), (1, 0.0, 1.0)])
def test_intervals_cover_about_as_often_as_they_say(seeds, spread_seeds, spread_questions):
    generator = np.random.default_rng(4)
    hits, runs = 0, 200
    for i in range(runs):
        table = crossed(generator, seeds, 30, spread_seeds, spread_questions, 0.3)
        _, low, high = interval(table, np.ones_like(table), 0.9, resamples=200, seed=i)
        hits += low <= 0 <= high
    assert 0.8 < hits / runs < 0.97


def test_interval_of_one_seed_is_that_of_the_library():
    table = np.random.default_rng(6).random((1, 50)) ** 3
    wanted = bootstrap(
        (table[0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    _, low, high = interval(table, np.ones_like(table), resamples=20_000)
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=0.02 * (high - low))


def test_drawing_questions_alone_would_be_too_sure():
    """Seeds differ much: an interval over pooled questions is far too narrow, the crossed one is not."""
    generator = np.random.default_rng(5)
    table = crossed(generator, 10, 100, 1.0, 0.1, 0.1)
    ones = np.ones_like(table)
    _, low, high = interval(table, ones)
    pooled = [interval(table.mean(0, keepdims=True), ones[:1])[i] for i in (1, 2)]
    assert high - low > 10 * (pooled[1] - pooled[0])


def test_value_of_a_ratio_is_the_ratio_of_sums():
    above, below = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[2.0, 2.0], [0.0, 4.0]])
    value, low, high = interval(above, below)
    assert value == 6 / 8
    assert 0.5 <= low <= high <= 1.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"samples": 12}, ["samples = 12"]),
        ({"ks": (1, 17)}, ["ks = (1, 17)"]),
        ({"questions": 1, "confidence": 1.0, "temperature": 0.0}, ["questions", "confidence", "temperature"]),
    ],
)
def test_bad_settings_are_named_together(changes, named):
    with pytest.raises(InputError) as error:
        evaluate(TabularPolicy(TASK, STEPS), "chain", replace(SMALL, **changes))
    assert all(name in str(error.value) for name in named)


def test_no_policy_and_policies_for_different_tasks_are_refused():
    for policies in ([], [TabularPolicy(TASK, STEPS), TabularPolicy(ChainTask(2), [0.5, 0.5])]):
        with pytest.raises(InputError, match="policies"):
            evaluate(policies, "chain", SMALL)


def test_default_model_is_not_changed_by_being_measured():
    model = Transformer(TASK.vocabulary, TASK.prompt_length + 3, 1, 16, 2)
    before = [p.clone() for p in model.parameters()]
    evaluate(TransformerPolicy(model, TASK), "chain", SMALL)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
