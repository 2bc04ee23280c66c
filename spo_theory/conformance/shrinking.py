"""Make an example on which a property fails as small as it gets."""

from collections.abc import Callable, Iterable
from typing import Any

MOST_TRIES = 300
"""Calls of the function that one counterexample may cost."""


def shrink(example: Any, smaller: Callable[[Any], Iterable[Any]], fails: Callable[[Any], bool]) -> Any:
    """The simplest example found that still ``fails``, after at most `MOST_TRIES` calls.

    smaller: simpler examples than a given one, the boldest changes first.

    Example, a number that is wrong above 10, made smaller by halves and by ones:
        >>> shrink(1000, lambda n: [n // 2, n - 1], lambda n: n > 10)
        11
    """
    tries = 0
    changed = True
    while changed and tries < MOST_TRIES:
        changed = False
        for simpler in smaller(example):
            tries += 1
            if fails(simpler):
                example = simpler
                changed = True
                break
            if tries >= MOST_TRIES:
                break
    return example
