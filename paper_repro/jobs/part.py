"""Parts: the results of jobs on disk. Each is a Parquet file that can tell whether it is what its job wrote.

A checksum stands between the data and the footer, where readers of Parquet look for nothing: they find the footer from
the end of the file and everything else from its start. The checksum is of all other bytes and of the job's key, so
neither a damaged file nor that of another job is taken for the result.
"""

import hashlib
import io
import re
from pathlib import Path

import pandas as pd

from paper_repro.jobs.job import Job
from toy_llm.files import write_atomic

TAIL = 8
"""Bytes at the end of a Parquet file: the length of the footer as four bytes, and the letters PAR1."""

DIGEST = 32
"""Bytes of a SHA-256."""


def write_part(job: Job, table: pd.DataFrame, parts: Path) -> None:
    """Write ``table`` as the result of ``job`` to the folder ``parts``, without its index but with its ``attrs``.

    At every moment the file is whole or not there. Raises `OSError` if it cannot be written.
    """
    data = table.to_parquet(index=False)
    cut = _start_of_footer(data)
    write_atomic(job.path(parts), data[:cut] + _checksum(job, data) + data[cut:])


def read_part(job: Job, parts: Path) -> pd.DataFrame | None:
    """The result of ``job`` from the folder ``parts``; None if there is none, or if it is damaged or of another job."""
    data = _content(job, parts)
    return None if data is None else pd.read_parquet(io.BytesIO(data))


def is_finished(job: Job, parts: Path) -> bool:
    """Whether the result of ``job`` is in the folder ``parts``, to the last bit as the job wrote it.

    A damaged file, or one of another job, counts as missing, so that the job runs again.
    """
    return _content(job, parts) is not None


def kept_by_name(parts: Path) -> dict[str, list[Path]]:
    """All results in the folder ``parts``, also damaged ones and those of other versions, by `file_stem` of the job."""
    found: dict[str, list[Path]] = {}
    for path in parts.glob("*.parquet"):
        kept = re.fullmatch(r"(.+)-[0-9a-f]{12}\.parquet", path.name)
        if kept:
            found.setdefault(kept[1], []).append(path)
    return found


def file_stem(job: Job) -> str:
    """What all files of a job begin with, followed by a key."""
    return job.path(Path()).name.removesuffix(f"-{job.key}.parquet")


def _content(job: Job, parts: Path) -> bytes | None:
    """The part without its checksum, if that is right."""
    # A name that the file system does not take holds no result either
    try:
        raw = job.path(parts).read_bytes()
    except (OSError, ValueError):
        return None

    # In a damaged file the place of the checksum may be anywhere, and then it cannot be right
    end = max(_start_of_footer(raw), DIGEST)
    data = raw[: end - DIGEST] + raw[end:]
    return data if raw[end - DIGEST : end] == _checksum(job, data) else None


def _start_of_footer(data: bytes) -> int:
    return len(data) - TAIL - int.from_bytes(data[-TAIL:-4], "little")


def _checksum(job: Job, data: bytes) -> bytes:
    return hashlib.sha256(job.key.encode() + data).digest()
