"""joblib's backend for Dask, which also tells of a job that Dask gave up because it ended several workers."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib._dask import DaskDistributedBackend

from paper_repro.jobs.attempt import DIED, Outcome


class DaskBackend(DaskDistributedBackend):
    """As in joblib, where the call of such a job would never end: nothing is called back for it."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As in joblib, but at least 2: with a single worker left joblib would run jobs in this process."""
        return max(2, super().effective_n_jobs(n_jobs))

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Future:
        """Hand out ``func``, a batch of one job; ``callback`` gets its outcome in a list."""
        _, (job,), _ = func.items[0]

        def tell(future: Future) -> None:
            """Only what Dask itself raises comes as an exception: a job returns its own."""
            if future.exception() is not None:
                callback([Outcome(job.name, error=DIED)])

        future = super().submit(func, callback)
        future.add_done_callback(tell)
        return future
