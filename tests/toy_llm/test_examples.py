"""The examples in the docstrings do what they say, each module's within seconds."""

import doctest
import importlib
import pkgutil

import pytest

import toy_llm

MODULES = [module.name for module in pkgutil.walk_packages(toy_llm.__path__, "toy_llm.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("toy_llm.training.loop", "train"),
        ("toy_llm.training.losses", "policy_loss"),
        ("toy_llm.training.rollout", "collect"),
        ("toy_llm.evaluation.tables", "evaluate"),
        ("toy_llm.problems.suites", "suite"),
        ("toy_llm.network.transformer", "Transformer"),
    ],
)
def test_main_functions_carry_an_example(name, function):
    assert ">>> " in getattr(importlib.import_module(name), function).__doc__
