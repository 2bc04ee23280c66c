"""A job's key covers the code that its function reaches, and nothing else."""

import importlib
import os
import sys
import textwrap

import pytest

from paper_repro.jobs import closure, source
from paper_repro.jobs.closure import code_hash, reached
from paper_repro.jobs.job import Job
from paper_repro.studies.study import studies

HOUSE = {
    "house/__init__.py": """
        from importlib import import_module
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from house.cellar import wine
        _HOME = {"lamp": "attic.light", "wine": "cellar"}
        def __getattr__(name):
            return getattr(import_module(f"house.{_HOME[name]}"), name)
    """,
    "house/kitchen.py": """
        import json
        from typing import TYPE_CHECKING
        from house.garden import herb as leaf, stone
        from house.tools import knife
        if TYPE_CHECKING:
            from house.street import car
        SALT = 1
        CAPTION = "a caption"
        def cook(rule="plain"):
            from house import lamp
            return leaf(SALT), lamp
        def draw():
            return stone, CAPTION
        def cut():
            return knife.sharp
    """,
    "house/garden.py": "def herb(x): return x\ndef stone(x): return x",
    "house/street.py": "car = 1",
    "house/cellar.py": "wine = 1",
    "house/tools/__init__.py": "from .case import lid",
    "house/tools/case.py": "lid = 1",
    "house/tools/knife.py": "sharp = True",
    "house/attic/__init__.py": "",
    "house/attic/light.py": "from .. import garden\nlamp = 1",
    "house/methods/__init__.py": "",
    "house/methods/registry.py": "def rule(name): return name",
    "house/methods/plain.py": "def plain(): return 1",
    "house/methods/twins.py": "from house.methods import common\ndef left(): return 1\ndef right(): return 2",
    "house/methods/common.py": "shared = 1",
    "house/methods/new.py": "def new(): return 1",
    "house/methods/family/__init__.py": "",
    "house/methods/family/child.py": "def child(): return 1",
    "house/jobs.py": """
        from house.methods.registry import rule
        def by_argument(name): return rule(name)
        def by_text(): return rule("plain")
    """,
}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A package with all kinds of imports; returns the folder that holds it."""
    for name, text in HOUSE.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(closure, "METHODS", "house.methods")
    caches = [value for value in vars(source).values() if hasattr(value, "cache_clear")]
    for one in caches:
        one.cache_clear()
    yield tmp_path
    for one in caches:
        one.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "house"]:
        del sys.modules[name]


def function(module, name):
    return getattr(importlib.import_module(f"house.{module}"), name)


def change(file, text):
    """Rewrite a file so that its time of change differs whatever the clock's grain."""
    file.write_text(text)
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def test_the_modules_that_count(house):
    assert set(reached(function("kitchen", "cook"))) == {
        "house", "house.kitchen", "house.garden", "house.attic", "house.attic.light",
    }  # fmt: skip
    assert set(reached(function("kitchen", "cut"))) == {
        "house", "house.kitchen", "house.tools", "house.tools.case", "house.tools.knife",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cook", "garden.py"),  # imported at the top, under another name
        ("cook", "attic/light.py"),  # imported inside the function, by a name its package finds on first use
        ("cook", "attic/__init__.py"),  # the package on the way
        ("cook", "__init__.py"),
        ("cut", "tools/knife.py"),  # a module taken from its package
        ("cut", "tools/case.py"),  # imported by the package itself
    ],
)
def test_a_change_inside_changes_the_key(house, name, file):
    cook = function("kitchen", name)
    before = Job("n", "t", cook).key
    path = house / "house" / file
    change(path, path.read_text() + "\nmore = 1\n")
    assert Job("n", "t", cook).key != before


@pytest.mark.parametrize("file", ["street.py", "cellar.py", "tools/knife.py", "tools/__init__.py", "methods/new.py"])
def test_a_change_outside_does_not(house, file):
    cook = function("kitchen", "cook")
    before = Job("n", "t", cook).key
    path = house / "house" / file
    change(path, path.read_text() + "\nmore = 1\n")
    assert Job("n", "t", cook).key == before


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("SALT = 1", "SALT = 2", False),  # a constant that the function names
        ("leaf(SALT)", "leaf(-SALT)", False),
        ("herb as leaf", "stone as leaf", False),
        ("SALT = 1", "SALT = 1  # a pinch", True),
        ("def cook(rule", "def cook(\n    rule", True),
        ("from house import lamp", '"""Cook."""\n    from house import lamp', True),
        ("a caption", "another caption", True),  # of a figure in the same file
        ("return stone", "return not stone", True),  # another function
        ("SALT = 1", "SALT = 1\nprint()", False),  # runs when the module is imported
    ],
)
def test_of_its_own_module_counts_what_the_function_names(house, old, new, same):
    cook = function("kitchen", "cook")
    before = code_hash(cook)
    path = house / "house" / "kitchen.py"
    text = path.read_text()
    assert old in text
    change(path, text.replace(old, new, 1))
    assert (code_hash(cook) == before) is same


def test_methods_count_that_are_named(house):
    by_argument, by_text = function("jobs", "by_argument"), function("jobs", "by_text")
    fixed = {"house", "house.jobs", "house.methods", "house.methods.registry"}
    assert set(reached(by_argument, ["nobody"])) == fixed
    assert set(reached(by_argument, ["plain"])) == fixed | {"house.methods.plain"}
    assert set(reached(by_argument, [{"rules": ("right",)}])) == fixed | {"house.methods.twins", "house.methods.common"}
    inside = {"house.methods.family", "house.methods.family.child"}
    assert set(reached(by_argument, ["child"])) == fixed | inside
    assert set(reached(by_text)) == fixed | {"house.methods.plain"}
    assert set(reached(function("kitchen", "cook"), ["plain"])).isdisjoint({"house.methods.plain"})


def test_a_new_method_changes_only_the_jobs_that_name_it(house):
    def keys():
        by_argument = function("jobs", "by_argument")
        return [Job("n", "t", by_argument, {"name": name}).key for name in ("plain", "new")]

    plain, new = keys()
    change(house / "house" / "methods" / "new.py", "def new(): return 2")
    (house / "house" / "methods" / "newest.py").write_text("def newest(): return 3")
    assert keys()[0] == plain
    assert keys()[1] != new


def test_the_code_of_real_jobs():
    """No job depends on a figure, a caption or a claim, except those whose result is a verdict."""
    jobs = {job.name: job for study in studies() for job in study.jobs(True)}
    code = {name: set(reached(job.function, job.arguments.values())) for name, job in jobs.items()}
    assert "spo_theory.dynamics.maps" in code["two_step/curves"]
    assert "spo_theory.parts.baselines" in code["escape/spo-G8-H2"]
    assert "toy_llm.training.loop" in code["suites/spo-0"]
    assert {"toy_llm.linearization", "spo_theory.dynamics.maps"} <= code["network/H4-sgd-quick/kernel-0"]
    for name, modules in code.items():
        if name.split("/")[0] not in ("statements", "literature", "related"):
            assert not {m for m in modules if m.startswith(("figures", "paper_repro.claims", "paper_repro.report"))}
            assert "paper_repro.studies.study" not in modules
    assert not {m for m in code["escape/spo-G8-H2"] if m.startswith("toy_llm")}
