"""What the tests of published results share: every ordered group of a chain, and closed forms summed directly."""

from itertools import product
from math import comb

import numpy as np

from spo_theory import ReasoningChain, rule

Q = ReasoningChain(step_success=[0.35, 0.20])

GRPO = rule("grpo")

BINARY = {"beta": 1000.0, "gamma": 0.25}  # at H = 2: colour 0 for a first error at step 1, else 1 to machine precision


def c(group_size, p):
    """``c_G(p) = E[sqrt(k (G - k))] / G`` for k binomial, summed directly; ``p`` any shape."""
    k, p = np.arange(group_size + 1), np.asarray(p, float)[..., None]
    ways = np.array([float(comb(group_size, int(i))) for i in k])
    return (ways * p**k * (1 - p) ** (group_size - k) * np.sqrt(k * (group_size - k))).sum(-1) / group_size


def groups(chain, group_size):
    """Every ordered group: classes ``(C, G)`` and probabilities ``(C,)``."""
    classes = np.array(list(product(range(chain.horizon + 1), repeat=group_size)))
    return classes, chain.class_probs[classes].prod(1)


def group_updates(chain, r, classes):
    """Update ``(C, H)`` of each group of outcome classes ``(C, G)``, from the rule's own advantages."""
    lengths = np.full(classes.shape, chain.horizon)
    a = r.advantages(classes == chain.horizon, classes, lengths)
    return np.einsum("cg,cgh->ch", a, chain.scores[classes]) / classes.shape[1]


def random_chains(count, horizon, seed=0):
    return ReasoningChain(step_success=np.random.default_rng(seed).uniform(0.02, 0.98, (count, horizon)))
