"""Rewards that other methods make of more than correctness: aligned colours, lengths, ranks.

A reward part maps a `spo_theory.group.Group` to rewards ``(..., G)``. Derived in docs/theory/related.md.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from spo_theory.group import Array, Group
from spo_theory.parts.credit import check_step_lengths, response_lengths
from spo_theory.parts.rewards import Outcome, PlusMinusOne, Reward, Scope
from spo_theory.validation import check, is_number, problem, refuse

Estimate = Literal["group", "policy"]
"""Where the success of each step is taken from: counted in the group, or the policy's own probabilities."""


@dataclass(frozen=True)
class Aligned:
    """The reward of a response is what following it would do for the success of the policy, to first order.

    A right step of success q earns ``(1 - q)^2``, the first wrong one ``-q (1 - q)``, steps behind it nothing. Of all
    rewards, standardized over the group, these raise log success fastest on the chain. scope: ``all_negative`` gives
    them in groups without a correct response and outcome rewards elsewhere; ``all_incorrect`` gives them in all groups,
    to correct responses too. estimate: ``group`` counts how often each step was right among the responses that reached
    it; ``policy`` takes the probabilities of the steps taken. prior: right and wrong steps added to the counts.
    Proved in docs/theory/related.md#aligned.

    Example, an all-negative group whose responses fail at steps 1, 2 and 2:
        >>> import numpy as np
        >>> group = Group(np.array([False] * 3), np.array([0, 1, 1]), np.ones((3, 2)))
        >>> Aligned(prior=0.0)(group).round(3).tolist()
        [-0.222, 0.111, 0.111]
    """

    scope: Scope = "all_negative"
    estimate: Estimate = "group"
    prior: float = 0.5

    def __post_init__(self) -> None:
        refuse(
            problem(self.scope in get_args(Scope), "scope", self.scope, " or ".join(get_args(Scope)))
            + problem(self.estimate in get_args(Estimate), "estimate", self.estimate, " or ".join(get_args(Estimate)))
            + problem(is_number(self.prior) and self.prior >= 0, "prior", self.prior, "a finite number, at least 0")
        )

    @property
    def uses_log_prob(self) -> bool:
        """Whether probabilities of steps are needed."""
        return self.estimate == "policy"

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``."""
        aligned = self._first_order_gain(group)
        if self.scope == "all_negative":
            aligned = group.xp.where(group.all_negative, aligned, Outcome()(group))
        return aligned if group.valid is None else group.xp.where(group.valid, aligned, group.xp.zeros_like(aligned))

    def _first_order_gain(self, group: Group) -> Array:
        """What each response would do for log success ``(..., G)``, per unit of its advantage over G."""
        check_step_lengths(group)
        xp = group.xp
        step = xp.arange(group.steps, dtype=group.first_error.dtype)
        written = group.lengths > 0
        right = written & (step < group.first_error[..., None])
        first_wrong = written & (step == group.first_error[..., None])

        success = self._success(group, right, first_wrong)
        miss = 1 - success
        gain = xp.where(right, miss * miss, xp.zeros_like(success))
        gain = gain - xp.where(first_wrong, success * miss, xp.zeros_like(success))
        return xp.sum(gain, axis=-1)

    def _success(self, group: Group, right: Array, first_wrong: Array) -> Array:
        """Success of each step ``(..., G, S)``; any number where the step was not reached."""
        xp = group.xp
        if self.estimate == "policy":
            check(group.log_prob is not None, "log_prob", group.log_prob, "given: rewards follow the policy")
            taken = xp.astype(xp.exp(group.log_prob), group.floating)
            return xp.where(first_wrong, 1 - taken, taken)

        # Among the responses that count and reached a step, the share that took it right
        if group.valid is not None:
            right = right & group.valid[..., None]
            first_wrong = first_wrong & group.valid[..., None]
        passed = xp.sum(xp.astype(right, group.floating), axis=-2, keepdims=True) + self.prior
        failed = xp.sum(xp.astype(first_wrong, group.floating), axis=-2, keepdims=True) + self.prior
        reached = passed + failed
        share = passed / xp.where(reached > 0, reached, xp.ones_like(reached))
        return xp.broadcast_to(share, right.shape)


@dataclass(frozen=True)
class OverlongPenalty:
    """A soft penalty on length: from 0 down to -1 over the last stretch before the greatest length, and -1 beyond.

    reward: what the penalty is added to. max_length: the greatest length, and cache: the stretch before it over which
    the penalty grows, both in lengths of the right response. Without lengths of the right response there is no penalty.
    Raises `InputError` for values that are not above 0, or a cache above ``max_length``. Source: DAPO, arXiv
    2503.14476, Eq. 13, whose 20,480 and 4,096 tokens have this ratio; docs/theory/related.md#dapo.

    Example, wrong responses of 1, 1.8 and 3 times the length of the right one:
        >>> import numpy as np
        >>> lengths = np.array([[10.0], [18.0], [30.0]])
        >>> group = Group(np.array([False] * 3), np.zeros(3, int), lengths, true_lengths=np.array([[10.0]]))
        >>> OverlongPenalty(Outcome(), max_length=2.0, cache=0.4)(group).round(3).tolist()
        [0.0, -0.5, -1.0]
    """

    reward: Reward = field(default_factory=PlusMinusOne)
    max_length: float = 2.0
    cache: float = 0.4

    def __post_init__(self) -> None:
        longest = is_number(self.max_length) and self.max_length > 0
        fits = not longest or (is_number(self.cache) and 0 < self.cache <= self.max_length)
        refuse(
            problem(longest, "max_length", self.max_length, "a finite number above 0")
            + problem(fits, "cache", self.cache, "above 0 and at most max_length")
        )

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``."""
        xp = group.xp
        rewards = self.reward(group)
        if group.true_lengths is None:
            return rewards

        true = xp.sum(xp.astype(group.true_lengths, rewards.dtype), axis=-1)
        length = response_lengths(group, rewards.dtype) / true
        excess = (length - (self.max_length - self.cache)) / self.cache
        penalized = rewards - xp.clip(excess, 0.0, 1.0)
        return penalized if group.valid is None else xp.where(group.valid, penalized, xp.zeros_like(penalized))


