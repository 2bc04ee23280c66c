"""Coloured rewards from what a trainer can gather: whether a response is correct, and its share of right steps."""

from array_api_compat import array_namespace

from spo_theory.group import Array
from spo_theory.method import Method
from spo_theory.parts.rewards import Colouring, shaped_rewards
from spo_theory.validation import InputError, check


def colouring_of(method: Method) -> Colouring:
    """The colouring of a method; raises `InputError` if it does not colour."""
    found = method.colouring
    if found is None:
        raise InputError(f"method = {method.name!r} is not allowed: method must colour, such as rule('spo')")
    return found


def coloured_rewards(method: Method, correct: Array, rts: Array) -> Array:
    """Rewards ``(..., G)``: 1 if correct, else the colour of the response or 0, as the method's scope says.

    ``correct``: boolean ``(..., G)``. ``rts``: floating ``(..., G)``, right share of every response in [0, 1]
    (`spo_theory.parts.rewards.reasoning_trajectory_score`); NaN where nobody judged: such a response keeps its outcome
    reward. Raises `InputError` for a group size that is not the method's, and for a method without colouring.

    Example, an all-negative group whose last response nobody judged:
        >>> import numpy as np
        >>> from spo_theory import rule
        >>> wrong = np.array([False, False, False])
        >>> coloured_rewards(rule("spo", group_size=3), wrong, np.array([0.0, 0.5, np.nan])).round(3).tolist()
        [0.007, 0.5, 0.0]
    """
    xp = array_namespace(correct, rts)
    size = correct.shape[-1]
    check(size == method.group_size, "correct.shape[-1]", size, f"{method.group_size}, the method's group_size")

    # The inner `where` keeps NaN out of the logistic, the outer one gives these responses their outcome reward
    unjudged = xp.isnan(rts)
    rewards = shaped_rewards(correct, xp.where(unjudged, xp.zeros_like(rts), rts), colouring_of(method))
    return xp.where(unjudged & ~correct, xp.zeros_like(rewards), rewards)
