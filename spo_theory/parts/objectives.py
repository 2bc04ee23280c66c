"""Objectives: from advantages and log-ratios to the weight of every step, and to the value that is maximized.

The log-ratio of a step is ``log pi(step) - log pi_old(step)``, pi_old the policy that sampled it; it is 0 for steps
that were not written. A "step" is whatever the last axis counts: steps of the stylized chain, tokens in the trainer.
For a group of G responses

- ``weights`` are the factors w of the group's gradient ``mean_i sum_s w_is grad log pi(step s of response i)``;
- ``terms`` are the parts of the value V whose gradient this is: ``V = mean_i sum_s terms_is``.

Derived in docs/theory/step-weights.md.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from array_api_compat import array_namespace

from spo_theory.group import Array
from spo_theory.validation import check, is_number, problem, refuse

Ratio = Literal["token", "sequence"]
Reference = Literal["start", "sampling"]
"""What log-ratios of pairs are taken against: the policy from which training began, or the one that sampled."""


class Objective(Protocol):
    """What every objective is.

    Arguments of both functions: ``advantages`` ``(..., G)``; ``credit``, the advantage that acts on each step
    ``(..., G, S)``; ``log_ratio`` ``(..., G, S)``, nats.
    """

    @property
    def by_sign(self) -> bool:
        """Whether weights are linear in positive and in negative credit: then the expectations of both suffice."""

    @property
    def per_step(self) -> bool:
        """Whether ``terms`` are one number a step ``(..., G, S)``; else one a response ``(..., G, 1)``."""

    @property
    def uses_reference(self) -> bool:
        """Whether log-ratios are against the start policy instead of the sampling one, also on fresh rollouts."""

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)`` of every step."""

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Parts of the value, ``(..., G, S)`` or ``(..., G, 1)``."""


@dataclass(frozen=True)
class Clipped:
    """The clipped surrogate ``min(ratio A, clip(ratio, 1 - clip_low, 1 + clip_high) A)``.

    clip_low: above 0 at most 1 makes sense; 0 is allowed and stops every ratio below 1. clip_high: at least 0.
    ratio: ``token``, every step has its own ratio (PPO, GRPO); ``sequence``, all steps of a response share the product
    of theirs (GSPO, arXiv 2507.18071, without its root). Sources: GRPO, arXiv 2402.03300, Eq. 3; separate clips: DAPO,
    arXiv 2503.14476.

    Example:
        >>> import numpy as np
        >>> advantages = np.array([1.0, 1.0])
        >>> log_ratio = np.log([[1.1], [1.3]])
        >>> Clipped().weights(advantages, advantages[:, None], log_ratio).round(3).tolist()
        [[1.1], [0.0]]
    """

    clip_low: float = 0.2
    clip_high: float = 0.2
    ratio: Ratio = "token"
    by_sign = True
    traced = ("clip_low", "clip_high")
    uses_reference = False

    def __post_init__(self) -> None:
        low = is_number(self.clip_low) and 0 <= self.clip_low <= 1
        high = is_number(self.clip_high) and self.clip_high >= 0
        refuse(
            problem(low, "clip_low", self.clip_low, "a number from 0 to 1")
            + problem(high, "clip_high", self.clip_high, "a finite number, at least 0")
            + problem(self.ratio in get_args(Ratio), "ratio", self.ratio, " or ".join(get_args(Ratio)))
        )

    @property
    def per_step(self) -> bool:
        """Whether each step has a term of its own."""
        return self.ratio == "token"

    def _importance(self, log_ratio: Array) -> Array:
        """Importance ratio ``(..., G, S)`` of every step."""
        xp = array_namespace(log_ratio)
        if self.ratio == "sequence":
            total = xp.sum(log_ratio, axis=-1, keepdims=True)
            log_ratio = xp.broadcast_to(total, log_ratio.shape)
        return xp.exp(log_ratio)

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)``: ratio times credit, or 0 where the clip has cut the surrogate off."""
        xp = array_namespace(credit, log_ratio)
        ratio = self._importance(log_ratio)
        above = (credit > 0) & (ratio > 1 + self.clip_high)
        below = (credit < 0) & (ratio < 1 - self.clip_low)
        return xp.where(above | below, xp.zeros_like(ratio), ratio * credit)

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """The surrogate of every step ``(..., G, S)``; with shared ratios of every response ``(..., G, 1)``."""
        xp = array_namespace(credit, log_ratio)
        ratio = self._importance(log_ratio)
        clipped = xp.clip(ratio, 1 - self.clip_low, 1 + self.clip_high)
        surrogate = xp.minimum(ratio * credit, clipped * credit)
        # A shared ratio has the gradient of every step already: the response counts once
        return surrogate if self.per_step else surrogate[..., :1]


