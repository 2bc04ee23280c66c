"""The loss of group-relative methods: clipped surrogate, KL estimators, and how tokens are weighed.

All functions take values per token, ``(Q, G, T)`` for G responses of at most T tokens to each of Q questions;
any leading shape works. ``mask`` is boolean of the same shape, False for what follows the end of a response.
"""

from typing import Literal, get_args

import torch

from spo_theory.validation import check, problem, refuse

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
    if mask is not None:
        per_token = torch.where(mask, per_token, torch.zeros_like(per_token))
    total = per_token.sum(-1)
    if aggregation == "sum":
        return total.mean()
    if aggregation == "constant":
        return total.mean() / (per_token.shape[-1] if constant is None else constant)
    if mask is None:
        return total.mean() / per_token.shape[-1]
    tokens = mask.sum(-1)
    if aggregation == "response":
        return (total / tokens.clamp(min=1)).mean()
    return total.sum() / tokens.sum().clamp(min=1)


def policy_loss(
    log_probs: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float,
    clip_high: float,
    reference: torch.Tensor | None = None,
    kl_coef: float = 0.0,
    mask: torch.Tensor | None = None,
    aggregation: Aggregation = "sum",
    constant: float | None = None,
    kl_estimator: KlEstimator = "k3",
) -> torch.Tensor:
    """Minus the clipped surrogate, plus the KL penalty, aggregated to a scalar.

    ``log_probs``, ``old``, ``reference``: ``(Q, G, T)``, nats, under the current, the sampling and the start
    policy; ``advantages``: ``(Q, G)``, or ``(Q, G, T)`` if they differ between tokens. Per token it is
    ``-min(r A, clip(r, 1 - clip_low, 1 + clip_high) A) + kl_coef KL`` with ``r = exp(log_probs - old)``; for
    ``mask``, ``aggregation`` and ``constant`` see `aggregate`. Source: GRPO, arXiv 2402.03300, Eq. 3 (which is
    aggregation ``response``); separate clips: DAPO, arXiv 2503.14476. Raises `InputError` for unknown names.

    >>> log_probs = torch.zeros(1, 2, 3, requires_grad=True)
    >>> policy_loss(log_probs, torch.zeros(1, 2, 3), torch.tensor([[1.0, -1.0]]), 0.2, 0.2).backward()
    >>> log_probs.grad  # minus the advantage of each token, averaged over the two responses
    tensor([[[-0.5000, -0.5000, -0.5000],
             [ 0.5000,  0.5000,  0.5000]]])
    """
    check(kl_estimator in KL_ESTIMATORS, "kl_estimator", kl_estimator, _one_of(KlEstimator))
    # What follows the end may hold anything, also infinities whose gradient would be NaN.
    if mask is not None:
        log_probs = log_probs.masked_fill(~mask, 0.0)
        old = old.masked_fill(~mask, 0.0)
        reference = None if reference is None else reference.masked_fill(~mask, 0.0)

    # The smaller of the two: a clip takes away what an update could gain, never what it could lose.
    ratio = (log_probs - old).exp()
    advantage = _per_token(advantages, log_probs)
    per_token = torch.minimum(ratio * advantage, ratio.clamp(1 - clip_low, 1 + clip_high) * advantage)
    if reference is not None and kl_coef > 0:
        per_token = per_token - kl_coef * KL_ESTIMATORS[kl_estimator](log_probs, reference)
    return -aggregate(per_token, mask, aggregation, constant)


@torch.no_grad()
def clipped_share(
    log_probs: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float,
    clip_high: float,
    mask: torch.Tensor | None = None,
) -> float:
    """Share of the tokens whose surrogate is cut off by a clip, so that they give no gradient.

    Arguments as of `policy_loss`.

    >>> log_probs = torch.tensor([[[0.0, 0.5, -0.5, 0.1]]])  # ratios 1, 1.65, 0.61 and 1.11
    >>> clipped_share(log_probs, torch.zeros(1, 1, 4), torch.tensor([[1.0]]), 0.2, 0.2)
    0.25
    """
    ratio = (log_probs - old).exp()
    advantage = _per_token(advantages, log_probs)
    cut = ((ratio < 1 - clip_low) & (advantage < 0)) | ((ratio > 1 + clip_high) & (advantage > 0))
    return float(cut.float().mean() if mask is None else cut[mask].float().mean())


def _per_token(advantages: torch.Tensor, log_probs: torch.Tensor) -> torch.Tensor:
    """Advantages of responses ``(Q, G)`` or of tokens ``(Q, G, T)`` in a shape that fits tokens."""
    return advantages if advantages.ndim == log_probs.ndim else advantages[..., None]


def _one_of(names: object) -> str:
    return "one of " + ", ".join(get_args(names))
