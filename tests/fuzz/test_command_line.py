"""Any words after ``spo`` are understood or refused: exit status 0 or 2, and no more than one line of error."""

from dataclasses import replace
from importlib import import_module

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paper_repro.cli import COMMANDS, main

FLAGS = sorted(
    {
        "--" + option.name.replace("_", "-")
        for name in COMMANDS
        for box in import_module(f"paper_repro.cli.{name.replace('-', '_')}").COMMAND.boxes().values()
        for option in box
    }
)
VALUES = [
    "0.3",
    "0",
    "-1",
    "2",
    "nan",
    "inf",
    "1e400",
    "",
    "spo",
    "grpo",
    "add",
    "None",
    "a b",
    "x.csv",
    "--",
    "é",
    "99999999999999999999",
]
WORDS = st.one_of(st.sampled_from(FLAGS), st.sampled_from(VALUES), st.text(max_size=6))


@pytest.fixture
def idle(monkeypatch):
    """Commands that understand their words and then do nothing."""
    for name in COMMANDS:
        module = import_module(f"paper_repro.cli.{name.replace('-', '_')}")
        monkeypatch.setattr(module, "COMMAND", replace(module.COMMAND, run=lambda *values: None))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from([*COMMANDS, "conquer", ""]), words=st.lists(WORDS, max_size=5))
def test_any_words(idle, capsys, name, words):
    capsys.readouterr()
    status = main([name, *words])
    said = capsys.readouterr().err
    assert status in (0, 2)
    assert "Traceback" not in said
    if status == 2:
        assert said.startswith("spo: error: ")
        assert said.count("\n") == 1
