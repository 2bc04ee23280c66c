"""Group size at a fixed number of rollouts, and the largest KL penalty that still lets a policy escape."""

from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, rule
from spo_theory.dynamics.budget import divergence_from, largest_kl_coefficient, signal_per_rollout


def test_signal_per_rollout_against_every_group():
    chain = ReasoningChain(step_success=[0.4, 0.7])
    found = signal_per_rollout(chain, "spo", [2, 3]).set_index("group_size")["signal_to_noise"]
    for size in (2, 3):
        k = np.array(list(product(range(3), repeat=size)))
        chance = chain.class_probs[k].prod(1)
        weights = rule("spo", group_size=size).weights(chain.world().group(k))
        rate = np.einsum("cgs,cgs,s->c", weights, chain.scores[k], 1 - chain.step_success) / size
        mean = chance @ rate
        assert found[size] == pytest.approx(mean**2 / (chance @ rate**2 - mean**2) / size, rel=1e-10)


def test_large_groups_pay_where_successes_are_not_rare():
    """GRPO is indifferent to the group size while success is 1e-4, and wants the largest one from 0.01 on."""
    sizes = [2, 8, 64]
    rare, common = (
        signal_per_rollout(ReasoningChain(step_success=[p**0.25] * 4), "grpo", sizes)["signal_to_noise"].to_numpy()
        for p in (1e-4, 0.1)
    )
    assert rare.max() / rare[1:].min() < 1.1
    assert np.diff(common).min() > 0


def test_divergence_against_the_classes():
    start, now = np.array([0.3, -0.4, 1.0]), np.array([0.9, 0.1, -0.5])
    p, p0 = (ReasoningChain(logits=x).class_probs for x in (now, start))
    assert float(divergence_from(jnp.asarray(start), jnp.asarray(now))) == pytest.approx(p @ np.log(p / p0), rel=1e-12)


def test_the_largest_penalty_is_the_same_for_colouring():
    """The penalty decides where training ends, colouring how fast it gets there."""
    for horizon, want in ((2, 0.801), (4, 0.386)):
        chain = ReasoningChain(step_success=[0.3] * horizon)
        found = [largest_kl_coefficient(chain, rule(name, group_size=8, **options), digits=3) for name, options in BOTH]
        assert found[0] == pytest.approx(want, abs=0.003)
        assert found[1] == pytest.approx(found[0], abs=0.003)


BOTH = (("grpo", {}), ("spo", {"beta": 5.0}))


def test_bad_settings_are_named():
    chain = ReasoningChain(step_success=[0.8, 0.9])
    with pytest.raises(InputError, match=r"level = 0\.5"):
        largest_kl_coefficient(chain, rule("grpo"))
    with pytest.raises(InputError, match="one question"):
        signal_per_rollout(ReasoningChain(step_success=[[0.5], [0.4]]), "grpo", [2])
