"""Mroueh, arXiv 2503.06639: GRPO with a KL term as a recurrence of the success probability, and its fixed points."""

from typing import Any

import numpy as np

from spo_theory.allowed import ABOVE_0, INNER_SHARE, checked
from spo_theory.limits import count
from spo_theory.published.probabilities import Scale, checked_probabilities, log_odds, scale_problems, sigmoid
from spo_theory.validation import InputError, refuse

SETTLED = 1e-13  # change of P in a round below which `kl_fixed_point` stops


def kl_round(p: Any, anchor: Any, beta: float, *, var_eps: float = 1e-5, scale: Scale = "std") -> np.ndarray:
    """P after one exactly solved round of KL-regularized GRPO: ``logit P' = logit anchor + D / beta``.

    ``D = 1 / sqrt(p (1 - p) + var_eps)`` is the advantage of a correct over an incorrect response in an infinite
    group sampled with success ``p`` in [0, 1] (``scale="none"``: D = 1). ``anchor``: P of the policy the KL term
    holds on to, in (0, 1). ``beta``: weight of the KL term, above 0. Raises `InputError` for other values.

    >>> round(float(kl_round(0.5, anchor=0.5, beta=2.0)), 3)
    0.731
    """
    refuse_kl(beta, var_eps, scale)
    old = checked_probabilities("p", p, closed=True)
    reference = checked_probabilities("anchor", anchor)
    gap = 1 / np.sqrt(old * (1 - old) + var_eps) if scale == "std" else np.ones_like(old)
    return sigmoid(log_odds(reference) + gap / beta)


def refuse_kl(beta: float, var_eps: float, scale: str) -> None:
    """Raise `InputError` for a setting that is not allowed.

    ``beta`` and ``var_eps``: finite, above 0. ``scale``: a name in `spo_theory.published.probabilities.Scale`.
    """
    refuse(ABOVE_0.problems("beta", beta) + ABOVE_0.problems("var_eps", var_eps) + scale_problems(scale))


@checked(reference=INNER_SHARE, rounds=count())
def kl_fixed_point(
    reference: float, beta: float, *, var_eps: float = 1e-5, scale: Scale = "std", rounds: int = 2000
) -> float:
    """Limit of `kl_round` with a fixed reference policy of success ``reference``, started there.

    The fixed point need not be the only one. Raises `InputError` if ``rounds`` rounds do not settle it to 1e-13.

    >>> round(kl_fixed_point(reference=0.5, beta=2.0), 3)
    0.765
    """
    p = float(checked_probabilities("reference", reference))
    for _ in range(rounds):
        before = p
        p = float(kl_round(before, reference, beta, var_eps=var_eps, scale=scale))
        if abs(p - before) <= SETTLED:
            return p
    raise InputError(f"rounds = {rounds!r} is not allowed: more are needed for reference {reference}, beta {beta}")


def kl_slope(p: Any, beta: float, *, var_eps: float = 1e-5) -> np.ndarray:
    """Derivative of `kl_round` (standardized, fixed reference) at a fixed point ``p``: stable if below 1 in size.

    ``-p (1 - p) (1 - 2 p) / (2 beta (p (1 - p) + var_eps)^(3/2))``. Raises `InputError` as `kl_round` does.
    """
    refuse_kl(beta, var_eps, "std")
    success = checked_probabilities("p", p, closed=True)
    variance = success * (1 - success)
    return -variance * (1 - 2 * success) / (2 * beta * (variance + var_eps) ** 1.5)
