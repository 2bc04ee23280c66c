"""`spo train`: train one configuration, with one or several seeds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_origin, get_type_hints

from paper_repro.cli.command import Boxes, Command, Stopped, Values, options_of, refuse_values
from paper_repro.cli.doubts import jumps, say_doubts
from paper_repro.cli.output import check_output, only_writer, say_written, ten_rows, write_table
from paper_repro.cli.rules import rule_option_names
from spo_theory.allowed import several
from spo_theory.limits import SEED, WORKERS
from spo_theory.methods.registry import Option, rule

if TYPE_CHECKING:
    import pandas as pd

    from toy_llm.config import TrainConfig

SHOWN = ["success", "success_exact", "all_negative", "mixed", "grad_norm", "entropy", "response_length"]
"""Columns of the curve that is printed."""


@dataclass(frozen=True)
class Output:
    """Seeds, processes, and where the table goes."""

    seeds: Annotated[
        tuple[int, ...],
        "Train with each of these seeds instead of --seed; each has a checkpoint of its own.",
        several(SEED, least=0),
    ] = ()
    workers: Annotated[int, "Processes that share the seeds; a single run stays in this process.", WORKERS] = 2
    out: Annotated[
        Path | None,
        "Write the table here: .csv (a row is added after every update) or .parquet (at the end; rows wait in a .csv).",
    ] = None


def train_boxes() -> Boxes:
    """The options of `spo train`, those of update rules left out.

    The settings of a training run stand in one box per group, seeds and output in the last one.
    """
    from toy_llm.config import TrainConfig, settings

    hints = get_type_hints(TrainConfig)
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    boxes: Boxes = {}
    for name, setting in settings().items():
        if setting.group not in ("hidden", "update rule") and name not in rule_option_names():
            listed = get_origin(hints[name]) is Literal or hints[name] is bool
            text = setting.text if listed else f"{setting.text.removesuffix('.')} ({setting.allowed.words})."
            boxes.setdefault(setting.group, []).append(Option(name, hints[name], defaults[name], text))
    return {**boxes, "output": options_of(Output)}


def train(values: Values, rules: dict[str, Values]) -> None:
    """Train, print how it went and write the table.

    values: of all options but those of the update rule, by name. rules: for that rule the options given for it.
    Raises `InputError` before any work for what is not allowed, and `Stopped` if the run fails.
    """
    from toy_llm.config_checks import doubts
    from toy_llm.training.seeds import for_seed, restored

    # All faults are told together, before anything is written
    output = Output(**{field.name: values[field.name] for field in fields(Output)})
    settings = {name: value for name, value in values.items() if name not in vars(output)}
    config = train_config(settings, rules)
    seeds = output.seeds or (config.seed,)
    refuse_values(output, config.problems())
    check_output(output.out)
    config.validate()
    configs = [for_seed(config, seed, len(seeds) > 1) for seed in seeds]
    check_files(configs, output.out)

    # The warm start is made once here, not by every seed
    say_doubts(doubts(config))
    with only_writer([("out", rows_file(output.out)), *(("checkpoint", one.checkpoint) for one in configs)]):
        kept = restored(configs)
        prepare_start(configs)
        started = time.perf_counter()
        table = train_or_say_how_to_continue(configs, kept, output)
        seconds = time.perf_counter() - started

    # Updates that were there before a resume took no time now, so the rate leaves them out
    jumped = [jumps(run["success_exact"].tolist(), config.learning_rate) for _, run in table.groupby("seed")]
    say_doubts(dict.fromkeys(line for lines in jumped for line in lines))
    print(ten_rows(table.groupby("step", as_index=False)[SHOWN].mean()))
    new = len(table) - len(kept)
    rate = new * config.questions * config.group_size / seconds
    means = f"; means over seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else ""
    print(f"{new} updates in {seconds:.1f} s, {rate:,.0f} completions/s{means}")
    say_written(output.out)


def train_config(settings: Values, rules: dict[str, Values]) -> "TrainConfig":
    """The training run of the one chosen update rule; by default groups are as large as the rule's own default.

    settings: fields of `TrainConfig` by name. rules: the rule, and the options given for it.
    """
    from toy_llm.config import TrainConfig

    [(name, given)] = rules.items()
    group_size = {option.name: option.default for option in rule.options(name)}["group_size"]
    options = {"group_size": group_size, **given}
    return TrainConfig(**settings, rule=name, group_size=options.pop("group_size"), rule_options=options)


def check_files(configs: Sequence["TrainConfig"], out: Path | None) -> None:
    """Refuse files that cannot be written, and one file for two uses, before anything is written.

    configs: one run per seed, each with its own checkpoint. Raises `InputError`.
    """
    from toy_llm.files import check_different, check_file

    checkpoints = [("checkpoint", config.checkpoint) for config in configs]
    for name, path in checkpoints:
        check_file(name, path)
    growing = rows_file(out)
    check_file("out", growing)
    check_different([("out", out), *checkpoints])
    check_different([("out", growing), *checkpoints])


def prepare_start(configs: Sequence["TrainConfig"]) -> None:
    """Make the warm start and the judge, which takes minutes the first time, under progress bars of their own.

    configs: one run per seed. Raises `InputError` if something cannot be kept in the cache that training will need.
    """
    from toy_llm.cache import check_entry
    from toy_llm.training.loop import make_judge, make_policy
    from toy_llm.training.offline import stored_path

    shown = replace(configs[0], progress=True)
    policy = make_policy(shown)
    judge = make_judge(shown, policy.task)
    for config in configs:
        if config.mode == "offline":
            check_entry(stored_path(config, policy, judge))


def train_or_say_how_to_continue(
    configs: Sequence["TrainConfig"], kept: Sequence[dict[str, float]], output: Output
) -> "pd.DataFrame":
    """`train_with_progress`, whose failures become `Stopped`: only what is lost by them can be continued."""
    from toy_llm.training.seeds import WorkerLost

    try:
        return train_with_progress(configs, kept, output)
    except WorkerLost as error:
        raise stopped(str(error), configs[0]) from None
    except OSError as error:
        waiting = rows_file(output.out)
        rows = f"; its rows are in {waiting}" if waiting != output.out and waiting and waiting.exists() else ""
        raise stopped(f"{error.strerror or error}: {error.filename or output.out}{rows}", configs[0]) from None
    except KeyboardInterrupt:
        raise stopped("interrupted", configs[0], status=130) from None


def train_with_progress(
    configs: Sequence["TrainConfig"], kept: Sequence[dict[str, float]], output: Output
) -> "pd.DataFrame":
    """Train all seeds under a progress bar; the table of ``kept`` rows and new ones grows on disk as it goes.

    Returns it in the order of seeds and updates. Raises `OSError` and `WorkerLost`.
    """
    import pandas as pd
    from tqdm import tqdm

    from toy_llm.training.seeds import train_seeds

    # A .csv holds every row as soon as it is there, so that a failure loses little
    rows = list(kept)
    log = TableLog(output.out)
    latest = {row["seed"]: row for row in rows}
    total = len(configs) * (configs[0].updates + 1)
    with tqdm(total=total, initial=len(rows), desc=configs[0].rule, unit="update") as bar:
        for row in train_seeds(configs, output.workers):
            rows.append(row)
            log.write(rows)
            latest[row["seed"]] = row
            success = mean_of(latest, "success_exact")
            stuck = mean_of(latest, "all_negative")
            bar.set_postfix_str(f"success {success:.3f}, all-negative {stuck:.3f}")
            bar.update()

    # Seeds run side by side, so their rows arrive mixed
    table = pd.DataFrame(rows).sort_values(["seed", "step"], ignore_index=True)
    log.finish(table)
    return table


def mean_of(latest: dict[float, dict[str, float]], column: str) -> float:
    """Mean of a column over the latest rows of the seeds.

    >>> mean_of({0: {"success": 0.25}, 1: {"success": 0.75}}, "success")
    0.5
    """
    return sum(row[column] for row in latest.values()) / len(latest)


class TableLog:
    """A table that grows with the run, in `rows_file`. What is in it already is never lost, also if the disk is full.

    out: the file of the whole table, None for no file.
    """

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.file = rows_file(out)
        self.begun = False

    def write(self, rows: Sequence[dict[str, float]]) -> None:
        """Make the file hold ``rows``: the first call replaces an old one, later ones append the last row."""
        if self.file is None:
            return
        import pandas as pd

        from toy_llm.files import append_whole

        if self.begun:
            append_whole(self.file, pd.DataFrame([rows[-1]]).to_csv(index=False, header=False).encode())
        else:
            write_table(pd.DataFrame(rows), self.file)
            self.begun = True

    def finish(self, table: "pd.DataFrame") -> None:
        """Write the whole table, and drop the growing one if that is another file."""
        write_table(table, self.out)
        if self.file is not None and self.file != self.out:
            self.file.unlink(missing_ok=True)


def rows_file(out: Path | None) -> Path | None:
    """Where the rows of a run are kept while it goes on: Parquet is only written as a whole, so beside it.

    >>> str(rows_file(Path("run.parquet"))), str(rows_file(Path("run.csv")))
    ('run.parquet.rows.csv', 'run.csv')
    """
    return out if out is None or out.suffix == ".csv" else out.with_name(f"{out.name}.rows.csv")


def stopped(why: str, config: "TrainConfig", status: int = 1) -> Stopped:
    """The error of a run that ended early, which says whether there is something to resume."""
    can_resume = config.checkpoint is not None and config.checkpoint_every > 0
    hint = "" if can_resume else "; nothing to resume (see --checkpoint-every)"
    return Stopped(why + hint, can_resume=can_resume, status=status)


COMMAND = Command(
    "Train the tiny transformer with real GRPO (groups, clipped ratio, step judge), on chained arithmetic or on "
    "--suites of problems with free-form responses, from a warm start that is cached (for suites the first one "
    "takes a minute or more). Prints the curve; --out keeps every metric of every update. Example: "
    "spo train --horizon 4 --rule grpo --updates 100 --out run.csv; or "
    "spo train --suites add nested --start-accuracy 0.6 --optimizer adamw --learning-rate 3e-4 --updates 80",
    train_boxes,
    train,
    chooses="rule",
)
