"""The folder of results: one run at a time writes to it, and a new set of results replaces the old one in one step.

The files of a set lie together in a folder of their own inside ``.published``. What a reader opens, ``report.html``
say, is a symbolic link through ``.published/current`` into that folder. A new set is written beside the old one; then
``current`` is turned to it, which is one step for all files. Files of the user are never touched, unless they have the
name of a result.

    report.html              -> .published/current/report.html
    data/curves.parquet      -> ../.published/current/data/curves.parquet
    data/parts/              results of single jobs (`paper_repro.jobs.part`)
    .published/current       -> k3v9x2q1
    .published/k3v9x2q1/     the set itself
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spo_theory.validation import check
from toy_llm.locks import Held, locked

STORE = ".published"
CURRENT = "current"
LOCK = ".lock"


@contextmanager
def results_folder(out: Path) -> Iterator[Path]:
    """Make ``out`` ready for a run, and keep other runs out of it until the block ends; gives the folder of parts.

    Raises `InputError` if a folder cannot be made or written to, and if another process writes to it, naming that.
    """
    # Permissions do not tell all, so something of each kind is really made
    parts = out / "data" / "parts"
    try:
        for folder in (out, parts, out / "figures", out / "code", out / STORE):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
        _link(out / STORE / f"probe-{secrets.token_hex(8)}", "nowhere").unlink()
    except OSError as error:
        check(False, "out", str(out), f"a directory that can be written, links included ({error.strerror or error})")

    # Whatever lies half written in the folder of parts is from a process that died: all others are kept out
    with _only_run(out):
        for stray in parts.glob(".*.parquet.*"):
            stray.unlink(missing_ok=True)
        yield parts


def check_free(out: Path) -> None:
    """Refuse a folder that another run writes to now, before modules that load slowly are needed; makes nothing.

    Raises `InputError` that names the process.
    """
    if (out / LOCK).exists():
        with _only_run(out):
            pass


@contextmanager
def _only_run(out: Path) -> Iterator[None]:
    try:
        with locked(out / LOCK):
            yield
    except Held as holder:
        check(False, "out", str(out), f"a directory that no other run writes to ({holder} does)")


@contextmanager
def publishing(out: Path) -> Iterator[Path]:
    """A folder for a new set of results; if the block ends well, the set replaces the one in ``out`` in one step.

    ``out``: that of `results_folder`. Files have the same names in both. If anything goes wrong the old set stays.
    Raises `OSError` if a link cannot be made.
    """
    store = out / STORE
    stage = Path(tempfile.mkdtemp(dir=store, prefix=""))
    try:
        stage.chmod(out.stat().st_mode & 0o777)  # that of mkdtemp is for its owner alone
        yield stage
        names = [path.relative_to(stage) for path in stage.rglob("*") if path.is_file()]
        _keep_as_links(out, names)
        _turn(store / CURRENT, stage.name)
    finally:
        # On success the set before is no longer needed, else the new one; a process that died may have left others
        current = store / CURRENT
        kept = {CURRENT, os.readlink(current)} if current.is_symlink() else set()
        for path in store.iterdir():
            if path.name not in kept:
                _delete(path)
        _drop_dead_links(out)


def _keep_as_links(out: Path, names: list[Path]) -> None:
    """Make every name in ``out`` a link into the current set, without changing what a reader sees.

    A folder of an earlier version holds the files themselves: they first become a set of their own.
    """
    store = out / STORE
    if not (store / CURRENT).exists():
        before = Path(tempfile.mkdtemp(dir=store, prefix=""))
        for name in names:
            if (out / name).is_file():
                (before / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(out / name, before / name)
        _turn(store / CURRENT, before.name)

    # A link to a file that only the new set has leads nowhere until `current` is turned
    for name in names:
        folder = os.path.realpath((out / name).parent)
        target = os.path.relpath(os.path.join(os.path.realpath(store), CURRENT, name), folder)
        if not (out / name).is_symlink() or os.readlink(out / name) != target:
            _turn(out / name, target)


def _drop_dead_links(out: Path) -> None:
    """Delete the links to files that the current set does not have, and those that a process left half made."""
    for folder in (out, out / "data", out / "figures", out / "code"):
        for path in folder.iterdir():
            target = os.readlink(path) if path.is_symlink() else ""
            is_ours = f"{STORE}/{CURRENT}/" in target
            if is_ours and (not path.exists() or Path(target).name != path.name):
                path.unlink()


def _turn(path: Path, target: str) -> None:
    """Let the link ``path`` lead to ``target`` from now on, in one step; makes it, or replaces a file."""
    new = _link(path.with_name(f".{path.name}.{secrets.token_hex(8)}"), target)
    try:
        os.replace(new, path)
    except OSError:
        new.unlink()
        raise


def _link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
