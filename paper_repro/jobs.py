"""Jobs: the unit of resumable work, one function call with plain arguments that returns one table."""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Job:
    """One function call. name: unique, like ``escape/grpo-G8``. table: the output table its rows join.

    function: ``module:function``, importable in a worker. arguments: plain values or frozen dataclasses, whose
    ``repr`` says everything about them. after: names of jobs that must be finished first. code: modules and
    packages whose source the result depends on, besides the function's own module.
    """

    name: str
    table: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Hash of everything the result depends on: the call, the package version and the code behind it."""
        arguments = sorted((k, repr(v)) for k, v in self.arguments.items())
        code = [source_hash(m) for m in (self.function.split(":")[0], *self.code)]
        text = repr((self.name, self.table, self.function, arguments, version("spectral-policy-lab"), code))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def path(self, parts: Path) -> Path:
        """Where the result is kept."""
        return parts / f"{self.name.replace('/', '-')}-{self.key}.parquet"

    def run(self) -> pd.DataFrame:
        """Call the function."""
        module, name = self.function.split(":")
        return getattr(import_module(module), name)(**self.arguments)


@cache
def source_hash(module: str) -> str:
    """Hash of the source of a module, or of every module of a package; comments and layout do not count."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source found for {module}")
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
    trees = ""
    for file in files:
        tree = _without_docstrings(ast.parse(file.read_bytes()))
        trees += str(file.relative_to(origin.parent)) + ast.dump(tree)
    return hashlib.sha256(trees.encode()).hexdigest()[:12]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


def config_hash(jobs: Iterable[Job]) -> str:
    """Hash of a whole list of jobs."""
    return hashlib.sha256("".join(j.key for j in jobs).encode()).hexdigest()[:12]
