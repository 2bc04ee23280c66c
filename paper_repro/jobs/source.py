"""The source of one module of the project: what counts of it, and which modules it needs. Nothing is imported."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Code:
    """Some code of one module, and all that matters about it here.

    digest: hash of the code without layout, comments and docstrings.
    needs: the modules that it needs directly, which are its imports, the packages around them and around itself.
    strings: the text of every string in it.
    functions: the names of the functions that it defines at its top level.
    """

    digest: str
    needs: frozenset[str]
    strings: frozenset[str]
    functions: frozenset[str]


def read(module: str, start: str | None = None) -> Code:
    """What counts of a module, read from its source without importing it.

    module: its full name. start: one of its top-level definitions, of which only what it uses counts; None for all.
    Raises `ModuleNotFoundError` if there is no source.

    >>> code = read("paper_repro.report.names", "optimizer_name")
    >>> sorted(code.functions), "AdamW" in code.strings
    (['optimizer_name'], True)
    """
    file = file_of(module)
    if file is None:
        raise ModuleNotFoundError(f"no source found for {module}")
    return _read(module, start, file.stat().st_mtime_ns)


@cache
def _read(module: str, start: str | None, changed: int) -> Code:
    """As `read`; ``changed``: when the source was last written, so that what was read before is then stale."""
    # Of a module that holds the function itself only what that function uses counts
    statements = _tree(module).body
    if start is not None:
        statements = _used(statements, start)

    # An import leads to the module that it names and to those behind the names that it takes from there
    strings = set()
    found = {module}
    for statement in statements:
        strings |= {node.value for node in ast.walk(statement) if _is_text(node)}  # type: ignore[attr-defined]
        for origin, name in _imports(module, statement):
            found |= {origin, *_homes(origin, name)}

    # The dump of the syntax tree has no layout and no comments, so they cannot change the hash
    return Code(
        digest=hashlib.sha256("\n".join(map(ast.dump, statements)).encode()).hexdigest(),
        needs=frozenset(name for name in _with_packages(found) if file_of(name) is not None),
        strings=frozenset(strings),
        functions=frozenset(node.name for node in statements if isinstance(node, ast.FunctionDef)),
    )


def file_of(module: str) -> Path | None:
    """The source file of a module; None if it has none or is not there.

    >>> file_of("paper_repro.jobs.source").name, file_of("paper_repro.nothing")
    ('source.py', None)
    """
    top, *rest = module.split(".")
    root = _root(top)
    if root is None or not rest:
        return root
    place = root.parent.joinpath(*rest)
    choices = (place / "__init__.py", place.with_suffix(".py")) if root.name == "__init__.py" else ()
    return next((file for file in choices if file.is_file()), None)


@cache
def _root(top: str) -> Path | None:
    """The source file of a module that is in no package."""
    spec = find_spec(top)
    return None if spec is None or spec.origin is None or not spec.origin.endswith(".py") else Path(spec.origin)


def _with_packages(modules: set[str]) -> set[str]:
    """``modules`` and all packages around them."""
    parts = [module.split(".") for module in modules]
    return {".".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1)}


def _tree(module: str) -> ast.Module:
    """A module without its docstrings and without what only type checkers run."""
    file = file_of(module)
    assert file is not None
    return _parsed(file, file.stat().st_mtime_ns)


@cache
def _parsed(file: Path, changed: int) -> ast.Module:
    """As `_tree`, of a file; ``changed``: when it was last written, so that a new version is parsed again."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [part for part in node.body if not _is_docstring(part) and not _is_for_checkers(part)]
    return tree


def _is_text(node: ast.AST) -> bool:
    """Whether a node is a string written in the code."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is nothing but a string: a docstring, also one below a constant."""
    return isinstance(node, ast.Expr) and _is_text(node.value)


def _is_for_checkers(node: ast.stmt) -> bool:
    """Whether a statement is ``if TYPE_CHECKING:``, which never runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _used(statements: list[ast.stmt], start: str) -> list[ast.stmt]:
    """The top-level statements that ``start`` needs: what binds a name it uses, and what runs for its effect."""
    single = [part for statement in statements for part in _one_name_each(statement)]
    kept: list[ast.stmt] = [statement for statement in single if isinstance(statement, ast.Expr)]
    names = {start}.union(*map(_named, kept))
    while True:
        found = [statement for statement in single if statement not in kept and _bound(statement) & names]
        if not found:
            return [statement for statement in single if statement in kept]
        kept += found
        names = names.union(*map(_named, found))


def _one_name_each(statement: ast.stmt) -> list[ast.stmt]:
    """An import of several names as one import for each name, so that unused ones can be left out."""
    if isinstance(statement, ast.Import):
        return [ast.Import([alias]) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    return [statement]


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def _named(statement: ast.AST) -> set[str]:
    """The names that a statement mentions."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _imports(module: str, statement: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Every import in ``statement``, also inside functions: the absolute module and the name taken from it, if any."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((_origin(module, node), alias.name) for alias in node.names)


def _origin(module: str, node: ast.ImportFrom) -> str:
    """The absolute name of the module that ``from ... import`` names inside ``module``."""
    if node.level == 0:
        return node.module or ""
    file = file_of(module)
    is_package = file is not None and file.name == "__init__.py"
    parts = module.split(".")
    around = parts[: len(parts) - node.level + is_package]
    return ".".join([*around, node.module] if node.module else around)


def _homes(module: str, name: str | None) -> set[str]:
    """The modules behind ``name`` of ``module``: a submodule, or where the package finds it on first use.

    Without a name, or with ``*``, all that the package finds on first use.
    """
    if name not in (None, "*") and file_of(f"{module}.{name}") is not None:
        return {f"{module}.{name}"}
    return {home for key, home in _lazy_homes(module) if name in (None, "*", key)}


def _lazy_homes(package: str) -> set[tuple[str, str]]:
    """Pairs of a name and its module, as a package with ``__getattr__`` lists them in a dictionary of strings."""
    # Only a package with ``__getattr__`` imports on first use
    file = file_of(package)
    if file is None or file.name != "__init__.py":
        return set()
    tree = _tree(package)
    if not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        return set()

    # Which dictionary it is does not matter: pairs that name no module are dropped at the end
    pairs = set()
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                # The module is written in full or from the package on; the one that exists is meant.
                name = str(key.value)
                home = str(value.value).removeprefix(".")
                pairs |= {(name, f"{package}.{home}"), (name, home)}
    return {(name, home) for name, home in pairs if file_of(home) is not None}
