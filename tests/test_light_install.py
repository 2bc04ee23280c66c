"""The base installation: numpy, scipy and array-api-compat alone give rules, checks and the command line."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spo_theory.optional import EXTRAS

ROOT = Path(__file__).parents[1]
OPTIONAL = sorted({package for packages in EXTRAS.values() for package in packages})

BLOCK = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Blocker())
"""


def without_extras(code):
    """Run code in a process in which no optional package can be imported."""
    return subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, check=False)


def spo(*arguments):
    """Run a command line in such a process."""
    return without_extras(f"from paper_repro.cli import main\nsys.exit(main({list(arguments)!r}))")


def test_rules_and_conformance_work(tmp_path):
    done = without_extras(
        "import numpy as np\n"
        "from spo_theory import rule\n"
        "from spo_theory.conformance import check\n"
        "print(rule('spo', group_size=2).advantages(np.zeros((1, 2), bool), np.array([[0, 2]]), np.full((1, 2), 4)))\n"
        "print(check(lambda r: r - r.mean(-1, keepdims=True), 'dr_grpo', sizes=(2, 3)).ok)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[[-1.", "1.]]", "True"]


def test_light_commands_work(tmp_path):
    (tmp_path / "mine.py").write_text("def compute(r):\n    return r - r.mean(-1, keepdims=True)\n")
    assert "spo COMMAND" in spo("--help").stdout
    assert spo("--version").stdout.startswith("spo ")
    assert "grpo" in spo("methods").stdout
    done = spo("check", f"{tmp_path / 'mine.py'}:compute", "--convention", "dr_grpo", "--group-size", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "properties hold, none fails" in done.stdout
    (tmp_path / "log.csv").write_text("group,reward\na,1\na,0\nb,0\nb,0\n")
    page = tmp_path / "page.html"
    done = spo("diagnose", str(tmp_path / "log.csv"), "--html", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 responses, 2 groups of 2" in done.stdout
    assert page.read_text().startswith("<!doctype html>")


def test_parquet_names_the_extra_that_reads_it(tmp_path):
    (tmp_path / "log.parquet").write_bytes(b"")
    done = spo("diagnose", str(tmp_path / "log.parquet"))
    assert done.returncode == 2
    assert "pip install 'spectral-policy-lab[theory]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("theory", "--step-success", "0.3"), "theory"),
        (("train", "--updates", "1"), "lab"),
        (("reproduce", "--quick"), "lab"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(arguments, extra):
    done = spo(*arguments)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "pip install 'spectral-policy-lab[" in line
    assert f"spo {arguments[0]}:" in line


def test_python_names_the_missing_extra():
    done = without_extras("from spo_theory import solve")
    assert "pip install 'spectral-policy-lab[theory]'" in done.stderr.splitlines()[-1]


def test_the_base_is_small_and_every_extra_is_known():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(line.partition(">")[0] for line in project["dependencies"]) == ["array-api-compat", "numpy", "scipy"]
    assert set(EXTRAS) <= set(project["optional-dependencies"])
    for package in ("spo_theory", "toy_llm", "figures", "paper_repro"):
        assert (ROOT / package / "py.typed").exists()


def test_version():
    import spo_theory

    assert spo_theory.__version__.count(".") >= 1
