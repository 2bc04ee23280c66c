"""Tables and pictures that commands write: checked before any work, then written whole or not at all."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spo_theory.validation import check

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TABLES = (".csv", ".parquet")
"""Endings of the tables that can be written."""


def check_output(out: Path | None, endings: Sequence[str] = TABLES) -> None:
    """Refuse an output file before any work is done for it; leaves no file behind.

    out: the file, None for no output. endings: of the kinds of file that the command writes.
    Raises `InputError` for a file of another kind, and for one that cannot be written.

    >>> check_output(Path("curve.txt"))
    Traceback (most recent call last):
    spo_theory.validation.InputError: out = 'curve.txt' is not allowed: out must be a file ending in .csv, .parquet
    """
    if out is None:
        return
    check(out.suffix in endings, "out", str(out), f"a file ending in {', '.join(endings)}")

    from toy_llm.files import check_file

    check_file("out", out)


@contextmanager
def only_writer(files: Iterable[tuple[str, str | Path | None]]) -> Iterator[None]:
    """Keep other runs from writing to the same files while the block runs.

    files: pairs of the option's name and the file, None for no file. Raises `InputError` if another process writes to
    one of them, naming that process, and `OSError` if a lock cannot be made beside a file.
    """
    from toy_llm.locks import Held, locked

    with ExitStack() as held:
        for name, path in files:
            if path is not None:
                # Two names may lead to one file, so the lock is beside that
                real = Path(os.path.realpath(path))
                try:
                    held.enter_context(locked(real.with_name(f".{real.name}.lock")))
                except Held as holder:
                    check(False, name, str(path), f"a file that no other run writes to ({holder} does)")
        yield


def write_table(table: "pd.DataFrame", out: Path | None) -> None:
    """Write a data frame in the format that the ending of ``out`` names, without its index.

    out: one that `check_output` allows; None writes nothing. Raises `OSError` if writing fails.
    """
    if out is None:
        return
    is_csv = out.suffix == ".csv"
    _write(out, table.to_csv(index=False).encode() if is_csv else table.to_parquet(index=False))


def write_text(text: str, out: Path | None) -> None:
    """Write a text as UTF-8; None writes nothing. Raises `OSError` if writing fails."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write(out, text.encode())
        say_written(out)


def write_picture(figure: "Figure", out: Path) -> None:
    """Write a figure as PNG; raises `OSError` if that fails."""
    from figures.style import save_png

    buffer = io.BytesIO()
    save_png(figure, buffer)
    _write(out, buffer.getvalue())


def _write(out: Path, data: bytes) -> None:
    """Write a file so that it is the old one or the whole new one."""
    from toy_llm.files import write_atomic

    write_atomic(out, data)


def say_written(out: Path | None) -> None:
    """Tell where the output is, if there is one."""
    if out is not None:
        print(f"written: {out}")


def ten_rows(table: "pd.DataFrame") -> str:
    """About ten rows of a curve, evenly spaced from its first to its last, as text.

    table: one row per update, numbers only; they are written with four digits.
    """
    last = len(table) - 1
    shown = sorted({round(part * last / 10) for part in range(11)})
    return table.iloc[shown].to_string(index=False, float_format="{:.4f}".format)
