"""Write docs/coverage.md from the data that `make coverage` has collected: lines run, by package, and what is not."""

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from coverage import Coverage

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "coverage.md"
HOLE = 0.9
"""Modules below this share of lines that are run are named."""

HEAD = """# Coverage of the tests

`make coverage` runs the tests of `make test-all` and writes this page: how many lines of each package they run. Lines
that only worker processes run are not seen. A line that is run is not a line that is checked:
[planted bugs](mutants.md) say more.

| package | lines | run |
|---|---|---|
"""


def ranges(lines: list[int]) -> str:
    """Line numbers in short.

    >>> ranges([3, 4, 5, 9])
    '3-5, 9'
    """
    groups: list[list[int]] = []
    for line in lines:
        if groups and line == groups[-1][1] + 1:
            groups[-1][1] = line
        else:
            groups.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in groups)


def measured() -> dict[str, Any]:
    """Of every module its number of lines, of those that were run, and the others."""
    coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "coverage.json")
        coverage.json_report(outfile=str(path))
        return json.loads(path.read_text())["files"]


def page(files: dict[str, Any]) -> str:
    """The page of the documentation from what was measured."""
    # A package is a folder of modules, such as spo_theory/exact
    packages: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, found in files.items():
        for package in (str(Path(name).parent), "all"):
            packages[package][0] += found["summary"]["num_statements"]
            packages[package][1] += found["summary"]["covered_lines"]
    rows = [f"| {name} | {lines} | {run / lines:.1%} |" for name, (lines, run) in sorted(packages.items()) if lines]

    # What is not run is named, so that nobody believes it tested
    holes = []
    for name, found in sorted(files.items()):
        lines = found["summary"]["num_statements"]
        share = found["summary"]["covered_lines"] / lines if lines else 1.0
        if share < HOLE:
            holes.append(f"- `{name}`, {share:.0%} run; not run: {ranges(found['missing_lines'])}")
    title = f"## Holes\n\nModules of which less than {HOLE:.0%} of the lines are run, with the lines that are not:"
    return HEAD + "\n".join(rows) + f"\n\n{title}\n\n" + ("\n".join(holes) or "None.") + "\n"


if __name__ == "__main__":
    text = page(measured())
    PAGE.write_text(text)
    sys.stdout.write(text)
