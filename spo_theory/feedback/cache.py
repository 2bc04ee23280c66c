"""Answers that were paid for, kept in one file on disk: a run killed in the middle of judging loses none."""

import sqlite3
import threading
from pathlib import Path
from typing import NamedTuple


class Answer(NamedTuple):
    """What a model wrote: the text (None if there was none), and the tokens that its call cost."""

    text: str | None
    tokens: int


class AnswerCache:
    """Answers by key in an SQLite file; every answer is on disk before `put` returns.

    path: of the file, made if it is missing; None keeps answers in memory. Several threads and processes may share it.
    Use it as a context manager, or call `close`.

    Example:
        >>> with AnswerCache(None) as cache:
        ...     cache.put("key", Answer("text", 12))
        ...     cache.get("key"), cache.get("other")
        (Answer(text='text', tokens=12), None)
    """

    def __init__(self, path: str | Path | None) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect(":memory:" if path is None else path, timeout=60, check_same_thread=False)

        # Write-ahead logging lets one process read while another writes, and survives a kill between two answers
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT, tokens INTEGER)")

    def get(self, key: str) -> Answer | None:
        """The answer of ``key``, or None."""
        with self._lock:
            row = self._file.execute("SELECT text, tokens FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else Answer(*row)

    def put(self, key: str, answer: Answer) -> None:
        """Keep ``answer`` under ``key``; an answer that is there already stays."""
        with self._lock, self._file:
            self._file.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", (key, *answer))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "AnswerCache":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
