"""Files that are either whole or absent: atomic writes with a checksum."""

import hashlib
import io
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spo_theory.validation import InputError, check

if TYPE_CHECKING:  # writing a file takes no torch, whose import takes a second
    import torch

Module = TypeVar("Module", bound="torch.nn.Module")


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


def write_atomic(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the whole new one, never a part.

    Raises `OSError` naming ``path`` if the disk is full or the folder cannot be written; the old file is whole then.

    >>> folder = tempfile.mkdtemp()
    >>> write_atomic(f"{folder}/table.csv", b"step,success")
    >>> Path(folder, "table.csv").read_bytes()
    b'step,success'
    """
    path = Path(path)
    try:
        _write_atomic(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _write_atomic(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")

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


def save(path: str | Path, state: Any) -> None:
    """Save a torch state with its SHA-256 in front.

    ``state``: whatever ``torch.save`` takes, such as tensors in dictionaries. Raises `OSError` as `write_atomic`.
    """
    import torch

    # Written to memory first: the checksum stands before what it is of.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    write_atomic(path, hashlib.sha256(data).digest() + data)


def load(path: str | Path, device: str = "cpu") -> Any:
    """Load what `save` wrote; raises `InputError` naming the file if its checksum does not match.

    ``device``: where its tensors are put. Nothing but tensors and plain values is read, so that a file cannot run code.
    Raises `OSError` if it cannot be read.
    """
    import torch

    # A damaged file must not be read as if it were whole, not even by chance.
    raw = Path(path).read_bytes()
    if hashlib.sha256(raw[32:]).digest() != raw[:32]:
        raise InputError(f"checkpoint {str(path)!r} is corrupt (its checksum does not match): delete it and run again")
    return torch.load(io.BytesIO(raw[32:]), map_location=device, weights_only=True)


def cached_model(key: str, cache_dir: str | Path, build: Callable[[], Module], train: Callable[[], Module]) -> Module:
    """``build()`` with the parameters of the file ``key`` if it is there, else ``train()``, whose parameters are kept.

    Raises `InputError` for an unwritable folder, before work, and for a corrupt or unfitting file.
    """
    # The key says everything that decides the content, so a file that is there is the right one.
    path = Path(cache_dir) / f"{key}.pt"
    if path.exists():
        # The file says nothing of the network's shape, so its parameters may not fit.
        model = build()
        state = load(path)
        try:
            model.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise InputError(f"checkpoint {str(path)!r} does not fit the model: delete it and run again") from error
        return model

    # Asked before the work, which may take minutes.
    check_writable("cache_dir", cache_dir)
    model = train()
    save(path, model.state_dict())
    return model
