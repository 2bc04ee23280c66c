"""Refuse bad input with one line that names the parameter, its value and what is allowed."""

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real
from typing import Any

LONGEST = 400
"""Characters of a value that a message shows; paths of files are shorter."""


class InputError(ValueError):
    """A value the caller chose is not allowed; the message is one line per problem.

    Each line names the parameter, its value and what is allowed.
    """


def problem(ok: bool, name: str, value: Any, allowed: str) -> list[str]:
    """Return ``[]`` if ``ok``, otherwise the one-line description of what is wrong with ``name``.

    ``value``: what the caller gave. ``allowed``: how the sentence "``name`` must be ..." ends. Lists of several
    problems add up, so that `refuse` can report all of them at once.

    Example:
        >>> problem(0 > 0, "beta", 0, "above 0")
        ['beta = 0 is not allowed: beta must be above 0']
    """
    return [] if ok else [f"{name} = {_shown(value)} is not allowed: {name} must be {allowed}"]


def _shown(value: Any) -> str:
    """A value in one line that is not too long to read: the middle of a long list is left out."""
    text = " ".join(repr(value).split("\n"))
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def refuse(problems: Iterable[str]) -> None:
    """Raise one `InputError` that lists all ``problems``; do nothing if there are none.

    ``problems``: lines as `problem` returns them. The caller sees all that is wrong at once, not one thing at a time.

    Example:
        >>> refuse(problem(True, "beta", 1, "above 0"))
    """
    lines = list(problems)
    if lines:
        raise InputError("\n".join(lines))


def check(ok: bool, name: str, value: Any, allowed: str) -> None:
    """Raise `InputError` unless ``ok``; the other arguments as in `problem`.

    Example:
        >>> check(0 > 0, "beta", 0, "above 0")
        Traceback (most recent call last):
        spo_theory.validation.InputError: beta = 0 is not allowed: beta must be above 0
    """
    refuse(problem(ok, name, value, allowed))


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite real number (not a truth value), also in an array without axes.

    Example:
        >>> is_number(0.5), is_number(float("nan")), is_number(True), is_number("1")
        (True, False, False, False)
    """
    value = _plain(value)
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # a whole number beyond all floating ones
        return False


def is_whole(value: Any, least: int) -> bool:
    """Whether ``value`` is a whole number (not a truth value) of at least ``least``.

    Example:
        >>> is_whole(2, 1), is_whole(2.0, 1), is_whole(True, 1)
        (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _plain(value: Any) -> Any:
    """The number in an array of numpy or jax without axes; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
