"""The engine over every method and every world against a loop over all ordered groups."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, rule
from spo_theory.exact.engine import expectation
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.update import choose_engine, update_function
from spo_theory.method import Method
from spo_theory.outcomes.judged import confusion, judged_world
from spo_theory.outcomes.lengths import rambling_world
from spo_theory.outcomes.many_paths import many_paths_world
from spo_theory.outcomes.options import option_world
from spo_theory.parts.across import Independent
from spo_theory.parts.baselines import Raw, VirtualCorrect
from spo_theory.parts.objectives import PairLogistic
from spo_theory.parts.rewards import Colouring

CHAIN = ReasoningChain(step_success=(0.4, 0.7), step_lengths=(1.0, 3.0))
WORLDS = {
    "chain": CHAIN.world(),
    "options": option_world([[0.2, -0.4, 0.9], [0.5, 0.1, -1.2]]),
    "many paths": many_paths_world([0.3, -0.2], [[0.4, 0.6], [0.7, 0.3]]),
    "lengths": rambling_world(CHAIN, [2.0, 5.0]),
    "judged": judged_world(CHAIN, confusion(2, 0.3, 0.2)),
}
EXTRA = {
    "pairs": Method("pairs", 3, baseline=Raw(), objective=PairLogistic(0.5)),
    "pairs of mixed groups": rule("rebel", group_size=3, train_on="mixed"),
    "coloured ngrpo": Method("odd", 3, reward=Colouring(), baseline=VirtualCorrect()),
}


WHOLE = [name for name in rule.names() if rule(name).sampler.whole]
"""Methods that ask whole questions; for the others see test_portions.py."""


SECOND = {
    "aligned": "judged",
    "dapo": "lengths",
    "dpo": "judged",
    "grpo_process": "judged",
    "ipo": "judged",
    "multi_objective": "lengths",
    "rwr": "options",
    "step_dpo": "judged",
    "token_weighted": "lengths",
    "unlikeliness": "many paths",
}
"""Where else than on the chain a method of another paper is looked at: each world is one that it tells apart."""
CLASS_ALONE = ["best_of_n", "corpo", "group_invariant", "maxrl", "pass_at_k", "pref_ft", "raft_pp", "reinforce", "rloo"]
"""Methods of other papers that see outcomes alone, as `grpo` does, which is looked at everywhere."""
EVERYWHERE = [name for name in WHOLE if name not in SECOND and name not in CLASS_ALONE]


def methods():
    return {name: rule(name, group_size=3) for name in WHOLE} | EXTRA


def cases():
    """Pairs of method and world that are compared with every group."""
    pairs = [(name, world) for name in (*EVERYWHERE, *EXTRA) for world in WORLDS]
    return pairs + [(name, "chain") for name in (*SECOND, *CLASS_ALONE)] + list(SECOND.items())


def by_every_group(world, method, now=None):
    """Mean and covariance of a group's update, and mean weights by class: one ordered group after another."""
    p = world.class_probs
    model, parameters = world.model, world.parameters
    before = np.asarray(model.step_log_probs(world.logits, parameters))
    after = before if now is None else np.asarray(model.step_log_probs(now, parameters))
    scores = np.asarray(model.step_scores(world.logits if now is None else now, parameters))
    scores = scores.reshape(*before.shape, -1)
    groups = np.array(list(product(range(world.classes), repeat=method.group_size)))
    judged = world.group(groups, before[groups])
    chance = p[groups].prod(1)
    if method.sampler.resamples:
        chance = np.where(np.asarray(method.kept(judged)), chance, 0.0)
        chance = chance / chance.sum()
    weights = np.asarray(method.weights(judged, (after - before)[groups]))
    updates = np.einsum("cgs,cgsd->cd", weights, scores[groups]) / method.group_size
    mean = chance @ updates
    of_class = (groups[:, 0] == np.arange(len(p))[:, None]).astype(float)
    first = of_class @ (chance[:, None] * weights[:, 0])
    return mean, updates.T @ (chance[:, None] * updates) - np.outer(mean, mean), first / p[:, None]


