"""Plant every bug of the catalogue in a copy of the project, alone, and see which test notices it.

`make mutants` runs all of them on two processes; `--only 3:7` runs a part, `--page` only writes docs/mutants.md, which
lists the catalogue. Exit status 1 if a bug is not noticed, if its text no longer stands in the file, or if the tests
fail without any bug.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

ROOT = Path(__file__).parents[2]
CATALOGUE = Path(__file__).with_name("catalogue.toml")
PAGE = ROOT / "docs" / "mutants.md"
PARTS = ("spo_theory", "toy_llm", "figures", "paper_repro", "tests", "docs", "pyproject.toml", "README.md", "Makefile")
"""What a copy holds: the packages, and what their tests read."""

LIMIT = 300  # seconds for the tests of one bug; a bug that makes them hang counts as noticed


@dataclass(frozen=True)
class Mutant:
    """A planted bug: in ``file``, ``old`` becomes ``new``; ``tests`` are pytest's names of those that must notice."""

    bug: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def plant(self, root: Path) -> str:
        """The text of the file in ``root`` with the bug; raises `ValueError` if it does not fit exactly once."""
        text = (root / self.file).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.bug}: {self.old!r} stands {text.count(self.old)} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def mutants() -> tuple[Mutant, ...]:
    """All planted bugs, in the order of the catalogue."""
    return tuple(
        Mutant(**{**one, "tests": tuple(one["tests"])}) for one in tomllib.loads(CATALOGUE.read_text())["mutant"]
    )


def run_tests(folder: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Run tests in a copy until the first failure: pytest's exit status, and the name of the test that failed."""
    names = [f"tests/{name}" for name in tests]
    # Compiled files would be taken for those of the text before the bug
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "pytest", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *names]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, "no answer in time"
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return done.returncode, failed[0].removeprefix("tests/") if failed else done.stdout[-300:]


def copies(count: int, into: Path) -> "SimpleQueue[Path]":
    """Make ``count`` copies of the project; whoever takes one from the queue puts it back as it was."""
    free: SimpleQueue[Path] = SimpleQueue()
    for number in range(count):
        folder = into / str(number)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        free.put(folder)
    return free


def caught_by(mutant: Mutant, free: "SimpleQueue[Path]") -> str:
    """The test that notices a bug, empty if none does; raises `ValueError` if the bug cannot be planted."""
    folder = free.get()
    path = folder / mutant.file
    before = path.read_text()
    try:
        path.write_text(mutant.plant(folder))
        status, failed = run_tests(folder, mutant.tests)
        return failed if status == 1 else ""
    finally:
        path.write_text(before)
        free.put(folder)


def fails_without_a_bug(chosen: Iterable[Mutant], free: "SimpleQueue[Path]", pool: ThreadPoolExecutor) -> str:
    """The first test that fails in a copy as it is, empty if none does; the tests of a file run together."""
    files: dict[str, dict[str, None]] = {}
    for name in (name for mutant in chosen for name in mutant.tests):
        files.setdefault(name.partition("::")[0], {})[name] = None

    def fails(names: Iterable[str]) -> str:
        """The first of these tests that fails."""
        folder = free.get()
        try:
            status, failed = run_tests(folder, names)
            return failed if status else ""
        finally:
            free.put(folder)

    found = tqdm(pool.map(fails, files.values()), total=len(files), desc="tests without a bug")
    return next(filter(None, found), "")


def page(every: Iterable[Mutant]) -> str:
    """The page of the documentation: every bug, where it is planted, and the tests that must notice it."""
    rows = [f"| {m.bug} | `{m.file}` | {', '.join(f'`{test}`' for test in m.tests)} |" for m in every]
    lines = [
        "# Planted bugs",
        "",
        "Tests that cannot fail prove nothing. `make mutants` puts each of these bugs into a copy of the project,",
        "alone, and runs the tests beside it, of which one must fail. It also runs them without a bug, where none may.",
        f"The {len(rows)} bugs stand in `tests/mutants/catalogue.toml`; if code changes so that one no longer fits, a",
        "test says which one. `.venv/bin/python tests/mutants/run.py --page` writes this page.",
        "",
        "What nobody thought of is tried by `make fuzz`: thousands of random inputs for the parsers of problems and",
        "responses, the reader of checkpoints, the command line and the public functions. Each must be understood, or",
        "refused in one line. `make test` tries a few of them.",
        "",
        "| bug | file | noticed by, in `tests/` |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *rows]) + "\n"


def part(text: str, total: int) -> slice:
    """``3:7`` as a slice of ``total`` bugs."""
    begin, _, end = text.partition(":")
    return slice(int(begin or 0), int(end or total))


def main() -> int:
    """Run the bugs that were asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=":", help="a part of the catalogue, such as 3:7")
    parser.add_argument("--workers", type=int, default=2, help="copies that are tested at the same time")
    parser.add_argument("--no-baseline", action="store_true", help="trust that the tests pass without a bug")
    parser.add_argument("--page", action="store_true", help="write docs/mutants.md and run nothing")
    options = parser.parse_args()
    every = mutants()
    if options.page:
        PAGE.write_text(page(every))
        return 0
    chosen = every[part(options.only, len(every))]

    # A text that no longer fits is said before anything runs
    try:
        for mutant in chosen:
            mutant.plant(ROOT)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(options.workers) as pool:
        free = copies(options.workers, Path(folder))
        if not options.no_baseline and (failed := fails_without_a_bug(chosen, free, pool)):
            print(f"without any bug the tests do not pass: {failed}", file=sys.stderr)
            return 1
        run = pool.map(lambda mutant: caught_by(mutant, free), chosen)

        # Each bug in a line as soon as it is known, so that nothing is lost if the run is stopped
        found = {}
        for mutant, test in zip(chosen, tqdm(run, total=len(chosen), desc="mutants"), strict=True):
            found[mutant] = test
            tqdm.write(f"{mutant.bug}: {test or 'NOT NOTICED'}")

    missed = [mutant for mutant, test in found.items() if not test]
    print(f"{len(found) - len(missed)} of {len(found)} noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
