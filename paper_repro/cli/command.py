"""What a command is: its options in boxes, and what it does with their values."""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

from spo_theory.methods.registry import Option
from spo_theory.validation import refuse

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
    plain: whether its options are parsed by the standard library alone, so that it works in the base installation.
    """

    description: str
    boxes: Callable[[], Boxes]
    run: Callable[..., None]
    chooses: str = ""
    rules: tuple[str, ...] = ("spo",)
    plain: bool = False


class Stopped(Exception):
    """A command ended before it was done, and none of its input is wrong.

    message: why, in one line. can_resume: whether the same line with ``--resume`` continues it; the user is told that
    line. status: the exit status, 1 for a failure, 130 for Ctrl-C.
    """

    def __init__(self, message: str, *, can_resume: bool, status: int = 1):
        super().__init__(message)
        self.can_resume = can_resume
        self.status = status


def options_of(kind: type) -> list[Option]:
    """The fields of a dataclass as options; each is annotated ``Annotated[type, "One sentence of help."]``.

    Behind the sentence may stand an `Allowed`: `refuse_values` checks it, and the help tells it.

    Example:
        >>> from typing import Annotated
        >>> from spo_theory.allowed import whole
        >>> @dataclass
        ... class Walk:
        ...     steps: Annotated[int, "How far.", whole(1)] = 3
        >>> options_of(Walk)
        [Option(name='steps', kind=<class 'int'>, default=3, help='How far (a whole number, at least 1).')]
    """
    hints = get_type_hints(kind, include_extras=True)
    options = []
    for field in fields(kind):
        text, *allowed = hints[field.name].__metadata__
        if allowed:
            text = f"{text.removesuffix('.')} ({allowed[0].words})."
        options.append(Option(field.name, hints[field.name].__origin__, field.default, text))
    return options


def refuse_values(options: Any, more: Iterable[str] = ()) -> None:
    """Raise `InputError` for every value of ``options`` that its field does not allow, and for ``more`` lines.

    options: a dataclass as `options_of` reads it.

    >>> from typing import Annotated
    >>> from spo_theory.allowed import whole
    >>> @dataclass
    ... class Walk:
    ...     steps: Annotated[int, "How far.", whole(1)] = 3
    >>> refuse_values(Walk(steps=0))
    Traceback (most recent call last):
    spo_theory.validation.InputError: steps = 0 is not allowed: steps must be a whole number, at least 1
    """
    hints = get_type_hints(type(options), include_extras=True)
    lines = [
        line
        for field in fields(options)
        for allowed in hints[field.name].__metadata__[1:]
        for line in allowed.problems(field.name, getattr(options, field.name))
    ]
    refuse([*lines, *more])


def is_required(option: Option) -> bool:
    """Whether an option has no default, so that it must be given.

    >>> is_required(Option("steps", int, MISSING, "How far.")), is_required(Option("steps", int, 3, "How far."))
    (True, False)
    """
    return option.default is MISSING
