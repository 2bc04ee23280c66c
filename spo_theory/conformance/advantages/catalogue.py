"""All conventions that a function can be compared with, by name, and conventions from their own numbers."""

from functools import partial
from typing import Any

import numpy as np

from spo_theory.allowed import among
from spo_theory.conformance.advantages.formulas import FORMULA_SOURCES, FORMULAS, BatchScaled, NoBaseline
from spo_theory.conformance.advantages.tolerances import Reference
from spo_theory.methods.conventions import CONVENTIONS, SOURCES
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.group_statistics import LeaveOneOut
from spo_theory.parts.leave_one_out import StandardizedLeaveOneOut
from spo_theory.validation import InputError, check

BASELINES = ("mean", "leave_one_out", "batch", "none")
SCALES = ("std", "batch", "none")


def exactly(formula: Any, rewards: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """``formula`` in float64, 0 for responses that do not count; 0 everywhere where it refuses the rewards."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(formula(np.asarray(rewards, dtype=float), valid))
    except InputError:
        return np.zeros_like(rewards)


def known() -> dict[str, Any]:
    """All conventions by name: baselines of update rules first, then formulas over batches.

    Example:
        >>> {"trl", "nemo", "trl_batch"} <= set(known())
        True
    """
    return {**CONVENTIONS, **FORMULAS}


def sources() -> dict[str, str]:
    """Where each convention was read, by name."""
    return {**SOURCES, **FORMULA_SOURCES}


def named(name: str) -> Reference:
    """The convention ``name`` as a function of rewards and of the responses that count.

    Raises `InputError` for an unknown name.

    Example:
        >>> named("dr_grpo")(np.array([[1.0, 0.0]]), None).tolist()
        [[0.5, -0.5]]
    """
    table = known()
    check(name in table, "convention", name, f"one of {', '.join(table)}")
    return partial(exactly, table[name])


def own(baseline: str = "mean", scale: str = "std", ddof: int = 0, eps: float = 0.0) -> Any:
    """A convention from its numbers.

    baseline: the mean of the group, ``leave_one_out``, the mean of the ``batch``, or ``none``. scale: the standard
    deviation of the group (``std``), of the ``batch``, or ``none``. ddof: 0 or 1. eps: added to the deviation.
    Raises `InputError` for values and combinations that are not allowed.

    Example:
        >>> own(ddof=1, eps=1e-4)
        GroupAdvantage(ddof=1, eps=0.0001, scale='std')
    """
    among(BASELINES).check("baseline", baseline)
    among(SCALES).check("scale", scale)
    check(ddof in (0, 1), "ddof", ddof, "0 or 1")
    centres: Any = {"mean": "group", "leave_one_out": "others", "batch": "batch"}
    if baseline == "none":
        check(scale == "none", "scale", scale, "none without a baseline")
        return NoBaseline()
    if scale == "batch" or baseline == "batch":
        check(scale == "batch", "scale", scale, "batch with the baseline of the batch")
        return BatchScaled(centres[baseline], ddof=ddof, eps=eps)
    if baseline == "leave_one_out":
        check(scale == "none" or ddof == 1, "ddof", ddof, "1 where one response is left out")
        return StandardizedLeaveOneOut(eps) if scale == "std" else LeaveOneOut()
    return GroupAdvantage(ddof, eps, "std" if scale == "std" else "none")
