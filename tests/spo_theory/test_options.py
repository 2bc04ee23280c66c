"""Steps with several options against every group of option sequences."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule, solve
from spo_theory.exact.update import update_function
from spo_theory.outcomes.options import option_world, solve_options

LOGITS = np.array([[0.2, -0.4, 0.9], [0.5, 0.1, -1.2]])


def by_every_group(r, logits):
    """Mean gradient over every group of responses, the score of each response by automatic differentiation."""
    h, m = logits.shape
    responses = list(product(range(m), repeat=h))

    def log_p(x, response):
        table = jax.nn.log_softmax(x, axis=-1)
        total = 0.0
        for step, option in enumerate(response):  # what follows the first error comes from other states
            total += table[step, option]
            if option != 0:
                break
        return total

    x = jnp.asarray(logits)
    seen, chance, scores, first = [], [], [], []
    for response in responses:
        wrong = next((i for i, o in enumerate(response) if o != 0), h)
        key = response[: wrong + 1]
        if key in seen:
            continue
        seen.append(key)
        chance.append(float(jnp.exp(log_p(x, key))))
        scores.append(np.asarray(jax.grad(log_p)(x, key)))
        first.append(wrong)
    chance, scores, first = np.array(chance), np.array(scores), np.array(first)
    assert chance.sum() == pytest.approx(1)
    groups = np.array(list(product(range(len(seen)), repeat=r.group_size)))
    k = first[groups]
    a = r.advantages(k == h, k, np.full(k.shape, h), dtype=np.dtype(float))
    return np.einsum("c,cg,cghm->hm", chance[groups].prod(1), a, scores[groups]) / r.group_size


@pytest.mark.parametrize("name", ["grpo", "spo", "dr_grpo", "ngrpo"])
def test_against_every_group(name):
    r = rule(name, group_size=3)
    exact = update_function(option_world(LOGITS), r)(LOGITS)
    np.testing.assert_allclose(exact, by_every_group(r, LOGITS), rtol=1e-12, atol=1e-16)


def test_log_odds_move_by_one_plus_concentration():
    """The log-odds of the right option move 1 + sum rho^2 times as fast as a single logit would be pushed."""
    g = np.asarray(update_function(option_world(LOGITS), rule("spo"))(LOGITS))
    pi = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    rho = pi[:, 1:] / pi[:, 1:].sum(1, keepdims=True)
    single = expected_update(ReasoningChain(step_success=pi[:, 0]), rule("spo"))
    np.testing.assert_allclose(g[:, 0], single, rtol=1e-12)
    np.testing.assert_allclose(g[:, 0] - (rho * g[:, 1:]).sum(1), (1 + (rho**2).sum(1)) * single, rtol=1e-12)


def test_two_options_move_twice_as_fast():
    """The paper's own parametrization: two logits per step."""
    halves = solve_options(np.array([[0.2, 0.0], [-0.1, 0.0]]), rule("grpo"), 30, 0.25)
    single = solve(ReasoningChain(logits=[0.2, -0.1]), rule("grpo"), 30, 0.5)
    np.testing.assert_allclose(halves["success"], single["success"], rtol=1e-12)


def test_wrong_options_even_out_while_the_right_one_is_learnt():
    path = solve_options(np.array([[0.0, 2.0, 0.0, -2.0]]), rule("grpo"), 300)
    assert path["concentration_1"].is_monotonic_decreasing
    assert path["concentration_1"].iloc[-1] > 1 / 3
    assert path["success"].iloc[-1] > 0.9


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"logits\.shape"):
        solve_options(np.zeros(3), rule("grpo"), 1)
    with pytest.raises(InputError, match="steps = -1"):
        solve_options(np.zeros((3, 2)), rule("grpo"), -1)
    with pytest.raises(InputError, match="step_lengths"):
        option_world(LOGITS, [1.0, 0.0])


def test_step_lengths_decide_the_colours():
    """With two equally likely options the log-odds move at twice the rate of the single logit, lengths and all."""
    lengths = [1.0, 5.0, 2.0]
    coloured = rule("spo", group_size=4)
    path = solve_options(
        [[0.0, 0.0], [0.3, 0.0], [-0.4, 0.0]], coloured, steps=5, learning_rate=0.1, step_lengths=lengths
    )
    chain = ReasoningChain(logits=[0.0, 0.3, -0.4], step_lengths=lengths)
    single = solve(chain, coloured, steps=5, learning_rate=0.2)
    np.testing.assert_allclose(path["success"], single["success"], rtol=1e-12)
    equal = solve_options([[0.0, 0.0], [0.3, 0.0], [-0.4, 0.0]], coloured, steps=5, learning_rate=0.1)
    assert not np.allclose(path["success"], equal["success"], rtol=1e-3)
