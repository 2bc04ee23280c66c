"""Clipped surrogates over several updates: against the differentiated surrogate of every group."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule, simulate, solve
from spo_theory.dynamics.clipped import solve_clipped, surrogate_gradient_function
from spo_theory.dynamics.maps import escape_map, updates_to
from spo_theory.exact.refusals import NoExactForm

OLD, NOW = np.array([-0.4, 0.5, 0.1]), np.array([0.1, 0.3, 0.9])
CHAIN = ReasoningChain(logits=OLD)


def by_every_group(r, old, now, low, high, ratio):
    """Gradient, by automatic differentiation, of the clipped surrogate averaged over every group from ``old``."""
    h = len(old)
    k = np.array(list(product(range(h + 1), repeat=r.group_size)))
    chain = ReasoningChain(logits=old)
    chance = chain.class_probs[k].prod(1)
    a = jnp.asarray(r.advantages(k == h, k, np.full(k.shape, h), dtype=np.dtype(float)))[..., None]
    step = np.arange(h)
    taken, sign = step <= k[..., None], np.where(step < k[..., None], 1.0, -1.0)

    def surrogate(x):
        change = jnp.where(taken, jax.nn.log_sigmoid(sign * x) - jax.nn.log_sigmoid(sign * old), 0.0)
        rho = jnp.exp(change.sum(-1, keepdims=True)) if ratio == "sequence" else jnp.exp(change)
        each = jnp.where(
            taken if ratio == "token" else True, jnp.minimum(rho * a, rho.clip(1 - low, 1 + high) * a), 0.0
        )
        return chance @ each.sum(-1).mean(-1)

    return jax.grad(surrogate)(jnp.asarray(now))


@pytest.mark.parametrize("ratio", ["token", "sequence"])
@pytest.mark.parametrize("name", ["grpo", "spo", "dr_grpo"])
def test_gradient_against_every_group(name, ratio):
    r = rule(name, group_size=3)
    exact = surrogate_gradient_function(CHAIN, r, 0.2, 0.28, ratio)(OLD, NOW)
    np.testing.assert_allclose(exact, by_every_group(r, OLD, NOW, 0.2, 0.28, ratio), rtol=1e-12, atol=1e-15)


def test_all_incorrect_scope_against_every_group():
    r = rule("spo", group_size=4, scope="all_incorrect")
    exact = surrogate_gradient_function(CHAIN, r, 0.1, 0.3)(OLD, NOW)
    np.testing.assert_allclose(exact, by_every_group(r, OLD, NOW, 0.1, 0.3, "token"), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_on_policy_it_is_the_expected_update(name):
    r = rule(name, group_size=8)
    start = surrogate_gradient_function(CHAIN, r)(OLD, OLD)
    np.testing.assert_allclose(start, expected_update(CHAIN, r), rtol=1e-12)
    one = solve_clipped(CHAIN, r, 20, inner_updates=1)
    np.testing.assert_allclose(one["success"], solve(CHAIN, r, 20)["success"], rtol=1e-12)


def test_binary_rewards_of_any_group_size_are_exact():
    big = surrogate_gradient_function(CHAIN, rule("grpo", group_size=1024))(OLD, OLD)
    np.testing.assert_allclose(big, expected_update(CHAIN, rule("grpo", group_size=1024)), rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_simulation_tends_to_the_exact_dynamics(name):
    """Four clipped updates per batch of 4,096 groups: the mean of 20 seeds within 5 standard errors plus 0.002."""
    chain = ReasoningChain(step_success=[0.4, 0.4])
    exact = solve_clipped(chain, rule(name), 10, 4, 0.5)
    assert (exact["source"] == "exact").all()
    sampled = simulate(chain, rule(name), 10, 0.5, 4096, 20, inner_updates=4)
    by_step = sampled.groupby("step")["success"]
    error = by_step.std().to_numpy() / np.sqrt(20)
    assert (np.abs(by_step.mean().to_numpy() - exact["success"]) <= 5 * error + 2e-3).all()
    unclipped = solve_clipped(chain, rule(name), 10, 4, 0.5, 1.0, 1e9)
    assert exact["success"].iloc[-1] < unclipped["success"].iloc[-1] - 0.01  # the clip did act


def test_without_an_exact_form_it_simulates_and_says_so():
    long = ReasoningChain(step_success=[0.5] * 12)
    for name in ("spo", "spo_prefix"):
        with pytest.raises(NoExactForm, match=r"group compositions = .*simulate"):
            surrogate_gradient_function(long, rule(name, group_size=64))
    curve = solve_clipped(long, rule("spo_prefix", group_size=64), 3, 2, questions=4, seeds=2)
    assert (curve["source"] == "simulated").all()
    assert curve["seed"].nunique() == 2


@pytest.mark.parametrize("name", rule.names())
def test_every_method_has_exact_inner_updates(name):
    curve = solve_clipped(CHAIN, rule(name, group_size=3), 3, 2, 0.5)
    assert (curve["source"] == "exact").all()
    once = solve_clipped(CHAIN, rule(name, group_size=3), 3, 1, 0.5)
    np.testing.assert_allclose(once["success"], solve(CHAIN, rule(name, group_size=3), 3, 0.5)["success"], rtol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="clip_low = -1") as error:
        surrogate_gradient_function(CHAIN, rule("grpo"), -1, -2, "word")  # type: ignore[arg-type]
    assert "clip_high = -2" in str(error.value)
    assert "ratio = 'word'" in str(error.value)
    with pytest.raises(InputError, match=r"clip_low = 0.1 is not allowed.*rebel"):
        solve_clipped(CHAIN, rule("rebel"), 3, clip_low=0.1)
    with pytest.raises(InputError, match=r"credit = CorrectPrefix\(\)"):
        solve_clipped(CHAIN, rule("spo_prefix"), 3, ratio="sequence")
    with pytest.raises(InputError, match="inner_updates = 0"):
        solve_clipped(CHAIN, rule("grpo"), 3, 0)


def test_inner_updates_reach_the_map_and_are_refused_with_noise():
    chain = ReasoningChain(step_success=[0.5, 0.5])
    slow, fast = (escape_map(chain, rule("grpo", group_size=2, inner_updates=n), 30)[0] for n in (1, 4))
    assert fast == pytest.approx(updates_to(solve(chain, rule("grpo", group_size=2, inner_updates=4), 30)), rel=1e-12)
    assert fast < slow
    with pytest.raises(InputError, match="inner_updates = 4"):
        solve(chain, rule("grpo", inner_updates=4), 3, optimizer="adam", questions=8)
    with pytest.raises(InputError, match="gradient_variance"):
        solve(chain, rule("grpo"), 3, gradient_variance=np.ones(2))
