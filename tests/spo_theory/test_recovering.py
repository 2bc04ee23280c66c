"""Errors that are not final, against every sequence of steps and every group; and where the separation ends."""

from itertools import product

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule, solve
from spo_theory.dynamics.maps import updates_to
from spo_theory.dynamics.race import updates_in_world
from spo_theory.outcomes.recovering import recovering_world

STAY, BACK = np.array([0.4, 0.7]), np.array([0.2, 0.1])


def sequences(stay, back):
    """Every sequence of right and wrong steps, its probability, and whether its last step is right."""
    for steps in product((False, True), repeat=len(stay)):
        chance, on_track = 1.0, True
        for h, right in enumerate(steps):
            one = stay[h] if on_track else back[h]
            chance *= one if right else 1 - one
            on_track = right
        yield steps, chance


def expected_reward_gradient(method, stay, back):
    """Gradient by differences: the weights of every group, held fixed, against the chance of its responses."""
    worlds = list(sequences(stay, back))
    first = np.array([next((h for h, right in enumerate(s) if not right), len(s)) for s, _ in worlds])
    correct = np.array([s[-1] for s, _ in worlds])
    groups = np.array(list(product(range(len(worlds)), repeat=method.group_size)))
    chance = np.array([p for _, p in worlds])[groups].prod(1)
    advantages = method.advantages(correct[groups], first[groups], np.full(groups.shape, len(stay)))
    of_response = np.zeros(len(worlds))
    np.add.at(of_response, groups.ravel(), (chance[:, None] * advantages).ravel() / method.group_size)
    of_response /= np.array([p for _, p in worlds])

    logits = np.log([stay, back]) - np.log1p(np.negative([stay, back]))
    found = np.zeros_like(logits)
    for place in np.ndindex(logits.shape):
        values = []
        for sign in (1, -1):
            moved = logits.copy()
            moved[place] += sign * 1e-6
            p = np.array([p for _, p in sequences(*(1 / (1 + np.exp(-moved))))])
            values.append(of_response @ p)
        found[place] = (values[0] - values[1]) / 2e-6
    return found


@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_the_update_against_every_sequence_and_group(name):
    method = rule(name, group_size=3)
    exact = expected_update(recovering_world(STAY, BACK), method)
    np.testing.assert_allclose(exact, expected_reward_gradient(method, STAY, BACK), rtol=1e-7, atol=1e-11)


def test_success_in_closed_form():
    """P = P_inf + (1 - P_inf) (q - rho)^H: it does not fall below P_inf however many steps there are."""
    for horizon in (1, 3, 6):
        for q, rho in ((0.3, 0.05), (0.6, 0.2)):
            limit = rho / (1 - q + rho)
            exact = limit + (1 - limit) * (q - rho) ** horizon
            assert recovering_world([q] * horizon, rho).success == pytest.approx(exact, rel=1e-12)


def test_without_recovery_it_is_the_chain():
    """A recovery of 1e-9 changes neither the update of the steps on the track nor the time to half success."""
    q = [0.5, 0.6, 0.4]
    method = rule("spo", group_size=4)
    world = recovering_world(q, 1e-9)
    chain = ReasoningChain(step_success=q)
    np.testing.assert_allclose(expected_update(world, method)[0], expected_update(chain, method), rtol=1e-6)
    assert updates_in_world(world, method) == pytest.approx(updates_to(solve(chain, method, 60)), rel=1e-4)


def test_where_the_separation_ends():
    """H = 6, q = 0.3, G = 8: from 233 against 32 updates without recovery to no lead at a chance of 0.05."""
    ratio = {}
    for rho in (1e-6, 0.01, 0.05):
        world = recovering_world([0.3] * 6, rho)
        grpo, spo = (updates_in_world(world, rule(name, group_size=8, **options)) for name, options in RULES)
        ratio[rho] = grpo / spo
    assert ratio[1e-6] == pytest.approx(233 / 32, rel=0.02)
    assert ratio[1e-6] > ratio[0.01] > 1.2
    assert ratio[0.05] == pytest.approx(1.0, abs=0.15)


RULES = (("grpo", {}), ("spo", {"beta": 5.0}))


def test_bad_values_are_named():
    with pytest.raises(InputError, match="step_success"):
        recovering_world([0.5] * 11, 0.1)
    with pytest.raises(InputError, match=r"recovery = \[1.0, 1.0\]"):
        recovering_world([0.5, 0.5], 1.0)
    with pytest.raises(InputError, match="level = 2"):
        updates_in_world(recovering_world([0.5], 0.1), rule("grpo"), level=2)
