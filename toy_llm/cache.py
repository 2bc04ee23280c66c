"""The cache folder: networks, judges and rollouts that are made once and used by many runs.

A file carries a checksum of its content and of its own name, so that neither a damaged file nor another entry under its
name is used. While one process makes an entry, others wait for it. The folder may be shared: links in it are not
followed.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spo_theory.validation import InputError
from toy_llm.files import check_writable, load, save
from toy_llm.locks import locked

if TYPE_CHECKING:  # writing a file takes no torch, whose import takes a second
    import torch

Module = TypeVar("Module", bound="torch.nn.Module")


def cached(path: Path, make: Callable[[], Any], device: str = "cpu") -> Any:
    """The content of the file ``path``: if it is not there, what ``make`` returns is kept first.

    The name of the file must say everything that decides its content. ``device``: where its tensors are put. Raises
    `InputError` for an unwritable folder, before work, and for a file that is corrupt or another entry; `OSError` if
    the content cannot be written.
    """
    # A file that is there needs no lock: it is always whole.
    if not os.path.lexists(path):
        check_writable("cache_dir", path.parent)
        with locked(path.with_name(f".{path.name}.lock"), waiting_for=str(path)):
            # Nobody else writes this entry now: what lies half written is from a process that died.
            for stray in path.parent.glob(f".{path.name}.*-*"):
                stray.unlink(missing_ok=True)

            # Whoever had to wait finds what the other process made.
            if not os.path.lexists(path):
                save(path, make(), owner=path.name, follow=False)
    return read_entry(path, device)


def read_entry(path: Path, device: str = "cpu") -> Any:
    """The content of a file of the cache; raises `InputError` that names it if it is corrupt or another entry.

    ``device``: where its tensors are put.
    """
    try:
        return load(path, device, owner=path.name, follow=False)
    except OSError as error:
        reason = "links in a cache are not followed" if path.is_symlink() else error.strerror
        raise InputError(f"cached file {str(path)!r} cannot be read ({reason}): delete it and run again") from error


def cached_model(key: str, cache_dir: str | Path, build: Callable[[], Module], train: Callable[[], Module]) -> Module:
    """``build()`` with the parameters of the file ``key`` if it is there, else those of ``train()``, which are kept.

    Raises as `cached`, and `InputError` for a file that does not fit the network.
    """
    path = cache_path(key, cache_dir)
    state = cached(path, lambda: train().state_dict())

    # The file says nothing of the network's shape, so its parameters may not fit.
    model = build()
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(f"checkpoint {str(path)!r} does not fit the model: delete it and run again") from error
    return model


def cache_path(key: str, cache_dir: str | Path) -> Path:
    """The file of an entry with a key.

    >>> str(cache_path("learnt-0a1b", "models"))
    'models/learnt-0a1b.pt'
    """
    return Path(cache_dir) / f"{key}.pt"


def check_entry(path: Path) -> None:
    """Refuse a corrupt file of the cache, or a folder in which one that is missing cannot be made.

    Raises `InputError` that names the file or ``cache_dir``.
    """
    if os.path.lexists(path):
        read_entry(path)
    else:
        check_writable("cache_dir", path.parent)
