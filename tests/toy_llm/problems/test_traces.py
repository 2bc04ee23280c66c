"""Imperfect traces of suites: as often right as asked, errors that carry on, and every kind of error."""

from dataclasses import dataclass

import pytest
import torch

from spo_theory import InputError
from toy_llm.problems.suites import SUITES, mixture, suite
from toy_llm.problems.tokens import END, ID, SEP, decode
from toy_llm.problems.traces import attempt, imperfect


def test_steps_are_right_as_often_as_asked():
    for task in (mixture(), suite("carry")):
        _, answers, attempts = imperfect(task, 0.6, "test", 0, 0, 4000)
        verdict = task.judge(attempts[:, None], answers)
        steps = task.answer_steps(answers).amax(-1) + 1
        for h in range(2):
            reached = (verdict.first_error[:, 0] >= h) & (steps > h)
            right = (verdict.first_error[:, 0] > h)[reached].double()
            assert right.mean().item() == pytest.approx(0.6, abs=4 * (0.24 / len(right)) ** 0.5)


def test_right_and_hopeless_solvers():
    for task in SUITES.values():
        _, answers, attempts = imperfect(task, 1.0, "test", 0, 0, 50)
        assert torch.equal(attempts, answers)
        _, answers, attempts = imperfect(task, 0.0, "test", 0, 0, 50)
        assert task.judge(attempts[:, None], answers).first_error.max() == 0


def test_errors_carry_on():
    """Behind a wrong value the next step is right for that value: 1 + 2 = 4?, 4 + 3 = 7."""
    task, carried = suite("add"), 0
    asked = task.ask("test", 0, 0, 3000)
    _, answers, attempts = imperfect(task, 0.5, "test", 0, 0, 3000)
    right = []
    for question, row, true in zip(asked, attempts.tolist(), answers.tolist(), strict=True):
        steps, wanted = (decode(x).removesuffix("end").split(";") for x in (row, true))
        if steps[0] != wanted[0] and steps[0].isdigit() and len(steps) > 1:
            carried += 1
            right.append(steps[1] == str(question.follow([int(steps[0])])))
    assert carried > 500
    share = sum(right) / carried
    # of the wrong half a twentieth has the right value and the wrong closing token
    assert share == pytest.approx(0.5 + 0.05, abs=4 * (0.25 / carried) ** 0.5)


def test_every_kind_of_error_occurs_as_often_as_said():
    question = suite("subtract").ask("test", 0, 0, 1)[0]
    true = question.values()

    def first_step(kind, where=0):
        return attempt(question, 0.0, iter([0, kind, where] * 20), 16)

    digit = first_step(3)
    assert digit[0] in range(ID["0"], ID["9"] + 1)
    assert (digit[0] != ID[str(true[0])], digit[1]) == (True, SEP)
    assert first_step(8)[0] not in (*range(ID["0"], ID["9"] + 1), END)
    assert first_step(9) == [ID[str(true[0])], END]
    seen = {first_step(k % 8, w)[0] for k in range(8) for w in range(40)}
    assert seen == {ID[d] for d in "0123456789"} - {ID[str(true[0])]}


def test_rambling_stops_at_the_last_token():
    question = suite("add").ask("test", 0, 0, 1)[0]
    luck = [0, 0, 0] * (question.steps - 1) + [2**64 - 1, 9, 0] + [2**64 - 1] * 40
    tokens = attempt(question, 0.5, iter(luck), 16)
    assert len(tokens) == 16
    assert END not in tokens


def test_traces_depend_on_their_place_alone():
    task = mixture(("add", "nested"))
    whole = imperfect(task, 0.5, "test", 3, 0, 30)
    part = imperfect(task, 0.5, "test", 3, 10, 20)
    assert all(torch.equal(a[10:], b) for a, b in zip(whole, part, strict=True))
    assert not torch.equal(imperfect(task, 0.5, "test", 4, 0, 30)[2], whole[2])


def test_a_task_of_ones_own_needs_traces_of_ones_own():
    @dataclass(frozen=True)
    class Own:
        name: str = "own"

    with pytest.raises(InputError, match="suite or a chain"):
        imperfect(Own(), 0.5, "test", 0, 0, 1)
