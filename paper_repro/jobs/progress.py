"""Progress of the jobs on standard error."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm


class Progress:
    """How far the jobs are: a bar on a terminal, plain lines where standard error goes elsewhere.

    total: the number of all jobs. done: how many of them were finished before.
    """

    def __init__(self, total: int, done: int):
        self.total = total
        self.count = self.before = done
        self.start = time.perf_counter()
        self.bar = tqdm(total=total, initial=done, unit="job", file=sys.stderr) if sys.stderr.isatty() else None
        if done:
            self._say(f"{done} of {total} jobs finished before")

    def _say(self, text: str) -> None:
        """Write one line, above the bar if there is one."""
        if self.bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self.bar.write(text, file=sys.stderr)

    def running(self, names: Sequence[str]) -> None:
        """Show what is being worked on, where there is a bar."""
        if self.bar is not None:
            self.bar.set_postfix_str(", ".join(names))

    def finished(self, name: str, seconds: float) -> None:
        """Count the finished job ``name``, which took ``seconds`` of wall time."""
        self.count += 1
        if self.bar is not None:
            self.bar.update()
        else:
            # As if the jobs that are left took as long as those before
            since = time.perf_counter() - self.start
            left = since / (self.count - self.before) * (self.total - self.count)
            times = f"{since:.0f} s since the start, about {tqdm.format_interval(left)} left"
            self._say(f"[{self.count}/{self.total}] {name}: {seconds:.1f} s ({times})")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
