"""Exact second moments against every outcome of small groups, closed identities and Monte Carlo."""

import itertools

import numpy as np
import pytest
from everyday import spare

from spo_theory import InputError, ReasoningChain, expected_update, rule, sampled_update
from spo_theory.exact.by_class.advantages import advantage_function
from spo_theory.exact.moments import (
    batch_covariance,
    group_covariance,
    product_function,
    rule_product_function,
    rule_square_function,
    signal_to_noise,
    square_function,
)
from spo_theory.parts.baselines import GroupAdvantage

METHODS = ("enumerate", "quadrature")
CHAIN = ReasoningChain(step_success=[0.4, 0.7, 0.55])
RULES = {
    "grpo": lambda g: rule("grpo", group_size=g),
    "dr_grpo": lambda g: rule("dr_grpo", group_size=g),
    "all_negative": lambda g: rule("spo", group_size=g, scope="all_negative"),
    "all_incorrect": lambda g: rule("spo", group_size=g, scope="all_incorrect"),
    "all_negative, trl": lambda g: rule("spo", group_size=g, scope="all_negative", std_eps=1e-2, ddof=1),
    "all_incorrect, trl": lambda g: rule("spo", group_size=g, scope="all_incorrect", std_eps=1e-2, ddof=1),
}


def every_outcome(r, chain):
    """Classes, advantages and probability of every group."""
    horizon = chain.horizon
    outcome = np.array(list(itertools.product(range(horizon + 1), repeat=r.group_size)))
    lengths = np.broadcast_to(chain.step_lengths, (*outcome.shape, horizon))
    return outcome, r.advantages(outcome == horizon, outcome, lengths), chain.class_probs[outcome].prod(1)


@pytest.mark.parametrize("group_size", spare([2, 3, 4, 5], [3, 4]))
@pytest.mark.parametrize("name", list(RULES))
def test_every_outcome_of_small_groups(name, group_size):
    r, p = RULES[name](group_size), CHAIN.class_probs
    outcome, a, chance = every_outcome(r, CHAIN)
    square, product = np.zeros(4), np.zeros((4, 4))
    np.add.at(square, outcome[:, 0], chance * a[:, 0] ** 2 / p[outcome[:, 0]])
    pair = p[outcome[:, 0]] * p[outcome[:, 1]]
    np.add.at(product, (outcome[:, 0], outcome[:, 1]), chance * a[:, 0] * a[:, 1] / pair)
    g = (a[..., None] * CHAIN.scores[outcome]).mean(1)
    covariance = (chance[:, None] * g).T @ g - np.outer(chance @ g, chance @ g)
    for method in METHODS:
        np.testing.assert_allclose(rule_square_function(r, CHAIN.rts, method)(p), square, rtol=0, atol=1e-14)
        np.testing.assert_allclose(rule_product_function(r, CHAIN.rts, method)(p), product, rtol=0, atol=1e-14)
        np.testing.assert_allclose(group_covariance(CHAIN, r, method), covariance, rtol=0, atol=1e-15)


def rewards(classes):
    """Rewards of logistic colouring, the first two 1e-3 apart."""
    r = np.append(1 / (1 + np.exp(-5 * (np.arange(classes - 1) / (classes - 1) - 0.5))), 1.0)
    r[0] = r[1] - 1e-3
    return r


@pytest.mark.parametrize("p_correct", [0.0, 1e-12, 0.3, 1 - 1e-12])
@pytest.mark.parametrize(
    ("ddof", "eps", "scale"), [(0, 0.0, "std"), (1, 1e-4, "std"), (0, 1e-2, "std"), (0, 0, "none")]
)
def test_the_methods_agree(p_correct, ddof, eps, scale):
    # relative to the largest entry: the products of unlike classes are differences of larger terms
    p, advantage = np.append((1 - p_correct) * np.array([0.2, 0.5, 0.3]), p_correct), GroupAdvantage(ddof, eps, scale)
    for build, group_size in itertools.product((square_function, product_function), (2, 3, 8, 16)):
        a, b = (np.asarray(build(rewards(4), group_size, advantage, m)(p)) for m in METHODS)
        assert np.abs(a - b).max() <= 1e-12 * np.abs(a).max()


@pytest.mark.parametrize("group_size", [2, 3, 8, 64, 1024])
@pytest.mark.parametrize("scale", ["std", "none"])
def test_identities(group_size, scale):
    r, p, advantage = rewards(5), np.array([0.1, 0.2, 0.3, 0.3, 0.1]), GroupAdvantage(scale=scale)
    square = np.asarray(square_function(r, group_size, advantage)(p))
    product = np.asarray(product_function(r, group_size, advantage)(p))
    # the advantages of a group sum to 0, so what one response has the others must balance
    np.testing.assert_allclose((group_size - 1) * product @ p, -square, rtol=1e-13, atol=2e-15 * group_size)
    np.testing.assert_allclose(product, product.T, rtol=1e-13)
    mean = np.asarray(advantage_function(r, group_size, scale=scale)(p))
    assert (square >= mean**2 * (1 - 1e-12)).all()
    if scale == "std":  # squared advantages of a group average 1, unless all rewards are equal
        assert p @ square == pytest.approx(1 - (p**group_size).sum(), rel=1e-12)
    else:
        variance = p @ r**2 - (p @ r) ** 2
        assert p @ square == pytest.approx((1 - 1 / group_size) * variance, rel=1e-13)


