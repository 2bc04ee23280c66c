"""The worked example of CONTRIBUTING.md runs as printed."""

import re
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def examples(name: str) -> list[str]:
    """The code blocks marked with ``<!-- example: name -->``, in order."""
    return re.findall(rf"<!-- example: {re.escape(name)} -->\n```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_a_method_is_added_in_one_file():
    file, use = examples("add a method")

    # In a process of its own: the new method would stay registered in this one
    done = subprocess.run([sys.executable, "-c", file + use], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("RLOO: ")
