"""`spo evaluate`: measure trained checkpoints on suites of problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from paper_repro.cli.command import Command, Values, options_of, refuse_values
from paper_repro.cli.output import check_output, say_written, write_table
from spo_theory.allowed import several
from spo_theory.limits import SEED, TEMPERATURE, count
from spo_theory.methods.registry import rule
from spo_theory.validation import problem, refuse
from toy_llm.files import check_different

if TYPE_CHECKING:
    import pandas as pd

    from toy_llm.evaluation.spec import Evaluation


@dataclass(frozen=True)
class Evaluate:
    """Options of `spo evaluate`."""

    checkpoints: Annotated[
        tuple[Path, ...], "Files that `spo train --checkpoint` wrote, one for each seed of one configuration."
    ]
    suites: Annotated[
        tuple[str, ...],
        "Suites to measure on, also held-out ones (default: all ten, or the run's own problems if it has no suites).",
    ] = ()
    questions: Annotated[int, "Questions of each suite, the same for all checkpoints.", count(2)] = 256
    samples: Annotated[int, "Responses to each question, a multiple of group-size.", count()] = 64
    ks: Annotated[tuple[int, ...], "The k of pass@k, at most samples.", several(count())] = (1, 2, 4, 8, 16, 32, 64)
    group_size: Annotated[int, "Responses in a group, for the shares of groups.", count(2)] = 8
    temperature: Annotated[float, "Sampling temperature.", TEMPERATURE] = 1.0
    seed: Annotated[int, "Seed of the questions and of the sampling.", SEED] = 0
    out: Annotated[Path | None, "Also write the table: .csv or .parquet."] = None


def evaluate(values: Values) -> None:
    """Measure trained policies on suites, print the main numbers and write the whole table.

    values: of the options of `Evaluate`, by name. Raises `InputError` before any work for what is not allowed.
    """
    # All checks come first, because measuring takes minutes
    options = Evaluate(**values)
    refuse_values(options)
    check_output(options.out)
    for path in options.checkpoints:
        check_different([("checkpoints", path), ("out", options.out)])
    how = evaluation(options)
    policies = load_policies(options, how)

    # These load slowly, so bad input is refused without them
    import pandas as pd
    from tqdm import tqdm

    from toy_llm.evaluation import evaluate as measure

    # A suite takes its time, so the bar says which one is being measured
    frames = []
    for name in (bar := tqdm(policies, unit="suite")):
        bar.set_postfix_str(name)
        frames.append(measure(policies[name], name, how))
    table = pd.concat(frames, ignore_index=True)

    # Pivoting sorts the suites; they are shown in the order in which they were asked for
    print(main_numbers(table, max(options.ks)).reindex(list(policies)).to_string())
    print(f"{how.confidence:.0%} bootstrap over {len(options.checkpoints)} seeds and {options.questions} questions")
    write_table(table, options.out)
    say_written(options.out)


def evaluation(options: Evaluate) -> "Evaluation":
    """How to measure, from the options; GRPO serves only for the size of the groups.

    Raises `InputError` for a group size that is not allowed; the other values are checked by `load_policies`.
    """
    from toy_llm.evaluation import Evaluation

    names = ("questions", "samples", "ks", "temperature", "seed")
    grouping = rule("grpo", group_size=options.group_size)
    return Evaluation(update_rule=grouping, **{name: getattr(options, name) for name in names})


def load_policies(options: Evaluate, how: "Evaluation") -> dict[str, list[Any]]:
    """For every suite, by name, its policies: one for each checkpoint.

    how: from `evaluation`. Without suites among the options or in the run, the run's own problems are the only suite.
    Raises `InputError` for values that cannot be measured, for unknown suites, and for checkpoints that are not seeds
    of one configuration.
    """
    from toy_llm.problems.suites import SUITES, names_problems, suite
    from toy_llm.training import checkpoint
    from toy_llm.training.policies import load_policy

    # Intervals are over seeds, so nothing else may differ; all faults are told at once
    lines = how.problems() + (names_problems(options.suites) if options.suites else [])
    runs = [checkpoint.read(path).config for path in options.checkpoints]
    for path, run in zip(options.checkpoints, runs, strict=True):
        differs = [key for key in run if key not in ("seed", "start_seed") and run[key] != runs[0].get(key)]
        lines += problem(not differs, "checkpoints", str(path), f"of the first one's configuration, but for {differs}")
    lines += repeated_seeds(options.checkpoints, runs) + what_a_table_cannot(options, runs[0])
    refuse(lines)

    # Without a choice: all suites for a run on suites, else the problems that it was trained on
    names = options.suites or (SUITES if runs[0]["suites"] else ())
    tasks = {name: suite(name) for name in names}
    if tasks:
        return {name: [load_policy(path, task) for path in options.checkpoints] for name, task in tasks.items()}

    own = [load_policy(path) for path in options.checkpoints]
    return {own[0].task.name: own}


def repeated_seeds(paths: Sequence[Path], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for every checkpoint whose run was given already: it would count as another seed.

    paths, runs: the files and the settings in them, by name.

    >>> repeated_seeds([Path("a.pt"), Path("b.pt")], [{"seed": 0, "start_seed": 0}, {"seed": 1, "start_seed": 0}])
    []
    """
    lines = []
    first: dict[Any, Path] = {}
    for path, run in zip(paths, runs, strict=True):
        seed = (run["seed"], run["start_seed"])
        allowed = f"of different seeds: seed {run['seed']} is there already ({first.get(seed)})"
        lines += problem(seed not in first, "checkpoints", str(path), allowed)
        first.setdefault(seed, path)
    return lines


