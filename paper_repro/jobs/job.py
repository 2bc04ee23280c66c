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

    name: unique, like ``escape/grpo-G8``. table: the output table its rows join. function: defined at the top level of
    a module, so that workers can import it. arguments: plain values or frozen dataclasses, whose ``repr`` says
    everything about them. after: names of jobs that must be finished first.

    >>> from paper_repro.studies.two_step import two_step_boundary
    >>> job = Job("two_step/boundary", "two_step_boundary", two_step_boundary, {"points": 3})
    >>> job.call, len(job.run())
    ('paper_repro.studies.two_step:two_step_boundary', 3)
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
        """Hash of everything the result depends on: the call, the package version and the code it reaches."""
        arguments = sorted((name, repr(value)) for name, value in self.arguments.items())
        code = code_hash(self.function, self.arguments.values())
        text = repr((self.name, self.table, self.call, arguments, _version(), code))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def path(self, parts: Path) -> Path:
        """Where the result is kept."""
        return parts / f"{self.name.replace('/', '-')}-{self.key}.parquet"

    def run(self) -> pd.DataFrame:
        """Call the function."""
        return self.function(**self.arguments)


@cache
def _version() -> str:
    return version("spectral-policy-lab")


def config_hash(jobs: Iterable[Job]) -> str:
    """Hash of a whole list of jobs."""
    return hashlib.sha256("".join(job.key for job in jobs).encode()).hexdigest()[:12]
