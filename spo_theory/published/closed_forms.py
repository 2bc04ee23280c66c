"""Closed forms of other authors for the same learning problem, to hold the project's own results against.

Each function names its source; none is used by the rules or the dynamics. ``P`` is the success probability.
"""

from typing import Any, Literal, get_args

import numpy as np

from spo_theory.exact.advantages import expected_advantages
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.validation import InputError, check, problem, refuse

Scale = Literal["std", "none"]


def _numbers(name: str, value: Any, closed: bool = False) -> np.ndarray:
    x = np.asarray(value, dtype=float)
    inside = ((x >= 0) & (x <= 1)) if closed else ((x > 0) & (x < 1))
    allowed = "between 0 and 1" if closed else "strictly between 0 and 1"
    check(bool(inside.all()), name, x[~inside].tolist(), allowed)
    return x


def _scale(scale: str) -> list[str]:
    return problem(scale in get_args(Scale), "scale", scale, " or ".join(get_args(Scale)))


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def _sigmoid(x: Any) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -np.asarray(x, dtype=float)))


def transform_clock(p: Any, scale: Scale = "std") -> np.ndarray:
    """Time coordinate of one step (H = 1) in an infinite group: the flow takes ``clock(p1) - clock(p0)``.

    With x the log-odds of ``p``: ``4 sinh(x / 2)`` for standardized advantages, where ``dx/dt = sqrt(p (1 - p))``,
    and ``2 (x + sinh x)`` for the mean only, where ``dx/dt = p (1 - p)``. ``p``: any shape, in (0, 1); the unit is
    an update of learning rate 1. Integrated from the monotone transforms of Davis and Recht, arXiv 2510.13651
    (GRPO ascends ``arcsin sqrt(p)``).
    """
    refuse(_scale(scale))
    x = _logit(_numbers("p", p))
    return 4 * np.sinh(x / 2) if scale == "std" else 2 * (x + np.sinh(x))


def _kl_arguments(beta: float, var_eps: float, scale: str) -> None:
    refuse(
        problem(bool(np.isfinite(beta)) and beta > 0, "beta", beta, "a finite number above 0")
        + problem(bool(np.isfinite(var_eps)) and var_eps > 0, "var_eps", var_eps, "a finite number above 0")
        + _scale(scale)
    )


def kl_round(p: Any, anchor: Any, beta: float, *, var_eps: float = 1e-5, scale: Scale = "std") -> np.ndarray:
    """P after one exactly solved round of KL-regularized GRPO: ``logit P' = logit anchor + D / beta``.

    ``D = 1 / sqrt(p (1 - p) + var_eps)`` is the advantage of a correct over an incorrect response in an infinite
    group sampled with success ``p`` in [0, 1] (``scale="none"``: D = 1). ``anchor``: P of the policy the KL term
    holds on to, in (0, 1). ``beta``: weight of the KL term, above 0. Source: Mroueh, arXiv 2503.06639.
    """
    _kl_arguments(beta, var_eps, scale)
    old, reference = _numbers("p", p, closed=True), _numbers("anchor", anchor)
    gap = 1 / np.sqrt(old * (1 - old) + var_eps) if scale == "std" else np.ones_like(old)
    return _sigmoid(_logit(reference) + gap / beta)


def kl_fixed_point(
    reference: float, beta: float, *, var_eps: float = 1e-5, scale: Scale = "std", rounds: int = 2000
) -> float:
    """Limit of `kl_round` with a fixed reference policy of success ``reference``, started there.

    The fixed point need not be the only one. Raises `InputError` if ``rounds`` rounds do not settle it to 1e-13.
    """
    p = float(_numbers("reference", reference))
    for _ in range(rounds):
        last, p = p, float(kl_round(p, reference, beta, var_eps=var_eps, scale=scale))
        if abs(p - last) <= 1e-13:
            return p
    raise InputError(f"rounds = {rounds!r} is not allowed: more are needed for reference {reference}, beta {beta}")


def kl_slope(p: Any, beta: float, *, var_eps: float = 1e-5) -> np.ndarray:
    """Derivative of `kl_round` (standardized, fixed reference) at a fixed point ``p``: stable if below 1 in size.

    ``-p (1 - p) (1 - 2 p) / (2 beta (p (1 - p) + var_eps)^(3/2))``. Source: Mroueh, arXiv 2503.06639.
    """
    _kl_arguments(beta, var_eps, "std")
    x = _numbers("p", p, closed=True)
    v = x * (1 - x)
    return -v * (1 - 2 * x) / (2 * beta * (v + var_eps) ** 1.5)


def noisy_outcome_update(chain: ReasoningChain, group_size: int, tpr: float, fpr: float) -> np.ndarray:
    """Expected GRPO update ``(..., H)`` when a verifier accepts correct responses with chance ``tpr``, others ``fpr``.

    Population std, no epsilon. Equals ``(tpr - fpr) c_G(r) / (r (1 - r)) grad P`` with acceptance rate
    ``r = P tpr + (1 - P) fpr`` (0 if r is 0 or 1), the chain's form of Rad et al., arXiv 2601.04411; computed here
    from the exact expected advantages of accepted and rejected responses.
    """
    accept, reject = _numbers("tpr", tpr, closed=True), _numbers("fpr", fpr, closed=True)
    p = chain.class_probs
    chance = np.where(np.arange(chain.horizon + 1) == chain.horizon, accept, reject)  # of acceptance, by class
    r = p @ chance
    a = np.asarray(expected_advantages(np.stack([1 - r, r], axis=-1), [0.0, 1.0], group_size))
    given = chance * a[..., 1:] + (1 - chance) * a[..., :1]
    return np.einsum("...k,...kh->...h", p * given, chain.scores)


