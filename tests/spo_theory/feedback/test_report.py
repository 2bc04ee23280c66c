"""Error rates of a judge on labelled responses."""

import numpy as np
import pytest
import torch

from spo_theory import InputError
from spo_theory.feedback.report import Rate, colouring_pays, judge_report
from spo_theory.feedback.verdict import Judgement
from toy_llm.judging.exact import Verdict
from toy_llm.judging.report import judged_rates


def labelled(seed, number=400, steps=4, miss=0.3, alarm=0.1):
    """Labels of wrong responses, and what a judge with these error rates says of them."""
    random = np.random.default_rng(seed)
    true = random.integers(0, steps, number)
    calls = random.random((number, steps)) < np.where(np.arange(steps) < true[:, None], alarm, 1 - miss)
    said = np.where(calls.any(1), calls.argmax(1), steps)
    return true, said


def test_rates_are_those_of_the_trainers_judges():
    true, said = labelled(0)
    report = judge_report([Judgement(int(s)) for s in said], true.tolist(), [4] * len(true))
    number = len(true)
    verdict = Verdict(
        correct=torch.zeros(1, number, dtype=torch.bool),
        first_error=torch.tensor(true)[None],
        steps=torch.full((1, number), 4),
        step_lengths=torch.ones(1, number, 4, dtype=torch.int64),
        mask=torch.ones(1, number, 4, dtype=torch.bool),
        token_step=torch.arange(4).expand(1, number, 4),
    )
    rates = judged_rates(torch.tensor(said)[None], verdict)
    assert (report.miss.share, report.false_alarm.share, report.exact.share) == pytest.approx(
        (rates.miss, rates.false_alarm, rates.first_error)
    )
    assert (report.miss.of, report.false_alarm.of) == (rates.wrong_read, rates.right_read)


def test_intervals_hold_the_true_rates_and_missing_judgements_stay_out():
    true, said = labelled(1)
    judgements = [Judgement(int(s)) for s in said]
    report = judge_report(judgements, true.tolist(), [4] * len(true))
    assert report.miss.interval[0] < 0.3 < report.miss.interval[1]
    assert report.false_alarm.interval[0] < 0.1 < report.false_alarm.interval[1]

    extra = judge_report([*judgements, Judgement(None, "not JSON")], [*true.tolist(), 2], [4] * (len(true) + 1))
    assert extra.unjudged == Rate(1, len(true) + 1)
    assert (extra.miss, extra.false_alarm, extra.exact) == (report.miss, report.false_alarm, report.exact)


def test_a_useless_judge_does_not_pay_and_a_perfect_one_does():
    true, _ = labelled(2)
    perfect = judge_report([Judgement(int(t)) for t in true], true.tolist(), [4] * len(true))
    best, gained = colouring_pays(perfect, horizon=4)
    assert gained == pytest.approx(best)
    assert gained > 0
    # A judge that always names the first step: no misses, every right step called wrong, miss + false_alarm = 1
    blind = judge_report([Judgement(0)] * len(true), true.tolist(), [4] * len(true))
    assert blind.miss.share + blind.false_alarm.share == 1
    assert colouring_pays(blind, horizon=4)[1] == pytest.approx(0, abs=1e-12)


def test_bad_labels_are_named():
    with pytest.raises(InputError, match="first_error = 5"):
        judge_report([Judgement(0)], [5], [4])
    with pytest.raises(InputError, match="first_errors = 2"):
        judge_report([Judgement(0)], [0, 1], [4])
    with pytest.raises(InputError, match="step_success"):
        colouring_pays(judge_report([Judgement(0)], [0], [4]), horizon=4)
