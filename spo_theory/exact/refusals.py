"""What the exact engine refuses, and what it warns about."""

from typing import Any

from spo_theory.validation import InputError, problem


class NoExactForm(InputError):
    """The engine has no exact form for this rule or setting; the message names the Monte Carlo instead."""


class AccuracyWarning(UserWarning):
    """The quadrature was used outside the range in which it is certified; the message has its error estimate."""


def need_exact(ok: bool, name: str, value: Any, allowed: str, instead: str = "simulate") -> None:
    """Raise `NoExactForm` unless ``ok``.

    The message names the parameter, its value, what is allowed, and the function of `spo_theory` to use instead.
    """
    if not ok:
        raise NoExactForm("; ".join(problem(False, name, value, f"{allowed}; or use spo_theory.{instead}")))
