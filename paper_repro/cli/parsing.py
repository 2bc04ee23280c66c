"""From the words of a command line to the values of a command's options, or one line that says what is wrong."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from paper_repro.cli import rules
from paper_repro.cli.command import Boxes, Command, Values, is_required
from paper_repro.cli.kinds import Kind, kind_of
from paper_repro.cli.plain import parse_plain
from spo_theory.methods.registry import Option
from spo_theory.validation import InputError, check

if TYPE_CHECKING:
    from tyro.constructors import PrimitiveConstructorSpec


def parse(name: str, command: Command, arguments: Sequence[str]) -> tuple[Any, ...]:
    """What ``command.run`` takes: the values of its own options and, if it chooses update rules, those given for each.

    name: what the command is called, for messages. arguments: the words of the line after the name.
    Raises `InputError` in one line for what is not allowed, and `SystemExit` after ``--help``.

    >>> from paper_repro.cli.methods import COMMAND
    >>> parse("methods", COMMAND, ["--markdown"])
    ({'markdown': True},)
    """
    boxes = command.boxes()
    own = [option.name for box in boxes.values() for option in box]
    if command.plain:
        return (parse_plain(name, command.description, boxes, arguments),)

    # Without arguments there is nothing to parse, and loading the parser takes a quarter of a second
    if not command.chooses:
        options = [option for box in boxes.values() for option in box]
        if not arguments and not any(map(is_required, options)):
            return ({option.name: option.default for option in options},)
        return (_parse_boxes(name, command.description, boxes, arguments),)

    # The rule decides which options there are, so it is looked for first
    chosen = rules.chosen_rules(arguments, command.chooses, command.rules)
    rules.refuse_foreign_options(arguments, chosen, own)
    choice = rules.choice_of_rule(command.chooses, command.rules)
    offered = rules.offered_options(chosen, own)
    boxes = {**boxes, f"update rule: {', '.join(chosen)}": [choice, *offered]}

    # One parse gives all values; the command's own are then told apart from those of the rules
    values = _parse_boxes(name, command.description, boxes, arguments)
    check(bool(values[command.chooses]), command.chooses, values[command.chooses], "at least one update rule")
    own_values = {option: values[option] for option in own}
    return own_values, rules.given_options(chosen, offered, values)


def _parse_boxes(name: str, description: str, boxes: Boxes, arguments: Sequence[str]) -> Values:
    """The values of all options; raises as `parse`."""
    import tyro

    # The parser prints a box and ends the program; what it says is caught and said again in one line
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed: Any = tyro.cli(
                _parser_class(boxes),
                prog=f"spo {name}",
                description=description,
                args=list(arguments),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        # After ``--help`` the program ends as the parser wants it
        if stop.code in (0, None):
            raise
        raise InputError(_one_line(said.getvalue()) + f" (see spo {name} --help)") from None
    return _flat(parsed)


def _parser_class(boxes: Boxes) -> type:
    """A dataclass with a field for every option, and for every box with a title a dataclass of its options."""
    from tyro.conf import OmitArgPrefixes, arg

    members: list[Any] = [_field(option) for option in boxes.get("", [])]
    for place, (title, options) in enumerate(boxes.items()):
        if title:
            box = make_dataclass("Box", [_field(option) for option in options], frozen=True)
            box.__doc__ = ""
            members.append((f"box_{place}", Annotated[box, arg(name=title), OmitArgPrefixes], box()))
    return make_dataclass("Options", members, frozen=True)


def _field(option: Option) -> tuple[Any, ...]:
    """An option as a field of the parser's dataclass: name, type with help, and the default if there is one."""
    from tyro.conf import arg

    spec = _spec(option)
    said = arg(help=option.help)
    kind: Any = Annotated[option.kind, said] if spec is None else Annotated[option.kind, spec, said]
    return (option.name, kind) if is_required(option) else (option.name, kind, option.default)


def _spec(option: Option) -> "PrimitiveConstructorSpec | None":
    """How tyro reads an option, so that a text of the wrong kind is refused like any other bad value.

    None leaves the option to tyro: it has a type that is not in `paper_repro.cli.kinds`.
    """
    from tyro.constructors import PrimitiveConstructorSpec

    # A tuple takes any number of words, each of the kind of its members
    several = get_origin(option.kind) is tuple
    kind = kind_of(get_args(option.kind)[0] if several else option.kind)
    if kind is None:
        return None

    def read(texts: list[str]) -> Any:
        """The value of the words that belong to the option; an option without any is a slip, not an empty list."""
        if not texts:
            raise ValueError(f"{option.name} = () is not allowed: {option.name} must be at least one value")
        values = [_value(option.name, kind, text) for text in texts]
        return tuple(values) if several else values[0]

    # Values come from `read` or are defaults, so there is no type left to check
    return PrimitiveConstructorSpec(
        nargs="*" if several else 1,
        metavar=f"[{kind.metavar} ...]" if several else kind.metavar,
        instance_from_str=read,
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(one) for one in value] if several else [str(value)],
    )


def _value(name: str, kind: Kind, text: str) -> Any:
    """The value of one word; the refusal names option, word and what is allowed.

    >>> _value("steps", Kind("INT", "a whole number", int), "many")
    Traceback (most recent call last):
    ValueError: steps = 'many' is not allowed: steps must be a whole number
    """
    try:
        return kind.convert(text)
    except ValueError:
        raise ValueError(f"{name} = {text!r} is not allowed: {name} must be {kind.words}") from None


def _flat(parsed: Any) -> Values:
    """The values of all boxes in one dictionary."""
    values: Values = {}
    for field in fields(parsed):
        value = getattr(parsed, field.name)
        values |= _flat(value) if is_dataclass(value) else {field.name: value}
    return values


def _one_line(box: str) -> str:
    r"""The message inside the parser's error box: the first block of text below its title.

    >>> _one_line("╭─ Parsing error ─╮\n│ Required option │\n│ is missing      │\n│ ─────────────── │\n│ See --help │")
    'Required option is missing'
    """
    # The block ends at the first line that is empty or a rule; hints of the parser follow below it
    message: list[str] = []
    for line in box.strip().splitlines()[1:]:
        text = line.strip(" │╭╮╰╯")
        if text.strip("-─ "):
            message.append(text)
        elif message:
            break
    said = " ".join(message)

    # What `_value` says of a text of the wrong kind names the option already
    prefix, _, refusal = said.partition(": ")
    return refusal if prefix.startswith("Error parsing") and " is not allowed: " in refusal else said
