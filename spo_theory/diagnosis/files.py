"""Files of records: JSON lines, CSV and Parquet, read one after the other and never as a whole."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spo_theory.optional import install_hint
from spo_theory.validation import InputError, check

ENDINGS = (".jsonl", ".json", ".csv", ".parquet")
ROWS_AT_ONCE = 20_000
"""Rows of a Parquet file in memory."""

Record = dict[str, Any]


def log_files(path: Path) -> list[Path]:
    """The files of a log: the file itself, or those of a folder with a known ending, in the order of their numbers.

    Raises `InputError` if there is none.

    Example:
        >>> log_files(Path("nowhere"))
        Traceback (most recent call last):
        spo_theory.validation.InputError: logs = 'nowhere' is not allowed: logs must be a file or a folder that exists
    """
    check(path.exists(), "logs", str(path), "a file or a folder that exists")
    if path.is_file():
        check(path.suffix in ENDINGS, "logs", str(path), f"a file ending in {', '.join(ENDINGS)}")
        return [path]
    files = [file for file in path.rglob("*") if file.suffix in ENDINGS and file.is_file()]
    check(bool(files), "logs", str(path), f"a folder with files ending in {', '.join(ENDINGS)}")
    return sorted(files, key=lambda file: [int(part) if part.isdigit() else part for part in _parts(file)])


def _parts(file: Path) -> list[str]:
    """A file's path in parts, so that numbers are sorted as numbers; every second part is a number."""
    return re.split(r"(\d+)", str(file))


def records(file: Path) -> Iterator[tuple[str, Record | str]]:
    """The records of a file, each with its place, ``file:line``; a line that cannot be read is a text, the reason.

    Raises `InputError` for a Parquet file without pyarrow, or one that is broken.
    """
    if file.suffix == ".parquet":
        yield from _parquet(file)
    elif file.suffix == ".csv":
        with open(file, newline="", encoding="utf-8") as opened:
            for number, row in enumerate(csv.DictReader(opened), start=2):
                short = None in row or any(value is None for value in row.values())
                yield f"{file.name}:{number}", "a line with too few or too many values" if short else row
    else:
        with open(file, encoding="utf-8", errors="replace") as opened:
            for number, line in enumerate(opened, start=1):
                if line.strip():
                    yield f"{file.name}:{number}", _json(line)


def _json(line: str) -> Record | str:
    """One line of JSON as a record, or why it is none."""
    try:
        record = json.loads(line)
    except ValueError:
        return "a line that is no JSON"
    return record if isinstance(record, dict) else "a line that is no JSON object"


def _parquet(file: Path) -> Iterator[tuple[str, Record | str]]:
    """The rows of a Parquet file."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise InputError(f"logs = {str(file)!r} cannot be read: {install_hint('pyarrow')}") from error
    number = 0
    try:
        for batch in parquet.ParquetFile(file).iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                yield f"{file.name}:{number}", row
    except (pyarrow.ArrowInvalid, OSError) as error:
        yield f"{file.name}:{number + 1}", f"a broken Parquet file ({str(error).splitlines()[0][:60]})"


def number_in(file: Path) -> int:
    """The last number in a file's name, 0 without one.

    Example:
        >>> number_in(Path("completions_00012.parquet"))
        12
    """
    found = re.findall(r"\d+", file.stem)
    return int(found[-1]) if found else 0
