"""`spo demo`: write the live page and open it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from paper_repro.cli.command import Command, Values, options_of
from paper_repro.cli.output import check_output, say_written


@dataclass(frozen=True)
class Demo:
    """Options of `spo demo`."""

    out: Annotated[Path, "The page that is written (.html)."] = Path("spo-demo.html")
    open: Annotated[bool, "Show it in the browser."] = True


def demo(values: Values) -> None:
    """Write the live page, say where it is, and show it in the browser unless that is switched off.

    values: of the options of `Demo`, by name. Raises `InputError` for a file that cannot be written.
    """
    options = Demo(**values)
    check_output(options.out, (".html",))

    from paper_repro.demo.page import page
    from toy_llm.files import write_atomic

    write_atomic(options.out, page().encode())
    say_written(options.out)
    if options.open:
        import webbrowser

        webbrowser.open(options.out.resolve().as_uri())


COMMAND = Command(
    "Write the live page: one HTML file, no server, nothing fetched, whose sliders move the exact theory in the "
    "browser. Example: spo demo --out lesson.html",
    lambda: {"": options_of(Demo)},
    demo,
)
