"""The registry of update rules: every method by name, with its source, its options and how it is drawn.

A method is a builder function in a file of this folder or of a family's folder in it, decorated with `method`; the
file is found by itself. See CONTRIBUTING.md, "Add a method in one file".
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from spo_theory.allowed import among
from spo_theory.method import Method
from spo_theory.methods.options import COMMON, adjust, common_options
from spo_theory.validation import check, refuse

Builder = Callable[..., Method]

NO_METHODS = ("registry", "conventions", "options")
"""Files of this folder that hold no method."""


class Option(NamedTuple):
    """An option of a method. kind: its type. help: what it means and what is allowed, one sentence."""

    name: str
    kind: Any
    default: Any
    help: str


@dataclass(frozen=True)
class Entry:
    """A registered method. source: where it was published. label, colour: how figures show it (colour: hex)."""

    name: str
    build: Builder
    source: str
    label: str
    colour: str
    options_of: Builder


class Registry:
    """The methods by name; call it to build one: ``rule("spo", group_size=8, beta=5.0)``.

    Example:
        >>> from spo_theory import rule
        >>> rule("spo", group_size=4, beta=5.0).reward.beta
        5.0
        >>> rule.describe("rebel")
        'REBEL: regress differences of log-ratios on differences of rewards, over all pairs of a group.'
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._searched = False

    def register(self, entry: Entry) -> None:
        """Add ``entry``; raises `InputError` if its name is taken."""
        check(entry.name not in self._entries, "rule name", entry.name, "new: it is registered already")
        self._entries[entry.name] = entry

    def names(self) -> list[str]:
        """Names of all methods, in alphabetical order."""
        self._search()
        return sorted(self._entries)

    def entry(self, name: str) -> Entry:
        """All that is registered of method ``name``; raises `InputError` for an unknown one."""
        self._search()
        among(self.names()).check("rule", name)
        return self._entries[name]

    def describe(self, name: str) -> str:
        """First line of the documentation of method ``name``."""
        return (inspect.getdoc(self.entry(name).build) or "").splitlines()[0]

    def options(self, name: str) -> list[Option]:
        """The options of method ``name``: its own, then those that all methods of its kind share."""
        builder = self.entry(name).options_of
        hints = get_type_hints(builder, include_extras=True)
        own = [_option(hints[p.name], p.name, p.default) for p in inspect.signature(builder).parameters.values()]
        shared = common_options(self.entry(name).build())
        return own + [_option(COMMON[key], key, default) for key, default in shared.items()]

    def __call__(self, name: str, /, **options: Any) -> Method:
        """Build method ``name`` with ``options``, see `options`.

        Raises `InputError` for an unknown method, an unknown option or a value out of range.
        """
        # An option that neither the builder nor its kind of method knows is refused by name, all of them at once
        entry = self.entry(name)
        shared = common_options(entry.build())
        own = list(inspect.signature(entry.options_of).parameters)
        refuse(
            self._foreign(name, option, value, [*own, *shared])
            for option, value in options.items()
            if option not in own and option not in shared
        )

        # The builder gets its own options; the shared ones change parts of what it built
        built = entry.build(**{key: value for key, value in options.items() if key in own})
        return adjust(built, **{key: value for key, value in options.items() if key in shared})

    def _foreign(self, name: str, option: str, value: Any, allowed: list[str]) -> str:
        """The line that refuses an option that method ``name`` does not have: it says who has it, or what to use."""
        having = [other for other in self.names() if option in [known.name for known in self.options(other)]]
        instead = f"rules with it are {', '.join(having)}" if having else f"use {', '.join(allowed)}"
        return f"option {option!r} = {value!r} is not allowed for rule {name!r}: {instead}"

    def _search(self) -> None:
        """Import every file below this folder once: each registers its methods."""
        if self._searched:
            return
        self._searched = True
        folder = Path(__file__).parent
        for file in sorted(folder.rglob("[a-z]*.py")):
            if file.stem not in NO_METHODS:
                parts = file.relative_to(folder).with_suffix("").parts
                import_module(".".join(["spo_theory.methods", *parts]))


def _option(hint: Any, name: str, default: Any) -> Option:
    """An option from its annotation, ``Annotated[type, help]``."""
    kind = hint.__origin__
    text = hint.__metadata__[0]
    return Option(name, kind, default, text)


rule = Registry()
"""The registry that everything uses."""


def method(source: str, label: str, colour: str, options_of: Builder | None = None) -> Callable[[Builder], Builder]:
    """Register the decorated builder under its function name.

    ``source``: where the method was published. ``label``, ``colour``: how figures show it. ``options_of``: another
    builder whose options this one passes on, if it takes ``**options``.
    """

    def decorate(builder: Builder) -> Builder:
        """Register the builder and hand it back unchanged."""
        rule.register(Entry(builder.__name__, builder, source, label, colour, options_of or builder))
        return builder

    return decorate
