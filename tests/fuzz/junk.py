"""Values that nobody should give, and some that are fine, for any parameter."""

import warnings
from collections.abc import Callable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from spo_theory import InputError
from spo_theory.exact.refusals import NoExactForm

NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.integers(),
    st.floats(),
    st.sampled_from([0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), True, 10**30, 2.5, 1j]),
)
WORDS = st.one_of(st.text(max_size=8), st.sampled_from(["", "abc", "0.5", "spo", "all", "nan", "../x", "\x00"]))
LISTS = st.lists(st.one_of(st.floats(), st.floats(0, 1), st.integers(-2, 9), WORDS), max_size=4)
ARRAYS = st.sampled_from(
    [np.zeros(0), np.ones((2, 3)), np.array([0.3, 0.7]), np.array(["a"]), np.array(0.5), np.full(2, np.nan), np.eye(2)]
)
OTHERS = st.sampled_from([None, (), {}, {"a": 1}, object(), [[0.5], [0.5, 0.5]], b"bytes", print])
JUNK = st.one_of(NUMBERS, WORDS, LISTS, ARRAYS, OTHERS)
"""Anything."""

FEW = settings(max_examples=max(5, settings.default.max_examples // 6))
"""For tests with many parameters: `make fuzz` tries more of everything."""


def refusal(call: Callable[[], object]) -> str | None:
    """The text with which a call refuses its arguments, None if it works; any other error is passed on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except (InputError, NoExactForm) as error:
            return str(error)
    return None


def is_costly(value: object) -> bool:
    """Whether a value is a size that is allowed and takes seconds: a bug is found as well at smaller ones."""
    return isinstance(value, (int, float)) and 12 < abs(value) < 1e9