def noisy_bandit_flow(logits: Any, right: Any, tpr: float, fpr: float) -> np.ndarray:
    """Velocity ``(M,)`` of the logits of a softmax over M answers under noisy rewards in an infinite group.

    ``right``: boolean ``(M,)``, which answers are right; each is accepted with chance ``tpr``, a wrong one with
    ``fpr``. With x the total probability of wrong answers this gives
    ``dx/dt = -(tpr - fpr) / sqrt(r (1 - r)) x^2 (1 - x)^2 (s + t)``, s and t the sums of squared shares of the right
    and of the wrong answers among their kind. Source: Rad et al., arXiv 2601.04411.
    """
    accept, reject = _numbers("tpr", tpr, closed=True), _numbers("fpr", fpr, closed=True)
    z, good = np.asarray(logits, dtype=float), np.asarray(right, dtype=bool)
    check(z.ndim == 1 and z.shape == good.shape, "right.shape", good.shape, f"(M,) like logits, {z.shape}")
    pi = np.exp(z - np.logaddexp.reduce(z))
    p, x = pi[good].sum(), pi[~good].sum()
    r, rejected = p * accept + x * reject, p * (1 - accept) + x * (1 - reject)  # 1 - r would cancel late in training
    check(bool(r * rejected > 0), "acceptance rate", float(r), "strictly between 0 and 1")
    return pi * (accept - reject) * np.where(good, x, -p) / np.sqrt(r * rejected)


def gradient_gap(chain: ReasoningChain) -> np.ndarray:
    """Mean score of correct minus mean score of incorrect responses ``(..., H)``: ``(1 - q_h) / (1 - P)``.

    It is the gradient of the log-odds of P. Source: Suk and Duan, arXiv 2510.08539.
    """
    return (1 - chain.step_success) / chain.class_probs[..., :-1].sum(-1)[..., None]


def largest_safe_rate(gap: Any, horizon: int) -> np.ndarray:
    """Largest step along a unit vector for which P is sure to rise by `success_lower_bound`: ``gap / (2 (L + 8 S^2))``.

    ``gap``: product of the unit vector and `gradient_gap`, any shape; where it is negative the answer is 0.
    On a chain of H untied steps the score is Lipschitz with ``L = 1/4`` and at most ``S = sqrt(H)`` long.
    Source: Suk and Duan, arXiv 2510.08539.
    """
    check(isinstance(horizon, int) and horizon >= 1, "horizon", horizon, "a whole number, at least 1")
    return np.maximum(np.asarray(gap, dtype=float), 0.0) / (2 * (0.25 + 8 * horizon))


def success_lower_bound(start: Any, mass: Any) -> np.ndarray:
    """Lower bound ``P0 / (P0 + (1 - P0) exp(-M / 2))`` of P after safe steps (`largest_safe_rate`).

    ``start``: P0 in (0, 1). ``mass``: M, the sum of step sizes times gaps, at least 0; shapes broadcast.
    Source: Suk and Duan, arXiv 2510.08539.
    """
    total = np.asarray(mass, dtype=float)
    check(bool((total >= 0).all()), "mass", total[~(total >= 0)].tolist(), "at least 0")
    return _sigmoid(_logit(_numbers("start", start)) + total / 2)


def u_statistic(scores: Any, rewards: Any) -> np.ndarray:
    """Gradient ``(..., H)`` of a group with leave-one-out baseline: mean of ``(s_i - s_j)(r_i - r_j) / 2`` over pairs.

    ``scores``: ``(..., G, H)``; ``rewards``: ``(..., G)``, G >= 2. Source: Zhou et al., arXiv 2603.01162.
    """
    s, r = np.asarray(scores, dtype=float), np.asarray(rewards, dtype=float)
    check(s.shape[:-1] == r.shape and r.ndim >= 1, "rewards.shape", r.shape, f"{s.shape[:-1]} like scores")
    g = r.shape[-1]
    check(g >= 2, "group size", g, "at least 2")
    others = (r.sum(-1, keepdims=True) - r) / (g - 1)
    return np.einsum("...g,...gh->...h", r - others, s) / g


def oracle_trace(chain: ReasoningChain) -> np.ndarray:
    """Variance ``(...)``, summed over steps, of ``s (r - P)``: one response with the true value as its baseline."""
    p, s = chain.class_probs, chain.scores
    x = s * ((np.arange(chain.horizon + 1) == chain.horizon) - p[..., -1:])[..., None]
    return np.einsum("...k,...kh->...", p, x**2) - (np.einsum("...k,...kh->...h", p, x) ** 2).sum(-1)


def u_statistic_mse(chain: ReasoningChain, group_size: int) -> np.ndarray:
    """Mean squared error ``(...)`` of `u_statistic` for outcome rewards, summed over steps, by Hoeffding's formula.

    ``(G - 2) / (G (G - 1)) oracle_trace + 2 / (G (G - 1)) Z`` with Z the variance of one pair's term, exactly; so
    ``G`` times it tends to `oracle_trace`. Source: Zhou et al., arXiv 2603.01162.
    """
    check(isinstance(group_size, int) and group_size >= 2, "group_size", group_size, "a whole number, at least 2")
    p, s = chain.class_probs, chain.scores
    success, wrong = p[..., -1:], p[..., :-1]
    contrast = (s[..., -1:, :] - s[..., :-1, :]) / 2  # a pair's term: not 0 if one is correct and one is not
    square = 2 * success[..., 0] * np.einsum("...k,...kh->...", wrong, contrast**2)
    mean = 2 * success * np.einsum("...k,...kh->...h", wrong, contrast)
    pair = square - (mean**2).sum(-1)
    g = group_size
    return ((g - 2) * oracle_trace(chain) + 2 * pair) / (g * (g - 1))
