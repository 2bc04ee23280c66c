"""Step judges: errors as often, and distributed, as they should be; the same judgement every time."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chi2

from spo_theory import InputError, ReasoningChain, expected_update, rule
from spo_theory.outcomes.judged import confusion, expected_update_judged
from toy_llm.judging.exact import Verdict
from toy_llm.judging.noisy import MajorityVote, NoisyJudge, exact_judge
from toy_llm.judging.report import judged_rates
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.rollout import collect


def written(task, classes, per_question=1, stream="test"):
    """Questions with responses of given classes ``(Q * G,)``: k right steps, then wrong ones."""
    k = torch.as_tensor(classes).reshape(-1, per_question)
    prompts, answers = task.questions(stream, 0, 0, len(k))
    true = answers[:, None, :].expand(-1, per_question, -1)
    responses = torch.where(torch.arange(task.horizon) < k[..., None], true, (true + 1) % task.modulus)
    return prompts, responses, answers, task.judge(responses, answers)


RATES = [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.35, 0.15), (0.6, 0.4), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]


@pytest.mark.parametrize(("miss", "false_alarm"), RATES)
def test_judged_first_errors_are_distributed_as_the_theory_says(miss, false_alarm):
    h, n = 5, 4000
    task = ChainTask(h)
    batch = written(task, np.repeat(np.arange(h), n), per_question=8)
    judged = NoisyJudge(miss, false_alarm, seed=11)(*batch).flatten().reshape(h, n)
    expected = confusion(h, miss, false_alarm) * n
    counts = np.stack([np.bincount(row, minlength=h + 1) for row in judged.numpy()])
    assert (counts[expected == 0] == 0).all()  # what cannot happen does not
    for row, wanted in zip(counts, expected, strict=True):
        rare = wanted < 5
        cells = np.append(row[~rare], row[rare].sum()), np.append(wanted[~rare], wanted[rare].sum())
        cells = tuple(c[cells[1] > 0] for c in cells)
        if len(cells[0]) == 1:
            assert cells[0][0] == n
            continue
        statistic = ((cells[0] - cells[1]) ** 2 / cells[1]).sum()
        assert chi2.sf(statistic, len(cells[0]) - 1) > 1e-4  # 40 rows: one in 250 correct judges would fail


def test_the_chi_square_test_notices_a_judge_that_is_off_by_three_percent():
    h, n = 5, 4000
    batch = written(ChainTask(h), np.repeat(np.arange(h), n), per_question=8)
    judged = NoisyJudge(0.38, 0.15, seed=11)(*batch).flatten().reshape(h, n)
    wanted = confusion(h, 0.35, 0.15)[0] * n
    counts = np.bincount(judged[0].numpy(), minlength=h + 1)
    assert chi2.sf(((counts - wanted) ** 2 / wanted).sum(), h) < 1e-4


def test_responses_of_a_group_are_judged_independently_even_if_they_are_equal():
    h = 3
    judged = NoisyJudge(0.5, 0.0, seed=2)(*written(ChainTask(h), np.zeros(40_000, int), per_question=2))
    flagged = (judged == 0).double()
    assert np.corrcoef(flagged.T.numpy())[0, 1] == pytest.approx(0, abs=4 / 20_000**0.5)


def test_judging_is_a_function_of_seed_and_group():
    task, judge = ChainTask(4), NoisyJudge(0.4, 0.3, seed=5)
    batch = written(task, torch.randint(0, 5, (800,), generator=torch.Generator().manual_seed(0)), per_question=8)
    prompts, responses, answers, verdict = batch
    whole = judge(*batch)
    assert torch.equal(whole, judge(*batch))
    assert torch.equal(whole, NoisyJudge(0.4, 0.3, seed=5)(*batch))
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1))[:30]
    part = judge(prompts[order], responses[order], answers[order], rows(verdict, order))
    assert torch.equal(part, whole[order])
    assert (NoisyJudge(0.4, 0.3, seed=6)(*batch) != whole).float().mean() > 0.2
    # what stands behind the end of a response changes nothing
    ended = dataclasses.replace(verdict, mask=torch.tensor([True, True, True, False]).expand_as(verdict.mask))
    noise = responses.clone()
    noise[..., 3] = 7
    assert torch.equal(judge(prompts, responses, answers, ended), judge(prompts, noise, answers, ended))


def test_the_same_responses_to_other_questions_are_judged_anew():
    prompts, responses, answers, verdict = written(ChainTask(4), np.zeros(4000, int), per_question=8)
    judge = NoisyJudge(0.5, 0.0, seed=3)
    one, other = (judge(p, responses, answers, verdict) == 0 for p in (prompts, prompts.roll(1, 0)))
    assert (one == other).double().mean().item() == pytest.approx(0.5, abs=4 * (0.25 / 4000) ** 0.5)


def rows(verdict, index):
    return Verdict(**{f.name: getattr(verdict, f.name)[index] for f in dataclasses.fields(verdict)})


def test_luck_of_a_step_does_not_depend_on_how_many_steps_there_are():
    prompts, responses, _, _ = written(ChainTask(4), np.zeros(24, int), per_question=8)
    judge = NoisyJudge(0.4, 0.3)
    assert torch.equal(judge._luck(prompts, responses, 9)[..., :4], judge._luck(prompts, responses, 4))


def test_correct_responses_and_perfect_judges_change_nothing():
    batch = written(ChainTask(4), np.arange(5).repeat(40), per_question=5)
    verdict = batch[-1]
    assert torch.equal(exact_judge(*batch), verdict.first_error)
    assert torch.equal(NoisyJudge()(*batch), verdict.first_error)
    judged = NoisyJudge(1.0, 1.0)(*batch)
    assert torch.equal(judged[verdict.correct], verdict.first_error[verdict.correct])
    true = verdict.first_error[~verdict.correct]
    assert torch.equal(judged[~verdict.correct], torch.where(true == 0, 4, 0))  # always wrong about every step


def test_steps_that_were_not_written_are_not_judged():
    """Responses of unequal length, made by hand: 2 of 4 steps written, the second one wrong."""
    n = 20_000
    prompts, responses, answers, verdict = written(ChainTask(4), np.ones(n, int))
    verdict = dataclasses.replace(verdict, steps=torch.full_like(verdict.steps, 2))
    judged = NoisyJudge(0.3, 0.2, seed=1)(prompts, responses, answers, verdict).flatten()
    counts = torch.bincount(judged, minlength=5).tolist()
    assert counts[3:] == [0, 0]
    for count, chance in zip(counts, (0.2, 0.8 * 0.7, 0.8 * 0.3), strict=False):
        assert binomtest(count, n, chance).pvalue > 1e-4


@pytest.mark.parametrize(("miss", "false_alarm"), [(0.0, 0.0), (0.3, 0.1), (0.7, 0.3)])
@pytest.mark.parametrize("scope", ["all_negative", "all_incorrect"])
def test_sampled_update_under_the_judge_is_the_expected_one(miss, false_alarm, scope):
    """The tabular policy in the trainer's own pipeline against the theory's exact update."""
    q, groups = [0.5, 0.6, 0.4], 6000
    task, spo = ChainTask(3), rule("spo", group_size=4, scope=scope)
    source = JudgeSource("noisy", lambda stream, index: NoisyJudge(miss, false_alarm, seed=7))
    batch = collect(TabularPolicy(task, q), task, spo, groups, "test", 0, 0, judge=source)
    truth = batch.verdict.first_error[..., None]
    step = torch.arange(3)
    score = ((step < truth).double() - torch.tensor(q)) * (step <= truth)
    sampled = (batch.advantages[..., None] * score).mean(1)
    exact = expected_update_judged(ReasoningChain(step_success=q), spo, miss, false_alarm)
    off = (sampled.mean(0) - torch.tensor(exact)) / (sampled.std(0) / groups**0.5)
    assert off.abs().max() < 4
    if miss + false_alarm == 0.3 + 0.7 and scope == "all_negative":  # useless: as if nothing were coloured
        plain = expected_update(ReasoningChain(step_success=q), rule("grpo", group_size=4))
        assert exact == pytest.approx(plain, abs=1e-12)


def test_rates_are_recovered_from_judged_first_errors():
    batch = written(ChainTask(6), np.arange(7).repeat(3000), per_question=7)
    rates = judged_rates(NoisyJudge(0.35, 0.15, seed=3)(*batch), batch[-1])
    assert rates.responses == 18_000
    assert rates.miss == pytest.approx(0.35, abs=4 * (0.25 / rates.wrong_read) ** 0.5)
    assert rates.false_alarm == pytest.approx(0.15, abs=4 * (0.15 * 0.85 / rates.right_read) ** 0.5)
    found = np.diag(confusion(6, 0.35, 0.15)).mean()
    assert rates.first_error == pytest.approx(found, abs=4 * (0.25 / 18_000) ** 0.5)


def test_rates_by_hand():
    # classes 2, 0, 1 of 3 steps, judged to fail after 2 (right), 3 (missed all), 0 (false alarm)
    *_, verdict = written(ChainTask(3), [2, 0, 1], per_question=3)
    rates = judged_rates(torch.tensor([[2, 3, 0]]), verdict)
    assert (rates.wrong_read, rates.right_read, rates.responses) == (1 + 3 + 0, 2 + 0 + 1, 3)
    assert (rates.miss, rates.false_alarm, rates.first_error) == (3 / 4, 1 / 3, 1 / 3)


def test_all_problems_of_a_judge_are_named():
    with pytest.raises(InputError) as error:
        NoisyJudge(miss=-0.1, false_alarm=1.5, seed=-1)
    for name in ("miss = -0.1", "false_alarm = 1.5", "seed = -1"):
        assert name in str(error.value)
    with pytest.raises(InputError, match="miss"):
        NoisyJudge(miss=float("nan"))


def test_the_majority_counts_and_of_equal_camps_the_earliest():
    named = torch.tensor([[[2, 0, 1, 3]], [[2, 1, 1, 0]], [[1, 2, 3, 3]], [[1, 3, 0, 0]]])  # votes, Q = 1, G = 4
    judges = tuple(lambda *asked, i=i: named[i] for i in range(4))
    assert MajorityVote(judges)(None, None, None, None).tolist() == [[1, 0, 1, 0]]
    assert MajorityVote(judges[:1])(None, None, None, None).tolist() == named[0].tolist()


def test_votes_find_the_first_error_more_often():
    """Of three independent judges; with these rates the truth is what they name most often."""
    batch = written(ChainTask(4), np.tile([0, 1, 2, 3], 5000), per_question=2)
    one, *others = (NoisyJudge(0.3, 0.1, seed=s) for s in range(3))
    rates = [judged_rates(j(*batch), batch[-1]).first_error for j in (one, MajorityVote((one, *others)))]
    assert rates[1] > rates[0] + 0.05
