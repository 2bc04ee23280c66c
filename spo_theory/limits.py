"""How large a size may be: fixed limits, and what this machine's memory holds. Everything that is refused for its size
is refused here, before work."""

import os
from functools import cache
from math import log10
from pathlib import Path
from typing import Any

from spo_theory.allowed import Allowed, number, whole
from spo_theory.validation import problem, refuse

MOST = 10**9
"""Of whatever is counted (updates, questions, groups, seeds): whole numbers of compiled code have 32 bits."""

SEED = whole(0, 2**63 - 1)
"""Seeds of random numbers; torch and jax take no larger ones."""

TEMPERATURE = number(0.001, 100)
"""Sampling temperatures; outside, single precision has nothing left of the differences of logits, or of the policy."""

WORKERS = whole(1, 1024)
"""Processes side by side."""


def count(least: int = 1) -> Allowed:
    """Whole numbers from ``least`` to `MOST`.

    >>> count(2).words
    'a whole number from 2 to 1000000000'
    """
    return whole(least, MOST)


@cache
def machine_memory() -> float:
    """Bytes of memory that this process may have: of the machine, of its container, or of its own limit.

    >>> machine_memory() > 1e6
    True
    """
    found = [float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")]

    # A container may have less than the machine; the file holds a number, or the word "max"
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        path = Path(file)
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            found.append(float(text))

    # The shell's own limit (ulimit -v); not every system has one
    try:
        import resource
    except ImportError:
        return min(found)
    own = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(found if own == resource.RLIM_INFINITY else [*found, float(own)])


def memory_problems(name: str, value: Any, needed: float) -> list[str]:
    """A line that refuses ``name`` if ``needed`` bytes are more than this machine has; no line if they are not.

    ``needed``: an estimate that is rather too small: what it refuses could not be run at all.

    >>> memory_problems("questions", 8, needed=1e3)
    []
    """
    has = machine_memory()
    allowed = f"smaller: about {in_words(needed)} of memory would be needed, and this machine has {in_words(has)}"
    return problem(needed <= has, name, value, allowed)


def check_memory(name: str, value: Any, needed: float) -> None:
    """Raise `InputError` with the line of `memory_problems`, if there is one."""
    refuse(memory_problems(name, value, needed))


def class_table_bytes(horizon: int, questions: int = 1) -> float:
    """Bytes of the tables of a chain of ``horizon`` steps: of each outcome class and step a weight and two scores.

    >>> class_table_bytes(10) == 3 * 8 * 11 * 10
    True
    """
    return 24.0 * questions * (horizon + 1) * horizon


def curve_bytes(horizon: int, steps: int, questions: int = 1) -> float:
    """Bytes of a curve of ``steps`` updates: at every one the log-odds, what follows from them, and its columns.

    >>> curve_bytes(10, 99) == 8 * 100 * 42
    True
    """
    return 8.0 * questions * (steps + 1) * (4 * horizon + 2)


def in_words(size: float) -> str:
    """A number of bytes with its unit.

    >>> in_words(25e9), in_words(3e15)
    ('25 GB', '3 PB')
    """
    # Beyond what has a name, the power of ten says enough
    if size >= 1e18:
        return f"10^{round(log10(size))} bytes"
    power = next(power for power in (15, 12, 9, 6, 3, 0) if size >= 10**power or power == 0)
    unit = {15: "PB", 12: "TB", 9: "GB", 6: "MB", 3: "kB", 0: "bytes"}[power]
    return f"{size / 10**power:.0f} {unit}"
