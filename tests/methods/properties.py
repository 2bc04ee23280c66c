"""What every group-relative rule must satisfy, as checkers that take any implementation and raise on a violation.

To test your own update rule, call `check_advantages` and `check_rewards` with it. ``advantages`` is a function from
rewards ``(Q, G)`` to advantages ``(Q, G)``, ``rewards`` one from correct, first_error and lengths ``(Q, G)`` to
rewards ``(Q, G)``; both on numpy arrays. "u" below is the dtype's unit in the last place at 1 (``finfo.eps``).
"""

import numpy as np


def sums_to_zero(advantages, rewards):
    """The advantages of a group sum to zero: at most 2 G u times the largest of them."""
    a = advantages(rewards)
    exact = a.astype(float).sum(-1)
    bound = 2 * a.shape[-1] * np.finfo(a.dtype).eps * np.abs(a).max(-1).astype(float)
    assert (np.abs(exact) <= bound).all(), "advantages do not sum to zero"


def zero_exactly_when_equal(advantages, rewards):
    """A group has zero advantages if and only if its rewards are equal."""
    silent = (advantages(rewards) == 0).all(-1)
    equal = (rewards == rewards[..., :1]).all(-1)
    assert (silent == equal).all(), "advantages are zero for unequal rewards, or not for equal ones"


def in_order(advantages, rewards):
    """Inside a group a larger reward never has a smaller advantage, and the best is positive, the worst negative."""
    a, order = advantages(rewards), np.argsort(rewards, axis=-1)
    assert (np.diff(np.take_along_axis(a, order, -1), axis=-1) >= 0).all(), "a larger reward has a smaller advantage"
    varied = np.ptp(rewards, axis=-1) > 0
    assert (a.max(-1)[varied] > 0).all(), "the best response of a group is not pushed up"
    assert (a.min(-1)[varied] < 0).all(), "the worst response of a group is not pushed down"


def standardized(advantages, rewards, ddof=0):
    """The advantages of a group of unequal rewards have standard deviation 1, with this ``ddof`` (eps = 0)."""
    varied = np.ptp(rewards, axis=-1) > 0
    a = advantages(rewards)
    spread = a.astype(float).std(-1, ddof=ddof)[varied]
    assert (np.abs(spread - 1) <= a.shape[-1] * np.finfo(a.dtype).eps).all(), "advantages are not standardized"


def permutation_equivariant(advantages, rewards, order):
    """Permuting the responses permutes the advantages."""
    a, b = advantages(rewards)[..., order], advantages(rewards[..., order])
    close(a, b, len(order), "advantages depend on the order of responses")


def affine_invariant(advantages, rewards, scale, shift):
    """Advantages do not change if all rewards are scaled by a positive number and shifted (eps = 0)."""
    moved = rewards * scale + shift
    # moving rounds the inputs, by up to u times their size: what that can do grows with size over range
    span, u = np.ptp(moved, axis=-1, keepdims=True), np.finfo(rewards.dtype).eps
    size = np.maximum(np.abs(moved), np.abs(rewards * scale)).max(-1, keepdims=True)
    slack = u * size / np.where(span > 0, span, 1)
    g = rewards.shape[-1]
    usable = (span > 0) & (np.ptp(rewards, axis=-1, keepdims=True) > 0) & (slack * g < 1e-3)
    difference = np.abs(advantages(moved) - advantages(rewards))
    bound = g * (slack + u) * np.sqrt(g)
    assert (difference <= bound)[np.broadcast_to(usable, rewards.shape)].all(), "advantages depend on units of reward"


def bounded(advantages, rewards):
    """|advantage| <= sqrt(G - 1) (1 + 4 u) with the population standard deviation."""
    a = advantages(rewards)
    bound = np.sqrt(rewards.shape[-1] - 1) * (1 + 4 * np.finfo(a.dtype).eps)
    assert (np.abs(a) <= bound).all(), "an advantage exceeds sqrt(G - 1)"


def groups_independent(advantages, rewards, other):
    """A group's advantages are the same to the bit whatever the other groups hold, and in whatever order."""
    alone = advantages(rewards)
    mixed = rewards.copy()
    mixed[1:] = other
    assert np.array_equal(advantages(mixed)[0], alone[0]), "a group's advantages depend on another group"
    assert np.array_equal(advantages(rewards[::-1]), alone[::-1]), "a group's advantages depend on its place"


def check_advantages(advantages, rewards, ddof=0):
    """All of the above that hold for ``(r - mean) / std`` with eps = 0, on groups ``(Q, G)``, Q >= 2."""
    zero_exactly_when_equal(advantages, rewards)
    sums_to_zero(advantages, rewards)
    in_order(advantages, rewards)
    groups_independent(advantages, rewards, np.roll(rewards[1:], 1, axis=-1) / 2)
    permutation_equivariant(advantages, rewards, np.roll(np.arange(rewards.shape[-1])[::-1], 1))
    small = np.clip(rewards, -1e3, 1e3)
    affine_invariant(advantages, small, rewards.dtype.type(3.7), rewards.dtype.type(-2.1))
    bounded(advantages, rewards)
    standardized(advantages, rewards, ddof)


def increases_with_prefix(rewards, steps):
    """In an all-negative group reward strictly grows with the correct prefix and stays below a correct response's."""
    first_error = np.arange(steps)[None, :]
    lengths = np.full_like(first_error, steps)
    r = rewards(np.zeros_like(first_error, dtype=bool), first_error, lengths)
    best = rewards(np.ones((1, 1), dtype=bool), np.full((1, 1), steps), np.full((1, 1), steps))
    assert (np.diff(r) > 0).all(), "reward does not increase with the correct prefix"
    assert (r < best).all(), "an incorrect response earns as much as a correct one"


def mixed_groups_keep_outcome_reward(rewards, groups):
    """A group with a correct response keeps the plain 0/1 rewards to the bit."""
    r = rewards(*groups)
    mixed = groups.correct.any(-1)
    assert np.array_equal(r[mixed], groups.correct[mixed].astype(r.dtype)), (
        "a group with a correct response was coloured"
    )


def check_rewards(rewards, groups):
    """All that holds for colouring with scope ``all_negative``; ``groups`` has correct, first_error, lengths."""
    increases_with_prefix(rewards, 4)
    mixed_groups_keep_outcome_reward(rewards, groups)


def close(a, b, ulps, message):
    """Equal to ``ulps`` times u times the largest entry of the row."""
    scale = np.maximum(np.abs(a), np.abs(b)).max(-1, initial=0, keepdims=True)
    assert (np.abs(a - b) <= ulps * np.finfo(a.dtype).eps * scale).all(), message
