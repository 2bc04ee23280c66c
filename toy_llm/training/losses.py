"""The loss of an update rule: minus the value of its objective, KL estimators, and how tokens are weighed.

All functions take values per token, ``(Q, G, T)`` for G responses of at most T tokens to each of Q questions;
any leading shape works. ``mask`` is boolean of the same shape, False for what follows the end of a response.
"""

from typing import Literal, get_args

import torch

from spo_theory.parts.objectives import Clipped, Objective
from spo_theory.validation import problem, refuse

Aggregation = Literal["sum", "response", "token", "constant"]
KlEstimator = Literal["k1", "k2", "k3"]


def k1(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """``log(policy / reference)`` per token, nats: unbiased for KL(policy || reference), of either sign.

    Its gradient averages to zero over the policy's own tokens: as a penalty it adds noise and no pull.

    >>> k1(torch.tensor([-1.0]), torch.tensor([-1.5]))
    tensor([0.5000])
    """
    return log_probs - reference


def k2(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """``log(policy / reference)^2 / 2`` per token, nats: biased, never negative.

    Its gradient averages to that of KL(policy || reference) over the policy's own tokens.

    >>> k2(torch.tensor([-1.0]), torch.tensor([-1.5]))
    tensor([0.1250])
    """
    return 0.5 * (log_probs - reference).square()


def k3(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """``exp(d) - d - 1`` per token with d = log(reference / policy), nats: unbiased, never negative.

    Its gradient averages to that of KL(reference || policy), the other direction, over the policy's own tokens.
    Source: GRPO, arXiv 2402.03300, Eq. 4; all three: J. Schulman, "Approximating KL divergence".

    >>> k3(torch.tensor([-1.0]), torch.tensor([-1.5]))
    tensor([0.1065])
    """
    d = reference - log_probs
    return d.expm1() - d


KL_ESTIMATORS = {"k1": k1, "k2": k2, "k3": k3}
"""The estimators by name, each ``(log_probs, reference) -> nats per token``."""


def aggregate(
    per_token: torch.Tensor,
    mask: torch.Tensor | None = None,
    aggregation: Aggregation = "sum",
    constant: float | None = None,
) -> torch.Tensor:
    """One number from values of tokens ``(..., T)``.

    sum: over the tokens of a response, mean over responses; what the theory describes (TRL: luspo, without its
    ratios per sequence). response: mean over each response's tokens, mean over responses (TRL: grpo; arXiv
    2402.03300). token: mean over all tokens of the batch (TRL: bnpo, and dapo when a batch is one gradient step;
    arXiv 2503.14476). constant: sum over all tokens divided by responses times ``constant``, T if None (TRL:
    dr_grpo; arXiv 2503.20783). A response without tokens counts as one whose tokens are worth 0.
    Raises `InputError` for an unknown aggregation or a constant that is not above 0.

    >>> per_token = torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])
    >>> mask = torch.tensor([[True, True, True], [True, False, False]])
    >>> [aggregate(per_token, mask, how).item() for how in ("sum", "response", "token")]
    [5.0, 3.0, 2.5]
    """
    refuse(
        problem(aggregation in get_args(Aggregation), "aggregation", aggregation, _one_of(Aggregation))
        + problem(constant is None or constant > 0, "constant", constant, "above 0, or None")
    )

    # Tokens that were not written are worth 0, whatever stands there.
    if mask is not None:
        per_token = torch.where(mask, per_token, torch.zeros_like(per_token))
    total = per_token.sum(-1)

    # A mean over responses, each worth the sum of its tokens.
    if aggregation == "sum":
        return total.mean()
    if aggregation == "constant":
        return total.mean() / (per_token.shape[-1] if constant is None else constant)
    if mask is None:
        return total.mean() / per_token.shape[-1]

    # What follows weighs by the number of tokens, at least 1 where nothing was written.
    tokens = mask.sum(-1)
    if aggregation == "response":
        return (total / tokens.clamp(min=1)).mean()
    return total.sum() / tokens.sum().clamp(min=1)


def policy_loss(
    objective: Objective,
    log_probs: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    credit: torch.Tensor,
    question_weights: torch.Tensor | None = None,
    reference: torch.Tensor | None = None,
    kl_coef: float = 0.0,
    mask: torch.Tensor | None = None,
    aggregation: Aggregation = "sum",
    constant: float | None = None,
    kl_estimator: KlEstimator = "k3",
) -> torch.Tensor:
    """Minus the value of an objective, plus the KL penalty, aggregated to a scalar.

    With aggregation ``sum`` its gradient is minus that of the method: ``mean_i sum_t w_it grad log_probs_it``, w the
    ``weights`` of the objective.

    ``objective``: of the update rule. ``log_probs``, ``old``, ``reference``: ``(Q, G, T)``, nats, under the current,
    the sampling and the start policy. ``advantages``: of responses ``(Q, G)``. ``credit``: the advantage that acts on
    each token ``(Q, G, T)``. ``question_weights``: ``(Q,)``, how much each question counts; None: all the same. For
    ``mask``, ``aggregation`` and ``constant`` see `aggregate`.

    Raises `InputError` for unknown names, and for an objective with one term a response under any aggregation but
    ``sum``. The clipped objective with aggregation ``response`` is GRPO's loss, arXiv 2402.03300, Eq. 3.

    >>> from spo_theory.parts.objectives import Clipped
    >>> log_probs = torch.zeros(1, 2, 3, requires_grad=True)
    >>> advantages = torch.tensor([[1.0, -1.0]])
    >>> credit = advantages[..., None].expand(1, 2, 3)
    >>> policy_loss(Clipped(), log_probs, torch.zeros(1, 2, 3), advantages, credit).backward()
    >>> log_probs.grad  # minus the advantage of each token, averaged over the two responses
    tensor([[[-0.5000, -0.5000, -0.5000],
             [ 0.5000,  0.5000,  0.5000]]])
    """
    refuse(
        problem(kl_estimator in KL_ESTIMATORS, "kl_estimator", kl_estimator, _one_of(KlEstimator))
        + aggregation_problems(objective, aggregation)
    )

    # What follows the end may hold anything, also infinities whose gradient would be NaN.
    log_probs = written(log_probs, mask)
    old = written(old, mask)
    terms = objective.terms(advantages, credit, log_probs - old)
    if question_weights is not None:
        terms = terms * question_weights[:, None, None]

    # The penalty is one number a token, or is summed up where the objective has one number a response.
    if reference is not None and kl_coef > 0:
        penalty = KL_ESTIMATORS[kl_estimator](log_probs, written(reference, mask))
        terms = terms - kl_coef * (penalty if objective.per_step else penalty.sum(-1, keepdim=True))
    return -aggregate(terms, mask if objective.per_step else None, aggregation, constant)


def written(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """``values`` of tokens ``(..., T)``, 0 where the boolean ``mask`` says that no token was written; None: all were.

    >>> written(torch.tensor([1.0, float("nan")]), torch.tensor([True, False]))
    tensor([1., 0.])
    """
    return values if mask is None else values.masked_fill(~mask, 0.0)


def aggregation_problems(objective: Objective, aggregation: str) -> list[str]:
    """A line if ``objective`` has one term a response and ``aggregation`` weighs tokens; else no line.

    >>> from spo_theory.parts.objectives import PairRegression
    >>> aggregation_problems(PairRegression(), "token")
    ["aggregation = 'token' is not allowed: aggregation must be sum with PairRegression(eta=1.0), one term a response"]
    """
    fits = objective.per_step or aggregation == "sum"
    return problem(fits, "aggregation", aggregation, f"sum with {objective}, one term a response")


@torch.no_grad()
def clipped_share(
    objective: Objective,
    log_probs: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    credit: torch.Tensor,
    mask: torch.Tensor | None = None,
) -> float:
    """Share of the tokens that a clip cuts off: their weight is 0 although their credit is not.

    Arguments as of `policy_loss`. Returns 0 for an objective that does not clip.

    >>> from spo_theory.parts.objectives import Clipped
    >>> log_probs = torch.tensor([[[0.0, 0.5, -0.5, 0.1]]])  # ratios 1, 1.65, 0.61 and 1.11
    >>> clipped_share(Clipped(), log_probs, torch.zeros(1, 1, 4), torch.ones(1, 1), torch.ones(1, 1, 4))
    0.25
    """
    if not isinstance(objective, Clipped):
        return 0.0

    # What follows the end may hold anything; it is not counted.
    log_ratio = written(log_probs, mask) - written(old, mask)
    weights = objective.weights(advantages, credit, log_ratio)
    cut = (weights == 0) & (credit != 0)
    return float(cut.float().mean() if mask is None else cut[mask].float().mean())


def _one_of(names: object) -> str:
    return "one of " + ", ".join(get_args(names))
