"""Suk and Duan, arXiv 2510.08539: the gradient gap, a step size that is safe, and the success it guarantees."""

from typing import Any

import numpy as np

from spo_theory.allowed import checked, numbers
from spo_theory.limits import count
from spo_theory.outcomes.chain import CHAIN, ReasoningChain
from spo_theory.published.probabilities import checked_probabilities, log_odds, sigmoid
from spo_theory.validation import check


@checked(chain=CHAIN)
def gradient_gap(chain: ReasoningChain) -> np.ndarray:
    """Mean score of correct minus mean score of incorrect responses ``(..., H)``: ``(1 - q_h) / (1 - P)``.

    It is the gradient of the log-odds of P. Raises `InputError` for a chain whose P is 1 to the last digit.

    >>> gradient_gap(ReasoningChain(step_success=[0.5, 0.5])).round(3).tolist()
    [0.667, 0.667]
    """
    # 1 - q has no digits left where q rounds to 1; there it comes from the log-odds
    failure = np.where(chain.step_success < 0.999, 1 - chain.step_success, sigmoid(-chain.logits))
    wrong = chain.class_probs[..., :-1].sum(-1)
    check(bool((wrong > 0).all()), "chain", chain.logits.tolist(), "one that can fail")
    return failure / wrong[..., None]


@checked(horizon=count())
def largest_safe_rate(gap: Any, horizon: int) -> np.ndarray:
    """Largest step along a unit vector for which P is sure to rise by `success_lower_bound`: ``gap / (2 (L + 8 S^2))``.

    ``gap``: product of the unit vector and `gradient_gap`, any shape; where it is negative the answer is 0.
    On a chain of H untied steps the score is Lipschitz with ``L = 1/4`` and at most ``S = sqrt(H)`` long.
    Raises `InputError` for a ``horizon`` below 1.

    >>> largest_safe_rate([1.0, -1.0], horizon=2).round(4).tolist()
    [0.0308, 0.0]
    """
    lipschitz = 0.25
    longest_score_squared = horizon
    return np.maximum(numbers("gap", gap), 0.0) / (2 * (lipschitz + 8 * longest_score_squared))


def success_lower_bound(start: Any, mass: Any) -> np.ndarray:
    """Lower bound ``P0 / (P0 + (1 - P0) exp(-M / 2))`` of P after safe steps (`largest_safe_rate`).

    ``start``: P0 in (0, 1). ``mass``: M, the sum of step sizes times gaps, at least 0; shapes broadcast. Raises
    `InputError` for other values.

    >>> float(success_lower_bound(0.5, mass=0.0))
    0.5
    """
    total = numbers("mass", mass)
    check(bool((total >= 0).all()), "mass", total[~(total >= 0)].tolist(), "at least 0")
    return sigmoid(log_odds(checked_probabilities("start", start)) + total / 2)
