"""What a clipped loss should be: value and gradient in exact arithmetic."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from spo_theory.conformance.losses.tokens import Tokens
from spo_theory.parts.objectives import Clipped
from spo_theory.validation import is_number, problem, refuse

Aggregation = Literal["token", "response", "constant", "sum"]
KL = Literal["none", "k1", "k2", "k3"]


@dataclass(frozen=True)
class LossFormula:
    """``-aggregate(min(ratio A, clip(ratio) A)) + kl_coef aggregate(kl)``.

    aggregation: ``token``, the mean over all tokens of the batch (DAPO, TRL's bnpo and dapo); ``response``, the mean
    over responses of the mean over their tokens (GRPO); ``constant``, the sum over B ``constant`` (Dr. GRPO), constant
    T if None; ``sum``, the mean over responses of the sum over their tokens. clip_low, clip_high: 0 or more.
    kl: k1, ``log p - log ref``; k2, half its square; k3, ``exp(log ref - log p) - 1 - (log ref - log p)``; their
    derivatives are those of the estimators themselves. dual_clip: above this ratio, above 1, a token of negative
    advantage has no gradient (arXiv 1912.09729); None: no such clip.

    Example:
        >>> from spo_theory.conformance.losses.tokens import make
        >>> value, gradient = LossFormula()(make(0, (2, 1), advantages=1.0))
        >>> round(value, 6), (-gradient).round(3).tolist()
        (-1.0, [[0.333, 0.333, 0.0], [0.333, 0.0, 0.0]])
    """

    clip_low: float = 0.2
    clip_high: float = 0.2
    aggregation: Aggregation = "token"
    constant: float | None = None
    kl: KL = "none"
    kl_coef: float = 0.0
    dual_clip: float | None = None

    def __post_init__(self) -> None:
        given = self.constant is None or (is_number(self.constant) and self.constant > 0)
        above = self.dual_clip is None or (is_number(self.dual_clip) and self.dual_clip > 1)
        weighted = is_number(self.kl_coef) and self.kl_coef >= 0
        refuse(
            problem(
                self.aggregation in get_args(Aggregation),
                "aggregation",
                self.aggregation,
                " or ".join(get_args(Aggregation)),
            )
            + problem(above, "dual_clip", self.dual_clip, "a number above 1, or None")
            + problem(given, "constant", self.constant, "a number above 0, or None for the longest response")
            + problem(self.kl in get_args(KL), "kl", self.kl, " or ".join(get_args(KL)))
            + problem(weighted, "kl_coef", self.kl_coef, "a number, at least 0")
        )
        Clipped(self.clip_low, self.clip_high)

    def shares(self, mask: np.ndarray) -> np.ndarray:
        """How much each token ``(B, T)`` counts in the aggregate."""
        counted = mask.astype(float)
        if self.aggregation == "token":
            return counted / max(counted.sum(), 1.0)
        if self.aggregation == "response":
            return counted / np.maximum(counted.sum(-1, keepdims=True), 1.0) / len(mask)
        per_response = 1.0 if self.aggregation == "sum" else (self.constant or mask.shape[1])
        return counted / per_response / len(mask)

    def __call__(self, tokens: Tokens) -> tuple[float, np.ndarray]:
        """The loss, and its gradient in the log-probabilities ``(B, T)``."""
        share = self.shares(tokens.mask)
        log_ratio = np.where(tokens.mask, tokens.log_prob - tokens.old, 0.0)
        credit = np.broadcast_to(tokens.advantages[:, None], log_ratio.shape)
        surrogate = Clipped(self.clip_low, self.clip_high)
        terms = surrogate.terms(tokens.advantages, credit, log_ratio)
        weights = surrogate.weights(tokens.advantages, credit, log_ratio)
        if self.dual_clip is not None:
            cut = (credit < 0) & (np.exp(log_ratio) > self.dual_clip)
            terms = np.where(cut, self.dual_clip * credit, terms)
            weights = np.where(cut, 0.0, weights)
        value = -(share * terms).sum()
        gradient = -share * weights
        if self.kl != "none":
            estimate, slope = self._kl(np.where(tokens.mask, tokens.reference - tokens.log_prob, 0.0))
            value += self.kl_coef * (share * estimate).sum()
            gradient += self.kl_coef * share * slope
        return float(value), gradient

    def _kl(self, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The KL estimate of every token and its slope in the log-probability; ``log_ratio`` is ref less current."""
        if self.kl == "k1":
            return -log_ratio, np.ones_like(log_ratio)
        if self.kl == "k2":
            return log_ratio**2 / 2, -log_ratio
        return np.expm1(log_ratio) - log_ratio, -np.expm1(log_ratio)
