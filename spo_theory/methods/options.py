"""The options that methods share: each with its type and one sentence of help."""

from dataclasses import replace
from typing import Annotated, Any

from spo_theory.method import Method
from spo_theory.parts.filters import FILTERS, TrainOn, group_filter
from spo_theory.parts.objectives import Clipped
from spo_theory.parts.rewards import RtsLength, Scope, Shape
from spo_theory.parts.samplers import Depth, Lengths

GroupSize = Annotated[int, "Responses per question, G (a whole number, at least 2)."]
Convention = Annotated[str, "Advantage convention of a known trainer, such as paper, trl or verl."]
StdEps = Annotated[float | None, "Added to the standard deviation (at least 0; by default the convention's own)."]
Ddof = Annotated[int | None, "Standard deviation over G (0) or G - 1 (1); by default the convention's own."]
Beta = Annotated[float | None, "Slope of the colouring (above 0; by default the reading's, the paper's 10)."]
Gamma = Annotated[float | None, "RTS that earns half a reward (by default the reading's, the paper's 0.5)."]
ColouringScope = Annotated[Scope, "Groups that are coloured: without a correct response, or all incorrect responses."]
ColouringShape = Annotated[Shape, "Colour of a response: logistic in its RTS, or the RTS itself (raw)."]
Reading = Annotated[str, "How the paper's values 10 and 0.5 are read: threshold (beta 10) or literal (beta 0.5)."]
Grid = Annotated[
    float, "Colours are rounded to multiples of it (a power of two such as 0.000244140625 = 2^-12; 0: not)."
]
RtsLengthOption = Annotated[
    RtsLength,
    "RTS divides the length of the right prefix by that of the response as written (the paper), or of the right one, "
    "so that ending early is no gain.",
]

HintDepth = Annotated[
    Depth, "Given steps of the solution: any number equally likely, or the fewest that leave a fair chance."
]
QuestionLengths = Annotated[
    Lengths, "Steps asked for: any number equally likely, or the most that leave a fair chance."
]
Threshold = Annotated[float, "Chance of success that an adaptive hint or a curriculum looks for (above 0, at most 1)."]

COMMON: dict[str, Any] = {
    "inner_updates": Annotated[int, "Gradient steps on every batch of groups (a whole number, at least 1)."],
    "train_on": Annotated[TrainOn, "Groups to learn from; the advantages of others are 0."],
    "clip_low": Annotated[float, "The importance ratio is clipped below 1 - clip_low (0 to 1)."],
    "clip_high": Annotated[float, "The importance ratio is clipped above 1 + clip_high (at least 0)."],
}
"""Options of every method, and (``clip_low``, ``clip_high``) of every method with a clipped surrogate."""


def common_options(method: Method) -> dict[str, Any]:
    """The options of `COMMON` that change ``method``, with its own values.

    Example:
        >>> from spo_theory import rule
        >>> common_options(rule("grpo"))
        {'inner_updates': 1, 'train_on': 'all', 'clip_low': 0.2, 'clip_high': 0.2}
    """
    names = {part: name for name, part in FILTERS.items()}
    options: dict[str, Any] = {
        "inner_updates": method.sampler.inner_updates,
        "train_on": names.get(method.keep, "all"),
    }
    if isinstance(method.objective, Clipped):
        options["clip_low"] = method.objective.clip_low
        options["clip_high"] = method.objective.clip_high
    return options


def adjust(method: Method, inner_updates: int | None = None, train_on: str | None = None, **clips: float) -> Method:
    """``method`` with another sampler, filter or other clips. Raises `InputError` for values that are not allowed.

    Options as in `COMMON`; None, or a clip that is not given: the method's own.

    Example:
        >>> from spo_theory import rule
        >>> adjust(rule("grpo"), train_on="mixed").keep
        MixedGroups()
    """
    if inner_updates is not None:
        method = replace(method, sampler=replace(method.sampler, inner_updates=inner_updates))  # type: ignore[type-var]
    if train_on is not None:
        method = replace(method, keep=group_filter(train_on))
    if clips:
        method = replace(method, objective=replace(method.objective, **clips))  # type: ignore[type-var]
    return method
