"""The public names, their documentation, and what importing a package pulls in."""

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import spo_theory
import toy_llm


def names(package):
    """All modules below ``package``, subpackages included, as dotted names."""
    folder = Path(importlib.util.find_spec(package).origin).parent
    files = sorted(f.relative_to(folder).with_suffix("") for f in folder.rglob("*.py") if f.stem[0] != "_")
    return [".".join([package, *f.parts]) for f in files]


MODULES = names("spo_theory")


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
    module = importlib.import_module(name)
    assert module.__doc__
    for key, value in vars(module).items():
        local = getattr(value, "__module__", None) == module.__name__
        if local and not key.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
            assert inspect.getdoc(value), f"{name}.{key}"


def modules(package):
    """All modules below ``package``, to be imported together."""
    return ", ".join(names(package))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("spo_theory", ("jax", "torch", "pandas")),
        (
            "spo_theory.methods.registry, spo_theory.parts.rewards, spo_theory.parts.baselines, spo_theory.validation",
            ("jax", "torch", "toy_llm", "paper_repro", "figures"),
        ),
        ("spo_theory.dynamics.maps", ("torch", "toy_llm", "paper_repro", "figures")),
        (modules("toy_llm"), ("jax", "spo_theory.outcomes.chain", "paper_repro", "figures")),
        (modules("figures"), ("jax", "torch", "spo_theory.outcomes.chain", "toy_llm", "paper_repro")),
    ],
)
def test_imports_go_one_way(module, absent):
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
