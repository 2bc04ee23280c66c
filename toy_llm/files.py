"""Files that are either whole or absent: atomic writes with a checksum."""

import hashlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from spo_theory.validation import InputError, check
from toy_llm.atomic import write_atomic


def check_writable(name: str, folder: str | Path) -> None:
    """Refuse a folder in which no file can be made; makes the folder if it is missing."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        check(False, name, str(folder), f"a folder that can be written to ({error.strerror})")


def save(path: str | Path, state: Any) -> None:
    """Save a torch state with its SHA-256 in front."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    write_atomic(path, hashlib.sha256(data).digest() + data)


def load(path: str | Path, device: str = "cpu") -> Any:
    """Load what `save` wrote; raises `InputError` naming the file if its checksum does not match."""
    raw = Path(path).read_bytes()
    if hashlib.sha256(raw[32:]).digest() != raw[:32]:
        raise InputError(f"checkpoint {str(path)!r} is corrupt (its checksum does not match): delete it and run again")
    return torch.load(io.BytesIO(raw[32:]), map_location=device, weights_only=True)


Module = TypeVar("Module", bound=torch.nn.Module)


def cached_model(key: str, cache_dir: str | Path, new: Callable[[], Module], train: Callable[[], Module]) -> Module:
    """``new()`` with the parameters of the file ``key`` if it is there, else ``train()``, whose parameters are stored.

    Raises `InputError` for an unwritable folder, before work, and for a corrupt or unfitting file.
    """
    path = Path(cache_dir) / f"{key}.pt"
    if path.exists():
        model = new()
        state = load(path)
        try:
            model.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise InputError(f"checkpoint {str(path)!r} does not fit the model: delete it and run again") from error
        return model
    check_writable("cache_dir", cache_dir)
    model = train()
    save(path, model.state_dict())
    return model
