"""`spo figure`: figures for papers, from the tables of a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from paper_repro.cli.command import Command, Values, options_of
from paper_repro.cli.output import say_written
from spo_theory.validation import check


@dataclass(frozen=True)
class FigureForPaper:
    """Options of `spo figure`."""

    names: Annotated[tuple[str, ...], "The figures, by name. Without a name all of them are listed."] = field()
    list: Annotated[bool, "List all figures with their titles."] = False
    width: Annotated[
        Literal["single", "double"], "Of one column of a paper, 3.4 inches, where panels stack, or of both, 7 inches."
    ] = "single"
    format: Annotated[
        Literal["pdf", "pgf", "svg", "png"] | None,
        "pdf (the default) with embedded fonts; pgf, set in the fonts of your LaTeX document; svg, letters as paths; "
        "png, 300 dots per inch.",
    ] = None
    style: Annotated[Path | None, "A matplotlib style sheet (.mplstyle) on top of the look of the figures."] = None
    results: Annotated[Path, "The folder of a run of spo reproduce."] = Path("out")
    out: Annotated[Path, "A folder, or the file of a single figure, whose ending then is the format."] = Path(".")


def figure(values: Values) -> None:
    """Draw figures, and write beside each its data (CSV) and the text for its caption.

    values: of the options of `FigureForPaper`, by name. Raises `InputError` before any file is written.
    """
    options = FigureForPaper(**values)
    if options.list or not options.names:
        print(listing(), end="")
        return

    from paper_repro import paper_figures as papers
    from toy_llm.files import check_file, write_atomic

    # All that can be refused is refused before the first figure is drawn
    plates = [papers.plate_named(name) for name in options.names]
    sheet = papers.read_sheet(options.style)
    folder, stem, ending = target(options)
    tables = papers.read_tables(options.results)
    for plate in plates:
        papers.check_tables(plate, tables, options.results)
        check_file("out", folder / f"{stem or plate.name}.{ending}")

    for plate in plates:
        files = papers.files_of(plate, tables, stem or plate.name, width=options.width, ending=ending, sheet=sheet)
        for name, content in files.items():
            write_atomic(folder / name, content)
            say_written(folder / name)


def target(options: FigureForPaper) -> tuple[Path, str, str]:
    """The folder of the files, what their names begin with ("" for the figure's name), and the ending of the picture.

    Raises `InputError` for one file of several figures, and for one whose ending is another format.

    >>> target(FigureForPaper(("escape",), out=Path("paper/fig2.svg")))
    (PosixPath('paper'), 'fig2', 'svg')
    >>> target(FigureForPaper(("escape",), out=Path("paper")))
    (PosixPath('paper'), '', 'pdf')
    """
    from figures.paper import FORMATS

    ending = options.out.suffix.removeprefix(".")
    if ending not in FORMATS:
        return options.out, "", options.format or "pdf"
    fits = options.format in (None, ending)
    check(fits, "out", str(options.out), f"a folder, or a file ending in .{options.format} as the format says")
    check(len(options.names) == 1, "out", str(options.out), "a folder for several figures")
    return options.out.parent, options.out.stem, ending


def listing() -> str:
    """All figures in the order of the report, each with its title."""
    from paper_repro.studies.study import plates

    shown = plates()
    room = max(len(plate.name) for plate in shown)
    return "".join(f"{plate.name:<{room}}  {plate.title}\n" for plate in shown)


COMMAND = Command(
    "Draw figures of a finished run at the width of a paper's column, and write their data (CSV) and the text for "
    "their captions beside them. Title and notes are in that text and not in the picture. "
    "Example: spo figure escape --results out --width single --format pdf --out paper",
    lambda: {"": options_of(FigureForPaper)},
    figure,
    plain=True,
)
