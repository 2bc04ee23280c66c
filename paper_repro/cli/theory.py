"""`spo theory`: solve the exact dynamics of a reasoning chain."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from paper_repro.cli.command import Command, Values, options_of, refuse_values
from paper_repro.cli.doubts import jumps, say_doubts
from paper_repro.cli.methods import parts_in_words
from paper_repro.cli.output import TABLES, check_output, say_written, ten_rows, write_picture, write_table
from spo_theory.allowed import ABOVE_0, optional
from spo_theory.limits import class_table_bytes, count, curve_bytes, memory_problems
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.validation import check

if TYPE_CHECKING:
    import pandas as pd

    from spo_theory import ReasoningChain


@dataclass(frozen=True)
class Theory:
    """Options of `spo theory`, next to those of the update rule."""

    step_success: Annotated[
        tuple[float, ...],
        "Probability that each step is right at the start, strictly between 0 and 1; one value is used for all steps.",
    ]
    horizon: Annotated[
        int | None,
        "Steps per question, H; by default as many as step-success has values.",
        optional(count()),
    ] = None
    steps: Annotated[int, "Updates.", count(0)] = 100
    learning_rate: Annotated[float, "Multiplies the expected update.", ABOVE_0] = 1.0
    out: Annotated[Path | None, "Also write the curve: .csv, .parquet, or .png for a picture."] = None

    def successes(self) -> tuple[float, ...]:
        """Probability of every step; raises `InputError` for values that are not allowed.

        >>> Theory(step_success=(0.3,), horizon=2).successes()
                (0.3, 0.3)
        """
        # One value stands for all steps; several must be as many as there are steps
        success = self.step_success
        horizon = self.horizon
        if horizon is not None:
            fits = len(success) in (1, horizon)
            check(fits, "step-success", list(success), f"one value, or one for each of {horizon} steps")
            success = success * horizon if len(success) == 1 else success

        # At 0 and 1 the logits are infinite and nothing is learnt
        bad = [probability for probability in success if not 0 < probability < 1]
        check(not bad, "step_success", bad, "strictly between 0 and 1")
        check(bool(success), "step_success", list(success), "at least one value")
        return success

    def too_large(self) -> list[str]:
        """A line for each size whose tables alone are more than this machine's memory holds.

        >>> Theory(step_success=(0.3,), horizon=6).too_large()
        []
        """
        horizon = self.horizon or len(self.step_success)
        lines = memory_problems("horizon", horizon, class_table_bytes(horizon))
        return lines + memory_problems("steps", self.steps, curve_bytes(horizon, self.steps))


def theory(values: Values, rules: dict[str, Values]) -> None:
    """Solve a chain, print its classes and its curve, and write the curve as a table or a picture.

    values: of the options of `Theory`, by name. rules: for the one update rule the options given for it.
    Raises `InputError` before any work for what is not allowed.
    """
    # All checks come before the modules that load slowly
    options = Theory(**values)
    refuse_values(options, options.too_large())
    success = options.successes()
    method = chosen_method(rules)
    check_output(options.out, (*TABLES, ".png"))

    from spo_theory import ReasoningChain, solve
    from spo_theory.dynamics.maps import updates_to

    # This curve is the only one: compiled for itself alone it is there sooner
    chain = ReasoningChain(step_success=success)
    curve = solve(chain, method, steps=options.steps, learning_rate=options.learning_rate, reusable=False)
    heading = f"{method.name}, G = {method.group_size}, H = {chain.horizon}"

    say_doubts(jumps(curve["success"].tolist(), options.learning_rate))

    # First what the method earns at the start, then what it comes to
    print(f"{heading}; {', '.join(parts_in_words(method).values())}\n")
    print(class_table(chain, method).to_string(index=False, float_format="{:.4f}".format, na_rep="-"))
    print(f"\nexact curve, learning rate {options.learning_rate:g}:")
    print(ten_rows(curve))
    half = updates_to(curve)
    print(f"\nupdates to half success: {half:.1f}" if half == half else "\nhalf success is not reached")

    # The ending of the file decides between a picture and a table
    if options.out is not None and options.out.suffix == ".png":
        from figures.curve import draw

        write_picture(draw(curve, method.name, heading), options.out)
    else:
        write_table(curve, options.out)
    say_written(options.out)


def chosen_method(rules: dict[str, Values]) -> Method:
    """The one update rule that was chosen, with the options given for it. Raises `InputError` for a bad value.

    >>> chosen_method({"grpo": {"group_size": 4}}).group_size
    4
    """
    [(name, given)] = rules.items()
    return rule(name, **given)


def class_table(chain: "ReasoningChain", method: Method) -> "pd.DataFrame":
    """What an update rule makes of each outcome class of the chain, one row for a class.

    The weights are those of single steps, in the mean over groups: for most rules the expected advantage of the class.
    Returns H + 1 rows for a chain of H steps, from an error in the first step to none; a weight is NaN where the class
    has no such step. RTS is the share of right steps before the first error.
    """
    import jax
    import numpy as np
    import pandas as pd

    from spo_theory.exact.update import evaluate_weights, prepare_update

    # In class k, step k (from 0) is the first wrong one; the class of correct responses has none
    form = prepare_update(chain, method)
    weights = np.asarray(jax.jit(evaluate_weights)(form, chain.logits))
    horizon = chain.horizon
    right = [weights[k, :k].mean() if k else np.nan for k in range(horizon + 1)]
    wrong = [weights[k, k] if k < horizon else np.nan for k in range(horizon + 1)]

    # The names are what the reader sees
    columns: dict[str, Any] = {
        "right steps before the first error": range(horizon + 1),
        "RTS": chain.rts,
        "probability": chain.class_probs,
        "weight of right steps": right,
        "weight of the wrong step": wrong,
    }
    return pd.DataFrame(columns)


COMMAND = Command(
    "Solve the exact learning dynamics of a chain of reasoning steps: no sampling, nothing fitted. "
    "Prints what each outcome class earns and the curve of success over updates. "
    "Example: spo theory --step-success 0.3 --horizon 6 --rule spo --steps 60 --out curve.png",
    lambda: {"": options_of(Theory)},
    theory,
    chooses="rule",
)
