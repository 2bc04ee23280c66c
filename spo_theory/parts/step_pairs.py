"""Pairs of steps behind one prefix: the right step should have the larger log-ratio than the wrong one.

Derived in docs/theory/related.md#step-pairs.
"""

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from spo_theory.group import Array, Group
from spo_theory.parts.credit import check_step_lengths
from spo_theory.parts.objectives import Reference, reference_problems
from spo_theory.validation import is_number, problem, refuse


@dataclass(frozen=True)
class StepVerdict:
    """What the judge says of every step: 1 for a right one, -1 for the first wrong one, 0 behind it.

    The advantages of responses are not used. Source: docs/theory/related.md#step-pairs.

    Example:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([2, 0]), np.ones((2, 2)))
        >>> StepVerdict()(group, np.zeros(2)).tolist()
        [[1.0, 1.0], [-1.0, 0.0]]
    """

    def __call__(self, group: Group, advantages: Array) -> Array:
        """Verdict ``(..., G, S)`` on each step, in the place of its advantage."""
        check_step_lengths(group)
        xp = array_namespace(advantages, group.first_error)
        step = xp.arange(group.steps, dtype=group.first_error.dtype)
        written = group.lengths > 0
        right = xp.astype(written & (step < group.first_error[..., None]), advantages.dtype)
        return right - xp.astype(written & (step == group.first_error[..., None]), advantages.dtype)


@dataclass(frozen=True)
class StepPairLogistic:
    """Logistic loss on pairs of a right and a wrong step of one place, one averaged pair for every place.

    Responses that are right before a step stand at the same prefix, so their steps are siblings. The value is the sum
    over steps of the mean over pairs of ``(1 - a) / beta log sigmoid(m) + a / beta log sigmoid(-m)``, m ``beta`` times
    the difference of the log-ratios of right and wrong step. beta: above 0, per nat. smoothing: a is the share of wrong
    steps among the siblings, at most 1/2, instead of 0. reference: what log-ratios are taken against. Steps are taken
    one column each. Source: arXiv 2405.00451; docs/theory/related.md#step-pairs.

    Example, one right and two wrong steps:
        >>> import numpy as np
        >>> verdict = np.array([[1.0], [-1.0], [-1.0]])
        >>> StepPairLogistic().weights(np.zeros(3), verdict, np.zeros((3, 1))).tolist()
        [[1.5], [-0.75], [-0.75]]
    """

    beta: float = 0.1
    smoothing: bool = False
    reference: Reference = "sampling"
    by_sign = False
    per_step = True
    by_position = True
    traced = ("beta",)

    def __post_init__(self) -> None:
        refuse(
            problem(is_number(self.beta) and self.beta > 0, "beta", self.beta, "a finite number above 0")
            + problem(isinstance(self.smoothing, bool), "smoothing", self.smoothing, "True or False")
            + reference_problems(self.reference)
        )

    @property
    def uses_reference(self) -> bool:
        """Whether log-ratios are against the start policy."""
        return self.reference == "start"

    def _pairs(self, credit: Array, log_ratio: Array) -> tuple[Array, Array, Array]:
        """For every pair of responses and step ``(..., G, G, S)``: its share in the mean, its margin, and a."""
        xp = array_namespace(credit, log_ratio)
        right = xp.astype(credit > 0, log_ratio.dtype)
        wrong = xp.astype(credit < 0, log_ratio.dtype)
        number_right = xp.sum(right, axis=-2, keepdims=True)
        number_wrong = xp.sum(wrong, axis=-2, keepdims=True)

        # A step that nobody took right, or nobody wrong, has no pairs
        both = number_right * number_wrong
        share = right / xp.where(both > 0, both, xp.ones_like(both))
        share = share[..., :, None, :] * wrong[..., None, :, :]
        margin = self.beta * (log_ratio[..., :, None, :] - log_ratio[..., None, :, :])

        doubt: Any = xp.zeros_like(both)
        if self.smoothing:
            total = number_right + number_wrong
            doubt = xp.minimum(number_wrong / xp.where(total > 0, total, xp.ones_like(total)), 0.5 * xp.ones_like(both))
        return share, margin, doubt[..., None, :, :]

    def weights(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Weight ``(..., G, S)``: of a right step its pairs with wrong ones, of a wrong step minus those with right."""
        xp = array_namespace(credit, log_ratio)
        share, margin, doubt = self._pairs(credit, log_ratio)
        against = 1 / (1 + xp.exp(margin))
        pull = share * ((1 - doubt) * against - doubt * (1 - against))
        size = credit.shape[-2]
        return size * (xp.sum(pull, axis=-2) - xp.sum(pull, axis=-3))

    def terms(self, advantages: Array, credit: Array, log_ratio: Array) -> Array:
        """Share ``(..., G, S)`` of every right step in the value."""
        xp = array_namespace(credit, log_ratio)
        share, margin, doubt = self._pairs(credit, log_ratio)
        softened = xp.log1p(xp.exp(-xp.abs(margin)))
        for_it = xp.minimum(margin, xp.zeros_like(margin)) - softened
        against = xp.minimum(-margin, xp.zeros_like(margin)) - softened
        value = share * ((1 - doubt) * for_it + doubt * against)
        return credit.shape[-2] / self.beta * xp.sum(value, axis=-2)