@dataclass(frozen=True)
class LogLikelihood:
    """Log-likelihood weighted by the credit, whatever the ratio (RAFT, arXiv 2504.11343).

    Example:
        >>> import numpy as np
        >>> advantages = np.array([1.0, 0.0])
        >>> LogLikelihood().weights(advantages, advantages[:, None], np.log([[1.1], [1.3]])).tolist()
        [[1.0], [0.0]]
    """

    by_sign = True
    per_step = True
    uses_reference = False

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)``: the credit itself."""
        return credit

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Credit times log-ratio ``(..., G, S)``: the log-likelihood less that of the sampling policy, a constant."""
        return credit * log_ratio


@dataclass(frozen=True)
class PairRegression:
    """Regression on pairs: differences of log-ratios should be ``eta`` times differences of advantages.

    The value is ``-eta/4`` times the mean over ordered pairs i, j of
    ``((l_i - l_j) / eta - (A_i - A_j))^2``, l the log-ratio of a whole response. That factor makes the first step that
    of the leave-one-out baseline, ``w_i = G / (G - 1) (A_i - mean A)``, for every ``eta``. It is largest where the
    policy is ``pi_old exp(eta A)``, normalized. eta: above 0, nats per unit of reward. Source: REBEL, arXiv 2404.16767.

    Example, log-ratios that are what the advantages ask for, then none yet:
        >>> import numpy as np
        >>> advantages = np.array([1.0, -1.0])
        >>> regression = PairRegression(eta=0.5)
        >>> regression.weights(advantages, advantages[:, None], np.array([[0.5], [-0.5]])).tolist()
        [[0.0], [0.0]]
        >>> regression.weights(advantages, advantages[:, None], np.zeros((2, 1))).tolist()
        [[2.0], [-2.0]]
    """

    eta: float = 1.0
    by_sign = False
    per_step = False
    traced = ("eta",)
    uses_reference = False

    def __post_init__(self) -> None:
        check(is_number(self.eta) and self.eta > 0, "eta", self.eta, "a finite number above 0")

    def _shortfall(self, advantages: Array, log_ratio: Array) -> tuple[Array, Array]:
        """Advantage less what the policy made of it, ``(..., G)``, and its mean over the group ``(..., 1)``."""
        xp = array_namespace(advantages, log_ratio)
        missing = advantages - xp.sum(log_ratio, axis=-1) / self.eta
        return missing, xp.mean(missing, axis=-1, keepdims=True)

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)``, the same for all steps of a response: what is missing against the others."""
        xp = array_namespace(advantages, log_ratio)
        missing, mean = self._shortfall(advantages, log_ratio)
        size = advantages.shape[-1]
        of_response = size / (size - 1) * (missing - mean)
        return xp.broadcast_to(of_response[..., None], log_ratio.shape)

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Share ``(..., G, 1)`` of every response in the value."""
        missing, mean = self._shortfall(advantages, log_ratio)
        size = advantages.shape[-1]
        # The squared differences of all ordered pairs sum to 2 G times the squared deviations from the mean
        deviation = missing - mean
        return (-self.eta / 2 * size / (size - 1) * deviation * deviation)[..., None]


