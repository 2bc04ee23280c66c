"""Jobs: the unit of resumable work, one function call with plain arguments that returns one table."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from paper_repro.jobs.closure import code_hash


@dataclass(frozen=True)
class Job:
    """One function call whose result is kept.

    name: unique, like ``escape/grpo-G8``.
    table: name of the output table that its rows join.
    function: defined at the top level of a module, so that workers can import it.
    arguments: plain values or frozen dataclasses, whose ``repr`` says everything about them.
    after: names of jobs that must be finished first.

    >>> from paper_repro.studies.two_step import two_step_boundary
    >>> job = Job("two_step/boundary", "two_step_boundary", two_step_boundary, {"points": 3})
    >>> job.call, len(job.run())
    ('paper_repro.studies.two_step:two_step_boundary', 3)

    Another argument is another result, so the key changes:

    >>> other = Job("two_step/boundary", "two_step_boundary", two_step_boundary, {"points": 4})
    >>> len(job.key), other.key == job.key
    (12, False)
    """

    name: str
    table: str
    function: Callable[..., pd.DataFrame]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        """The function as ``module:name``."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @cached_property
    def key(self) -> str:
        """Hash of everything the result depends on, 12 hexadecimal digits.

        That is the call with its arguments, the package version and the code that the function reaches. A result is
        kept under this key, so it is used again as long as none of these changes.
        """
        arguments = sorted((name, repr(value)) for name, value in self.arguments.items())
        code = code_hash(self.function, self.arguments.values())
        text = repr((self.name, self.table, self.call, arguments, _version(), code))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def path(self, parts: Path) -> Path:
        """The file of the result in the folder ``parts``; its name holds the key."""
        return parts / f"{self.name.replace('/', '-')}-{self.key}.parquet"

    def run(self) -> pd.DataFrame:
        """Call the function; returns its table and raises what it raises."""
        return self.function(**self.arguments)


@cache
def _version() -> str:
    """The version of this package as it is installed."""
    return version("spectral-policy-lab")


def config_hash(jobs: Iterable[Job]) -> str:
    """Hash of a whole list of jobs, 12 hexadecimal digits; their order counts.

    >>> config_hash([])
    'e3b0c44298fc'
    """
    return hashlib.sha256("".join(job.key for job in jobs).encode()).hexdigest()[:12]
