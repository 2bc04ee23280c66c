"""Which values a parameter may have, declared once: in words for people, and as a test for the program.

`checked` lets a public function declare its parameters, `Allowed.problems` serves dataclasses. Checks run at the public
edge only, never inside compiled code.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, get_args

from spo_theory.validation import is_number, is_whole, problem, refuse

P = ParamSpec("P")
R = TypeVar("R")

UNUSABLE = (TypeError, ValueError, ArithmeticError, AttributeError)
"""What a test raises for a value of quite another kind: such a value is simply not allowed."""


class Allowed(NamedTuple):
    """Which values a parameter may have. words: end the sentence "... must be". holds: tells whether a value is one.

    >>> whole(1).problems("layers", 0)
    ['layers = 0 is not allowed: layers must be a whole number, at least 1']
    """

    words: str
    holds: Callable[[Any], bool]

    def problems(self, name: str, value: Any) -> list[str]:
        """What is wrong with ``value``, in one line that names the parameter; no line if nothing is."""
        try:
            ok = bool(self.holds(value))
        except UNUSABLE:
            ok = False
        return problem(ok, name, value, self.words)

    def check(self, name: str, value: Any) -> None:
        """Raise `InputError` with the line of `problems`, if there is one."""
        refuse(self.problems(name, value))


def whole(least: int, most: int | None = None) -> Allowed:
    """Whole numbers from ``least``, and up to ``most`` if it is given.

    >>> [value for value in (0, 1, 2.0, True) if whole(1).holds(value)]
    [1]
    >>> whole(1, 9).words
    'a whole number from 1 to 9'
    """
    if most is None:
        return Allowed(f"a whole number, at least {least}", lambda value: is_whole(value, least))
    return Allowed(f"a whole number from {least} to {most}", lambda value: is_whole(value, least) and value <= most)


def number(least: float, most: float) -> Allowed:
    """Numbers from ``least`` to ``most``, both included.

    >>> number(0.01, 100).problems("temperature", 1e-300)
    ['temperature = 1e-300 is not allowed: temperature must be a number from 0.01 to 100']
    """
    return Allowed(f"a number from {least:g} to {most:g}", lambda value: is_number(value) and least <= value <= most)


def one_of(kind: Any) -> Allowed:
    """The values of a ``Literal``.

    >>> from typing import Literal
    >>> one_of(Literal["sgd", "adam"]).words
    'sgd or adam'
    """
    values = get_args(kind)
    return Allowed(" or ".join(map(str, values)), lambda value: isinstance(value, str | int) and value in values)


def among(names: Iterable[str]) -> Allowed:
    """One of the texts ``names``.

    >>> among(["paper", "trl"]).problems("convention", ["trl"])
    ["convention = ['trl'] is not allowed: convention must be one of paper, trl"]
    """
    known = list(names)
    return Allowed(f"one of {', '.join(known)}", lambda value: isinstance(value, str) and value in known)


def optional(allowed: Allowed) -> Allowed:
    """``allowed``, or None.

    >>> optional(SHARE).holds(None), optional(SHARE).holds(2.0)
    (True, False)
    """
    return Allowed(f"{allowed.words}, or None", lambda value: value is None or allowed.holds(value))


def several(allowed: Allowed, least: int = 1) -> Allowed:
    """Lists of at least ``least`` values of a kind, all different.

    >>> several(whole(1), least=0).problems("ks", (1, 1))
    ['ks = (1, 1) is not allowed: ks must be different from one another, each a whole number, at least 1']
    """
    first = f"at least {least}, " if least else ""

    def holds(values: Any) -> bool:
        """Whether there are enough of them, all allowed and none twice."""
        different = len(set(values)) == len(values)
        return len(values) >= least and different and all(allowed.holds(value) for value in values)

    return Allowed(f"{first}different from one another, each {allowed.words}", holds)


def instance(kind: type | tuple[type, ...], words: str) -> Allowed:
    """Objects of a class, or of one of several classes.

    >>> instance(str, "a text").problems("name", 3)
    ['name = 3 is not allowed: name must be a text']
    """
    return Allowed(words, lambda value: isinstance(value, kind))


ABOVE_0 = Allowed("a finite number above 0", lambda value: is_number(value) and value > 0)
FROM_0 = Allowed("a finite number, at least 0", lambda value: is_number(value) and value >= 0)
FINITE = Allowed("a finite number", is_number)
SHARE = Allowed("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
INNER_SHARE = Allowed("strictly between 0 and 1", lambda value: is_number(value) and 0 < value < 1)
FLAG = instance(bool, "True or False")
TEXT = instance(str, "a text")


def checked(**allowed: Allowed) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator of a public function: its parameters must be as declared, or it raises `InputError` before any work.

    ``allowed``: by the name of the parameter. A parameter that is left at its default is not looked at.

    >>> @checked(steps=whole(0))
    ... def walk(steps=1):
    ...     return steps
    >>> walk(True)
    Traceback (most recent call last):
    spo_theory.validation.InputError: steps = True is not allowed: steps must be a whole number, at least 0
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        """Put the check in front of ``function``."""
        signature = inspect.signature(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            refuse(
                line for name, values in allowed.items() if name in given for line in values.problems(name, given[name])
            )
            return function(*args, **kwargs)

        return call

    return decorate


def numbers(name: str, value: Any, *, finite: bool = True) -> Any:
    """``value`` as an array of floating numbers; raises `InputError` that names the parameter if it is not one.

    ``value``: a number, or lists or arrays of numbers of one shape. ``finite``: refuse NaN and infinities too.

    >>> numbers("rewards", [0, 1]).tolist()
    [0.0, 1.0]
    >>> numbers("rewards", ["a", "b"])
    Traceback (most recent call last):
    spo_theory.validation.InputError: rewards = ['a', 'b'] is not allowed: rewards must be finite numbers
    """
    import numpy as np  # the registry of rules is there without it

    try:
        raw = np.asarray(value)
        # Texts such as "0.5", objects and complex numbers are no numbers, though numpy would turn some into them
        found = raw.astype(float) if raw.dtype.kind in "fiub" else None
    except UNUSABLE:
        found = None
    if found is not None and finite and not np.isfinite(found).all():
        found = None
    refuse(problem(found is not None, name, _shown(value), "finite numbers" if finite else "numbers in equal rows"))
    return found


def _shown(value: Any) -> Any:
    """What a message shows of ``value``: arrays as lists, which have no line breaks."""
    return value.tolist() if hasattr(value, "tolist") else value
