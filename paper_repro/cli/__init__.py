"""The command line: `spo COMMAND`, one command a file. Heavy imports wait for their command."""

import io
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from paper_repro.cli.command import Stopped
from spo_theory.optional import install_hint
from spo_theory.validation import InputError, problem, refuse

COMMANDS = {
    "theory": "solve the exact dynamics of a reasoning chain",
    "train": "train the tiny transformer with real GRPO",
    "evaluate": "measure trained checkpoints: success, pass@k, steps, lengths, with intervals",
    "compare": "predict one training run from its start, train it, and print both",
    "demo": "write the live page, a lesson in one HTML file, and open it",
    "remedies": "rank the remedies for all-wrong groups by what they cost",
    "methods": "list all update rules with their source and the parts they are made of",
    "check": "judge anybody's function (advantages, loss, rewards) by its convention",
    "diagnose": "read rollout logs: which groups teach nothing, and what would help",
    "judge-report": "measure how well a language model finds first errors, and whether colouring with it pays",
    "reproduce": "run every experiment and write the report",
    "figure": "draw figures of a run for a paper: width, format, style; with their data",
}
"""All commands, each a module of this folder, with what the help says of them."""

EXTRAS = {
    "theory": "theory",
    "remedies": "theory",
    "train": "lab",
    "evaluate": "lab",
    "compare": "lab",
    "reproduce": "lab",
    "figure": "lab",
    "demo": "demo",
    "judge-report": "judge",
}
"""What to install for a command, where the base installation is not enough."""

LISTED = "\n".join(f"  {name:<12} {summary}" for name, summary in COMMANDS.items())

HELP = f"""\
usage: spo COMMAND [OPTIONS]          (or: python -m paper_repro COMMAND [OPTIONS])

Exact learning dynamics of GRPO and of coloured GRPO (SPO), checked against a tiny transformer trained for real.

commands:
{LISTED}

examples:
  spo theory --step-success 0.3 --horizon 6 --rule spo --steps 60
  spo train --horizon 4 --rule grpo --updates 100 --out run.csv
  spo train --suites add nested --rule spo_prefix --optimizer adamw --checkpoint run.pt
  spo evaluate --checkpoints run.pt --suites add longer
  spo compare --horizon 4 --optimizer sgd
  spo remedies --step-success 0.3 --horizon 8 --group-size 8
  spo methods
  spo diagnose runs/mine/completions --html diagnosis.html
  spo demo
  spo check mytrainer.advantages:compute --convention trl
  spo judge-report --labelled traces.jsonl --model my-model --base-url http://localhost:8000/v1
  spo reproduce --quick --out out-quick
  spo figure escape --results out-quick --width single --format pdf

`spo COMMAND --help` explains a command and its options; with `--rule NAME` also the options of that update rule.
`spo --version` prints the version.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for a failure, 2 for bad input, 130 for Ctrl-C.

    arguments: the words after ``spo``; None for those that the program was started with.

    Example:
        >>> main(["conquer"])
        2
    """
    # Without a command the help is shown, but only who asked for it has succeeded
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0 if arguments else 2

    # A file name may hold bytes that are no text, and must be told all the same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    # Waiting threads must not take the cores from others; the libraries read this when they are loaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")

    if arguments[0] == "--version":
        print(f"spo {version('spectral-policy-lab')}")
        return 0

    # What a user can run into is told in one line; any other exception is a bug and keeps its traceback
    try:
        run(arguments[0], arguments[1:])
    except InputError as error:
        print("spo: error: " + "; ".join(str(error).splitlines()), file=sys.stderr)
        return 2
    except Stopped as stop:
        hint = f"; continue with: {resuming(arguments)}" if stop.can_resume else ""
        print(f"spo: {'error: ' if stop.status == 1 else ''}{stop}{hint}", file=sys.stderr)
        return stop.status
    except ModuleNotFoundError as error:  # a package of an extra; any other missing module is a bug
        hint = install_hint(error.name or "", EXTRAS.get(arguments[0], ""))
        if not hint:
            raise
        print(f"spo: error: spo {arguments[0]}: {hint}", file=sys.stderr)
        return 1
    except FloatingPointError as error:  # a run that diverged
        print(f"spo: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("spo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, like head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # such as a disk that is full
        print(f"spo: error: {error.strerror or error}: {error.filename}", file=sys.stderr)
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0


def resuming(arguments: Sequence[str]) -> str:
    """The command line that continues a run, as a shell takes it.

    arguments: the words of the line that began the run, without ``spo``.

    >>> resuming(["reproduce", "--only", "escape", "--out", "my results"])
    "spo reproduce --only escape --out 'my results' --resume"
    """
    words = [word for word in arguments if word != "--resume"]
    return shlex.join(["spo", *words, "--resume"])


def run(name: str, arguments: Sequence[str]) -> None:
    """Parse the arguments of command ``name`` and run it; only the module of that command is imported.

    Raises `InputError` for an unknown command and for bad input, before any work, and `SystemExit` after ``--help``.
    """
    refuse(problem(name in COMMANDS, "command", name, f"one of {', '.join(COMMANDS)}"))
    from paper_repro.cli.doubts import warnings_in_one_line
    from paper_repro.cli.parsing import parse

    command = import_module(f"paper_repro.cli.{name.replace('-', '_')}").COMMAND
    with warnings_in_one_line():
        command.run(*parse(name, command, arguments))
