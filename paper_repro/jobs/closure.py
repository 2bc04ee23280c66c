"""The code that a function's result depends on, followed statically through the imports of the project's packages.

What counts, for a function ``f`` of module ``m``:

- of ``m`` itself: ``f``, the definitions of ``m`` that it names, and so on; a caption or a figure in the same file
  does not count;
- every module of `PROJECT` that those definitions import, in full, and what these modules import in turn. Imports
  inside functions count, imports for type checkers only do not. The ``__init__`` of every package on the way counts,
  and a name that a package imports on first use leads to the module that defines it;
- of the modules in `METHODS`, which are found by their name when a program runs: those that are named, as the text of
  a whole string, in the arguments or in the code that counts. So a new method changes no result but its own.

Comments, layout and docstrings do not count.
"""

import ast
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROJECT = ("spo_theory", "toy_llm", "figures", "paper_repro")
"""The packages whose source counts, besides that of the function itself."""

METHODS = "spo_theory.methods"
"""The package whose modules are imported by the name of a method."""


@dataclass(frozen=True)
class Code:
    """Some code of one module, and all that matters about it here.

    digest: hash of the code without layout, comments and docstrings. needs: the modules that it needs at once: its
    imports and the packages around them and around itself. strings: the text of every string in it.
    """

    digest: str
    needs: frozenset[str]
    strings: frozenset[str]


def code_hash(function: Callable[..., Any], arguments: Iterable[Any] = ()) -> str:
    """Hash of all code that the result of ``function`` depends on; ``arguments`` may name methods."""
    digests = sorted(reached(function, arguments).items())
    return hashlib.sha256(repr(digests).encode()).hexdigest()[:12]


def reached(function: Callable[..., Any], arguments: Iterable[Any] = ()) -> dict[str, str]:
    """The modules that ``function`` reaches by imports, each with the hash of its code that counts."""
    home = function.__module__
    own = {*PROJECT, home.split(".")[0]}
    code = _code(home, _stamp(home), function.__qualname__.split(".")[0])
    digests = {home: code.digest}
    named = code.strings.union(*(re.findall(r"'([^']*)'", repr(value)) for value in arguments))
    waiting = set(code.needs)
    while waiting:
        name = waiting.pop()
        if name not in digests and name.split(".")[0] in own:
            code = _code(name, _stamp(name))
            digests[name] = code.digest
            named |= code.strings
            waiting |= code.needs
        # Methods come last: only when all else is known, it is known which of them are named.
        if not waiting and any(module.startswith(METHODS) for module in digests):
            waiting = {method for method in _methods(named) if method not in digests}
    return digests


def _homes(module: str, attribute: str | None) -> set[str]:
    """The modules behind ``attribute`` of ``module``: a submodule, or where the package finds it on first use.

    Without an attribute, or with ``*``, all that the package imports on first use.
    """
    if attribute not in (None, "*") and _file(f"{module}.{attribute}") is not None:
        return {f"{module}.{attribute}"}
    file = _file(module)
    if file is None or file.name != "__init__.py":
        return set()
    homes = _lazy_homes(module, _stamp(module))
    return {home for name, home in homes if attribute in (None, "*", name)}


@cache
def _lazy_homes(package: str, stamp: int) -> frozenset[tuple[str, str]]:
    """Pairs of a name and its module that a package with ``__getattr__`` lists in a dictionary of names."""
    tree = _tree(package)
    if not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        return frozenset()
    pairs = set()
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                pairs |= {(key.value, home) for home in (f"{package}.{value.value}", str(value.value))}
    return frozenset((name, home) for name, home in pairs if _file(home) is not None)


def _methods(named: Iterable[str]) -> set[str]:
    """The modules in `METHODS` that are called by one of the names ``named`` or define a function of such a name."""
    folder = _file(METHODS)
    if folder is None:
        return set()
    names = set(named)
    found = set()
    for file in folder.parent.glob("*.py"):
        module = f"{METHODS}.{file.stem}"
        if file.stem != "__init__" and names & {file.stem, *_functions(module, _stamp(module))}:
            found.add(module)
    return found


@cache
def _functions(module: str, stamp: int) -> frozenset[str]:
    return frozenset(node.name for node in _tree(module).body if isinstance(node, ast.FunctionDef))


@cache
def _code(module: str, stamp: int, start: str | None = None) -> Code:
    """What counts of a module: all of it, or what its top-level definition ``start`` uses."""
    statements = _tree(module).body
    if start is not None:
        statements = _used(statements, start)
    found = {module}
    for node in statements:
        for origin, attribute in _imports(module, node):
            found |= {origin, *_homes(origin, attribute)}
    parts = [name.split(".") for name in found]
    around = {".".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1)}
    needs = frozenset(name for name in around if _file(name) is not None)
    values = (part.value for node in statements for part in ast.walk(node) if isinstance(part, ast.Constant))
    strings = frozenset(value for value in values if isinstance(value, str))
    digest = hashlib.sha256("\n".join(map(ast.dump, statements)).encode()).hexdigest()
    return Code(digest, needs, strings)


def _used(statements: list[ast.stmt], start: str) -> list[ast.stmt]:
    """The top-level statements that ``start`` needs: what binds a name it uses, and what runs for its effect."""
    single = [part for node in statements for part in _split(node)]
    kept = [node for node in single if isinstance(node, ast.Expr)]
    names = {start} | {name for node in kept for name in _names(node)}
    waiting = [node for node in single if node not in kept]
    while True:
        found = [node for node in waiting if _bound(node) & names]
        if not found:
            return [node for node in single if node in kept]
        kept += found
        names |= {name for node in found for name in _names(node)}
        waiting = [node for node in waiting if node not in found]


def _split(node: ast.stmt) -> list[ast.stmt]:
    """An import of several names as one import for each name."""
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [node]


def _bound(node: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)}


def _names(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def _imports(module: str, node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Every import in ``node``, also inside functions: the absolute module and the name taken from it."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from ((alias.name, None) for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            origin = found.module or ""
            if found.level:
                file = _file(module)
                is_package = file is not None and file.name == "__init__.py"
                parts = module.split(".")
                parts = parts[: len(parts) - found.level + is_package]
                origin = ".".join([*parts, origin] if origin else parts)
            yield from ((origin, alias.name) for alias in found.names)


def _file(module: str) -> Path | None:
    """The source of a module, without importing it or the packages around it; None if there is none."""
    top, *rest = module.split(".")
    root = _root(top)
    if root is None or (root.name != "__init__.py" and rest):
        return None
    if not rest:
        return root
    place = root.parent.joinpath(*rest)
    choices = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in choices if file.is_file()), None)


@cache
def _root(top: str) -> Path | None:
    spec = find_spec(top)
    return None if spec is None or spec.origin is None or not spec.origin.endswith(".py") else Path(spec.origin)


def _stamp(module: str) -> int:
    """When the source of a module was last written, in nanoseconds: what was read of it before is then stale."""
    file = _file(module)
    if file is None:
        raise ModuleNotFoundError(f"no source found for {module}")
    return file.stat().st_mtime_ns


def _tree(module: str) -> ast.Module:
    """A module without its docstrings and without what only type checkers run."""
    file = _file(module)
    assert file is not None
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_docstring(part) and not _is_for_checkers(part)]
    return tree


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_for_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
