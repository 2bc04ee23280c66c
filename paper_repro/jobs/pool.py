"""Run jobs in worker processes: every finished job is on disk, and killing anything loses at most what was running."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as parquet
from tqdm import tqdm

from paper_repro.jobs.job import Job
from toy_llm.atomic import write_atomic

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
"""Environment of a worker: one thread each, so that workers do not slow each other down."""


class JobError(RuntimeError):
    """A job failed; the message names it. ``detail`` is the worker's traceback."""

    def __init__(self, message: str, detail: str = ""):
        super().__init__(message)
        self.detail = detail


def is_finished(job: Job, parts: Path) -> bool:
    """Whether the result of ``job`` is on disk and readable."""
    try:
        parquet.read_metadata(job.path(parts))
    except (OSError, ValueError):
        return False
    return True


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write ``table`` as Parquet so that ``path`` is either the whole file or not there."""
    write_atomic(path, table.to_parquet(index=False))


def execute(job: Job, parts: Path) -> float:
    """Run ``job`` here, write its result with its wall time, return the seconds it took."""
    begin = time.perf_counter()
    table = job.run()
    seconds = time.perf_counter() - begin
    table.attrs = {"job": job.name, "seconds": round(seconds, 3)}
    write_parquet(table, job.path(parts))
    return seconds


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # nobody is left to work for; results are written atomically, so nothing breaks


def _work(connection: Connection, parts: Path) -> None:
    """Loop of a worker process: receive a job, run it, report; end on None or when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_die_with_parent, daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        if job is None:
            return
        try:
            connection.send(("done", execute(job, parts), ""))
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            connection.send(("failed", text, traceback.format_exc()))


@dataclass
class _Worker:
    process: Any
    connection: Connection
    job: Job | None = None


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for k, v in before.items():
            if v is None:
                os.environ.pop(k, None)
            else:
                os.environ[k] = v


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets besides raising KeyboardInterrupt.

    The exception is lost if it is raised where exceptions are ignored, in a callback of the garbage collector say
    (jax has one); the event is not. Outside the main thread, which gets no signals, the event is never set.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


class _Progress:
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self, total: int, done: int):
        self.total, self.count, self.start = total, done, time.perf_counter()
        self.bar = tqdm(total=total, initial=done, unit="job", file=sys.stderr) if sys.stderr.isatty() else None
        if done:
            self._say(f"{done} of {total} jobs finished before")

    def _say(self, text: str) -> None:
        if self.bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self.bar.write(text, file=sys.stderr)

    def running(self, names: list[str]) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(", ".join(names))

    def finished(self, name: str, seconds: float) -> None:
        self.count += 1
        if self.bar is not None:
            self.bar.update()
        else:
            total = time.perf_counter() - self.start
            self._say(f"[{self.count}/{self.total}] {name}: {seconds:.1f} s ({total:.0f} s since the start)")

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def run_jobs(jobs: Sequence[Job], parts: Path, workers: int = 2) -> None:
    """Run every job whose result is not in ``parts`` yet, ``workers`` at a time, in the given order.

    Raises `JobError` for the first job that fails, after those running beside it have finished and been
    saved, and lets KeyboardInterrupt through after stopping the workers.
    """
    for stray in parts.glob(".*.parquet.*"):  # half-written by a process that was killed
        stray.unlink(missing_ok=True)
    done = {j.name for j in jobs if is_finished(j, parts)}
    waiting = [j for j in jobs if j.name not in done]
    known = {j.name for j in jobs}
    for job in waiting:
        if not known.issuperset(job.after):
            raise JobError(f"{job.name} waits for a job that is not in the list: {set(job.after) - known}")
    with _interrupts() as interrupted:
        _run(jobs, parts, workers, waiting, done, interrupted)
        if interrupted.is_set():
            raise KeyboardInterrupt


def _run(
    jobs: Sequence[Job], parts: Path, workers: int, waiting: list[Job], done: set[str], interrupted: threading.Event
) -> None:
    """Run the ``waiting`` jobs; ``done``: names of the finished ones."""
    progress = _Progress(len(jobs), len(done))
    crew: list[_Worker] = []
    failure: JobError | None = None
    try:
        with _environment(ONE_THREAD):
            crew = [_hire(parts) for _ in range(min(workers, len(waiting)))]
        while waiting or any(w.job for w in crew):
            if interrupted.is_set():
                raise KeyboardInterrupt
            for worker in crew:
                ready = next((j for j in waiting if done.issuperset(j.after)), None)
                if worker.job is None and ready is not None and failure is None:
                    waiting.remove(ready)
                    worker.job = ready
                    worker.connection.send(ready)
            busy = {w.connection: w for w in crew if w.job}
            progress.running([w.job.name for w in busy.values() if w.job])
            if not busy:
                break  # a failure, or jobs that wait for each other
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                assert worker.job is not None
                job, worker.job = worker.job, None
                try:
                    outcome, value, detail = worker.connection.recv()
                except (EOFError, OSError):
                    worker.process.join()
                    crew.remove(worker)
                    outcome, detail = "failed", ""
                    value = f"its process died (exit code {worker.process.exitcode}; killed, or out of memory?)"
                if outcome == "done":
                    done.add(job.name)
                    progress.finished(job.name, value)
                elif failure is None:
                    failure = JobError(f"{job.name} failed: {value}", detail)
        for worker in crew:
            worker.connection.send(None)
            worker.process.join()
    finally:
        for worker in crew:
            worker.process.terminate()
        progress.close()
    if failure is not None:
        raise failure
    if waiting:
        raise JobError(f"jobs wait for each other: {', '.join(j.name for j in waiting)}")


def _hire(parts: Path) -> _Worker:
    context = get_context("spawn")  # a forked jax or torch can hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, parts), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)
