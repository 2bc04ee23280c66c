"""Rad et al., arXiv 2601.04411: GRPO under a verifier that errs, and the threshold of its Youden index TPR - FPR."""

from typing import Any

import numpy as np

from spo_theory.allowed import SHARE, checked, numbers
from spo_theory.exact.by_class.advantages import expected_advantages
from spo_theory.limits import count
from spo_theory.outcomes.chain import CHAIN, ReasoningChain
from spo_theory.published.probabilities import checked_probabilities
from spo_theory.validation import check


@checked(chain=CHAIN, group_size=count(2), tpr=SHARE, fpr=SHARE)
def noisy_outcome_update(chain: ReasoningChain, group_size: int, tpr: float, fpr: float) -> np.ndarray:
    """Expected GRPO update ``(..., H)`` when a verifier accepts correct responses with chance ``tpr``, others ``fpr``.

    Population std, no epsilon. Equals ``(tpr - fpr) c_G(r) / (r (1 - r)) grad P`` with acceptance rate
    ``r = P tpr + (1 - P) fpr`` (0 if r is 0 or 1), the form of the paper's result on the chain; computed here from the
    exact expected advantages of accepted and rejected responses. Raises `InputError` for a rate outside [0, 1].

    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> noisy_outcome_update(chain, group_size=2, tpr=1.0, fpr=0.0).round(3).tolist()
    [0.125, 0.125]
    """
    true_positive = checked_probabilities("tpr", tpr, closed=True)
    false_positive = checked_probabilities("fpr", fpr, closed=True)

    # The verifier sees a correct response (the last class) or an incorrect one, and errs with its own rate for each
    class_probs = chain.class_probs
    correct = np.arange(chain.horizon + 1) == chain.horizon
    accepted_by_class = np.where(correct, true_positive, false_positive)
    accepted = class_probs @ accepted_by_class

    # a class of responses gets a mixture of the advantages of an accepted and of a rejected response
    advantages = expected_advantages(np.stack([1 - accepted, accepted], axis=-1), [0.0, 1.0], group_size)
    rejected_advantage = np.asarray(advantages)[..., :1]
    accepted_advantage = np.asarray(advantages)[..., 1:]
    by_class = accepted_by_class * accepted_advantage + (1 - accepted_by_class) * rejected_advantage
    return np.einsum("...k,...kh->...h", class_probs * by_class, chain.scores)


@checked(tpr=SHARE, fpr=SHARE)
def noisy_bandit_flow(logits: Any, right: Any, tpr: float, fpr: float) -> np.ndarray:
    """Velocity ``(M,)`` of the logits of a softmax over M answers under noisy rewards in an infinite group.

    ``right``: boolean ``(M,)``, which answers are right; each is accepted with chance ``tpr``, a wrong one with
    ``fpr``. With x the total probability of wrong answers this gives
    ``dx/dt = -(tpr - fpr) / sqrt(r (1 - r)) x^2 (1 - x)^2 (s + t)``, s and t the sums of squared shares of the right
    and of the wrong answers among their kind. Raises `InputError` for rates outside [0, 1], other shapes, or if every
    answer is accepted or every one rejected.

    >>> noisy_bandit_flow([0.0, 0.0], right=[True, False], tpr=1.0, fpr=0.0).tolist()
    [0.5, -0.5]
    """
    true_positive = checked_probabilities("tpr", tpr, closed=True)
    false_positive = checked_probabilities("fpr", fpr, closed=True)
    z = numbers("logits", logits)
    good = numbers("right", right) != 0
    check(z.ndim == 1 and z.shape == good.shape, "right.shape", good.shape, f"(M,) like logits, {z.shape}")

    # Right and wrong answers as two groups: all that the rewards tell apart
    policy = np.exp(z - np.logaddexp.reduce(z))
    success = policy[good].sum()
    failure = policy[~good].sum()
    accepted = success * true_positive + failure * false_positive
    rejected = success * (1 - true_positive) + failure * (1 - false_positive)  # 1 - accepted would cancel late
    check(bool(accepted * rejected > 0), "acceptance rate", float(accepted), "strictly between 0 and 1")

    # Standardized advantages of a right and of a wrong answer, averaged over the verifier's errors
    youden = true_positive - false_positive
    return policy * youden * np.where(good, failure, -success) / np.sqrt(accepted * rejected)
