"""The remedies that are compared at equal cost: every registered method, and variants of those with a sampler."""

from typing import Any

import numpy as np
import pandas as pd

from paper_repro.settings import build
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.validation import InputError, check

MOST_COMPOSITIONS = {True: 20_000, False: 2_000}
"""Group compositions up to which a contender without a closed form is raced: whose weights follow from outcome classes
alone, and whose weights are computed anew in every update. More take minutes."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "hints, any depth": ("hints", {"depth": "uniform"}),
    "hints, low threshold": ("hints", {"threshold": 0.05}),
    "easier questions, curriculum": ("easier_questions", {"lengths": "curriculum"}),
    "imitation, one question in four": ("imitation", {"share": 0.25}),
}
"""Further contenders: a method and options that are not its default."""


def contenders(rules: tuple[str, ...] = ()) -> list[str]:
    """Names of the contenders: the registered methods and the variants, or those of ``rules`` alone.

    >>> contenders(("grpo", "hints"))
    ['grpo', 'hints', 'hints, any depth', 'hints, low threshold']
    """
    chosen = rules or tuple(rule.names())
    return [*chosen, *(name for name, (of, _) in VARIANTS.items() if of in chosen)]


def contender(name: str, group_size: int) -> Method:
    """The method of a contender, coloured as in all experiments on the chain.

    >>> contender("hints, any depth", 4).sampler.depth
    'uniform'
    """
    if name not in VARIANTS:
        return build(name, group_size)
    of, options = VARIANTS[name]
    return rule(of, group_size=group_size, **options)


def raced(
    name: str,
    group_size: int,
    horizon: int,
    step_success: tuple[float, ...],
    miss: float = 0.0,
    false_alarm: float = 0.0,
    learning_rate: float = 1.0,
) -> pd.DataFrame:
    """Updates and costs to half success of one contender from steps of equal accuracy; one row per accuracy.

    Arguments as of `spo_theory.dynamics.race.race`. A contender without an exact form in this setting has NaN, and the
    column ``why`` says so; else it is empty.
    """
    from spo_theory import ReasoningChain
    from spo_theory.dynamics.race import heard_world, race
    from spo_theory.exact.costs import COSTS

    starts = ReasoningChain(step_success=np.repeat(np.array(step_success)[:, None], horizon, axis=1))
    labels: dict[str, Any] = {
        "contender": name,
        "horizon": horizon,
        "group_size": group_size,
        "miss": miss,
        "false_alarm": false_alarm,
        "step_success": step_success,
    }
    try:
        method = contender(name, group_size)
        _check_compositions(method, heard_world(starts, method, miss, false_alarm))
        found = race(starts, method, learning_rate, miss=miss, false_alarm=false_alarm, longest=1e13)
        found["why"] = np.where(found["updates"].isna(), "half success is not reached", "")
    except InputError as error:
        found = pd.DataFrame(np.nan, index=range(len(step_success)), columns=["updates", *COSTS])
        found["why"] = str(error).splitlines()[0]
    return found.assign(**labels)[[*labels, "updates", *COSTS, "why"]]


def _check_compositions(method: Method, world: Any) -> None:
    """Refuse a race that would sum over more than `MOST_COMPOSITIONS` group compositions in every update."""
    from spo_theory.exact.compositions import composition_count
    from spo_theory.exact.enumeration import distinguished, is_static
    from spo_theory.exact.portions import of_whole_questions
    from spo_theory.exact.update import choose_engine

    plain = of_whole_questions(method)
    if choose_engine(world, plain) == "class_advantages":
        return
    rows = composition_count(method.group_size, distinguished(world, plain).count)
    most = MOST_COMPOSITIONS[is_static(plain)]
    check(rows <= most, "group compositions", rows, f"at most {most} in a race")
