"""What every group-relative rule must satisfy, as checkers that take any implementation and raise on a violation.

``advantages`` is a function from rewards ``(Q, G)`` to advantages ``(Q, G)``, ``rewards`` one from correct,
first_error and lengths ``(Q, G)`` to rewards ``(Q, G)``; both on numpy arrays.
"""

import numpy as np


def sums_to_zero(advantages, rewards):
    """The advantages of a group sum to zero, to G units in the last place of the largest."""
    a = advantages(rewards)
    bound = 4 * a.shape[-1] * np.finfo(a.dtype).eps * np.abs(a).max(-1)
    assert (np.abs(a.sum(-1, dtype=float)) <= bound + 1e-300).all(), "advantages do not sum to zero"


def zero_exactly_when_equal(advantages, rewards):
    """A group has zero advantages if and only if its rewards are equal."""
    silent = (advantages(rewards) == 0).all(-1)
    equal = (rewards == rewards[..., :1]).all(-1)
    assert (silent == equal).all(), "advantages are zero for unequal rewards, or not for equal ones"


def permutation_equivariant(advantages, rewards, order):
    """Permuting the responses permutes the advantages."""
    a, b = advantages(rewards)[..., order], advantages(rewards[..., order])
    close(a, b, 64, "advantages depend on the order of responses")


def affine_invariant(advantages, rewards, scale, shift):
    """Advantages do not change if all rewards are scaled by a positive number and shifted (eps = 0)."""
    moved = rewards * scale + shift
    # the inputs themselves are rounded by the move: allow what that rounding can do
    span = np.ptp(moved, axis=-1, keepdims=True)
    slack = np.finfo(rewards.dtype).eps * (np.abs(moved).max(-1, keepdims=True) / np.where(span > 0, span, 1))
    g = rewards.shape[-1]
    usable = (span > 0) & (np.ptp(rewards, axis=-1, keepdims=True) > 0) & (slack * g < 1e-3)
    difference = np.abs(advantages(moved) - advantages(rewards))
    bound = 20 * g * (slack + np.finfo(rewards.dtype).eps) * np.sqrt(g)
    assert (difference <= bound)[np.broadcast_to(usable, rewards.shape)].all(), "advantages depend on units of reward"


def bounded(advantages, rewards):
    """|advantage| <= sqrt(G - 1) with the population standard deviation."""
    g = rewards.shape[-1]
    a = advantages(rewards)
    assert (np.abs(a) <= np.sqrt(g - 1) * (1 + 8 * g * np.finfo(a.dtype).eps)).all(), "an advantage exceeds sqrt(G - 1)"


def groups_independent(advantages, rewards, other):
    """A group's advantages are the same to the bit whatever the other groups hold, and in whatever order."""
    alone = advantages(rewards)
    mixed = rewards.copy()
    mixed[1:] = other
    assert np.array_equal(advantages(mixed)[0], alone[0]), "a group's advantages depend on another group"
    assert np.array_equal(advantages(rewards[::-1]), alone[::-1]), "a group's advantages depend on its place"


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


def close(a, b, ulps, message):
    """Equal to ``ulps`` rounding errors of the largest entry."""
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    assert (np.abs(a - b) <= ulps * np.finfo(a.dtype).eps * scale).all(), message
