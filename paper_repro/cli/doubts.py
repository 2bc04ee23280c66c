"""What is allowed but surely not meant, said on standard error in one line each, while the work goes on."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

JUMP = 0.5
"""A change of success in one update that no curve can describe."""


def say_doubts(lines: Iterable[str]) -> None:
    """Print each line as a warning on standard error."""
    for line in lines:
        print(f"spo: warning: {line}", file=sys.stderr)


def jumps(success: Iterable[float], learning_rate: float) -> list[str]:
    """A line if success jumps by more than `JUMP` in a single update, up or down.

    success: of one run, at the start and after each update. learning_rate: of that run.

    >>> jumps([0.1, 1.0], learning_rate=1e9)
    ['learning_rate = 1e+09 takes success from 0.100 to 1.000 in one update (1): too large for a curve']
    """
    for update, (before, after) in enumerate(pairwise(success), start=1):
        if abs(after - before) > JUMP:
            what = f"takes success from {before:.3f} to {after:.3f} in one update ({update})"
            return [f"learning_rate = {learning_rate:g} {what}: too large for a curve"]
    return []


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Inside, warnings of Python are printed as `say_doubts` does, without the place in the source."""

    said: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        """Print a warning in one line, unless it was said before."""
        text = " ".join(str(message).split())
        if text not in said:
            said.add(text)
            say_doubts([text])

    # What is for programmers, such as names that will go, stays as hidden as Python hides it
    with warnings.catch_warnings():
        warnings.filterwarnings("default", category=UserWarning)
        warnings.showwarning = show
        yield
