"""The command line: `spo theory`, `train`, `evaluate`, `compare`, `reproduce`. Heavy imports wait for their command."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, fields, make_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from spo_theory.validation import InputError, check, problem, refuse

HELP = """\
usage: spo COMMAND [OPTIONS]          (or: python -m paper_repro COMMAND [OPTIONS])

Exact learning dynamics of GRPO and of coloured GRPO (SPO), checked against a tiny transformer trained for real.

commands:
  theory      solve the exact dynamics of a reasoning chain
  train       train the tiny transformer with real GRPO
  evaluate    measure trained checkpoints: success, pass@k, steps, lengths, with intervals
  compare     predict one training run from its start, train it, and print both
  reproduce   run every experiment and write the report

examples:
  spo theory --step-success 0.3 --horizon 6 --rule spo --steps 60
  spo train --horizon 4 --rule grpo --updates 100 --out run.csv
  spo train --suites add nested --rule spo_prefix --optimizer adamw --checkpoint run.pt
  spo evaluate --checkpoints run.pt --suites add longer
  spo compare --horizon 4 --optimizer sgd
  spo reproduce --quick --out out-quick

`spo COMMAND --help` explains a command and its options.
"""


@dataclass(frozen=True)
class Theory:
    """Arguments of `spo theory`."""

    step_success: tuple[float, ...]
    """Probability that each step is right at the start, strictly between 0 and 1; one value is used for all steps."""
    horizon: int | None = None
    """Steps per question, H (default: as many as step-success has values)."""
    rule: str = "spo"
    """Update rule: grpo, spo or dr_grpo."""
    group_size: int = 8
    """Responses per question, G, at least 2."""
    beta: float | None = None
    """Slope of the colouring, above 0 (spo only; default: the paper's 10)."""
    gamma: float | None = None
    """RTS that earns half a reward (spo only; default: the paper's 0.5)."""
    scope: str | None = None
    """Which groups are coloured: all_negative or all_incorrect (spo only; default: all_negative)."""
    steps: int = 100
    """Updates."""
    learning_rate: float = 1.0
    """Multiplies the expected update."""
    out: Path | None = None
    """Also write the curve: .csv, .parquet, or .png for a picture."""


@dataclass(frozen=True)
class Evaluate:
    """Arguments of `spo evaluate`."""

    checkpoints: tuple[Path, ...]
    """Files that `spo train --checkpoint` wrote, one for each seed of one configuration."""
    suites: tuple[str, ...] = ()
    """Suites to measure on, also held-out ones (default: all ten, or the run's own problems if it has no suites)."""
    questions: int = 256
    """Questions of each suite, the same for all checkpoints, at least 2."""
    samples: int = 64
    """Responses to each question, a multiple of group-size."""
    ks: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    """The k of pass@k, at most samples."""
    group_size: int = 8
    """Responses in a group, for the shares of groups, at least 2."""
    temperature: float = 1.0
    """Sampling temperature, above 0."""
    seed: int = 0
    """Seed of the questions and of the sampling."""
    out: Path | None = None
    """Also write the table: .csv or .parquet."""


@dataclass(frozen=True)
class Compare:
    """Arguments of `spo compare`."""

    horizon: int = 4
    """Steps per question, H."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """Plain SGD or Adam."""
    rules: tuple[str, ...] = ("grpo", "spo")
    """Update rules."""
    learning_rate: float | None = None
    """Step size (default: 0.003 for sgd, 0.0003 for adam)."""
    updates: int = 150
    """Updates."""
    group_size: int = 8
    """Responses per question, G, at least 2."""
    start_accuracy: float = 0.45
    """Probability of a right step after the warm start, strictly between 0 and 1."""
    seeds: int = 2
    """Number of seeds; each has its own warm start and its own forecast."""
    out: Path | None = None
    """Also write the comparison: .csv or .parquet."""


@dataclass(frozen=True)
class Reproduce:
    """Arguments of `spo reproduce`."""

    quick: bool = False
    """Short runs with few seeds: under three minutes, to see that everything works."""
    only: tuple[str, ...] = ()
    """Run these studies only."""
    out: Path = Path("out")
    """Where everything is written."""
    resume: bool = False
    """Keep finished jobs and continue; without it the experiments start over."""
    workers: int = 2
    """Worker processes, one thread each."""


@dataclass(frozen=True)
class Command:
    """One subcommand: what ``--help`` says, its options, and what it does with them.

    ``options``: a function that returns the dataclass whose fields are the options (and imports what it needs).
    """

    description: str
    options: Callable[[], type]
    run: Callable[[Any], None]


def writable_table(out: Path | None, suffixes: Sequence[str] = (".csv", ".parquet")) -> None:
    """Refuse, before any work, an output file of unknown kind or in a directory that cannot be written."""
    if out is None:
        return
    check(out.suffix in suffixes, "out", str(out), f"a file ending in {', '.join(suffixes)}")
    existed = out.exists()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with open(out, "ab"):
            pass
        if not existed:
            out.unlink()
    except OSError as error:
        check(False, "out", str(out), f"a file that can be written ({error.strerror or error})")


def write_table(table: Any, out: Path | None) -> None:
    """Write a data frame by its suffix and say so."""
    if out is None:
        return
    if out.suffix == ".csv":
        table.to_csv(out, index=False)
    else:
        table.to_parquet(out, index=False)
    print(f"written: {out}")


def theory(options: Theory) -> None:
    """Solve a chain and print its classes and its curve."""
    horizon = options.horizon
    check(horizon is None or horizon >= 1, "horizon", horizon, "a whole number, at least 1")
    success = options.step_success
    if horizon is not None:
        n = len(success)
        check(n in (1, horizon), "step-success", list(success), f"one value, or one for each of {horizon} steps")
        success = success * horizon if n == 1 else success
    bad = [q for q in success if not 0 < q < 1]
    check(not bad, "step_success", bad, "strictly between 0 and 1")
    check(bool(success), "step_success", list(success), "at least one value")
    from spo_theory.methods.registry import rule

    given = {k: getattr(options, k) for k in ("beta", "gamma", "scope") if getattr(options, k) is not None}
    r = rule(options.rule, group_size=options.group_size, **given)
    writable_table(options.out, (".csv", ".parquet", ".png"))

    import pandas as pd

    from spo_theory import ReasoningChain, solve
    from spo_theory.dynamics.maps import updates_to
    from spo_theory.exact.update import rule_advantage_function

    chain = ReasoningChain(step_success=success)
    curve = solve(chain, r, steps=options.steps, learning_rate=options.learning_rate)
    classes = pd.DataFrame(
        {
            "right steps before the first error": range(chain.horizon + 1),
            "RTS": chain.rts,
            "probability": chain.class_probs,
            "expected advantage": rule_advantage_function(r, chain.rts)(chain.class_probs),
        }
    )
    print(f"{r.name}, G = {r.group_size}, H = {chain.horizon}; {r.colouring or 'no colouring'}\n")
    print(classes.to_string(index=False, float_format="{:.4f}".format))
    shown = sorted({round(i * options.steps / 10) for i in range(11)})
    print(f"\nexact curve, learning rate {options.learning_rate:g}:")
    print(curve.iloc[shown].to_string(index=False, float_format="{:.4f}".format))
    half = updates_to(curve)
    print(f"\nupdates to half success: {half:.1f}" if half == half else "\nhalf success is not reached")
    if options.out is not None and options.out.suffix == ".png":
        from figures.curve import draw
        from figures.style import save_png

        save_png(draw(curve, r.name, f"{r.name}, G = {r.group_size}, H = {chain.horizon}"), options.out)
        print(f"written: {options.out}")
    else:
        write_table(curve, options.out)


def train(options: Any) -> None:
    """Train one configuration, with one or several seeds, and print how it went."""
    config, output = without_output(options), options.output
    seeds = output.seeds or (config.seed,)
    lines = config.problems()
    lines += problem(all(seed >= 0 for seed in seeds), "seeds", list(seeds), "whole numbers, at least 0")
    lines += problem(len(set(seeds)) == len(seeds), "seeds", list(seeds), "different from one another")
    lines += problem(output.workers >= 1, "workers", output.workers, "a whole number, at least 1")
    refuse(lines)
    writable_table(output.out)
    config.validate()
    import time

    import pandas as pd
    from tqdm import tqdm

    from toy_llm.training.loop import make_judge, make_policy
    from toy_llm.training.seeds import WorkerLost, for_seed, restored, train_seeds

    configs = [for_seed(config, seed, len(seeds) > 1) for seed in seeds]
    rows = restored(configs)
    shown = replace(config, progress=True)
    make_judge(shown, make_policy(shown).task)  # what takes minutes the first time shows its progress
    log, begun, new = TableLog(output.out), time.perf_counter(), 0
    try:
        with tqdm(total=len(configs) * (config.updates + 1), initial=len(rows), desc=config.rule, unit="update") as bar:
            latest = {row["seed"]: row for row in rows}
            for row in train_seeds(configs, output.workers):
                rows.append(row)
                log.write(rows)
                new += 1
                latest[row["seed"]] = row
                success, stuck = (
                    sum(r[c] for r in latest.values()) / len(latest) for c in ("success_exact", "all_negative")
                )
                bar.set_postfix_str(f"success {success:.3f}, all-negative {stuck:.3f}")
                bar.update()
        seconds = time.perf_counter() - begun
        table = pd.DataFrame(rows).sort_values(["seed", "step"], ignore_index=True)
        log.finish(table)
    except (OSError, WorkerLost) as error:
        text = error if isinstance(error, WorkerLost) else f"{error.strerror or error}: {error.filename or output.out}"
        print(f"spo: error: {text}{_how_to_continue(config)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f"spo: stopped{_how_to_continue(config)}", file=sys.stderr)
        raise
    names = ["success", "success_exact", "all_negative", "mixed", "grad_norm", "entropy", "response_length"]
    mean = table.groupby("step", as_index=False)[names].mean()
    shown = sorted({round(i * (len(mean) - 1) / 10) for i in range(11)})
    print(mean.iloc[shown].to_string(index=False, float_format="{:.4f}".format))
    rate = new * config.questions * config.group_size / seconds
    said = f"{new} updates in {seconds:.1f} s, {rate:,.0f} completions/s"
    print(said + (f"; means over seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else ""))
    if output.out is not None:
        print(f"written: {output.out}")


class TableLog:
    """A table that grows with the run. What is in the file already is never lost, also if the disk is full."""

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.begun = False

    def write(self, rows: Sequence[dict[str, float]]) -> None:
        """Make a .csv hold ``rows``: the first call replaces an old file, later ones append the last row."""
        if self.out is None or self.out.suffix != ".csv":
            return
        import pandas as pd

        if self.begun:
            with open(self.out, "a", encoding="utf-8") as file:
                file.write(pd.DataFrame([rows[-1]]).to_csv(index=False, header=False))
        else:
            self.finish(pd.DataFrame(rows))
            self.begun = True

    def finish(self, table: Any) -> None:
        """Replace the file by the whole table."""
        if self.out is None:
            return
        from toy_llm.files import write_atomic

        csv = self.out.suffix == ".csv"
        write_atomic(self.out, table.to_csv(index=False).encode() if csv else table.to_parquet(index=False))


def _how_to_continue(config: Any) -> str:
    kept = config.checkpoint is not None and config.checkpoint_every > 0
    return "; continue with the same command and --resume" if kept else "; nothing to resume (see --checkpoint-every)"


def evaluate(options: Evaluate) -> None:
    """Measure trained policies on suites and print the main numbers."""
    check(bool(options.checkpoints), "checkpoints", list(map(str, options.checkpoints)), "at least one file")
    from spo_theory.methods.registry import rule
    from toy_llm.evaluation import Evaluation
    from toy_llm.evaluation import evaluate as measure
    from toy_llm.problems.suites import SUITES, names_problems, suite
    from toy_llm.training import checkpoint
    from toy_llm.training.loop import load_policy

    names = ("questions", "samples", "ks", "temperature", "seed")
    how = Evaluation(update_rule=rule("grpo", group_size=options.group_size), **{n: getattr(options, n) for n in names})
    lines = how.problems() + (names_problems(options.suites) if options.suites else [])
    runs = [checkpoint.read(path).config for path in options.checkpoints]
    for path, run in zip(options.checkpoints, runs, strict=True):
        differs = [k for k in run if k not in ("seed", "start_seed") and run[k] != runs[0].get(k)]
        lines += problem(not differs, "checkpoints", str(path), f"of the first one's configuration, but for {differs}")
    refuse(lines)
    tasks = {n: suite(n) for n in options.suites or (SUITES if runs[0]["suites"] else ())}
    policies = {n: [load_policy(path, task) for path in options.checkpoints] for n, task in tasks.items()}
    if not policies:
        own = [load_policy(path) for path in options.checkpoints]
        policies = {own[0].task.name: own}
    writable_table(options.out)
    import pandas as pd
    from tqdm import tqdm

    frames = []
    for name in (bar := tqdm(policies, unit="suite")):
        bar.set_postfix_str(name)
        frames.append(measure(policies[name], name, how))
    table = pd.concat(frames, ignore_index=True)
    table["value (interval)"] = [
        f"{value:.3f} ({low:.3f} to {high:.3f})"
        for value, low, high in zip(table["value"], table["low"], table["high"], strict=True)
    ]
    shown = table[
        table["metric"].isin(["success", "all_negative", "response_length"]) | (table["k"] == max(options.ks))
    ]
    label = shown["metric"].where(shown["k"].isna(), "pass@" + shown["k"].astype(str))
    wide = shown.assign(metric=label).pivot(index="suite", columns="metric", values="value (interval)")
    print(wide.reindex(list(policies)).rename_axis(index=None, columns=None).to_string())
    print(f"{how.confidence:.0%} bootstrap over {len(options.checkpoints)} seeds and {options.questions} questions")
    write_table(table.drop(columns="value (interval)"), options.out)


def compare(options: Compare) -> None:
    """Predict, train and compare one configuration."""
    check(options.seeds >= 1, "seeds", options.seeds, "a whole number, at least 1")
    writable_table(options.out)
    import pandas as pd
    from tqdm import tqdm

    from paper_repro.forecast import comparison, forecast

    rate = {"sgd": 0.0027, "adam": 3e-4}[options.optimizer] if options.learning_rate is None else options.learning_rate
    spec = forecast.Configuration(
        name=f"H{options.horizon}-{options.optimizer}",
        horizon=options.horizon,
        optimizer=options.optimizer,
        learning_rate=rate,
        updates=options.updates,
        start_accuracy=options.start_accuracy,
        seeds=tuple(range(options.seeds)),
        rules=options.rules,
        group_size=options.group_size,
    )
    for name in spec.rules:
        spec.config(name, 0).validate()
    frames = []
    with tqdm(total=len(spec.seeds) * (1 + len(spec.rules)), unit="step") as bar:
        for seed in spec.seeds:
            bar.set_postfix_str(f"seed {seed}: warm start and forecast")
            frames.append(forecast.forecast(spec, seed))
            bar.update()
            for name in spec.rules:
                bar.set_postfix_str(f"seed {seed}: training with {name}")
                frames.append(forecast.train_network(spec, name, seed))
                bar.update()
    table = comparison.compare(pd.concat(frames, ignore_index=True))
    print(table.T.to_string(header=False, float_format="{:.3f}".format))
    write_table(table, options.out)


def reproduce(options: Reproduce) -> None:
    """Run the experiments and write the report."""
    from paper_repro.jobs.pool import JobError
    from paper_repro.reproduce import reproduce as run
    from paper_repro.reproduce import say

    again = f"spo reproduce{' --quick' if options.quick else ''} --resume --out {options.out}"
    try:
        report = run(
            options.out, quick=options.quick, only=options.only, resume=options.resume, workers=options.workers
        )
    except KeyboardInterrupt:
        say(f"spo: interrupted. Finished jobs are kept; continue with: {again}")
        raise SystemExit(130) from None
    except JobError as error:
        where = options.out / "error.txt"
        with contextlib.suppress(OSError):
            where.write_text(error.detail, encoding="utf-8")
        say(f"spo: error: {error}")
        say(f"Finished jobs are kept; details: {where}; continue with: {again}")
        raise SystemExit(1) from None
    except OSError as error:
        say(f"spo: error: cannot write {error.filename or options.out}: {error.strerror or error}")
        say(f"Finished jobs are kept; continue with: {again}")
        raise SystemExit(1) from None
    print(f"report: {report}")


def _reproduce_options() -> type:
    """The options of `spo reproduce`; the help of ``only`` names the studies that the folder holds."""
    from typing import Annotated

    from tyro.conf import arg

    from paper_repro.studies.study import study_names

    listed = arg(help=f"Run these studies only: {', '.join(study_names())}.")
    only = ("only", Annotated[tuple[str, ...], listed], ())
    return make_dataclass("ReproduceOptions", [only], bases=(Reproduce,), frozen=True)


def _train_options() -> type:
    from toy_llm.config import TrainConfig, settings

    return with_output(TrainConfig, settings())


COMMANDS = {
    "theory": Command(
        "Solve the exact learning dynamics of a chain of reasoning steps: no sampling, nothing fitted. "
        "Prints what each outcome class earns and the curve of success over updates. "
        "Example: spo theory --step-success 0.3 --horizon 6 --rule spo --steps 60 --out curve.png",
        lambda: Theory,
        theory,
    ),
    "train": Command(
        "Train the tiny transformer with real GRPO (groups, clipped ratio, step judge), on chained arithmetic or on "
        "--suites of problems with free-form responses, from a warm start that is cached (for suites the first one "
        "takes a minute or more). Prints the curve; --out keeps every metric of every update. Example: "
        "spo train --horizon 4 --rule grpo --updates 100 --out run.csv; or "
        "spo train --suites add nested --start-accuracy 0.6 --optimizer adamw --learning-rate 3e-4 --updates 80",
        _train_options,
        train,
    ),
    "evaluate": Command(
        "Measure trained checkpoints, one for each seed, on suites: success, unbiased pass@k, accuracy per step, "
        "shares of groups, entropy and length, with bootstrap intervals over seeds and questions. "
        "Example: spo evaluate --checkpoints run-seed0.pt run-seed1.pt --suites add longer --out table.csv",
        lambda: Evaluate,
        evaluate,
    ),
    "compare": Command(
        "Predict one training run from the warm-started network alone, train it, and print predicted and measured "
        "updates to half success. Example: spo compare --horizon 4 --optimizer sgd --out comparison.csv",
        lambda: Compare,
        compare,
    ),
    "reproduce": Command(
        "Run every experiment and write tables, figures, the table of the paper's claims and report.html. "
        "Kill it whenever you like: --resume continues without repeating finished jobs. "
        "Example: spo reproduce --quick --out out-quick",
        _reproduce_options,
        reproduce,
    ),
}


def parse(name: str, arguments: Sequence[str]) -> Any:
    """Parse the options of command ``name`` into its dataclass. Raises `InputError` in one line."""
    import tyro

    command = COMMANDS[name]
    kind = command.options()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                prog=f"spo {name}",
                description=command.description,
                args=list(arguments),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise InputError(_one_line(said.getvalue()) + f" (see spo {name} --help)") from None


def _one_line(box: str) -> str:
    """The message inside the parser's error box: the first block of text below its title."""
    message: list[str] = []
    for line in box.strip().splitlines()[1:]:
        text = line.strip(" │╭╮╰╯")
        if text.strip("-─ "):
            message.append(text)
        elif message:
            break
    return " ".join(message)


@dataclass(frozen=True)
class Output:
    """Seeds, processes, and where the table goes."""

    seeds: tuple[int, ...] = ()
    """Train with each of these seeds instead of --seed; each has a checkpoint of its own."""
    workers: int = 2
    """Processes that share the seeds, one thread each (at least 1); a single run stays in this process."""
    out: Path | None = None
    """Write the table here: .csv (a row is added after every update) or .parquet (at the end)."""


def with_output(kind: type, about: Any) -> type:
    """The options of ``kind`` in one box per group, and one more box for seeds and output.

    ``about``: for each field its group, a sentence and the allowed values, see `toy_llm.config.settings`.
    """
    from typing import Annotated, get_type_hints

    from tyro.conf import OmitArgPrefixes, arg

    from spo_theory.methods.registry import rule

    hints = get_type_hints(kind)
    groups: dict[str, list[Any]] = {}
    for f in fields(kind):
        group, text, allowed, _ = about[f.name]
        if group != "hidden":
            listed = getattr(hints[f.name], "__origin__", None) is Literal or hints[f.name] is bool
            said = text if listed else f"{text.removesuffix('.')} ({allowed.words})."
            groups.setdefault(group, []).append((f.name, Annotated[hints[f.name], arg(help=said)], f.default))
    texts = {option.name: option.help for name in rule.names() for option in rule.options(name)}
    for name, hint in hints.items():
        if isinstance(hint, InitVar):  # an option of some update rules, which check it
            groups["update rule"].append((name, Annotated[hint.type, arg(help=texts[name])], None))
    boxes: list[Any] = []
    for group, members in groups.items():
        box = make_dataclass(group.title().replace(" ", ""), members, frozen=True)
        box.__doc__ = ""
        boxes.append((group.replace(" ", "_"), Annotated[box, OmitArgPrefixes], box()))
    boxes.append(("output", Annotated[Output, OmitArgPrefixes], Output()))
    return make_dataclass(f"{kind.__name__}Options", boxes, frozen=True)


def without_output(options: Any) -> Any:
    """The configuration inside options made by `with_output`."""
    from toy_llm.config import TrainConfig

    boxes = [getattr(options, f.name) for f in fields(options) if f.name != "output"]
    return TrainConfig(**{f.name: getattr(box, f.name) for box in boxes for f in fields(box)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for a failure, 2 for bad input, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    try:
        check(name in COMMANDS, "command", name, f"one of {', '.join(COMMANDS)}")
        COMMANDS[name].run(parse(name, rest))
    except InputError as error:
        print("spo: error: " + "; ".join(str(error).splitlines()), file=sys.stderr)
        return 2
    except FloatingPointError as error:  # a run that diverged
        print(f"spo: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("spo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, like head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0
