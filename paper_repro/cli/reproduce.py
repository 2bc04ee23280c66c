"""`spo reproduce`: run the studies and write the report."""

import contextlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from paper_repro.cli.command import Boxes, Command, Stopped, Values, options_of, refuse_values
from spo_theory.limits import WORKERS
from spo_theory.methods.registry import Option


@dataclass(frozen=True)
class Reproduce:
    """Options of `spo reproduce`, but for the choice of studies."""

    quick: Annotated[bool, "Short runs with few seeds, about eight minutes, to see that everything works."] = False
    full: Annotated[
        bool, "Also what the default leaves out: larger networks, more judges, the grid; days on one machine."
    ] = False
    settings: Annotated[Path | None, "Also run the cells of this TOML file: they join the report."] = None
    out: Annotated[Path, "Where everything is written."] = Path("out")
    resume: Annotated[bool, "Keep finished jobs and continue; without it the studies start over."] = False
    workers: Annotated[int, "Worker processes of this machine, one thread each.", WORKERS] = 2
    backend: Annotated[
        Literal["loky", "dask", "ray"],
        "Where jobs run: processes of this machine, or a cluster; one of its own without an address.",
    ] = "loky"
    address: Annotated[str | None, "Of the scheduler of a Dask or Ray cluster, such as tcp://10.0.0.1:8786."] = None


def reproduce_boxes() -> Boxes:
    """The options; the names of the studies are those that their folder holds."""
    from paper_repro.studies.study import study_names

    only = Option("only", tuple[str, ...], (), f"Run these studies only: {', '.join(study_names())}.")
    return {"": [*options_of(Reproduce), only]}


def reproduce(values: Values) -> None:
    """Run the studies and write the report.

    values: of the options, by name. Raises `InputError` before any work for what is not allowed, and `Stopped` for what
    goes wrong later: finished jobs are kept.
    """
    refuse_values(Reproduce(**{field.name: values[field.name] for field in fields(Reproduce)}))
    from paper_repro.results_folder import check_free

    check_free(values["out"])

    # These load slowly, so a folder in use is refused without them
    from paper_repro.jobs.run import JobError
    from paper_repro.reproduce import reproduce as run
    from toy_llm.files import write_atomic

    out = values["out"]
    try:
        report = run(**values)
    except KeyboardInterrupt:
        raise Stopped("interrupted; finished jobs are kept", can_resume=True, status=130) from None
    except JobError as error:
        # The traceback goes to a file, because few readers need it
        where = out / "error.txt"
        with contextlib.suppress(OSError):
            write_atomic(where, error.detail.encode())
        raise Stopped(f"{error}; finished jobs are kept, details in {where}", can_resume=True) from None
    except OSError as error:
        what = f"cannot write {error.filename or out}: {error.strerror or error}"
        raise Stopped(f"{what}; finished jobs are kept", can_resume=True) from None
    (out / "error.txt").unlink(missing_ok=True)  # of a run that failed before
    print(f"report: {report}")


COMMAND = Command(
    "Run every study and write tables, figures, the table of the paper's claims and report.html. "
    "Kill it whenever you like: --resume continues without repeating finished jobs. "
    "Example: spo reproduce --quick --out out-quick",
    reproduce_boxes,
    reproduce,
)
