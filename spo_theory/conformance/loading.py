"""Find the function that a text names, and the array library that it works on."""

import importlib.util
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from spo_theory.validation import InputError, check


def load(name: str) -> Callable[..., Any]:
    """The function ``package.module:function`` or ``path/to/file.py:function``; attributes of attributes are allowed.

    Raises `InputError` if there is no such module or function, or if its import fails.

    Example:
        >>> load("math:sqrt")(4.0)
        2.0
    """
    place, colon, attribute = name.rpartition(":")
    check(bool(colon and place and attribute), "function", name, "package.module:function or file.py:function")
    try:
        found: Any = _module(place)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"function = {name!r} is not allowed: importing {place} failed ({reason})") from error
    for part in attribute.split("."):
        check(hasattr(found, part), "function", name, f"a name of {place}, which has no {part!r}")
        found = getattr(found, part)
    check(callable(found), "function", name, "something that can be called")
    return found


def _module(place: str) -> ModuleType:
    """The module of that dotted name, or the one in that file."""
    path = Path(place)
    if path.suffix != ".py":
        return import_module(place)

    # Modules next to the file can be imported by it, as if it were run
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def library_of(function: Callable[..., Any]) -> str:
    """The array library that the module of a function imports: torch before jax before numpy.

    Example:
        >>> library_of(load)
        'numpy'
    """
    names = getattr(function, "__globals__", {})
    if not names:
        names = vars(sys.modules.get(getattr(function, "__module__", "") or "", ModuleType("empty")))
    imported = {module.__name__.partition(".")[0] for module in names.values() if isinstance(module, ModuleType)}
    return next((library for library in ("torch", "jax") if library in imported), "numpy")
