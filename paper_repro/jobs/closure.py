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

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from paper_repro.jobs.source import file_of, read

PROJECT = ("spo_theory", "toy_llm", "figures", "paper_repro")
"""The packages whose source counts, besides that of the function itself."""

METHODS = "spo_theory.methods"
"""The package whose modules, in it and in its folders, are imported by the name of a method."""


def code_hash(function: Callable[..., Any], arguments: Iterable[Any] = ()) -> str:
    """Hash of all code that the result of ``function`` depends on, 12 hexadecimal digits.

    arguments: those of the call. The names of methods in them count, because their modules are then imported.
    Raises `ModuleNotFoundError` if the module of ``function`` has no source.

    >>> from paper_repro.report.names import rule_name
    >>> len(code_hash(rule_name)), code_hash(rule_name) == code_hash(rule_name)
    (12, True)
    """
    digests = sorted(reached(function, arguments).items())
    return hashlib.sha256(repr(digests).encode()).hexdigest()[:12]


def reached(function: Callable[..., Any], arguments: Iterable[Any] = ()) -> dict[str, str]:
    """The modules that ``function`` reaches by imports, each with the hash of its code that counts.

    Arguments and errors as for `code_hash`.

    >>> from paper_repro.report.names import rule_name
    >>> found = reached(rule_name)
    >>> "figures.style" in found, "toy_llm" in found
    (True, False)
    """
    # Of the function's own module only what the function uses counts
    home = function.__module__
    own = {*PROJECT, home.split(".")[0]}
    code = read(home, function.__qualname__.split(".")[0])
    digests = {home: code.digest}

    # Any text in quotes may be the name of a method: in the code, or in the written form of the arguments
    named = code.strings.union(*(re.findall(r"'([^']*)'", repr(value)) for value in arguments))

    # Every other module counts in full, and leads to those that it imports itself
    waiting = set(code.needs)
    while waiting:
        name = waiting.pop()
        if name not in digests and name.split(".")[0] in own:
            code = read(name)
            digests[name] = code.digest
            named |= code.strings
            waiting |= code.needs

        # Methods come last: which of them are named is known only when all else is.
        if not waiting and METHODS in digests:
            waiting = _methods(named) - set(digests)
    return digests


def _methods(named: Iterable[str]) -> set[str]:
    """The modules in `METHODS` that are called by one of the names ``named`` or define a function of such a name."""
    package = file_of(METHODS)
    assert package is not None
    names = set(named)
    found = set()
    for file in package.parent.rglob("*.py"):
        module = ".".join([METHODS, *file.relative_to(package.parent).with_suffix("").parts])
        if file.stem != "__init__" and names & {file.stem, *read(module).functions}:
            found.add(module)
    return found