@dataclass(frozen=True)
class PairLogistic:
    """Logistic loss on pairs: the response of larger advantage should have the larger log-ratio.

    The value is the sum over pairs with ``A_i > A_j`` of ``2 / beta log sigmoid(beta (l_i - l_j))``, divided by
    ``G (G - 1)``, l the log-ratio of a whole response. beta: above 0, per nat. reference: what log-ratios are taken
    against. Source: DPO, arXiv 2305.18290.

    Example:
        >>> import numpy as np
        >>> advantages = np.array([1.0, -1.0])
        >>> PairLogistic(beta=1.0).weights(advantages, advantages[:, None], np.zeros((2, 1))).tolist()
        [[1.0], [-1.0]]
    """

    beta: float = 0.1
    reference: Reference = "sampling"
    by_sign = False
    per_step = False
    traced = ("beta",)

    def __post_init__(self) -> None:
        refuse(
            problem(is_number(self.beta) and self.beta > 0, "beta", self.beta, "a finite number above 0")
            + reference_problems(self.reference)
        )

    @property
    def uses_reference(self) -> bool:
        """Whether log-ratios are against the start policy."""
        return self.reference == "start"

    def _pairs(self, advantages: Array, log_ratio: Array) -> tuple[Array, Array]:
        """For every pair i, j: whether i is the better one, and ``beta (l_i - l_j)``; both ``(..., G, G)``."""
        better, gap = _ordered_pairs(advantages, log_ratio)
        return better, self.beta * gap

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)``, the same for all steps of a response: doubts over worse less over better ones."""
        xp = array_namespace(advantages, log_ratio)
        better, margin = self._pairs(advantages, log_ratio)
        doubt = better / (1 + xp.exp(margin))
        size = advantages.shape[-1]
        of_response = 2 / (size - 1) * (xp.sum(doubt, axis=-1) - xp.sum(doubt, axis=-2))
        return xp.broadcast_to(of_response[..., None], log_ratio.shape)

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Share ``(..., G, 1)`` of every response in the value: its pairs with worse ones."""
        xp = array_namespace(advantages, log_ratio)
        better, margin = self._pairs(advantages, log_ratio)
        log_sigmoid = xp.minimum(margin, xp.zeros_like(margin)) - xp.log1p(xp.exp(-xp.abs(margin)))
        size = advantages.shape[-1]
        return 2 / self.beta / (size - 1) * xp.sum(better * log_sigmoid, axis=-1)[..., None]


@dataclass(frozen=True)
class PairSquare:
    """Square loss on pairs: the better response's log-ratio should be larger by ``1 / (2 tau)``, and not more.

    The value is ``-tau`` times the sum over pairs with ``A_i > A_j`` of ``(l_i - l_j - 1 / (2 tau))^2``, divided by
    ``G (G - 1)``, l the log-ratio of a whole response: the first update is that of `PairLogistic`. tau: above 0, per
    nat. reference: what log-ratios are taken against. Source: IPO, arXiv 2310.12036.

    Example, log-ratios that are what is asked for, then none yet:
        >>> import numpy as np
        >>> advantages = np.array([1.0, -1.0])
        >>> square = PairSquare(tau=0.5)
        >>> square.weights(advantages, advantages[:, None], np.array([[0.5], [-0.5]])).tolist()
        [[0.0], [0.0]]
        >>> square.weights(advantages, advantages[:, None], np.zeros((2, 1))).tolist()
        [[1.0], [-1.0]]
    """

    tau: float = 0.1
    reference: Reference = "sampling"
    by_sign = False
    per_step = False

    def __post_init__(self) -> None:
        refuse(
            problem(is_number(self.tau) and self.tau > 0, "tau", self.tau, "a finite number above 0")
            + reference_problems(self.reference)
        )

    @property
    def uses_reference(self) -> bool:
        """Whether log-ratios are against the start policy."""
        return self.reference == "start"

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)``, the same for all steps of a response: what is missing to the wanted gaps."""
        xp = array_namespace(advantages, log_ratio)
        better, gap = _ordered_pairs(advantages, log_ratio)
        missing = better * (1 - 2 * self.tau * gap)
        of_response = (xp.sum(missing, axis=-1) - xp.sum(missing, axis=-2)) / (advantages.shape[-1] - 1)
        return xp.broadcast_to(of_response[..., None], log_ratio.shape)

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Share ``(..., G, 1)`` of every response in the value: its pairs with worse ones."""
        xp = array_namespace(advantages, log_ratio)
        better, gap = _ordered_pairs(advantages, log_ratio)
        short = gap - 1 / (2 * self.tau)
        return -self.tau / (advantages.shape[-1] - 1) * xp.sum(better * short * short, axis=-1)[..., None]


def reference_problems(reference: str) -> list[str]:
    """A line if ``reference`` is none of the names in `Reference`; else no line.

    >>> reference_problems("start")
    []
    """
    return problem(reference in get_args(Reference), "reference", reference, " or ".join(get_args(Reference)))


def _ordered_pairs(advantages: Array, log_ratio: Array) -> tuple[Array, Array]:
    """For every pair i, j: whether i is the better one, and ``l_i - l_j``; both ``(..., G, G)``."""
    xp = array_namespace(advantages, log_ratio)
    total = xp.sum(log_ratio, axis=-1)
    better = advantages[..., :, None] > advantages[..., None, :]
    gap = total[..., :, None] - total[..., None, :]
    return xp.astype(better, gap.dtype), gap
