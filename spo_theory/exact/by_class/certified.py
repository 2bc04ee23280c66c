"""Where the quadrature is certified, and an error estimate where it is not (docs/theory/expected-advantages.md)."""

import warnings
from typing import Any

import numpy as np

from spo_theory.allowed import numbers
from spo_theory.exact.by_class.forms import Expectation, Form, evaluate
from spo_theory.exact.by_class.prepare import (
    Statistic,
    check_nodes,
    check_prepared,
    choose_method,
    of_ordinary_size,
    prepare,
)
from spo_theory.exact.refusals import AccuracyWarning
from spo_theory.parts.baselines import GroupAdvantage, GroupStatistics

LARGEST_GROUP = 4096  # of the range the quadrature was verified in
MOST_CLASSES = 65


def certified(rewards: np.ndarray, group_size: int, advantage: GroupStatistics, method: str) -> bool:
    """Whether results for these rewards ``(K,)`` lie in the range in which the quadrature was verified.

    Results without a quadrature of the standard deviation always do: they are exact to round-off.
    Measured in docs/theory/expected-advantages.md#accuracy.
    """
    distinct = np.unique(rewards)
    silent = len(distinct) == 1 and advantage.silent_if_equal
    inside = group_size <= LARGEST_GROUP and len(distinct) <= MOST_CLASSES
    if silent or inside or advantage.scale == "none":
        return True
    return choose_method(distinct, group_size, advantage, method) == "enumerate"


def relative_change(coarse: Expectation, fine: Expectation, p: Any) -> float:
    """Largest difference of two versions of an expectation at ``p`` ``(..., K)``, over the largest fine value."""
    a = np.asarray(coarse(p))
    b = np.asarray(fine(p))
    return float(np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(float).tiny))


def prepare_certified(
    rewards: Any,
    group_size: int,
    advantage: GroupStatistics,
    method: str,
    statistic: Statistic = "mean",
    *,
    padded: bool = False,
    at: Any = None,
) -> Form:
    """`spo_theory.exact.by_class.prepare.prepare`, with an `AccuracyWarning` outside the verified range.

    The warning has an error estimate at the probabilities ``at`` ``(..., K)`` (default: equal ones), from halved
    spacings. Other arguments and errors as there. Source: docs/theory/expected-advantages.md#accuracy.
    """
    # Outside the verified range a second quadrature of half the spacing follows: whether it fits is asked first
    values = numbers("rewards", rewards)
    check_prepared(values, group_size, method)
    inside = certified(values, group_size, advantage, method)
    if not inside and isinstance(advantage, GroupAdvantage):
        scaled, relative = of_ordinary_size(values, advantage)
        check_nodes(np.unique(scaled), group_size, relative, refine=2)

    form = prepare(values, group_size, advantage, method, statistic, padded=padded)
    if inside:
        return form

    # The change that halved spacings make is far above the error that they leave
    fine = prepare(values, group_size, advantage, method, statistic, refine=2)
    p = np.full(values.size, 1 / values.size) if at is None else at
    error = relative_change(lambda x: evaluate(form, x), lambda x: evaluate(fine, x), p)

    # Both versions share the round-off of a probability that is taken to the power G - 2
    error += group_size * float(np.finfo(float).eps)
    where = "equal class probabilities" if at is None else "these class probabilities"
    outside = f"outside the range the quadrature is certified in (group size up to {LARGEST_GROUP}, up to"
    message = f"{outside} {MOST_CLASSES} classes); estimated relative error at {where}: {error:.1e}"
    warnings.warn(message, AccuracyWarning, stacklevel=4)
    return form
