"""The public names, their documentation, and what importing a package pulls in."""

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import spo_theory
import toy_llm

MODULES = sorted(f.stem for f in Path(spo_theory.__file__).parent.glob("[a-z]*.py"))


def test_public_names():
    assert sorted(spo_theory.__all__) == [
        "InputError", "ReasoningChain", "expected_advantages", "expected_update", "rule", "sampled_update",
        "simulate", "solve",
    ]  # fmt: skip
    for name in spo_theory.__all__:
        assert getattr(spo_theory, name) is not None
    assert toy_llm.__all__ == ["TrainConfig", "train"]
    with pytest.raises(AttributeError):
        spo_theory.nothing  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_are_documented(name):
    module = importlib.import_module(f"spo_theory.{name}")
    assert module.__doc__
    for key, value in vars(module).items():
        local = getattr(value, "__module__", None) == module.__name__
        if local and not key.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
            assert inspect.getdoc(value), f"{name}.{key}"


def modules(package):
    """All modules of ``package``, to be imported together."""
    folder = Path(importlib.util.find_spec(package).origin).parent
    return ", ".join(f"{package}.{f.stem}" for f in sorted(folder.glob("*.py")) if f.stem != "__init__")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("spo_theory", ("jax", "torch", "pandas")),
        (
            "spo_theory.rules, spo_theory.rewards, spo_theory.advantages, spo_theory.checks",
            ("jax", "torch", "toy_llm", "paper_repro", "figures"),
        ),
        ("spo_theory.dynamics", ("torch", "toy_llm", "paper_repro", "figures")),
        (modules("toy_llm"), ("jax", "spo_theory.chain", "paper_repro", "figures")),
        (modules("figures"), ("jax", "torch", "spo_theory.chain", "toy_llm", "paper_repro")),
    ],
)
def test_imports_go_one_way(module, absent):
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