def test_classes_of_equal_reward_count_as_one():
    advantage = GroupAdvantage()
    split = product_function([0.0, 0.5, 0.0, 1.0], 6, advantage)(np.array([0.2, 0.3, 0.1, 0.4]))
    whole = np.asarray(product_function([0.0, 0.5, 1.0], 6, advantage)(np.array([0.3, 0.3, 0.4])))
    index = np.array([0, 1, 0, 2])
    np.testing.assert_allclose(split, whole[np.ix_(index, index)], rtol=1e-13)
    assert np.asarray(product_function([0.5, 0.5], 6, advantage)(np.array([[0.2, 0.8]] * 3))).shape == (3, 2, 2)


@pytest.mark.parametrize("name", spare(list(RULES), [name for name in RULES if name not in ("grpo", "all_incorrect")]))
def test_batched_probabilities(name):
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 5))
    for build, method in itertools.product((rule_square_function, rule_product_function), METHODS):
        f = build(RULES[name](5), CHAIN.rts, method)
        one_by_one = np.stack([[np.asarray(f(x)) for x in row] for row in p])
        np.testing.assert_allclose(f(p), one_by_one, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "all_negative", "all_incorrect, trl"])
def test_spread_of_sampled_groups(name):
    # the squared standard error times the number of groups estimates the variance of one group
    chain, r, groups = ReasoningChain(step_success=[0.5, 0.6, 0.4, 0.7]), RULES[name](16), 100_000
    sample = sampled_update(chain, r, groups, seed=3)
    estimate = sample.standard_error**2 * groups
    exact = np.diagonal(group_covariance(chain, r))
    # relative error of a sample variance: sqrt((kurtosis - 1) / n); the kurtosis here is below 9
    np.testing.assert_allclose(estimate, exact, rtol=4 * np.sqrt(8 / groups))
    assert (np.abs(sample.mean - expected_update(chain, r)) < 4 * sample.standard_error).all()
    np.testing.assert_allclose(
        signal_to_noise(chain, r, 100), expected_update(chain, r) / np.sqrt(exact / 100), rtol=1e-12
    )


def test_batches_of_questions():
    chain, r = ReasoningChain(logits=np.random.default_rng(0).normal(size=(5, 3))), RULES["all_negative"](4)
    mean, per_question = expected_update(chain, r), group_covariance(chain, r)
    np.testing.assert_allclose(batch_covariance(chain, r), per_question.mean(0) / 5, rtol=1e-12)
    np.testing.assert_allclose(
        batch_covariance(chain, r, 7), (per_question.mean(0) + np.cov(mean.T, bias=True)) / 7, rtol=1e-12
    )
    single = ReasoningChain(logits=chain.logits[0])
    np.testing.assert_allclose(batch_covariance(single, r, 7), per_question[0] / 7, rtol=1e-10)
    for covariance in per_question:
        assert np.linalg.eigvalsh(covariance).min() > 0


def test_the_noise_of_a_lone_failure_does_not_vanish():
    # a rare failure gets advantage -sqrt(G - 1): the noise falls like the failure rate, not like its square
    for group_size in (4, 16):
        ratio = []
        for z in (8.0, 12.0, 16.0):
            chain = ReasoningChain(logits=[z, z])
            variance = group_covariance(chain, rule("grpo", group_size=group_size))[0, 0]
            ratio.append(variance / np.exp(-z))
        # a share G e^-z of the groups holds one failure at this step, which moves it by sqrt(G - 1) / G
        assert ratio[-1] == pytest.approx((group_size - 1) / group_size, rel=1e-5)
        assert signal_to_noise(chain, rule("grpo", group_size=group_size))[0] == pytest.approx(
            np.sqrt(group_size * np.exp(-16.0)), rel=1e-5
        )
        assert abs(ratio[1] - ratio[2]) < abs(ratio[0] - ratio[1])


@pytest.mark.parametrize("group_size", [2, 8, 64])
def test_group_gradient_without_std_is_a_u_statistic(group_size):
    # the mean over the group of (r_i - mean) s_i is (G-1)/G times the mean over pairs of (s_i - s_j)(r_i - r_j)/2,
    # whose variance follows from that of the kernel and of its projection on one response
    r, p, s = RULES["dr_grpo"](group_size), CHAIN.class_probs, CHAIN.scores
    reward = np.array([0.0, 0, 0, 1])
    kernel = 0.5 * (s[:, None, :] - s[None, :, :]) * (reward[:, None] - reward[None, :])[..., None]
    mean = np.einsum("k,j,kjh->h", p, p, kernel)
    projected = np.einsum("j,kjh->kh", p, kernel) - mean
    one = np.einsum("k,kh,ki->hi", p, projected, projected)
    two = np.einsum("k,j,kjh,kji->hi", p, p, kernel - mean, kernel - mean)
    n = group_size
    variance = (4 * (n - 2) * one + 2 * two) / (n * (n - 1))
    np.testing.assert_allclose(group_covariance(CHAIN, r), ((n - 1) / n) ** 2 * variance, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("questions", [0, 1.5, True])
def test_bad_input_is_named(questions):
    for function in (batch_covariance, signal_to_noise):
        with pytest.raises(InputError, match="questions"):
            function(CHAIN, RULES["grpo"](4), questions)
    with pytest.raises(InputError, match="group_size = 1"):
        square_function([0.0, 1.0], 1, GroupAdvantage())
