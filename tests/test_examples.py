"""The examples in the docstrings run, and print what they say."""

import doctest
import importlib

import pytest
from test_public_api import names

MODULES = [*names("spo_theory"), *names("figures"), *names("paper_repro")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0
