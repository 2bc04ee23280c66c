"""`spo diagnose`: read the rollout logs of a run and say what is broken and what would help."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from paper_repro.cli.command import Command, Values, options_of
from paper_repro.cli.output import check_output, write_text


@dataclass(frozen=True)
class Logs:
    """Where the logs are, and how to read what they do not say."""

    logs: Annotated[Path, "A file, or a folder of files: .jsonl, .json, .csv, .parquet."] = field()
    reader: Annotated[
        Literal["trl", "verl", "nemo", "table"] | None, "Format (default: recognized by its columns)."
    ] = None
    rewards: Annotated[tuple[str, ...], "Columns added up to the reward (default: those of the format)."] = ()
    weights: Annotated[tuple[float, ...], "Weight of each of them (default: 1)."] = ()
    correct: Annotated[str, "Column that says what is correct (default: a reward of at least correct-at)."] = ""
    correct_at: Annotated[float, "Reward from which on a response is correct."] = 1.0
    group: Annotated[str, "Column that tells groups apart in a table (default: group, uid, question, prompt, ...)."] = (
        ""
    )
    group_size: Annotated[int | None, "Responses of a group, where groups have no names, at least 2."] = None


@dataclass(frozen=True)
class Written:
    """What is written besides the summary."""

    table: Annotated[Path | None, "Also write all numbers here as a tidy .csv."] = None
    html: Annotated[Path | None, "Also write one page with figures here, .html."] = None


def diagnose(values: Values) -> None:
    """Read the logs, print what was found, and write what was asked for.

    values: of the options of `Logs` and `Written`, by name. Raises `InputError` for what is not allowed.
    """
    from spo_theory.diagnosis import diagnose as find
    from spo_theory.diagnosis import read_rollouts
    from spo_theory.diagnosis.page import page

    # Files that cannot be written are refused before a long log is read
    table, html = values.pop("table"), values.pop("html")
    check_output(table, (".csv",))
    check_output(html, (".html",))
    found = find(read_rollouts(values.pop("logs"), values.pop("reader"), **values))

    print(found)
    if table is not None:
        write_text(as_csv(found.rows()), table)
    if html is not None:
        write_text(page(found), html)


def as_csv(rows: list[dict[str, object]]) -> str:
    """Rows as CSV.

    >>> as_csv([{"value": 1.0, "low": float("nan")}])
    'value,low\\r\\n1.0,nan\\r\\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


COMMAND = Command(
    "Read the rollout logs of a run (TRL, verl, NeMo-RL, or a plain table) and say how many groups teach nothing, what "
    "other group sizes and rules would do, and which convention the advantages follow. "
    "Example: spo diagnose runs/mine/completions --html diagnosis.html",
    lambda: {"": options_of(Logs), "output": options_of(Written)},
    diagnose,
    plain=True,
)
