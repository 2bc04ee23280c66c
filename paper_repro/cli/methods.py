"""`spo methods`: list all update rules with what they do, their source and the parts they are made of."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any

from paper_repro.cli.command import Command, Values, options_of
from spo_theory.method import PARTS, Method
from spo_theory.methods.registry import rule

Rows = list[list[str]]


@dataclass(frozen=True)
class Methods:
    """Options of `spo methods`."""

    markdown: Annotated[bool, "Write the page docs/methods.md instead."] = False


def methods(values: Values) -> None:
    """Print all methods, or the page docs/methods.md if ``markdown`` is set."""
    print(page() if values["markdown"] else listing(), end="")


def part_in_words(part: Any) -> str:
    """A part as its class, with those settings that are not at their default.

    Example:
        >>> from spo_theory.parts.objectives import Clipped
        >>> part_in_words(Clipped(clip_high=0.3))
        'Clipped(clip_high=0.3)'
    """
    # A setting may be a part itself; it is written in the same way
    settings = []
    for field in fields(part):
        value = getattr(part, field.name)
        usual = field.default if field.default_factory is MISSING else field.default_factory()
        if value != usual:
            words = part_in_words(value) if is_dataclass(value) else repr(value)
            settings.append(f"{field.name}={words}")
    name = type(part).__name__
    return f"{name}({', '.join(settings)})" if settings else name


def parts_in_words(method: Method) -> dict[str, str]:
    """The parts of a method in words, by the name of the part.

    >>> list(parts_in_words(rule("grpo"))) == list(PARTS)
    True
    """
    return {name: part_in_words(part) for name, part in method.parts().items()}


def described_rows() -> Rows:
    """For each method its name, what it does and its source.

    >>> [name for name, _, _ in described_rows()] == list(rule.names())
    True
    """
    return [[name, rule.describe(name), rule.entry(name).source] for name in rule.names()]


def composed_rows() -> Rows:
    """For each method, with its default options, its name and its parts."""
    return [[name, *parts_in_words(rule(name)).values()] for name in rule.names()]


def listing() -> str:
    """All methods as two tables for the terminal."""
    described = aligned(["method", "what it does", "source"], described_rows())
    composed = aligned(["method", *PARTS], composed_rows())
    hint = "`spo theory --rule NAME --help` and `spo train --rule NAME --help` explain the options of a method."
    return f"{described}\n{composed}\n{hint}\n"


def page() -> str:
    """All methods as the page docs/methods.md."""
    described = markdown_table(["method", "what it does", "source"], described_rows(), code=[0])
    composed = markdown_table(["method", *PARTS], composed_rows(), code=range(len(PARTS) + 1))
    from paper_repro.cli.pushes import COLUMNS, pushes  # loads numpy, which the list on the screen can do without

    pushed = markdown_table(["method", *COLUMNS], [[name, *pushes(rule(name))] for name in rule.names()], code=[0])
    return f"""\
# Methods

Written by `spo methods --markdown`; `spo theory --rule NAME --help` explains the options of a method. To add one, see
[CONTRIBUTING](../CONTRIBUTING.md).

{described}
## What they do to a group

Which way the weights of the steps point, over all groups of 4 responses of 3 steps: `+` pushed up in some groups and
down in none, `-` the other way round, `+-` both occur, `0` neither. A wrong step is the first wrong one of a response.
Fresh rollouts of whole questions, default options, steps of probability 1/2; a reference solution that is taught is
always pushed up. What the methods are is derived on the page of [related methods](theory/related.md).

{pushed}
## What they are made of

With default options. A part is named by its class in `spo_theory/parts`; settings are shown where they differ from the
part's defaults.

{composed}"""


def aligned(header: Sequence[str], rows: Rows) -> str:
    """A table in columns that line up.

    >>> print(aligned(["method", "source"], [["spo", "a paper"]]), end="")
    method  source
    spo     a paper
    """
    table = [list(header), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines) + "\n"


def markdown_table(header: Sequence[str], rows: Rows, code: Sequence[int]) -> str:
    """A table in Markdown; the cells of the columns ``code``, counted from 0, are set as code.

    >>> print(markdown_table(["method", "source"], [["spo", "a paper"]], code=[0]), end="")
    | method | source |
    | --- | --- |
    | `spo` | a paper |
    """
    marked = [[f"`{cell}`" if place in code else cell for place, cell in enumerate(row)] for row in rows]
    table = [list(header), ["---"] * len(header), *marked]
    return "".join(f"| {' | '.join(row)} |\n" for row in table)


COMMAND = Command(
    "List all update rules: what each does, where it was published, and the parts it is made of. "
    "Example: spo methods --markdown > docs/methods.md",
    lambda: {"": options_of(Methods)},
    methods,
)