@pytest.mark.parametrize(("name", "world"), cases())
def test_update_weights_and_covariance_against_every_group(name, world):
    method, world = methods()[name], WORLDS[world]
    mean, covariance, weights = by_every_group(world, method)
    found = expectation(world, method, covariance=True)
    np.testing.assert_allclose(found.update.ravel(), mean, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(found.step_weights, weights, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("name", "world"), [case for case in cases() if case[1] not in ("many paths", "lengths")])
def test_update_off_the_sampling_policy_against_every_group(name, world):
    """Weights under a policy that has moved on, some ratios beyond the clips."""
    method, world = methods()[name], WORLDS[world]
    now = world.logits + np.linspace(-0.5, 0.6, world.logits.size).reshape(world.logits.shape)
    exact = update_function(world, method)(world.logits, now)
    np.testing.assert_allclose(np.ravel(exact), by_every_group(world, method, now)[0], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", [*EVERYWHERE, "dapo", "unlikeliness"])
def test_both_exact_engines_and_the_sampled_one_agree(name):
    chain = ReasoningChain(step_success=(0.3, 0.6, 0.5))
    method = rule(name, group_size=5)
    slow = expectation(chain, method, "every_group", covariance=True)
    assert slow.engine == "every_group"
    if choose_engine(chain, method) == "class_advantages":
        fast = expectation(chain, method, "class_advantages", covariance=True)
        np.testing.assert_allclose(fast.update, slow.update, rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(fast.covariance, slow.covariance, rtol=1e-10, atol=1e-15)
    else:
        with pytest.raises(NoExactForm, match="engine = 'quadrature' is not allowed"):
            expectation(chain, method, "class_advantages")
    sampled = expectation(chain, method, "monte_carlo", groups=20_000, seed=1, covariance=True)
    assert sampled.engine == "monte_carlo"
    assert np.abs((sampled.update - slow.update) / sampled.standard_error).max() < 4
    # 20,000 groups know a covariance to about one part in a hundred; the largest difference seen is 2.5 of them
    np.testing.assert_allclose(sampled.covariance, slow.covariance, atol=0.05 * np.abs(slow.covariance).max())


@pytest.mark.parametrize("name", ["dpo", "ipo"])
def test_the_start_policy_is_the_reference_of_later_ones(name):
    """The update of a policy that training has come to: pairs are compared with where it began."""
    world = CHAIN.world()
    method = rule(name, group_size=3)
    later = world.logits + np.array([0.8, -0.5])
    model = world.model
    start, now = (np.asarray(model.step_log_probs(x, ())) for x in (world.logits, later))
    groups = np.array(list(product(range(3), repeat=3)))
    judged = replace(world.group(groups, now[groups]), reference_log_prob=start[groups])
    each = np.einsum("cgs,cgsd->cd", method.weights(judged), np.asarray(model.step_scores(later, ()))[groups]) / 3
    mean = np.asarray(model.probs(later, ()))[groups].prod(1) @ each
    np.testing.assert_allclose(update_function(world, method)(later), mean, rtol=1e-12)
    assert np.abs(mean / update_function(replace(world, logits=later), method)(later) - 1).max() > 0.01


def test_beyond_enumeration_the_result_says_that_it_was_sampled():
    chain = ReasoningChain(step_success=(0.5,) * 8)
    method = rule("spo_prefix", group_size=64)
    found = expectation(chain, method, groups=500)
    assert found.engine == "monte_carlo"
    assert (found.standard_error > 0).all()
    with pytest.raises(NoExactForm, match="monte_carlo"):
        update_function(chain, method)
    assert expectation(chain, rule("spo", group_size=64)).engine == "class_advantages"


def test_many_questions_at_once_are_one_after_another():
    chain = ReasoningChain(step_success=[[0.4, 0.7], [0.2, 0.9]])
    for name in (*EVERYWHERE, "aligned", "dapo", "dpo", "hints"):
        method = replace(rule(name, group_size=3), across=Independent())
        together = expectation(chain, method, covariance=True)
        for i, logits in enumerate(chain.logits):
            alone = expectation(ReasoningChain(logits=logits), method, covariance=True)
            np.testing.assert_allclose(together.update[i], alone.update, rtol=1e-12, atol=1e-16)
            np.testing.assert_allclose(together.covariance[i], alone.covariance, rtol=1e-12, atol=1e-16)


def test_questions_of_a_population_count_as_the_method_says():
    """Group-invariant: the gradient of mean success less the variance between easy and hard, by differences."""
    chain = ReasoningChain(step_success=[[0.9, 0.8], [0.2, 0.3], [0.4, 0.1]])

    def value(logits):
        success = (1 / (1 + np.exp(-logits))).prod(-1)
        easy = success > success.mean()
        return success.mean() - 0.7 * (success[easy].mean() - success[~easy].mean()) ** 2 / 4

    slopes = np.zeros_like(chain.logits)
    for place in np.ndindex(slopes.shape):
        step = np.zeros_like(slopes)
        step[place] = 1e-5
        slopes[place] = (value(chain.logits + step) - value(chain.logits - step)) / 2e-5
    found = expectation(chain, rule("group_invariant", group_size=4, strength=0.7)).update
    np.testing.assert_allclose(found / 3, slopes, rtol=1e-7)


def test_closed_forms_of_methods_of_other_papers():
    """Derived in docs/theory/related.md, each with a page's own symbols: P, its gradient, and G."""
    chain = ReasoningChain(step_success=(0.4, 0.7, 0.6))
    success, size = float(chain.success), 4
    slope = success * (1 - chain.step_success)  # of P
    missed = (1 - success) ** (size - 1)
    closed = {
        "rloo": slope,
        "dpo": slope,
        "ipo": slope,
        "reinforce": 2 * slope,
        "raft_pp": slope,
        "pref_ft": 2 * (1 - success) * slope,
        "rwr": np.expm1(1.0) * slope,
        "pass_at_k": 2 * (1 - success) * slope,
        "maxrl": (1 - missed) / success * slope,
        "best_of_n": (1 - missed) / success * slope,
    }
    for name, want in closed.items():
        np.testing.assert_allclose(expectation(chain, rule(name, group_size=size)).update, want, rtol=1e-11)

    # Pairs of steps: half the chance that a group has both kinds at a step
    reached = np.cumprod([1.0, *chain.step_success])
    wrong = reached[:-1] - reached[1:]
    both = 1 - (1 - wrong) ** size - (1 - reached[1:]) ** size + (1 - reached[:-1]) ** size
    np.testing.assert_allclose(expectation(chain, rule("step_dpo", group_size=size)).update, both / 2, rtol=1e-11)


def test_closed_forms_of_the_three_new_methods():
    """RAFT: P (1 - q_h). REBEL on policy: Dr. GRPO's update times G / (G - 1). Reinforce-Rej: P (1 - q_h) and blame."""
    chain = ReasoningChain(step_success=(0.4, 0.7, 0.6))
    miss = 1 - chain.step_success
    raft = expectation(chain, rule("raft", group_size=4))
    np.testing.assert_allclose(raft.update, float(chain.success) * miss, rtol=1e-13)
    rebel = expectation(chain, rule("rebel", group_size=4))
    centred = expectation(chain, rule("dr_grpo", group_size=4))
    np.testing.assert_allclose(rebel.update, centred.update * 4 / 3, rtol=1e-12)
    # Raw +1 and -1 are Reinforce less its groups of one kind: all right, or all wrong with its mean score
    wrong = -float(chain.success) / (1 - float(chain.success)) * miss
    success = float(chain.success)
    plain = 2 * success * miss
    one_kind = success**4 * miss - (1 - success) ** 4 * wrong
    rejecting = expectation(chain, rule("reinforce_rej", group_size=4))
    np.testing.assert_allclose(rejecting.update, plain - one_kind, rtol=1e-12)


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="engine = 'exact'"):
        expectation(CHAIN, rule("grpo"), "exact")
    with pytest.raises(InputError, match="groups = 1"):
        expectation(CHAIN, rule("grpo"), groups=1)
    with pytest.raises(InputError, match="one question"):
        expectation(ReasoningChain(step_success=[[0.5], [0.6]]), rule("grpo"), "monte_carlo")
    with pytest.raises(InputError, match="choice, step_success"):
        many_paths_world([0.0], [[0.5], [0.5]])
