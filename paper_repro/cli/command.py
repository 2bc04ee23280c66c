"""What a command is: its options in boxes, and what it does with their values."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

from spo_theory.methods.registry import Option

Values = dict[str, Any]
"""Values of options by name."""

Boxes = dict[str, list[Option]]
"""Options by the title of their box in the help; the title "" is for those that stand first, in no box of their own."""


@dataclass(frozen=True)
class Command:
    """One command, such as ``spo theory``.

    description: what ``--help`` says.
    boxes: its own options (a function, because some come from modules that load slowly).
    run: does the work, given the values of its own options and, if it ``chooses`` update rules, for each chosen rule
    the options given for it.
    chooses: name of the option that chooses update rules, ``rule`` for one and ``rules`` for several, or "".
    rules: those chosen by default.
    """

    description: str
    boxes: Callable[[], Boxes]
    run: Callable[..., None]
    chooses: str = ""
    rules: tuple[str, ...] = ("spo",)


def options_of(kind: type) -> list[Option]:
    """The fields of a dataclass as options; each is annotated ``Annotated[type, "One sentence of help."]``.

    Example:
        >>> from typing import Annotated
        >>> @dataclass
        ... class Walk:
        ...     steps: Annotated[int, "How far."] = 3
        >>> options_of(Walk)
        [Option(name='steps', kind=<class 'int'>, default=3, help='How far.')]
    """
    hints = get_type_hints(kind, include_extras=True)
    return [
        Option(field.name, hints[field.name].__origin__, field.default, hints[field.name].__metadata__[0])
        for field in fields(kind)
    ]


def is_required(option: Option) -> bool:
    """Whether an option has no default, so that it must be given.

    >>> is_required(Option("steps", int, MISSING, "How far.")), is_required(Option("steps", int, 3, "How far."))
    (True, False)
    """
    return option.default is MISSING
