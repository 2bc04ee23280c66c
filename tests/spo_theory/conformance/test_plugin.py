"""The plugin turns properties into tests of the user's own session."""

import os
import subprocess
import sys

TESTS = """
import pytest

def compute(r):
    return r - r.mean(-1, keepdims=True)

def wrong(r):
    return r - r.mean()

@pytest.mark.spo_check(compute, convention="dr_grpo", sizes=(2, 3))
def test_compute(spo_property):
    spo_property()

@pytest.mark.spo_check(wrong, convention="dr_grpo", sizes=(2, 3), ignore=["sums_to_zero"])
def test_wrong(spo_property):
    spo_property()
"""


def test_every_property_is_a_test(tmp_path):
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rfs", "--strict-markers", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        env={**os.environ, "PYTEST_ADDOPTS": ""},  # options of the outer session are not the user's
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "test_compute[values_on_0_and_1]" not in done.stdout  # only failures and skips are listed
    assert "FAILED" in done.stdout
    assert "test_wrong[groups_are_independent]" in done.stdout
    assert "smallest example" in done.stdout
    assert "test_wrong[sums_to_zero]" not in done.stdout.split("FAILED", 1)[1].split("SKIPPED")[0]
    assert "dr_grpo itself does not have it" in done.stdout
