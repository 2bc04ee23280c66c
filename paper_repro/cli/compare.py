"""`spo compare`: predict one training run from its start, train it, and print both."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from paper_repro.cli.command import Boxes, Command, Values, options_of, refuse_values
from paper_repro.cli.doubts import say_doubts
from paper_repro.cli.output import check_output, say_written, write_table
from paper_repro.cli.train import train_boxes
from spo_theory.allowed import whole
from spo_theory.limits import count
from spo_theory.methods.registry import Option
from spo_theory.validation import check

if TYPE_CHECKING:
    import pandas as pd

    from paper_repro.forecast.configuration import Configuration

LEARNING_RATES = {"sgd": 0.02, "adam": 3e-4, "adamw": 3e-4}
"""Step sizes by optimizer at which an ordinary network of the default size learns within `DEFAULTS` updates."""
DEFAULTS = {"horizon": 4, "start_accuracy": 0.45, "updates": 90}
"""Settings of the trainer with another default here: so a comparison takes a minute."""
LEFT_OUT = {"seed", "start_seed", "checkpoint", "checkpoint_every", "resume", "noise_every", "kl_every"}
LEFT_OUT |= {"mode", "stored_batches", "device"}
"""Settings of the trainer that a comparison decides itself."""


@dataclass(frozen=True)
class Compare:
    """Options of `spo compare`, next to those of the trainer and of the update rules."""

    level: Annotated[
        Literal["chain", "kernel", "mean_field", "noisy"],
        "The forecast: the chain with its own logits; with the network's kernel at the start; the network under exact "
        "expected gradients; the same with the noise of sampled groups (take it for Adam).",
    ] = "mean_field"
    group_size: Annotated[int, "Responses per question, G, the same for all rules.", count(2)] = 8
    seeds: Annotated[int, "Warm starts; each has its own forecast.", whole(1, 1000)] = 2
    runs: Annotated[int, "Training runs from each warm start.", whole(1, 1000)] = 1
    draws: Annotated[int, "Draws of level noisy from each warm start.", whole(1, 1000)] = 4
    settings: Annotated[
        Path | None,
        "Compare the cells of this TOML file instead; of the other options only --level and --out go with it.",
    ] = None
    out: Annotated[Path | None, "Also write the comparison: .csv or .parquet."] = None


def compare_boxes() -> Boxes:
    """The options of `spo compare`: its own, then the settings of the training run that is forecast."""
    boxes = {"": options_of(Compare)}
    for box, options in train_boxes().items():
        kept = [option for option in options if box != "output" and option.name not in LEFT_OUT]
        if kept:
            boxes[box] = [_with_default(option) for option in kept]
    return boxes


def _with_default(option: Option) -> Option:
    """A setting of the trainer with the default that it has here; the step size is decided by the optimizer."""
    if option.name == "learning_rate":
        text = f"{option.help.removesuffix('.')}; by default {LEARNING_RATES} by optimizer."
        return Option(option.name, float | None, None, text)
    return option._replace(default=DEFAULTS.get(option.name, option.default))


def compare(values: Values, rules: dict[str, Values]) -> None:
    """Predict, train and compare one configuration; print and write the comparison.

    values: of the options of `Compare` and of the training run, by name. rules: for each update rule the options given
    for it. Raises `InputError` before any work for what is not allowed.
    """
    options = own_options(values)
    refuse_values(options)
    check_output(options.out)

    import pandas as pd

    from paper_repro.forecast import comparison
    from paper_repro.forecast.forecast import approximations, check_configuration
    from paper_repro.forecast.settings_file import read_settings
    from toy_llm.config_checks import doubts

    # All refusals come before the first warm start
    if options.settings is None:
        specs: tuple[Configuration, ...] = (configuration(values, rules),)
        check_configuration(specs[0], [options.level])
    else:
        refuse_beside_settings(values, rules)
        specs = read_settings(options.settings, [options.level])
    configs = [spec.config(name, 0) for spec in specs for name in spec.rules]
    for config in configs:
        say_doubts(doubts(config))

    table = comparison.compare(pd.concat([run_with_progress(spec, options.level) for spec in specs]))
    print(table.T.to_string(header=False, float_format="{:.3f}".format))
    updates = {spec.name: spec.base.updates for spec in specs}
    for row in table.to_dict("records"):
        for which in ("measured", "predicted"):
            if pd.isna(row[f"{which}_half"]):
                where = f"{row['experiment']}, {row['rule']}, {which}"
                short = f"half success is not reached within {updates[row['experiment']]} updates"
                print(f"{where}: {short}; give more --updates")
    if options.level == "mean_field":
        for text in {text for config in configs for text in approximations(config).values()}:
            print(f"approximate at level mean_field: {text}")
    write_table(table, options.out)
    say_written(options.out)


def refuse_beside_settings(values: Values, rules: dict[str, Values]) -> None:
    """Raise `InputError` for an option that a file of settings would leave without effect; arguments of `compare`."""
    defaults = {option.name: option.default for box in compare_boxes().values() for option in box}
    for name, value in values.items():
        is_free = name in ("settings", "level", "out") or value == defaults[name]
        check(is_free, name, value, "given in the file of settings, not beside it")
    given = (tuple(rules), any(rules.values()))
    check(given == (COMMAND.rules, False), "rules", " ".join(rules), "given in the file of settings, not beside it")


def own_options(values: Values) -> Compare:
    """The options of `Compare` among ``values``, by name; those that are missing have their defaults.

    >>> own_options({"seeds": 3, "horizon": 4}).seeds
    3
    """
    return Compare(**{field.name: values[field.name] for field in fields(Compare) if field.name in values})


def configuration(values: Values, rules: dict[str, Values]) -> "Configuration":
    """What is predicted and trained.

    values: as in `compare`; without a learning rate the one of `LEARNING_RATES` is taken. rules: with the options given
    for each.

    >>> spec = configuration({"optimizer": "adam", "seeds": 3}, {"grpo": {}, "spo": {"gamma": 0.2}})
    >>> spec.rule_options, spec.base.learning_rate, spec.starts
    ((('spo', 'gamma', 0.2),), 0.0003, (0, 1, 2))
    """
    from paper_repro.forecast.configuration import Configuration
    from toy_llm.config import TrainConfig

    # Every rule is given the same setting; what was given for one rule alone stays with its name
    options = own_options(values)
    settings = {name: value for name, value in values.items() if name not in vars(options)}
    given = {**DEFAULTS, "optimizer": "sgd", **settings, "group_size": options.group_size}
    if given.get("learning_rate") is None:
        given["learning_rate"] = LEARNING_RATES[given["optimizer"]]
    if given.get("suites"):
        # Settings of the chain alone must be left at the trainer's own defaults
        given = {name: value for name, value in given.items() if (name, value) != ("horizon", DEFAULTS["horizon"])}
    base = TrainConfig(**given)
    return Configuration(
        name=f"{'+'.join(base.suites) or f'H{base.horizon}'}-{base.optimizer}",
        base=base,
        starts=tuple(range(options.seeds)),
        runs=options.runs,
        draws=options.draws,
        rules=tuple(rules),
        rule_options=tuple((name, *pair) for name, found in rules.items() for pair in found.items()),
    )


def run_with_progress(spec: "Configuration", level: str) -> "pd.DataFrame":
    """Forecast at ``level`` and train every start under a progress bar.

    Returns the rows of both, with the columns of the table of curves, as `comparison.compare` takes them.
    """
    import pandas as pd
    from tqdm import tqdm

    from paper_repro.forecast import forecast

    # A start's forecast comes first: it needs the warm start alone and knows nothing of the training
    frames = []
    with tqdm(total=len(spec.starts) + len(spec.seeds) * len(spec.rules), unit="step") as bar:
        for start in spec.starts:
            bar.set_postfix_str(f"start {start}: warm start and forecast")
            frames.append(forecast.forecast(spec, start, level))  # type: ignore[arg-type]
            bar.update()
        for seed in spec.seeds:
            for name in spec.rules:
                bar.set_postfix_str(f"seed {seed}: training with {name}")
                frames.append(forecast.train_network(spec, name, seed))
                bar.update()
    return pd.concat(frames, ignore_index=True)


COMMAND = Command(
    "Predict one training run from the warm-started network alone, train it, and print predicted and measured "
    "updates to half success. Example: spo compare --horizon 4 --optimizer adam --level noisy --out comparison.csv",
    compare_boxes,
    compare,
    chooses="rules",
    rules=("grpo", "spo"),
)
