"""The task, its streams of questions and the exact judge."""

import pytest
import torch

from spo_theory import InputError
from toy_llm.judging.exact import judge, judge_text
from toy_llm.problems.chain import ChainTask


def test_running_values_and_encoding():
    task = ChainTask(horizon=3, modulus=10)
    prompts, answers = task.questions("train", 0, 0, 500)
    assert prompts.shape == (500, 5)
    assert (prompts[:, -1] == 10).all()
    for row, true in zip(prompts.tolist(), answers.tolist(), strict=True):
        value = row[0]
        for number, wanted in zip(row[1:4], true, strict=True):
            value = (value + number) % 10
            assert value == wanted


def test_question_depends_on_stream_seed_and_index_alone():
    task = ChainTask(4)
    whole, _ = task.questions("train", 3, 0, 40)
    part, _ = task.questions("train", 3, 25, 10)
    assert torch.equal(whole[25:35], part)
    for other in (task.questions("measure", 3, 0, 40)[0], task.questions("train", 4, 0, 40)[0]):
        assert (other[:, :-1] == whole[:, :-1]).float().mean() < 0.3
    shifted, _ = task.questions("train", 4, 0, 40)
    assert not any((shifted == row).all(1).any() for row in whole[1:])


def test_numbers_are_uniform():
    numbers, _ = ChainTask(6).questions("train", 0, 0, 20_000)
    counts = torch.bincount(numbers[:, :-1].flatten(), minlength=10).double()
    chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert chi2 < 30  # 9 degrees of freedom: p = 0.0004


def test_worked_example_of_the_documentation():
    responses = torch.tensor([[[2, 1, 5], [2, 3, 7], [1, 1, 5], [2, 1, 4]]])
    correct, first_error = judge(responses, torch.tensor([[2, 1, 5]]))
    assert first_error.tolist() == [[3, 1, 0, 2]]
    assert correct.tolist() == [[True, False, False, False]]  # the third ends on the right number, by luck


@pytest.mark.parametrize(
    ("kw", "named"), [({"horizon": -1}, "horizon = -1"), ({"horizon": 2, "modulus": 1}, "modulus")]
)
def test_bad_tasks_are_named(kw, named):
    with pytest.raises(InputError, match=named):
        ChainTask(**kw)


def test_verdict_of_a_chain_has_one_token_steps():
    task = ChainTask(3)
    assert (task.name, task.response_length, task.end) == ("chain", 3, None)
    verdict = task.judge(torch.tensor([[[2, 1, 5], [2, 3, 7]]]), torch.tensor([[2, 1, 5]]))
    assert verdict.correct.tolist() == [[True, False]]
    assert verdict.first_error.tolist() == [[3, 1]]
    assert verdict.steps.tolist() == [[3, 3]]
    assert verdict.step_lengths.tolist() == [[[1, 1, 1]] * 2]
    assert verdict.token_step.tolist() == [[[0, 1, 2]] * 2]
    assert verdict.mask.all()
    assert task.answer_steps(torch.zeros(2, 3)).tolist() == [[0, 1, 2]] * 2


END, SEP = 8, 9  # below: the true response is 3 ; 1 2 END


@pytest.mark.parametrize(
    ("response", "correct", "first_error", "lengths"),
    [
        ([3, SEP, 1, 2, END, END], True, 2, [2, 3]),
        ([3, SEP, 1, 2, END, 5], True, 2, [2, 3]),  # what follows the end does not count
        ([3, SEP, 1, 3, END, END], False, 1, [2, 3]),
        ([3, END, 1, 2, END, END], False, 0, [2]),  # the step is closed by the wrong token
        ([3, SEP, END, 1, 2, END], False, 1, [2, 1]),  # ends too early: a step of one token
        ([3, SEP, 1, 2, SEP, END], False, 1, [2, 3, 1]),  # goes on after the last step
        ([3, SEP, 1, 2, SEP, 4], False, 1, [2, 3, 1]),  # and is cut off
        ([3, SEP, 1, 2, 7, 7], False, 1, [2, 4]),  # never ends
        ([SEP] * 6, False, 0, [1] * 6),
        ([END] * 6, False, 0, [1]),
        ([-1, 10**6, 0, 0, 0, 0], False, 0, [6]),
    ],
)
def test_free_form_responses_by_hand(response, correct, first_error, lengths):
    answers = torch.tensor([[3, SEP, 1, 2, END, END]])
    verdict = judge_text(torch.tensor([[response]]), answers, SEP, END)
    assert verdict.correct.item() is correct
    assert verdict.first_error.item() == first_error
    assert verdict.steps.item() == len(lengths)
    assert verdict.step_lengths[0, 0].tolist() == lengths
    assert verdict.mask.sum() == sum(lengths)
    written = verdict.token_step[verdict.mask]
    assert written.tolist() == [s for s, n in enumerate(lengths) for _ in range(n)]


def test_verdicts_of_one_batch_are_padded_to_the_most_steps():
    answers = torch.tensor([[3, SEP, 1, 2, END, END]])
    responses = torch.tensor([[[END] * 6, [SEP, SEP, SEP, 1, END, 0]]])
    verdict = judge_text(responses, answers, SEP, END)
    assert verdict.step_lengths.tolist() == [[[1, 0, 0, 0], [1, 1, 1, 2]]]
    assert verdict.token_step.tolist() == [[[0, 1, 1, 1, 1, 1], [0, 1, 2, 3, 3, 3]]]
    assert verdict.mask.tolist() == [[[True] + [False] * 5, [True] * 5 + [False]]]
