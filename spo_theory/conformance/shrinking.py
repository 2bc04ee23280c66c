"""Make an example on which a property fails as small as it gets."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

MOST_TRIES = 200
"""Simpler examples that are tried for one counterexample."""

MOST_SECONDS = 2.0
"""Time that one counterexample may cost, for functions that are slow."""


def shrink(example: Any, smaller: Callable[[Any], Iterable[Any]], fails: Callable[[Any], bool]) -> Any:
    """The simplest example found that still ``fails``, after at most `MOST_TRIES` tries and `MOST_SECONDS`.

    smaller: simpler examples than a given one, the boldest changes first.

    Example, a number that is wrong above 10, made smaller by halves and by ones:
        >>> shrink(1000, lambda n: [n // 2, n - 1], lambda n: n > 10)
        11
    """
    tries = 0
    until = monotonic() + MOST_SECONDS
    changed = True
    while changed and tries < MOST_TRIES:
        changed = False
        for simpler in smaller(example):
            tries += 1
            if fails(simpler):
                example = simpler
                changed = True
                break
            if tries >= MOST_TRIES or monotonic() > until:
                return example
    return example
