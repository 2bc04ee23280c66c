"""The catalogue of planted bugs fits the code, and the page of the documentation lists it."""

import ast
import importlib.util
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def load():
    spec = importlib.util.spec_from_file_location("run_mutants", HERE / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUN = load()
MUTANTS = RUN.mutants()


def test_there_are_enough_of_every_package():
    of = Counter(mutant.file.split("/")[0] for mutant in MUTANTS)
    assert len(MUTANTS) >= 60
    assert of["spo_theory"] >= 20
    assert of["toy_llm"] >= 15
    assert of["paper_repro"] >= 15
    assert of["figures"] >= 2
    assert len({mutant.bug for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.bug)
def test_a_bug_fits_and_its_tests_exist(mutant):
    """If this fails after a change of the code, give the bug its new text in catalogue.toml."""
    planted = mutant.plant(ROOT)
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse((ROOT / mutant.file).read_text()))
    for name in mutant.tests:
        file, _, test = name.partition("::")
        assert not test or f"def {test}(" in (ROOT / "tests" / file).read_text(), f"no {test} in {file}"
        assert (ROOT / "tests" / file).exists()


def test_a_text_that_does_not_fit_is_said_in_one_line(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n")
    for old in ("x = 1", "x = 2"):
        with pytest.raises(ValueError, match=r"^a bug: 'x = .' stands [02] times in a\.py, not once$"):
            RUN.Mutant("a bug", "a.py", old, "x = 3", ()).plant(tmp_path)


def test_the_page_lists_every_bug():
    assert (ROOT / "docs" / "mutants.md").read_text() == RUN.page(MUTANTS)
