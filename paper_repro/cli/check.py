"""`spo check`: judge anybody's function by the properties of its convention."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from paper_repro.cli.command import Command, Values, options_of
from paper_repro.cli.output import write_text
from spo_theory.validation import problem, refuse


@dataclass(frozen=True)
class Check:
    """What is judged, and how its function is called."""

    function: Annotated[str, "The function: package.module:function, or path/to/file.py:function."] = field()
    kind: Annotated[
        Literal["advantages", "loss", "rewards", "step-weights", "colouring"], "What the function computes."
    ] = "advantages"
    layout: Annotated[
        Literal["grouped", "flat", "uids", "tokens"] | None,
        "How it takes rewards: (Q, G), the default; (Q G,) group by group; (N,) with the group of each response; or on "
        "tokens, as verl does.",
    ] = None
    library: Annotated[
        Literal["numpy", "torch", "jax", "list"] | None, "Arrays that it takes (default: what its module imports)."
    ] = None
    dtype: Annotated[
        Literal["float16", "bfloat16", "float32", "float64"] | None, "Of its arrays (default: float32)."
    ] = None
    mask: Annotated[
        str | None, "Its parameter for the responses that count, or nan if rewards are NaN (default: looked for)."
    ] = None
    group_size: Annotated[int | None, "The only group size that it can do, at least 2 (default: many are tried)."] = (
        None
    )


@dataclass(frozen=True)
class Expected:
    """What the function should compute; by default what it is found to compute."""

    convention: Annotated[str | None, "Convention of the advantages, such as trl."] = None
    baseline: Annotated[Literal["mean", "leave_one_out", "batch", "none"] | None, "What is subtracted."] = None
    scale: Annotated[Literal["std", "batch", "none"] | None, "What is divided by: the group's deviation, ..."] = None
    ddof: Annotated[int | None, "Deviation over G (0) or G - 1 (1)."] = None
    eps: Annotated[float | None, "Added to the deviation, at least 0."] = None
    clip_low: Annotated[float | None, "Of a loss: the ratio is clipped below 1 - clip_low."] = None
    clip_high: Annotated[float | None, "Of a loss: the ratio is clipped above 1 + clip_high."] = None
    aggregation: Annotated[
        Literal["token", "response", "constant", "sum"] | None, "Of a loss: mean over tokens, over responses, ..."
    ] = None
    constant: Annotated[float | None, "Of a loss with aggregation constant: what is divided by (default: T)."] = None
    dual_clip: Annotated[float | None, "Of a loss: ratio above which bad tokens have no gradient (default: none)."] = (
        None
    )
    kl: Annotated[Literal["none", "k1", "k2", "k3"] | None, "Of a loss: KL estimator."] = None
    kl_coef: Annotated[float | None, "Of a loss: weight of the KL term."] = None
    reward: Annotated[Literal["outcome", "plus_minus_one", "colouring"] | None, "Of rewards."] = None
    rule: Annotated[str | None, "Of step weights: an update rule, such as spo_prefix."] = None
    beta: Annotated[float | None, "Of a colouring: slope."] = None
    gamma: Annotated[float | None, "Of a colouring: RTS that earns 1/2."] = None
    scope: Annotated[Literal["all_negative", "all_incorrect"] | None, "Of a colouring: which responses."] = None
    shape: Annotated[Literal["logistic", "raw"] | None, "Of a colouring: logistic in RTS, or RTS itself."] = None


@dataclass(frozen=True)
class Said:
    """What is printed and written."""

    identify: Annotated[bool, "Only say which convention it follows, or the nearest and the difference."] = False
    ignore: Annotated[tuple[str, ...], "Properties whose failure does not count for the exit status."] = ()
    json: Annotated[Path | None, "Also write the findings here as JSON."] = None
    junit: Annotated[Path | None, "Also write the findings here as JUnit XML."] = None


def check(values: Values) -> None:
    """Judge a function, print what was found, and end with status 1 if a property fails or no convention is known.

    values: of the options of `Check`, `Expected` and `Said`, by name. Raises `InputError` for what is not allowed, and
    `SystemExit`.
    """
    from spo_theory.conformance.checking import check as judge
    from spo_theory.conformance.checking import properties_of
    from spo_theory.conformance.loading import library_of, load

    names = [one.name for one in properties_of(values["kind"])]
    unknown = [name for name in values["ignore"] if name not in names]
    refuse(problem(not unknown, "ignore", list(values["ignore"]), f"among {', '.join(names)}"))

    # The folder of the caller is where their modules are
    sys.path.insert(0, str(Path.cwd()))
    function = load(values["function"])
    settings = {name: values[name] for kind in (Check, Expected) for name in kind.__dataclass_fields__}
    settings["name"] = settings.pop("function")
    settings["library"] = settings["library"] or library_of(function)
    report = judge(function, **settings)
    if values["identify"]:
        print(report.identified or report.convention)
        return

    print(report)
    write_text(report.to_json(), values["json"])
    write_text(report.to_junit(), values["junit"])
    failing = [finding for finding in report.failed if finding.property.name not in values["ignore"]]
    if failing or not report.known:
        raise SystemExit(1)


COMMAND = Command(
    "Judge a function by every property of its convention, with the smallest example on which it fails. "
    "Exit status 1 if one fails. Example: spo check mytrainer.advantages:compute --convention trl",
    lambda: {"": options_of(Check), "what it should compute": options_of(Expected), "output": options_of(Said)},
    check,
    plain=True,
)
