"""The task, its streams of questions and the exact judge."""

import pytest
import torch

from spo_theory import InputError
from toy_llm.judge import judge
from toy_llm.task import ChainTask


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
