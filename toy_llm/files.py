"""Files that are either whole or absent: checked before work, written in one step, read by a checksum."""

import errno
import hashlib
import io
import os
import pickle
import secrets
import stat
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spo_theory.allowed import UNUSABLE
from spo_theory.validation import InputError, check


def check_writable(name: str, folder: str | Path) -> None:
    """Refuse a folder in which no file can be made; makes the folder if it is missing.

    ``name``: of the setting, for the message. Raises `InputError` with the reason of the operating system.
    """
    try:
        # Permissions do not tell all (quotas, read-only mounts), so a file is really made.
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        check(False, name, str(folder), f"a folder that can be written to ({error.strerror})")


def check_file(name: str, path: str | Path | None) -> None:
    """Refuse a file that cannot be written, before any work; leaves no file behind.

    ``name``: of the setting, for the message. ``path``: a new name or a regular file, also through links; None for no
    file. Makes its folder if it is missing. Raises `InputError`.
    """
    if path is None:
        return

    # A pipe would block whoever opens it, and a device would swallow what is written.
    is_new = bool(str(path)) and not os.path.exists(path)
    check(is_new or os.path.isfile(path), name, str(path), "a new name or a regular file")
    try:
        target = _followed(path)
        if not is_new:
            with open(target, "ab"):
                pass
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        check(False, name, str(path), f"a file that can be written ({error.strerror or error})")


def check_different(files: Iterable[tuple[str, str | Path | None]]) -> None:
    """Refuse one file for two uses.

    ``files``: pairs of the setting's name and the file, None for no file. Raises `InputError` that names both settings.

    >>> check_different([("out", "run.csv"), ("checkpoint", "./run.csv")])
    Traceback (most recent call last):
    spo_theory.validation.InputError: checkpoint = './run.csv' is not allowed: checkpoint must be another file than out
    """
    # Two names may lead to one file, through links of both kinds.
    seen: dict[Any, str] = {}
    for name, path in files:
        if path is None:
            continue
        real = os.path.realpath(path)
        identity = (os.stat(real).st_dev, os.stat(real).st_ino) if os.path.exists(real) else real
        check(identity not in seen, name, str(path), f"another file than {seen.get(identity)}")
        seen[identity] = name


def write_atomic(path: str | Path, data: bytes, *, follow: bool = True) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the whole new one, never a part.

    ``follow``: write to the file that a link leads to, instead of replacing the link. Raises `OSError` naming ``path``
    if the disk is full or the folder cannot be written; the old file is whole then.

    >>> folder = tempfile.mkdtemp()
    >>> write_atomic(f"{folder}/table.csv", b"step,success")
    >>> Path(folder, "table.csv").read_bytes()
    b'step,success'
    """
    try:
        _write_atomic(_followed(path) if follow else Path(path), data)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _followed(path: str | Path) -> Path:
    """What ``path`` leads to, through links; raises `OSError` if they lead in a circle."""
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return real


def _write_atomic(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(8)}")

    # Unlike those of `tempfile.mkstemp`, the file is as readable as any other.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def append_whole(path: str | Path, data: bytes) -> None:
    """Add ``data`` to the end of a file, or nothing if not all of it can be written: then raises `OSError`."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        try:
            rest = data
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError as error:
            os.ftruncate(handle, size)
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)


def read_regular(path: str | Path, *, follow: bool = True) -> bytes:
    """The content of a regular file; raises `OSError` for anything else, such as a pipe, which would block a reader.

    ``follow``: also if ``path`` is a link.
    """
    # Asked of the opened file, because the name may lead elsewhere a moment later.
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read()


def save(path: str | Path, state: Any, *, owner: str = "", follow: bool = True) -> None:
    """Save a torch state with a SHA-256 in front.

    ``state``: whatever ``torch.save`` takes, such as tensors in dictionaries. ``owner``: whose file it is; `load` wants
    the same. ``follow`` and errors as in `write_atomic`.
    """
    import torch

    # Written to memory first: the checksum stands before what it is of.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    write_atomic(path, _checksum(owner, data) + data, follow=follow)


def load(path: str | Path, device: str = "cpu", *, owner: str = "", follow: bool = True) -> Any:
    """Load what `save` wrote; raises `InputError` naming the file if its checksum or its content is wrong.

    ``device``: where its tensors are put. ``owner``: whose file it must be. ``follow``: also if ``path`` is a link.
    Nothing but tensors and plain values is read, so that a file cannot run code. Raises `OSError` if it cannot be read.
    """
    import torch

    # A damaged file must not be read as if it were whole, not even by chance.
    raw = read_regular(path, follow=follow)
    if _checksum(owner, raw[32:]) != raw[:32]:
        raise InputError(f"checkpoint {str(path)!r} is corrupt (its checksum does not match): delete it and run again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of a foreign file is no news to the user
            return torch.load(io.BytesIO(raw[32:]), map_location=device, weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, LookupError, *UNUSABLE) as error:
        # The checksum of something else can be right; what torch says of it are many lines.
        raise InputError(f"checkpoint {str(path)!r} holds nothing that can be read: delete it and run again") from error


def _checksum(owner: str, data: bytes) -> bytes:
    return hashlib.sha256(owner.encode() + data).digest()
