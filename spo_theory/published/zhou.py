"""Zhou et al., arXiv 2603.01162: the gradient with a leave-one-out baseline as a U-statistic, and its exact noise."""

from typing import Any

import numpy as np

from spo_theory.allowed import checked, numbers
from spo_theory.limits import count
from spo_theory.outcomes.chain import CHAIN, ReasoningChain
from spo_theory.validation import check


def u_statistic(scores: Any, rewards: Any) -> np.ndarray:
    """Gradient ``(..., H)`` of a group with leave-one-out baseline: mean of ``(s_i - s_j)(r_i - r_j) / 2`` over pairs.

    ``scores``: ``(..., G, H)``; ``rewards``: ``(..., G)``, G >= 2. Raises `InputError` for other shapes.

    >>> u_statistic(scores=[[0.5], [-0.5]], rewards=[1.0, 0.0]).tolist()
    [0.5]
    """
    score = numbers("scores", scores)
    reward = numbers("rewards", rewards)
    same = score.shape[:-1] == reward.shape and reward.ndim >= 1
    check(same, "rewards.shape", reward.shape, f"{score.shape[:-1]} like scores")

    # The baseline of a response is the mean reward of the others; that this is the mean over pairs is the paper's
    # observation
    group_size = reward.shape[-1]
    check(group_size >= 2, "group size", group_size, "at least 2")
    others = (reward.sum(-1, keepdims=True) - reward) / (group_size - 1)
    return np.einsum("...g,...gh->...h", reward - others, score) / group_size


@checked(chain=CHAIN)
def oracle_trace(chain: ReasoningChain) -> np.ndarray:
    """Variance ``(...)``, summed over steps, of ``s (r - P)``: one response with the true value as its baseline.

    ``chain``: one question or many. An exact sum over the outcome classes of a response.
    """
    p = chain.class_probs
    correct = np.arange(chain.horizon + 1) == chain.horizon
    gradient = chain.scores * (correct - p[..., -1:])[..., None]
    square = np.einsum("...k,...kh->...", p, gradient**2)
    mean = np.einsum("...k,...kh->...h", p, gradient)
    return square - (mean**2).sum(-1)


@checked(chain=CHAIN, group_size=count(2))
def u_statistic_mse(chain: ReasoningChain, group_size: int) -> np.ndarray:
    """Mean squared error ``(...)`` of `u_statistic` for outcome rewards, summed over steps, by Hoeffding's formula.

    ``(G - 2) / (G (G - 1)) oracle_trace + 2 / (G (G - 1)) Z`` with Z the variance of one pair's term, exactly; so
    ``G`` times it tends to `oracle_trace`. Raises `InputError` for a ``group_size`` below 2.
    """
    success = chain.class_probs[..., -1:]
    failures = chain.class_probs[..., :-1]

    # a pair's term is not 0 only if one response is correct and the other one is not
    contrast = (chain.scores[..., -1:, :] - chain.scores[..., :-1, :]) / 2
    square = 2 * success[..., 0] * np.einsum("...k,...kh->...", failures, contrast**2)
    mean = 2 * success * np.einsum("...k,...kh->...h", failures, contrast)
    pair_variance = square - (mean**2).sum(-1)

    # Hoeffding: what single responses contribute, and what only pairs do
    pairs = group_size * (group_size - 1)
    return ((group_size - 2) * oracle_trace(chain) + 2 * pair_variance) / pairs
