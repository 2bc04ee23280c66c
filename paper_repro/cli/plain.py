"""Command lines parsed by the standard library, for commands that work in the base installation."""

import argparse
import contextlib
import io
from collections.abc import Sequence
from typing import Any, NoReturn, get_args, get_origin

from paper_repro.cli.command import Boxes, Values, is_required
from paper_repro.cli.kinds import Kind, kind_of
from spo_theory.methods.registry import Option
from spo_theory.validation import InputError


class _Parser(argparse.ArgumentParser):
    """A parser that raises `InputError` instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Refuse the line; what the option's kind says of a bad value names the option already."""
        name, _, refusal = message.partition(": ")
        said = refusal if name.startswith("argument") and "is not allowed" in refusal else message
        raise InputError(f"{said} (see {self.prog} --help)")


def parse_plain(name: str, description: str, boxes: Boxes, arguments: Sequence[str]) -> Values:
    """The values of all options, by name; those without a default are given by place, without a flag.

    name: of the command. description: what ``--help`` says. boxes: its options. arguments: the words of the line.
    Raises `InputError` in one line for what is not allowed, and `SystemExit` after ``--help``.

    >>> parse_plain("walk", "Walks.", {"": [Option("steps", int, 3, "How far.")]}, ["--steps", "4"])
    {'steps': 4}
    """
    parser = _Parser(prog=f"spo {name}", description=description, allow_abbrev=False)
    for title, options in boxes.items():
        box = parser.add_argument_group(title) if title else parser
        for option in options:
            _add(box, option)
    with contextlib.redirect_stderr(io.StringIO()):
        return vars(parser.parse_args(list(arguments)))


def _add(box: Any, option: Option) -> None:
    """Add one option to the parser."""
    flag = "--" + option.name.replace("_", "-")
    text = option.help.replace("%", "%%")
    if option.kind is bool:
        box.add_argument(flag, dest=option.name, action="store_true", help=text)
        return

    # A tuple takes any number of words, each of the kind of its members
    several = get_origin(option.kind) is tuple
    kind = kind_of(get_args(option.kind)[0] if several else option.kind)
    assert kind is not None, f"no kind for {option}"
    settings: dict[str, Any] = {"type": _reader(option.name, kind), "metavar": kind.metavar, "help": text}
    if several:
        settings["nargs"] = "*"
    if is_required(option):
        settings["metavar"] = option.name.upper()
        box.add_argument(option.name, **settings)
    else:
        box.add_argument(flag, dest=option.name, default=option.default, **settings)


def _reader(name: str, kind: Kind) -> Any:
    """A function from a word to a value, whose refusal names option, word and what is allowed."""

    def read(text: str) -> Any:
        """The value that is written as ``text``."""
        try:
            return kind.convert(text)
        except ValueError:
            said = f"{name} = {text!r} is not allowed: {name} must be {kind.words}"
            raise argparse.ArgumentTypeError(said) from None

    return read
