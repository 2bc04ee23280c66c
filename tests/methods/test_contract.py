"""The contract over the whole registry: weights on six array backends, and the objective's gradient is the weights."""

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from spo_theory import InputError, rule
from spo_theory.group import Group
from spo_theory.method import Method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.credit import CorrectPrefix
from spo_theory.parts.objectives import Clipped, LogLikelihood, PairLogistic, PairRegression

BACKENDS = {
    "numpy float64": lambda x: np.asarray(x, np.float64 if x.dtype.kind == "f" else x.dtype),
    "numpy float32": lambda x: np.asarray(x, np.float32 if x.dtype.kind == "f" else x.dtype),
    "jax": jnp.asarray,
    "torch float64": torch.from_numpy,
    "torch float32": lambda x: torch.from_numpy(x).float() if x.dtype.kind == "f" else torch.from_numpy(x),
    "strict": array_api_strict.asarray,
}
EXTRA = {
    "logistic on pairs": Method("dpo", 4, baseline=Raw(), objective=PairLogistic(0.5)),
    "pairs of mixed groups": rule("rebel", group_size=4, train_on="mixed"),
    "shared ratio": Method("gspo", 4, objective=Clipped(ratio="sequence")),
    "prefix likelihood": Method("prefix", 4, baseline=Raw(), credit=CorrectPrefix(), objective=LogLikelihood()),
}


def methods():
    """Every registered method with groups of 4, and compositions that none of them uses."""
    return {name: rule(name, group_size=4) for name in rule.names()} | EXTRA


def groups(questions=40, size=4, steps=3, seed=0):
    """Random judged groups, all-negative and all-positive ones among them, with log-probabilities and log-ratios."""
    generator = np.random.default_rng(seed)
    first_error = generator.integers(0, steps + 1, (questions, size))
    first_error[0] = steps
    first_error[1] = [0, 1, 1, 2]
    correct = first_error == steps
    lengths = generator.integers(1, 4, (questions, size, steps)).astype(float)
    log_prob = -generator.exponential(0.7, (questions, size, steps)) - 0.01
    log_ratio = generator.normal(0, 0.25, (questions, size, steps))
    return correct, first_error, lengths, log_prob, log_ratio


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", methods())
def test_every_backend_gives_the_same_weights(name, backend):
    arrays = groups()
    method = methods()[name]
    correct, first_error, lengths, log_prob, log_ratio = (BACKENDS[backend](x) for x in arrays)
    got = method.weights(Group(correct, first_error, lengths, log_prob=log_prob), log_ratio)
    want = method.weights(Group(*arrays[:3], log_prob=arrays[3]), arrays[4])
    assert got.shape == want.shape == arrays[4].shape
    tolerance = 3e-5 if "32" in backend else 1e-12
    np.testing.assert_allclose(np.asarray(got, dtype=float), want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", methods())
def test_gradient_of_the_value_is_the_weights(name):
    """Autograd of the value in the log-ratios, times G, against `weights`, away from the kinks of the clip."""
    method = methods()[name]
    correct, first_error, lengths, log_prob, log_ratio = (torch.from_numpy(x) for x in groups(seed=1))
    group = Group(correct, first_error, lengths, log_prob=log_prob)
    log_ratio.requires_grad_(True)
    method.value(group, log_ratio).sum().backward()
    want = method.weights(group, log_ratio.detach())
    assert want.abs().max() > 0.1
    torch.testing.assert_close(log_ratio.grad * 4, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", methods())
def test_weights_are_jittable_and_of_one_group_alone(name):
    """One compiled call gives the same, and what other groups did does not matter."""
    method = methods()[name]
    correct, first_error, lengths, log_prob, log_ratio = (jnp.asarray(x) for x in groups(questions=6))

    def weights(*arrays):
        return method.weights(Group(*arrays[:3], log_prob=arrays[3]), arrays[4])

    whole = weights(correct, first_error, lengths, log_prob, log_ratio)
    compiled = jax.jit(weights)(correct, first_error, lengths, log_prob, log_ratio)
    np.testing.assert_allclose(compiled, whole, rtol=1e-12, atol=1e-14)
    alone = weights(correct[3:4], first_error[3:4], lengths[3:4], log_prob[3:4], log_ratio[3:4])
    np.testing.assert_allclose(alone, whole[3:4], rtol=1e-12, atol=1e-14)


def test_raft_reinforce_rej_and_rebel_by_hand():
    correct = np.array([[True, True, False, False], [False] * 4, [True] * 4])
    group = Group(correct, np.where(correct, 2, 1), np.ones((3, 4, 2)))
    nothing = np.zeros((4, 2))
    raft = rule("raft", group_size=4).weights(group)
    np.testing.assert_array_equal(raft[0, :, 0], [1, 1, 0, 0])
    np.testing.assert_array_equal(raft[1], nothing)
    np.testing.assert_array_equal(raft[2], nothing + 1)
    rejecting = rule("reinforce_rej", group_size=4).weights(group)
    np.testing.assert_array_equal(rejecting[0, :, 1], [1, 1, -1, -1])
    np.testing.assert_array_equal(rejecting[1:], 0)
    rebel = rule("rebel", group_size=4)
    np.testing.assert_allclose(rebel.weights(group)[0, :, 0], np.array([1, 1, -1, -1]) * 2 / 3, rtol=1e-14)
    np.testing.assert_array_equal(rebel.weights(group)[1:], 0)


def test_rebel_rests_where_the_policy_is_tilted_by_its_rewards():
    """Its minimum is pi_old exp(eta r) / Z: there every weight is 0 (arXiv 2404.16767)."""
    correct, first_error, lengths, *_ = groups(questions=5, steps=1)
    rewards = correct.astype(float)
    method = rule("rebel", group_size=4, eta=0.3)
    tilted = 0.3 * rewards[..., None] - 0.123  # the normalization is one number for all responses of a question
    assert np.abs(method.weights(Group(correct, first_error, lengths), tilted)).max() < 1e-15


def test_credit_to_single_steps_needs_an_objective_that_has_them():
    for objective in (PairRegression(), PairLogistic(), Clipped(ratio="sequence")):
        with pytest.raises(InputError, match="credit = CorrectPrefix"):
            Method("odd", 4, credit=CorrectPrefix(), objective=objective)


def test_groups_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"correct.shape\[-1\] = 4"):
        rule("grpo", group_size=3).weights(Group(*groups()[:3]))


def test_an_objective_on_pairs_refuses_responses_to_ignore():
    correct, first_error, lengths, *_ = groups(questions=2)
    group = Group(correct, first_error, lengths, valid=np.ones(correct.shape, bool))
    with pytest.raises(InputError, match="valid = 'given'"):
        rule("rebel", group_size=4).weights(group)


@pytest.mark.parametrize("option", [{"clip_low": "x"}, {"clip_high": None}, {"clip_low": True}])
def test_wrong_kinds_are_refused(option):
    with pytest.raises(InputError, match=next(iter(option))):
        Clipped(**option)
