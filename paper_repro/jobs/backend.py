"""Where jobs run: processes of this machine (loky), or the workers of a Dask or a Ray cluster, all through joblib."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, get_args

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from paper_repro.jobs.attempt import Outcome, attempt
from paper_repro.jobs.job import Job
from spo_theory.validation import check

Name = Literal["loky", "dask", "ray"]
"""Backends of joblib: processes of this machine, a Dask cluster, a Ray cluster."""

PACKAGES = {"dask": "distributed", "ray": "ray"}
"""What has to be installed for a backend that has an extra of its name."""


@dataclass(frozen=True)
class Backend:
    """Where jobs run.

    name: the backend of joblib. address: of the scheduler of a cluster that is there; without it Dask and Ray start one
    on this machine. workers: processes of this machine; a cluster that is there has its own.

    >>> Backend("loky", address="tcp://10.0.0.1:8786").check()
    Traceback (most recent call last):
    spo_theory.validation.InputError: address = 'tcp://10.0.0.1:8786' is not allowed: address must be given only with \
backend dask or ray
    """

    name: Name = "loky"
    address: str | None = None
    workers: int = 2

    def check(self) -> None:
        """Raise `InputError` for what cannot run, before any work."""
        check(self.name in get_args(Name), "backend", self.name, " or ".join(get_args(Name)))
        check(self.workers >= 1, "workers", self.workers, "at least 1")
        package = PACKAGES.get(self.name)
        if package is None:
            check(self.address is None, "address", self.address, "given only with backend dask or ray")
        else:
            wanted = f"one that is installed: pip install 'spectral-policy-lab[{self.name}]'"
            check(find_spec(package) is not None, "backend", self.name, wanted)

    @property
    def deaths(self) -> tuple[type[Exception], ...]:
        """What `run` raises if a process died, and those beside it were lost; Dask repeats what was lost by itself."""
        if self.name == "ray":
            from ray.exceptions import RayError

            return (RayError,)
        return (BrokenProcessPool,)

    @contextmanager
    def started(self) -> Iterator[None]:
        """Workers for the calls of `run` inside the block, which are gone after it if they were started here.

        With a single worker joblib would run jobs in this process, so there are two, of which `run` uses one.
        """
        if self.name == "dask":
            from distributed import Client

            from paper_repro.jobs.dask_backend import DaskBackend

            own = {"n_workers": self.workers, "threads_per_worker": 1, "dashboard_address": None}
            client = Client(self.address) if self.address else Client(**own)
            with client, parallel_config(DaskBackend(client=client)):
                yield
        elif self.name == "ray":
            import ray
            from ray.util.joblib.ray_backend import RayBackend

            # The pool of Ray calls back for every result, as generators of joblib need it, but does not say so
            pool = RayBackend()
            pool.supports_return_generator = True
            own = {} if self.address else {"num_cpus": max(2, self.workers)}
            with ray.init(address=self.address, **own), parallel_config(pool, n_jobs=-1):
                yield
        else:
            try:
                with parallel_config("loky", n_jobs=max(2, self.workers), inner_max_num_threads=1):
                    yield
            finally:
                get_reusable_executor().shutdown(wait=True, kill_workers=True)

    def run(self, jobs: Iterable[Job], at_once: int | None = None) -> Iterator[Outcome]:
        """Outcomes of ``jobs`` as they come; a job is taken from ``jobs`` when a worker is free for it.

        ``at_once``: jobs that run at the same time, if not as many as there are workers. Raises one of `deaths`.
        """
        # One job is handed out for every one that ends, so as many run as were handed out at first
        is_local = self.name == "loky"
        first: Any = at_once or ("n_jobs" if self.address else self.workers)
        calls = (
            delayed(attempt)(job, driver=os.getpid()) if is_local else delayed(attempt)(job, key=job.key)
            for job in jobs
        )
        return Parallel(return_as="generator_unordered", pre_dispatch=first, batch_size=1)(calls)
