"""When a run has to stop: the policy, the loss or the gradient is no longer finite."""

from math import isfinite

EXPLODED = 1e6
"""A loss of this size is no loss any more: advantages are below sqrt(G) and ratios near 1."""


class TrainingDiverged(FloatingPointError):
    """The policy, the loss or the gradient is no longer finite; the message names the update and what is left."""


class NotFinite(FloatingPointError):
    """One number of an update is not finite; the message says which."""


def check_policy(success: float) -> None:
    """Raise `NotFinite` unless the expected success of a batch is a number.

    Asked after the last update too, whose result no later gradient would check.
    """
    if not isfinite(success):
        raise NotFinite("policy is not finite")


def check_loss(loss: float) -> None:
    """Raise `NotFinite` for a loss that is NaN or too large to be one.

    >>> check_loss(float("nan"))
    Traceback (most recent call last):
    toy_llm.training.divergence.NotFinite: loss is nan
    """
    # Written so that NaN is refused too: no comparison with it is true.
    if not abs(loss) < EXPLODED:
        raise NotFinite(f"loss is {loss:.3g}")


def check_gradient(norm: float) -> None:
    """Raise `NotFinite` for a gradient whose length is infinite or NaN.

    >>> check_gradient(float("inf"))
    Traceback (most recent call last):
    toy_llm.training.divergence.NotFinite: gradient is not finite
    """
    # As above, NaN included.
    if not norm < float("inf"):
        raise NotFinite("gradient is not finite")