TIE = 1e-5
"""Log-probabilities closer than this, in nats, count as equal: rounding must not decide ranks."""


@dataclass(frozen=True)
class RankPenalty:
    """A correct response earns less the more probable it was: ``1 - strength (G - rank) / G``.

    Rank 0 is the most probable response of the group under the policy that sampled it, right or wrong; equally probable
    ones share the mean of their ranks. Wrong responses earn 0. strength: 0 (none) to 1. Source: the unlikeliness
    reward, arXiv 2506.02355; docs/theory/related.md#unlikeliness.

    Example, two correct responses of probabilities 1/2 and 1/4 and two wrong ones of 1/8:
        >>> import numpy as np
        >>> correct = np.array([True, True, False, False])
        >>> group = Group(correct, 1 * correct, np.ones((4, 1)), log_prob=np.log([[0.5], [0.25], [0.125], [0.125]]))
        >>> RankPenalty(strength=0.5)(group).tolist()
        [0.5, 0.625, 0.0, 0.0]
    """

    strength: float = 0.25
    uses_log_prob = True

    def __post_init__(self) -> None:
        fine = is_number(self.strength) and 0 <= self.strength <= 1
        check(fine, "strength", self.strength, "a number from 0 to 1")

    def __call__(self, group: Group) -> Array:
        """Rewards ``(..., G)``; raises `InputError` if the group has no log-probabilities."""
        check(group.log_prob is not None, "log_prob", group.log_prob, "given: rewards go by probability")
        xp = group.xp
        outcome = Outcome()(group)
        size = outcome.shape[-1]

        # How many others were more probable, ties counted as half
        total = xp.sum(group.log_prob, axis=-1)
        lead = total[..., None, :] - total[..., :, None]
        ahead = xp.astype(lead > TIE, outcome.dtype) + 0.5 * xp.astype(xp.abs(lead) <= TIE, outcome.dtype)
        if group.valid is not None:
            ahead = xp.where(group.valid[..., None, :], ahead, xp.zeros_like(ahead))
            size = xp.sum(xp.astype(group.valid, outcome.dtype), axis=-1, keepdims=True)
        rank = xp.sum(ahead, axis=-1) - 0.5  # not counting itself

        return outcome * (1 - self.strength * (size - rank) / size)
