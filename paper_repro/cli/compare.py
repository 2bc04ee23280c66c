"""`spo compare`: predict one training run from its start, train it, and print both."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from paper_repro.cli.command import Command, Values, options_of, refuse_values
from paper_repro.cli.doubts import say_doubts
from paper_repro.cli.output import check_output, say_written, write_table
from spo_theory.allowed import ABOVE_0, INNER_SHARE, optional, whole
from spo_theory.limits import count
from spo_theory.validation import check

if TYPE_CHECKING:
    import pandas as pd

    from paper_repro.forecast.forecast import Configuration

LEARNING_RATES = {"sgd": 0.0027, "adam": 3e-4}
"""Step sizes by optimizer at which the forecast holds."""


@dataclass(frozen=True)
class Compare:
    """Options of `spo compare`, next to those of the update rules."""

    horizon: Annotated[int, "Steps per question, H.", count()] = 4
    optimizer: Annotated[Literal["sgd", "adam"], "Plain SGD or Adam."] = "sgd"
    learning_rate: Annotated[
        float | None, "Step size; by default 0.0027 for sgd, 0.0003 for adam.", optional(ABOVE_0)
    ] = None
    updates: Annotated[int, "Updates.", count(0)] = 150
    group_size: Annotated[int, "Responses per question, G, the same for all rules.", count(2)] = 8
    start_accuracy: Annotated[float, "Probability of a right step after the warm start.", INNER_SHARE] = 0.45
    seeds: Annotated[int, "Number of seeds; each has its own warm start and its own forecast.", whole(1, 1000)] = 2
    out: Annotated[Path | None, "Also write the comparison: .csv or .parquet."] = None


def compare(values: Values, rules: dict[str, Values]) -> None:
    """Predict, train and compare one configuration; print and write the comparison.

    values: of the options of `Compare`, by name. rules: for each update rule the options given for it.
    Raises `InputError` before any work for what is not allowed.
    """
    options = Compare(**values)
    refuse_values(options)
    check_output(options.out)

    from paper_repro.forecast import comparison
    from toy_llm.cache import cache_path, check_entry
    from toy_llm.config_checks import doubts

    spec = configuration(options, rules)
    for name in spec.rules:
        spec.config(name, 0).validate()
        say_doubts(doubts(spec.config(name, 0)))
        refuse_without_forecast(spec, name)
    for seed in spec.seeds:
        start = spec.config(spec.rules[0], seed)
        check_entry(cache_path(start.warm_start().key, start.cache_dir))
    table = comparison.compare(run_with_progress(spec))
    print(table.T.to_string(header=False, float_format="{:.3f}".format))
    write_table(table, options.out)
    say_written(options.out)


def refuse_without_forecast(spec: "Configuration", name: str) -> None:
    """Raise `InputError` if rule ``name`` has no exact forecast in ``spec``, which does not depend on the warm start.

    >>> refuse_without_forecast(configuration(Compare(), {"grpo": {}}), "grpo")
    """
    from spo_theory import ReasoningChain
    from spo_theory.exact.update import prepare_squares, prepare_update

    # The engine prepares what the forecast will ask for, on a chain of the same length; nothing is evaluated
    method = spec.config(name, 0).make_rule()
    chain = ReasoningChain(step_success=[spec.start_accuracy] * spec.horizon)
    inner = method.sampler.inner_updates
    prepare_update(chain, method, padded=True, off_policy=inner > 1)
    if spec.optimizer == "adam":
        check(inner == 1, "inner_updates", inner, "1 with Adam: the noise of its gradient is known on fresh groups")
        prepare_squares(chain, method, padded=True)


def configuration(options: Compare, rules: dict[str, Values]) -> "Configuration":
    """What is predicted and trained; without a learning rate the one at which the forecast holds is taken.

    >>> configuration(Compare(optimizer="adam", seeds=3), {"grpo": {}, "spo": {"gamma": 0.2}}).rule_options
    (('spo', 'gamma', 0.2),)
    """
    from paper_repro.forecast.forecast import Configuration

    # Every rule is given the same setting; what was given for one rule alone stays with its name
    default_rate = LEARNING_RATES[options.optimizer]
    return Configuration(
        name=f"H{options.horizon}-{options.optimizer}",
        horizon=options.horizon,
        optimizer=options.optimizer,
        learning_rate=default_rate if options.learning_rate is None else options.learning_rate,
        updates=options.updates,
        start_accuracy=options.start_accuracy,
        seeds=tuple(range(options.seeds)),
        rules=tuple(rules),
        group_size=options.group_size,
        rule_options=tuple((name, *pair) for name, given in rules.items() for pair in given.items()),
    )


def run_with_progress(spec: "Configuration") -> "pd.DataFrame":
    """Forecast and train every seed under a progress bar.

    Returns the rows of both, with the columns of the table of curves, as `comparison.compare` takes them.
    """
    import pandas as pd
    from tqdm import tqdm

    from paper_repro.forecast import forecast

    # A seed's forecast comes first: it needs the warm start alone and knows nothing of the training
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
    return pd.concat(frames, ignore_index=True)


COMMAND = Command(
    "Predict one training run from the warm-started network alone, train it, and print predicted and measured "
    "updates to half success. Example: spo compare --horizon 4 --optimizer sgd --out comparison.csv",
    lambda: {"": options_of(Compare)},
    compare,
    chooses="rules",
    rules=("grpo", "spo"),
)
