"""Refuse bad input with one line that names the parameter, its value and what is allowed."""

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real
from typing import Any


class InputError(ValueError):
    """A value the caller chose is not allowed; the message is one line per problem."""


def problem(ok: bool, name: str, value: Any, allowed: str) -> list[str]:
    """Return ``[]`` if ``ok``, otherwise the one-line description of what is wrong with ``name``."""
    return [] if ok else [f"{name} = {value!r} is not allowed: {name} must be {allowed}"]


def refuse(problems: Iterable[str]) -> None:
    """Raise one `InputError` that lists all ``problems``; do nothing if there are none."""
    lines = list(problems)
    if lines:
        raise InputError("\n".join(lines))


def check(ok: bool, name: str, value: Any, allowed: str) -> None:
    """Raise `InputError` unless ``ok``."""
    refuse(problem(ok, name, value, allowed))


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite real number (not a truth value)."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def is_whole(value: Any, least: int) -> bool:
    """Whether ``value`` is a whole number (not a truth value) of at least ``least``."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
