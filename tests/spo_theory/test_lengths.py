"""Loss normalizations against the mean over every batch of groups."""

from itertools import product

import numpy as np
import pytest
from everyday import KIN, spare

from spo_theory import InputError, ReasoningChain, expected_update, rule
from spo_theory.exact.refusals import NoExactForm
from spo_theory.outcomes.lengths import expected_update_normalized, normalized_update_function, rambling_world

CHAIN = ReasoningChain(step_success=(0.4, 0.7), step_lengths=(1.0, 3.0))
LENGTHS = np.array([2.5, 9.0, 4.0])
RTS = np.array([0.0, 1 / 9, 1.0])
WORLD = rambling_world(CHAIN, [1.5, 5.0])
RULES = [
    rule("grpo", group_size=3),
    rule("spo", group_size=3),
    rule("spo", group_size=3, scope="all_incorrect"),
    rule("dr_grpo", group_size=3),
    rule("ngrpo", group_size=3),
]


def by_every_batch(r, normalization, groups, constant=1.0):
    """Mean over every batch of ``groups`` ordered groups, the loss written as a trainer would."""
    h, g = CHAIN.horizon, r.group_size
    total = np.zeros(h)
    for classes in product(range(h + 1), repeat=g * groups):
        k = np.array(classes).reshape(groups, g)
        correct = k == h
        rts = np.where(correct, 1.0, RTS[k])
        colour = r.colouring
        reward = correct.astype(float)
        if colour is not None:
            coloured = ~correct & ((colour.scope == "all_incorrect") | ~correct.any(1, keepdims=True))
            reward = np.where(coloured, colour.values(rts), reward)
        a = r.baseline(reward)
        size = LENGTHS[k]
        s = CHAIN.scores[k]
        if normalization == "response":
            update = (a[..., None] * s / size[..., None]).mean((0, 1))
        elif normalization == "token":
            update = (a[..., None] * s).sum((0, 1)) / size.sum()
        else:
            update = (a[..., None] * s).mean((0, 1)) / constant
        total += CHAIN.class_probs[k].prod() * update
    return total


@pytest.mark.parametrize("r", RULES, ids=lambda r: f"{r.name}-{r.colouring.scope if r.colouring else ''}")
@pytest.mark.parametrize(("normalization", "groups"), [("response", 1), ("token", 1), ("token", 2), ("constant", 1)])
def test_against_every_batch(r, normalization, groups):
    exact = normalized_update_function(WORLD, r, normalization, 7.0, groups)(CHAIN.logits)
    np.testing.assert_allclose(exact, by_every_batch(r, normalization, groups, 7.0), rtol=2e-13, atol=1e-16)


def test_equal_lengths_only_rescale():
    chain = ReasoningChain(step_success=(0.3, 0.5, 0.6))
    plain = expected_update(chain, rule("spo"))
    for normalization in ("response", "token"):
        same = normalized_update_function(chain, rule("spo"), normalization, groups=5)
        np.testing.assert_allclose(same(chain.logits), plain / 3, rtol=1e-12)


def test_rambling_wrong_responses_weigh_less_per_response_than_per_token():
    """The length bias: dividing by the own length shrinks what a long wrong response teaches (Dr. GRPO's point)."""
    chain = ReasoningChain(step_success=(0.5, 0.5))
    short = expected_update_normalized(chain, rule("grpo"), 0.0)
    long = expected_update_normalized(chain, rule("grpo"), 20.0)
    assert (long < short).all()
    by_token = [expected_update_normalized(chain, rule("grpo"), n, "token", groups=8) for n in (0.0, 20.0)]
    assert (by_token[1] / by_token[0] < long / short).all()  # every response pays for the ramblers


def test_large_groups_stay_exact():
    """G = 64, 16 groups: halving the work by symmetry is not possible, but equal lengths give the plain update."""
    chain = ReasoningChain(step_success=(0.3, 0.5, 0.6, 0.4))
    update = normalized_update_function(chain, rule("spo", group_size=64), "token", groups=16)
    np.testing.assert_allclose(update(chain.logits), expected_update(chain, rule("spo", group_size=64)) / 4, rtol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="normalization = 'tokens'") as error:
        normalized_update_function(CHAIN, rule("grpo"), "tokens", groups=0)
    assert "groups = 0" in str(error.value)
    with pytest.raises(InputError, match="after_error"):
        expected_update_normalized(CHAIN, rule("grpo"), -1.0)


@pytest.mark.parametrize("name", spare([name for name in rule.names() if rule(name).sampler.whole], KIN))
@pytest.mark.parametrize(("normalization", "groups"), [("response", 1), ("token", 1), ("token", 2)])
def test_every_method_against_every_batch(name, normalization, groups):
    """The method's own weights in every ordered batch, the loss written as a trainer would."""
    method = rule(name, group_size=2)
    log_prob = np.asarray(WORLD.model.step_log_probs(WORLD.logits, ()))
    scores = np.asarray(WORLD.model.step_scores(WORLD.logits, ()))
    if method.sampler.resamples and normalization == "token":
        with pytest.raises(NoExactForm, match="samples again"):
            normalized_update_function(WORLD, method, normalization, groups=groups)
        return

    total = np.zeros(CHAIN.horizon)
    delivered = 0.0
    for classes in product(range(WORLD.classes), repeat=2 * groups):
        k = np.array(classes).reshape(groups, 2)
        group = WORLD.group(k, log_prob[k])
        weights = np.asarray(method.weights(group))
        if not method.sampler.resamples or np.asarray(method.kept(group)).all():
            delivered += CHAIN.class_probs[k].prod()
        each = np.einsum("ngs,ngsd->ngd", weights, scores[k])
        if normalization == "response":
            update = (each / LENGTHS[k][..., None]).mean((0, 1))
        else:
            update = each.sum((0, 1)) / LENGTHS[k].sum()
        total += CHAIN.class_probs[k].prod() * update
    exact = normalized_update_function(WORLD, method, normalization, groups=groups)(CHAIN.logits)
    np.testing.assert_allclose(exact, total / delivered, rtol=1e-12, atol=1e-16)
