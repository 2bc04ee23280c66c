"""The public names, their documentation, and what importing a package pulls in."""

import importlib
import inspect
import subprocess
import sys

import pytest

import spo_theory
import toy_llm

MODULES = [
    "advantages", "chain", "checks", "crossing", "dynamics", "expected", "judges", "moments", "monte_carlo",
    "quadrature", "rewards", "rules", "theorems",
]  # fmt: skip


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


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("spo_theory", ("jax", "torch", "pandas")),
        ("spo_theory.rules", ("jax", "torch", "toy_llm", "paper_repro", "figures")),
        ("spo_theory.dynamics", ("torch", "toy_llm", "paper_repro", "figures")),
        ("toy_llm", ("jax", "paper_repro", "figures")),
        ("figures.training", ("jax", "torch", "spo_theory.chain", "toy_llm", "paper_repro")),
    ],
)
def test_imports_go_one_way(module, absent):
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
