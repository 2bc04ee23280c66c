"""The other remedies for all-negative groups in the exact engine, against every group by brute force."""

from itertools import product

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule
from spo_theory.exact.moments import group_covariance
from spo_theory.exact.update import rule_advantage_function

CHAIN = ReasoningChain(step_success=(0.3, 0.6))


def every_group(chain, r):
    """Probability ``(C,)`` and gradient ``(C, H)`` of every ordered group of a chain's responses."""
    h, g = chain.horizon, r.group_size
    classes = np.array(list(product(range(h + 1), repeat=g)))
    chance = chain.class_probs[classes].prod(1)
    sure = chain.class_probs[classes] if r.baseline.uses_log_prob else None
    a = r.advantages(classes == h, classes, np.full(classes.shape, h), confidence=sure, dtype=np.dtype(float))
    return chance, np.einsum("cg,cgh->ch", a, chain.scores[classes]) / g


@pytest.mark.parametrize("name", ["ngrpo", "sign", "lens"])
@pytest.mark.parametrize("group_size", [2, 3, 5])
def test_expected_update_is_the_mean_over_every_group(name, group_size):
    r = rule(name, group_size=group_size)
    chance, gradient = every_group(CHAIN, r)
    np.testing.assert_allclose(expected_update(CHAIN, r), chance @ gradient, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("name", ["ngrpo", "sign", "lens"])
def test_covariance_is_that_over_every_group(name):
    r = rule(name, group_size=4)
    chance, gradient = every_group(CHAIN, r)
    mean = chance @ gradient
    by_groups = np.einsum("c,ch,ci->hi", chance, gradient, gradient) - np.outer(mean, mean)
    np.testing.assert_allclose(group_covariance(CHAIN, r), by_groups, rtol=1e-12, atol=1e-16)


def test_penalty_alone_leaves_the_exponential_stall():
    """As P falls by 100, NGRPO's and sign's updates fall by 100 (they are of order P); the LENS-like one does not."""
    steps = 1e-2 ** np.array([1.0, 2.0])
    chain = ReasoningChain(step_success=np.stack([np.full(2, 0.3), steps / 0.3], axis=1))
    for name, slope in (("grpo", 1), ("sign", 1), ("ngrpo", 1), ("lens", 0)):
        first = expected_update(chain, rule(name))[:, 0]
        assert np.log(first[0] / first[1]) / np.log(100) == pytest.approx(slope, abs=0.05), name


def test_what_has_no_exact_form_says_so():
    with pytest.raises(InputError, match=r"method = 'quadrature'.*simulate"):
        rule_advantage_function(rule("ngrpo"), CHAIN.rts, "quadrature")
    with pytest.raises(InputError, match=r"rule = 'raft' is not allowed"):
        rule_advantage_function(rule("raft"), CHAIN.rts)
