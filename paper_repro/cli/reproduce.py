"""`spo reproduce`: run the studies and write the report."""

import contextlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from paper_repro.cli.command import Boxes, Command, Values, options_of, refuse_values
from spo_theory.limits import WORKERS
from spo_theory.methods.registry import Option


@dataclass(frozen=True)
class Reproduce:
    """Options of `spo reproduce`, but for the choice of studies."""

    quick: Annotated[bool, "Short runs with few seeds: under three minutes, to see that everything works."] = False
    out: Annotated[Path, "Where everything is written."] = Path("out")
    resume: Annotated[bool, "Keep finished jobs and continue; without it the studies start over."] = False
    workers: Annotated[int, "Worker processes, one thread each.", WORKERS] = 2


def reproduce_boxes() -> Boxes:
    """The options; the names of the studies are those that their folder holds."""
    from paper_repro.studies.study import study_names

    only = Option("only", tuple[str, ...], (), f"Run these studies only: {', '.join(study_names())}.")
    return {"": [*options_of(Reproduce), only]}


def reproduce(values: Values) -> None:
    """Run the studies and write the report.

    values: of the options, by name. Raises `InputError` before any work for what is not allowed. For what goes wrong
    later it says how to continue, and raises `SystemExit`.
    """
    refuse_values(Reproduce(**{field.name: values[field.name] for field in fields(Reproduce)}))
    from paper_repro.jobs.pool import JobError
    from paper_repro.reproduce import reproduce as run
    from paper_repro.reproduce import say

    # Whatever stops the run, finished jobs are kept, so the user is told the line that continues it
    out = values["out"]
    again = f"spo reproduce{' --quick' if values['quick'] else ''} --resume --out {out}"
    try:
        report = run(**values)
    except KeyboardInterrupt:
        say(f"spo: interrupted. Finished jobs are kept; continue with: {again}")
        raise SystemExit(130) from None
    except JobError as error:
        # The traceback goes to a file, because few readers need it
        where = out / "error.txt"
        with contextlib.suppress(OSError):
            where.write_text(error.detail, encoding="utf-8")
        say(f"spo: error: {error}")
        say(f"Finished jobs are kept; details: {where}; continue with: {again}")
        raise SystemExit(1) from None
    except OSError as error:
        say(f"spo: error: cannot write {error.filename or out}: {error.strerror or error}")
        say(f"Finished jobs are kept; continue with: {again}")
        raise SystemExit(1) from None
    print(f"report: {report}")


COMMAND = Command(
    "Run every study and write tables, figures, the table of the paper's claims and report.html. "
    "Kill it whenever you like: --resume continues without repeating finished jobs. "
    "Example: spo reproduce --quick --out out-quick",
    reproduce_boxes,
    reproduce,
)
