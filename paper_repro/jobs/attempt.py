"""What happens to a job in a worker process: it runs on one thread, and whatever comes of it is returned."""

import os
import threading
import time
import traceback
from dataclasses import dataclass, replace

import pandas as pd

from paper_repro.jobs.job import Job

XLA_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
"""Flags of jax for one thread; it reads them when it computes for the first time."""

DIED = "its process died (killed, or out of memory?)"
"""The error of a job that ends its process again and again."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    name: of the job. table: its rows, with the attributes ``job`` and ``seconds`` (wall time), None if it failed.
    error: what went wrong in one line, empty if nothing did. detail: the traceback.
    """

    name: str
    table: pd.DataFrame | None = None
    error: str = ""
    detail: str = ""


def attempt(job: Job, key: str | None = None, driver: int | None = None) -> Outcome:
    """Run ``job`` in this process; an exception is returned, not raised.

    key: that of the job in the process that wants the result, if this one may hold another version of the code; a job
    whose key is another here does not run. driver: the process to end with, if this one is its child.
    """
    os.environ.setdefault("XLA_FLAGS", XLA_ONE_THREAD)
    if driver is not None:
        _end_with(driver)

    try:
        # A copy forgets the key that came along
        if key is not None and replace(job).key != key:
            return Outcome(job.name, error="its worker has another version of the code")
        begin = time.perf_counter()
        table = job.run()
        table.attrs = {"job": job.name, "seconds": round(time.perf_counter() - begin, 3)}
        return Outcome(job.name, table)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        return Outcome(job.name, error=text, detail=traceback.format_exc())


def _end_with(driver: int) -> None:
    """End this process soon after its parent ``driver`` is gone: nobody is left to work for."""
    name = f"ends with {driver}"
    if any(thread.name == name for thread in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, name=name, daemon=True).start()
