"""Run jobs: every finished one is on disk at once, and killing anything loses at most what was running."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paper_repro.jobs.attempt import DIED
from paper_repro.jobs.backend import Backend
from paper_repro.jobs.job import Job
from paper_repro.jobs.part import is_finished, write_part
from paper_repro.jobs.progress import Progress


class JobError(RuntimeError):
    """A job failed, or the list of jobs cannot be run.

    message: one line that names the job. detail: the traceback of the worker, empty if there is none.
    """

    def __init__(self, message: str, detail: str = ""):
        super().__init__(message)
        self.detail = detail


def run_jobs(jobs: Sequence[Job], parts: Path, backend: Backend) -> None:
    """Run every job whose result is not in ``parts`` yet; this process alone writes the results.

    jobs: with all jobs that they wait for. parts: the folder of the results. backend: where the jobs run.

    Raises `JobError` for the first job that fails. The jobs that run beside it are finished and saved before that.
    Also raises `JobError` if jobs wait for each other, or for one that is not in the list. Ctrl-C stops the workers and
    is passed on as KeyboardInterrupt.
    """
    # What is on disk is not run again
    done = {job.name for job in jobs if is_finished(job, parts)}
    waiting = [job for job in jobs if job.name not in done]

    # A job that waits for an unknown one would never start: better to say so before any work
    known = {job.name for job in jobs}
    for job in waiting:
        if not known.issuperset(job.after):
            raise JobError(f"{job.name} waits for a job that is not in the list: {set(job.after) - known}")

    # Jobs that were finished before count as done, so that the bar shows the whole
    run = Run(parts, backend, Progress(total=len(jobs), done=len(done)))
    with run.progress, run.interrupts():
        if waiting:
            with backend.started():
                run.all(waiting, done)

        # Ctrl-C may have been lost on the way
        if run.interrupted.is_set():
            raise KeyboardInterrupt


class Run:
    """One run of a list of jobs; parts, backend: as in `run_jobs`. progress: where it is shown."""

    def __init__(self, parts: Path, backend: Backend, progress: Progress):
        self.parts = parts
        self.backend = backend
        self.progress = progress
        self.failure: JobError | None = None
        self.interrupted = threading.Event()

    def all(self, waiting: Sequence[Job], done: set[str]) -> None:
        """Run the ``waiting`` jobs, wave after wave; ``done``: names of the finished ones. Raises as `run_jobs`."""
        while waiting:
            wave = _next_wave(waiting, done)
            if not wave:
                raise JobError(f"jobs wait for each other: {', '.join(job.name for job in waiting)}")

            # Told only when all results that could be had are saved
            self.wave(wave)
            if self.failure is not None:
                raise self.failure
            done |= {job.name for job in wave}
            waiting = [job for job in waiting if job.name not in done]

    def wave(self, jobs: Sequence[Job]) -> None:
        """Run ``jobs``, which wait for nothing, until one fails."""
        left = list(jobs)
        while left and self.failure is None:
            lost = self.together(left)

            # A process that dies takes the jobs beside it along; one at a time they show which of them it was
            deadly = [job for job in lost if self.together([job], at_once=1)]
            if deadly:
                self.failure = JobError(f"{deadly[0].name} failed: {DIED}")

    def together(self, left: list[Job], at_once: int | None = None) -> list[Job]:
        """Run the jobs of the list ``left``, which it takes out of it, and save what they return.

        ``at_once``: as in `Backend.run`. Ends early if a job fails or a process dies; returns the jobs lost by that.
        """
        running: dict[str, Job] = {}

        # Asked for a job when a worker is free. After a failure only what is running is waited for
        def hand_out() -> Iterator[Job]:
            while left and self.failure is None:
                job = left.pop(0)
                running[job.name] = job
                self.progress.running(list(running))
                yield job

        try:
            for outcome in self.backend.run(hand_out(), at_once):
                if self.interrupted.is_set():
                    raise KeyboardInterrupt
                job = running.pop(outcome.name)
                if outcome.table is not None:
                    write_part(job, outcome.table, self.parts)
                    self.progress.finished(job.name, outcome.table.attrs["seconds"])
                elif self.failure is None:
                    self.failure = JobError(f"{job.name} failed: {outcome.error}", outcome.detail)
        except self.backend.deaths:
            return list(running.values())
        return []

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Note Ctrl-C in the event ``interrupted``, besides raising KeyboardInterrupt.

        The exception is lost if it is raised where exceptions are ignored, in a callback of the garbage collector say
        (jax has one); the event is not. Outside the main thread, which gets no signals, the event is never set.
        """
        # Python delivers signals to the main thread only, and lets no other thread handle them
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: Any) -> None:
            """Remember Ctrl-C, then do what it usually does."""
            self.interrupted.set()
            raise KeyboardInterrupt

        # The old handler comes back at the end, so that the rest of the program sees no change
        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _next_wave(waiting: Sequence[Job], done: set[str]) -> list[Job]:
    """The jobs that wait for nothing; of them first those that others wait for."""
    ready = [job for job in waiting if done.issuperset(job.after)]
    wanted = {name for job in waiting for name in job.after}
    return [job for job in ready if job.name in wanted] or ready
