"""The worked example of CONTRIBUTING.md runs as printed."""

import re
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def examples(name: str) -> list[str]:
    """The code blocks marked with ``<!-- example: name -->``, in order."""
    return re.findall(rf"<!-- example: {re.escape(name)} -->\n```python\n(.*?)```", TEXT, flags=re.DOTALL)


def run(code: str) -> str:
    """What ``code`` prints, in a process of its own: the new method would stay registered in this one."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_method_is_added_in_one_file():
    file, use = examples("add a method")
    assert len(file.splitlines()) <= 40
    assert run(file + use).startswith("Frontier: ")


EVERYWHERE = """
from paper_repro.cli.methods import page
from figures.style import label
from spo_theory import ReasoningChain, rule
from spo_theory.exact.engine import expectation
from paper_repro.cli import main
from toy_llm import TrainConfig, train

chain = ReasoningChain(step_success=[0.5, 0.5])
found = expectation(chain, rule("frontier", group_size=4), covariance=True)
print(found.engine, (found.update > 0).all(), label("frontier"))
table = train(TrainConfig(policy="tabular", rule="frontier", horizon=2, start_accuracy=0.5, updates=3))
print(len(table), "| `frontier` | Frontier: " in page())
main(["theory", "--rule", "frontier", "--group-size", "4", "--step-success", "0.5", "--horizon", "2", "--steps", "1"])
"""


def test_the_new_method_is_known_everywhere():
    """Theory, trainer, figures and the page of methods: without another edit."""
    file, _ = examples("add a method")
    printed = run(file + EVERYWHERE).splitlines()
    assert printed[:2] == ["every_group True Frontier", "4 True"]
    assert printed[2].startswith("frontier, G = 4, H = 2; Furthest")
