"""Expected advantages by sums in extended precision, and the rewards and probabilities that the tests cross."""

from functools import cache

import numpy as np

from spo_theory.exact.compositions import compositions

METHODS = ("enumerate", "quadrature")

EPS = (0.0, 1e-8, 1e-4, 1e-2)


def coloured(classes, beta=5.0):
    """Rewards of a chain of ``classes - 1`` equal steps under logistic colouring."""
    k = np.arange(classes - 1) / (classes - 1)
    return np.append(1 / (1 + np.exp(-beta * (k - 0.5))), 1.0)


def reward_sets(classes):
    """Rewards far apart, a pair 1e-3 apart, all 1e-3 apart."""
    pair = coloured(classes)
    pair[0] = pair[1] - 1e-3
    return coloured(classes), pair, np.append(1e-3 * np.arange(classes - 1), 1.0)


def probability_sets(classes):
    """Even, uneven, with zeros, and one class taking all but 1e-12: a wrong one, or the correct one (P near 1)."""
    uneven = np.random.default_rng(classes).dirichlet(np.ones(classes))
    rare = np.full(classes, 1e-12)
    first, last, zeros = rare.copy(), rare.copy(), np.zeros(classes)
    first[0], first[-1] = 1 - rare[1:-1].sum(), 0.0
    last[-1] = 1 - rare[:-1].sum()
    zeros[[0, -1]] = 0.3, 0.7
    return np.stack([np.full(classes, 1 / classes), uneven, first, last, zeros])


@cache
def sums(classes, group_size):
    """Numbers of the other responses in each class, and their orders, in extended precision."""
    counts = compositions(group_size - 1, classes)
    fact = np.cumprod(np.maximum(np.arange(group_size), 1).astype(np.longdouble))
    return counts.astype(np.longdouble), fact[-1] / fact[counts].prod(1)


def by_hand(p, r, group_size, eps, ddof):
    """Expected advantages in extended precision, and the same sum with every pair of responses taken positive."""
    counts, ways = sums(len(r), group_size)
    r, chance = np.asarray(r, np.longdouble), ways.copy()
    for k, value in enumerate(np.asarray(p, np.longdouble)):
        chance *= value ** counts[:, k]
    result = np.zeros((2, len(r)), np.longdouble)
    for k in range(len(r)):
        distance = counts * (r[k] - r)
        mean = distance.sum(1) / group_size  # own reward minus mean
        square = (counts * (r - r[k] + mean[:, None]) ** 2).sum(1) + mean**2
        std = np.sqrt(square / (group_size - ddof))
        divisor = np.where(std > 0, std + np.longdouble(eps), 1)
        result[0, k] = (chance * mean / divisor).sum()
        result[1, k] = (chance * np.abs(distance).sum(1) / group_size / divisor).sum()
    return result
