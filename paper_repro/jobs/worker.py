"""A worker: a process that runs one job after another, writes their results, and dies with the one that hired it."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from paper_repro.jobs.job import Job
from paper_repro.jobs.part import write_part

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
"""Environment of a worker: one thread each, so that workers do not slow each other down."""


def execute(job: Job, parts: Path) -> float:
    """Run ``job`` in this process and write its result to the folder ``parts``.

    Returns the wall time of the job in seconds. The file holds it too, as the attribute ``seconds`` of its table.
    Raises whatever the job raises.
    """
    begin = time.perf_counter()
    table = job.run()
    seconds = time.perf_counter() - begin
    table.attrs = {"job": job.name, "seconds": round(seconds, 3)}
    write_part(job, table, parts)
    return seconds


@dataclass(frozen=True)
class Report:
    """What became of a job.

    seconds: its wall time. error: what went wrong in one line, empty if the job succeeded. detail: the traceback.
    """

    seconds: float = 0.0
    error: str = ""
    detail: str = ""


@dataclass
class Worker:
    """A worker process as the process that hired it sees it.

    process: of `multiprocessing`. connection: jobs go out on it, a `Report` of each comes back. job: the one that it
    is working on, None if it is idle.
    """

    process: Any
    connection: Connection
    job: Job | None = None

    def begin(self, job: Job) -> None:
        """Give it a job; returns at once, and `report` tells later what became of it."""
        self.job = job
        self.connection.send(job)

    def report(self) -> Report:
        """What became of its job, which it no longer has; a process that died counts as a failed job."""
        self.job = None
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            return Report(error=f"its process died (exit code {code}; killed, or out of memory?)")

    def dismiss(self) -> None:
        """Let it end by itself, and wait until it has; one that has ended already is left alone."""
        if self.process.is_alive():
            self.connection.send(None)
            self.process.join()


def hire(parts: Path, number: int) -> list[Worker]:
    """Start ``number`` idle workers that write their results to the folder ``parts``.

    Each has one thread (`ONE_THREAD`). They end when they are dismissed or when this process is gone.
    """
    context = get_context("spawn")  # a forked jax or torch can hang
    workers = []

    # The libraries read their number of threads when a process starts, so it is set around the start
    with _environment(ONE_THREAD):
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, parts), daemon=True)
            process.start()

            # With this end open here, a worker that died would not be noticed
            theirs.close()
            workers.append(Worker(process, ours))
    return workers


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes started inside, and the old ones again afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _work(connection: Connection, parts: Path) -> None:
    """Loop of a worker process: receive a job, run it, report; end on None or when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_die_with_parent, daemon=True).start()

    while True:
        # A closed connection means that the parent is gone: there is nobody to work for
        try:
            job = connection.recv()
        except EOFError:
            return
        if job is None:
            return

        # A job that fails is reported, and the worker stays ready for the next one
        try:
            connection.send(Report(seconds=execute(job, parts)))
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            connection.send(Report(error=text, detail=traceback.format_exc()))


def _die_with_parent() -> None:
    """Wait for the end of the parent process, then end this one."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # nobody is left to work for; results are written atomically, so nothing breaks
