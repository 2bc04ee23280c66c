"""`spo judge-report` against a local endpoint."""

import json

import pytest
from endpoint import Server

from paper_repro.cli import main

pytest.importorskip("openai", reason="the extra judge is not installed")
ROWS = [
    {"problem": "2 + 2?", "response": "1. 2 + 2 = 4\n2. 4 + 1 = 6", "first_error": 1},
    {"problem": "3 + 3?", "steps": ["3 + 3 = 6", "6 + 1 = 7", "7 * 0 = 7"], "first_error": 2, "reference": "0"},
    {"problem": "1 + 1?", "steps": ["1 + 1 = 3"], "first_error": 0},
]


def written(tmp_path, rows):
    path = tmp_path / "labelled.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    return path


def test_error_rates_and_advice(tmp_path, capsys):
    with Server([2, 1, "no verdict"]) as server:
        line = ["judge-report", "--labelled", str(written(tmp_path, ROWS)), "--model", "m", "--base-url", server.url]
        line += ["--concurrency", "1", "--cache", str(tmp_path / "answers.db")]
        assert main(line) == 0
        out = capsys.readouterr().out
        asked = len(server.asked)
        assert main(line) == 0  # the second time from the cache
        assert len(server.asked) == asked == 3

    # The first was found, the second was stopped at a right step, the third has no verdict
    assert "1 of 1 wrong steps" not in out
    assert "misses          0.0%" in out
    assert "1 of 2 right steps that it read and called wrong" in out
    assert "1 of 2 judged responses whose first error it found" in out
    assert "1 of 3 responses without a readable answer" in out
    assert "3 calls, 300 tokens" in out
    assert "1 x not JSON" in out
    assert "colouring with this judge" in out


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"problem": "p", "steps": ["a"], "first_error": 2}, "line 2, first_error = 2"),
        ({"problem": "p", "steps": [], "first_error": 0}, "line 2, steps = []"),
        ({"problem": "p", "first_error": 0}, "line 2, response = None"),
        ({"problem": 3, "steps": ["a"], "first_error": 0}, "line 2, problem = 3"),
        ([1], "line 2, = '[1]'"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_before_any_call(row, named, tmp_path, capsys):
    with Server() as server:
        path = written(tmp_path, [ROWS[0], row])
        assert main(["judge-report", "--labelled", str(path), "--model", "m", "--base-url", server.url]) == 2
        assert not server.asked
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
