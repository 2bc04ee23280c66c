"""Locks between processes: who makes something in a folder is the only one, and can be named."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(RuntimeError):
    """Another process holds a lock; the message says which one, as ``process 17 on host``."""


@contextmanager
def locked(path: Path, waiting_for: str = "") -> Iterator[None]:
    """Hold the lock file ``path``, which says who holds it, while the block runs.

    waiting_for: what another holder makes. With it this waits for that process, and says so in one line on standard
    error; without it `Held` is raised at once. The operating system gives up the lock of a process that died, so what
    one leaves behind is taken over. Raises `OSError` if the file cannot be written.
    """
    from filelock import FileLock, Timeout

    # Most of the time nobody else is there
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not waiting_for:
            raise Held(_holder(path)) from None
        print(f"waiting for {_holder(path)}, which makes {waiting_for}", file=sys.stderr, flush=True)
        lock.acquire()

    # The file goes before the lock: whoever waits for a file that is gone starts over with a new one
    try:
        _write_holder(path)
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def _write_holder(path: Path) -> None:
    # Where others may write, the name may have become a link by now.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w", encoding="utf-8") as file:
        file.write(f"process {os.getpid()} on {socket.gethostname()}")


def _holder(path: Path) -> str:
    """Who wrote the lock file; in its first moments it says nothing yet."""
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
