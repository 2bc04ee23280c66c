"""`spo remedies`: which remedy for all-wrong groups is the cheapest, for one's own numbers and prices."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from paper_repro.cli.command import Command, Values, options_of
from paper_repro.cli.output import TABLES, check_output, say_written, write_table
from spo_theory.methods.registry import rule
from spo_theory.validation import check, is_number, is_whole, problem, refuse

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 64
"""Most steps of a question, and most responses of a group divided by 4: beyond, a race takes minutes."""


@dataclass(frozen=True)
class Remedies:
    """Options of `spo remedies`."""

    step_success: Annotated[float, "Probability that a step is right at the start, strictly between 0 and 1."]
    horizon: Annotated[int, "Steps per question, H (1 to 64)."]
    group_size: Annotated[int, "Responses per question, G (2 to 256)."] = 8
    judge_miss: Annotated[float, "Chance that the step judge passes a wrong step (0 to 1)."] = 0.0
    judge_false_alarm: Annotated[float, "Chance that the step judge calls a right step wrong (0 to 1)."] = 0.0
    prices: Annotated[tuple[float, ...], "Price of a rollout, of a judged step and of a reference solution."] = (
        1.0,
        0.1,
        1.0,
    )
    learning_rate: Annotated[float, "Multiplies every expected update; above 0."] = 1.0
    rules: Annotated[tuple[str, ...], "Only these update rules and their variants (by default all)."] = ()
    out: Annotated[Path | None, "Also write the table: .csv or .parquet."] = None

    def validate(self) -> None:
        """Raise `InputError` for what is not allowed."""
        share = "a number from 0 to 1"
        inside = is_number(self.step_success) and 0 < self.step_success < 1
        size = is_whole(self.group_size, 2) and self.group_size <= 4 * LARGEST
        priced = len(self.prices) == 3 and all(is_number(price) and price >= 0 for price in self.prices)
        refuse(
            problem(inside, "step_success", self.step_success, "strictly between 0 and 1")
            + problem(is_whole(self.horizon, 1) and self.horizon <= LARGEST, "horizon", self.horizon, "1 to 64")
            + problem(size, "group_size", self.group_size, "2 to 256")
            + problem(0 <= self.judge_miss <= 1, "judge_miss", self.judge_miss, share)
            + problem(0 <= self.judge_false_alarm <= 1, "judge_false_alarm", self.judge_false_alarm, share)
            + problem(priced, "prices", list(self.prices), "three finite numbers, at least 0")
            + problem(
                is_number(self.learning_rate) and self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0"
            )
        )
        for name in self.rules:
            check(name in rule.names(), "rules", name, f"of {', '.join(rule.names())}")
        check_output(self.out, TABLES)


def remedies(values: Values) -> None:
    """Print all remedies in the order of their price up to half success, and write the table if asked to.

    values: of the options of `Remedies`, by name. Raises `InputError` before any work for what is not allowed.
    """
    options = Remedies(**values)
    options.validate()

    import pandas as pd
    from tqdm import tqdm

    from paper_repro.contenders import contenders, raced

    # Every contender is a race of its own; those without an exact form say why
    given: dict[str, Any] = {
        "group_size": options.group_size,
        "horizon": options.horizon,
        "step_success": (options.step_success,),
        "miss": options.judge_miss,
        "false_alarm": options.judge_false_alarm,
        "learning_rate": options.learning_rate,
    }
    names = contenders(options.rules)
    table = pd.concat([raced(name, **given) for name in tqdm(names, leave=False)], ignore_index=True)
    ranked = ranking(table, options.prices)

    print(
        f"Per question, up to half success: H = {options.horizon}, G = {options.group_size}, "
        f"step success {options.step_success:g}, learning rate {options.learning_rate:g}, "
        f"judge misses {options.judge_miss:g} and false alarms {options.judge_false_alarm:g};\n"
        f"price {options.prices[0]:g} a rollout, {options.prices[1]:g} a judged step, {options.prices[2]:g} a "
        "reference solution.\n"
    )
    shown = ranked[ranked["why"] == ""].drop(columns=["why"])
    print(shown.to_string(index=False, float_format="{:,.0f}".format))
    for row in ranked[ranked["why"] != ""].itertuples():
        print(f"{row.contender}: {row.why}")
    write_table(ranked, options.out)
    say_written(options.out)


def ranking(table: "pd.DataFrame", prices: tuple[float, ...]) -> "pd.DataFrame":
    """The table of `paper_repro.contenders.raced` with the price of each contender, the cheapest first.

    prices: of a rollout, a judged step and a reference solution. Contenders without a number come last.
    """
    rollout, step, solution = prices
    price = rollout * table["rollouts"] + step * table["steps_judged"] + solution * table["solutions"]
    kept = ["contender", "price", "updates", "rollouts", "tokens_generated", "tokens_trained", "steps_judged"]
    return table.assign(price=price).sort_values("price", kind="stable")[[*kept, "solutions", "why"]]


COMMAND = Command(
    "Rank the remedies for groups whose responses are all wrong, by what they cost up to half success: exact for a "
    "chain of equally accurate steps, with your prices of a rollout, a judged step and a reference solution. "
    "Example: spo remedies --step-success 0.3 --horizon 8 --group-size 8 --judge-miss 0.2 --prices 1 0.1 5",
    lambda: {"": options_of(Remedies)},
    remedies,
)