def what_a_table_cannot(options: Evaluate, run: Mapping[str, Any]) -> list[str]:
    """Lines for what has no meaning for a tabular policy: other problems than its own, and a temperature.

    run: the settings of the first checkpoint.

    >>> what_a_table_cannot(Evaluate(checkpoints=(), temperature=2.0), {"policy": "tabular"})
    ['temperature = 2.0 is not allowed: temperature must be 1.0 for a tabular policy']
    """
    if run["policy"] != "tabular":
        return []
    lines = problem(options.temperature == 1, "temperature", options.temperature, "1.0 for a tabular policy")
    return lines + problem(not options.suites, "suites", options.suites, "left out for a tabular policy")


def main_numbers(table: "pd.DataFrame", most: int) -> "pd.DataFrame":
    """Success, all-negative groups, length and pass@``most`` with their intervals as text.

    table: one row per suite and metric, with the columns suite, metric, k (missing but for pass@k), value, low, high.
    most: the k of the pass@k that is shown. Returns one row per suite and one column per metric.
    """
    # Of the many rows only those that fit on a screen; pass@k has a row for every k
    main = table["metric"].isin(["success", "all_negative", "response_length"]) | (table["k"] == most)
    shown = table[main]
    label = shown["metric"].where(shown["k"].isna(), "pass@" + shown["k"].astype(str))

    # A value and its interval stand in one cell
    intervals = [
        f"{value:.3f} ({low:.3f} to {high:.3f})"
        for value, low, high in zip(shown["value"], shown["low"], shown["high"], strict=True)
    ]
    named = shown.assign(metric=label, interval=intervals)
    wide = named.pivot(index="suite", columns="metric", values="interval")
    return wide.rename_axis(index=None, columns=None)


COMMAND = Command(
    "Measure trained checkpoints, one for each seed, on suites: success, unbiased pass@k, accuracy per step, "
    "shares of groups, entropy and length, with bootstrap intervals over seeds and questions. "
    "Example: spo evaluate --checkpoints run-seed0.pt run-seed1.pt --suites add longer --out table.csv",
    lambda: {"": options_of(Evaluate)},
    evaluate,
)
