"""Run jobs in worker processes: every finished job is on disk, and killing anything loses at most what was running."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from paper_repro.jobs.job import Job
from paper_repro.jobs.part import is_finished
from paper_repro.jobs.progress import Progress
from paper_repro.jobs.worker import Worker, hire


class JobError(RuntimeError):
    """A job failed, or the list of jobs cannot be run.

    message: one line that names the job. detail: the traceback of the worker, empty if there is none.
    """

    def __init__(self, message: str, detail: str = ""):
        super().__init__(message)
        self.detail = detail


def run_jobs(jobs: Sequence[Job], parts: Path, workers: int = 2) -> None:
    """Run every job whose result is not in ``parts`` yet, in the given order.

    jobs: with all jobs that they wait for. parts: the folder of the results. workers: the number of processes.

    Raises `JobError` for the first job that fails. The jobs that run beside it are finished and saved before that.
    Also raises `JobError` if a job waits for one that is not in the list. Ctrl-C stops the workers and is passed on
    as KeyboardInterrupt.
    """
    # What is on disk is not run again
    done = {job.name for job in jobs if is_finished(job, parts)}
    waiting = [job for job in jobs if job.name not in done]

    # A job that waits for an unknown one would never start: better to say so before any work
    known = {job.name for job in jobs}
    for job in waiting:
        if not known.issuperset(job.after):
            raise JobError(f"{job.name} waits for a job that is not in the list: {set(job.after) - known}")

    # Ctrl-C may have been lost on the way, so the event is asked once more at the end
    with _interrupts() as interrupted:
        _run(waiting, done, parts, workers, interrupted)
        if interrupted.is_set():
            raise KeyboardInterrupt


def _run(waiting: list[Job], done: set[str], parts: Path, workers: int, interrupted: threading.Event) -> None:
    """Run the ``waiting`` jobs; ``done``: names of the finished ones. Both change as jobs finish."""
    # Jobs that were finished before count as done, so that the bar shows the whole
    progress = Progress(total=len(waiting) + len(done), done=len(done))
    crew: list[Worker] = []
    failure: JobError | None = None

    # Workers are ended on every way out of this block, also after an error or Ctrl-C
    try:
        crew = hire(parts, min(workers, len(waiting)))
        while waiting or any(worker.job for worker in crew):
            if interrupted.is_set():
                raise KeyboardInterrupt
            if failure is None:  # after a failure only what is running is waited for
                _hand_out(waiting, done, crew)
            progress.running([worker.job.name for worker in crew if worker.job])
            ready = _reporting(crew)
            if not ready:
                break  # a failure, or jobs that wait for each other

            # The first failure is kept until the other workers are done; a process that died gets no more jobs
            for worker, job in ready:
                report = worker.report()
                if not report.error:
                    done.add(job.name)
                    progress.finished(job.name, report.seconds)
                elif failure is None:
                    failure = JobError(f"{job.name} failed: {report.error}", report.detail)
                if not worker.process.is_alive():
                    crew.remove(worker)

        # Nothing is left to do: the workers may end by themselves, which is cleaner than terminating them
        for worker in crew:
            worker.dismiss()
    finally:
        for worker in crew:
            worker.process.terminate()
        progress.close()

    # Told only now, when all results that could be had are saved
    if failure is not None:
        raise failure
    if waiting:
        raise JobError(f"jobs wait for each other: {', '.join(job.name for job in waiting)}")


def _hand_out(waiting: list[Job], done: set[str], crew: Sequence[Worker]) -> None:
    """Give every idle worker the first job that waits for nothing."""
    for worker in crew:
        ready = next((job for job in waiting if done.issuperset(job.after)), None)
        if worker.job is None and ready is not None:
            waiting.remove(ready)
            worker.begin(ready)


def _reporting(crew: Sequence[Worker]) -> list[tuple[Worker, Job]]:
    """Wait until some of the busy workers have something to say; those and their jobs, none if nobody is busy."""
    busy = [(worker, worker.job) for worker in crew if worker.job is not None]
    if not busy:
        return []
    heard = wait([worker.connection for worker, _ in busy])
    return [(worker, job) for worker, job in busy if worker.connection in heard]


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets besides raising KeyboardInterrupt.

    The exception is lost if it is raised where exceptions are ignored, in a callback of the garbage collector say
    (jax has one); the event is not. Outside the main thread, which gets no signals, the event is never set.
    """
    interrupted = threading.Event()

    # Python delivers signals to the main thread only, and lets no other thread handle them
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    # The old handler comes back at the end, so that the rest of the program sees no change
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        """Remember Ctrl-C, then do what it usually does."""
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
