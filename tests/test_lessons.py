"""The lessons run from start to end; every exercise takes the right answer and refuses plausible wrong ones."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

marimo = pytest.importorskip("marimo", reason="needs marimo, of the extra 'lessons'")

# While marimo is among the modules, transformers takes any process for a notebook and wants IPython
del sys.modules["marimo"]

LESSONS = Path(__file__).parents[1] / "examples" / "lessons"
NOTEBOOKS = sorted(path.stem for path in LESSONS.glob("lesson_*.py"))

# Answers that come from a plausible mistake, such as a forgotten root or the other convention
WRONG = {
    "group_size": ["512", "951"],
    "useful_groups": ["0.63", "63.6"],
    "first_step": ["3", "5"],
    "step_ratio": ["250", "6"],
    "growth_grpo": ["7.4", "2"],
    "growth_spo": ["1.47", "1"],
    "boundary": ["0.5", "0.8"],
    "helped": ["yes", "maybe"],
    "prefix": ["19", "361"],
    "better_of_two": ["0.5", "0.25"],
    "silent_share": ["0.0012", "0.9"],
    "useless_judge": ["0.3", "1"],
    "adam": ["spo", "neither"],
    "residual": ["0", "120"],
    "adam_ratio": ["1.3", "2"],
    "bug": ["a", "c"],
    "phantom": ["0", "0.3"],
}


@pytest.fixture(autouse=True)
def _beside_the_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LESSONS))
    monkeypatch.setitem(sys.modules, "marimo", marimo)


def test_there_are_eight_lessons() -> None:
    assert len(NOTEBOOKS) == 8


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_lesson_runs_from_start_to_end(name: str) -> None:
    outputs, _ = import_module(name).app.run()
    texts = [getattr(output, "text", "") for output in outputs]
    said = " ".join(text for text in texts if isinstance(text, str))  # a figure's text is a method
    assert said.count("<h1") >= 1  # the question
    assert "surprise" in said
    assert "For the teacher" in said
    assert "Your turn." in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", sorted(WRONG))
def test_an_exercise_takes_the_right_answer_and_refuses_wrong_ones(name: str) -> None:
    exercises = import_module("exercises")
    right = exercises.right_answer(name)
    assert exercises.check(name, str(right)) == "Right."
    for wrong in [*WRONG[name], "twelve apples"]:
        assert exercises.check(name, wrong).startswith("Not yet")
    assert exercises.check(name, " ") == "Your turn."


def test_the_solutions_are_right_and_complete() -> None:
    exercises = import_module("exercises")
    assert set(WRONG) == set(exercises.EXERCISES)
    text = (LESSONS / "solutions.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| `(\w+)` \| \*\*(.+?)\*\*", text, flags=re.MULTILINE))
    assert set(written) == set(exercises.EXERCISES)
    for name, answer in written.items():
        assert exercises.check(name, answer) == "Right.", name


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_exercise_is_in_one_lesson(name: str) -> None:
    text = (LESSONS / f"{name}.py").read_text(encoding="utf-8")
    asked = re.findall(r'EXERCISES\["(\w+)"\]', text)
    assert 2 <= len(asked) <= 3
    assert set(asked) == set(re.findall(r'check\("(\w+)"', text))
