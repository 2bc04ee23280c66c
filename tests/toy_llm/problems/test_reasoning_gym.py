"""Chained sums of reasoning-gym, as a suite; skipped where that package is not installed."""

import subprocess
import sys

import pytest
import torch

from spo_theory import InputError
from toy_llm.problems import reasoning_gym as adapter
from toy_llm.problems.suite import PROMPT_LENGTH, RESPONSE_LENGTH
from toy_llm.problems.tokens import decode

needs_gym = pytest.mark.skipif(not adapter.available(), reason="needs the extra 'gym'")
ENTRY = {"metadata": {"expression": "12 - 40 + 7"}, "answer": "-21"}


def test_running_values_are_the_steps():
    question = adapter.question(ENTRY)
    assert decode(question.prompt) == "12-40+7="
    assert question.values() == [-28, -21]
    assert question.follow([5]) == 12  # goes on from what was written


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"metadata": {"expression": "2 * 3"}, "answer": "6"}, "2 \\* 3"),
        (ENTRY | {"answer": "-20"}, "answer = '-20'"),
    ],
)
def test_entries_that_are_something_else_are_refused(entry, named):
    with pytest.raises(InputError, match=named):
        adapter.question(entry)


@needs_gym
def test_problems_and_answers_are_the_packages_own():
    task = adapter.chain_sum()
    assert (task.prompt_length, task.response_length, task.held_out) == (PROMPT_LENGTH, RESPONSE_LENGTH, True)
    prompts, answers = task.questions("test", 0, 0, 200)
    texts = [(decode(p), decode(a)[:-3]) for p, a in zip(prompts.tolist(), answers.tolist(), strict=True)]
    for prompt, answer in texts:
        assert int(answer.split(";")[-1]) == eval(prompt[:-1])
    assert any("-" in answer for _, answer in texts)
    assert task.judge(answers[:, None], answers).correct.all()
    entry = adapter._data_set(3, {"min_terms": 3, "max_terms": 3, "min_digits": 1, "max_digits": 1})[7]
    assert decode(adapter.question(entry).prompt) == entry["metadata"]["expression"].replace(" ", "") + "="


@needs_gym
def test_questions_depend_on_stream_seed_and_index_alone():
    task = adapter.chain_sum()
    prompts, _ = task.questions("train", 3, 0, 60)
    assert torch.equal(prompts[25:35], task.questions("train", 3, 25, 10)[0])
    for other in (task.questions("measure", 3, 0, 60)[0], task.questions("train", 4, 0, 60)[0]):
        assert not any((prompts == row).all(1).any() for row in other[-20:])  # not shifted either


@needs_gym
def test_the_longest_problems_fit():
    task = adapter.chain_sum(min_terms=9, max_terms=9, max_digits=9)
    prompts, answers = task.questions("test", 0, 0, 200)
    assert prompts.shape[1] == task.prompt_length
    assert answers.shape[1] == task.response_length
    assert (task.answer_steps(answers).amax(1) == 7).all()


def test_bad_sizes_are_refused_together():
    with pytest.raises(InputError) as error:
        adapter.chain_sum(min_terms=1, max_terms=2, max_digits=0)
    assert "min_terms" in str(error.value)
    assert "max_digits" in str(error.value)
    with pytest.raises(InputError, match="at most max_terms"):
        adapter.chain_sum(min_terms=5, max_terms=3)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym.arithmetic.chain_sum", None)
    with pytest.raises(InputError, match="gym"):
        adapter.chain_sum()


def test_the_package_is_not_imported_before_it_is_needed():
    code = "import sys, toy_llm.problems.reasoning_gym; print('reasoning_gym' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
