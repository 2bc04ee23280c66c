"""Questions that are asked in part, against the chains that are left: every group of each of them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from every_group import c

from spo_theory import InputError, ReasoningChain, expected_update, rule, sampled_update, solve
from spo_theory.dynamics.flow import flow_time
from spo_theory.dynamics.maps import updates_to
from spo_theory.exact.engine import expectation
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.update import update_function
from spo_theory.method import Method
from spo_theory.outcomes.judged import confusion, judged_world
from spo_theory.outcomes.lengths import normalized_update_function
from spo_theory.outcomes.many_paths import many_paths_world
from spo_theory.outcomes.options import option_world
from spo_theory.parts.baselines import Raw
from spo_theory.parts.credit import CorrectPrefix
from spo_theory.parts.objectives import LogLikelihood, PairRegression
from spo_theory.parts.rewards import Colouring
from spo_theory.parts.samplers import FreshGroups, HintedGroups, ReferenceSolutions, ShorterQuestions

CHAIN = ReasoningChain(step_success=(0.4, 0.7, 0.3))
SAMPLERS = {
    "hints, uniform": HintedGroups("uniform"),
    "hints, adaptive": HintedGroups("adaptive", 0.2),
    "easier, mixed": ShorterQuestions("mixed"),
    "easier, curriculum": ShorterQuestions("curriculum", 0.25),
    "imitation": ReferenceSolutions(1.0),
    "imitation, mixed in": ReferenceSolutions(0.3),
}
PLAIN = {
    "grpo": rule("grpo", group_size=3),
    "reinforce_rej": rule("reinforce_rej", group_size=3),
    "likelihood": Method("odd", 3, baseline=Raw(), objective=LogLikelihood()),
}
CASES = [(name, "grpo") for name in ("hints, adaptive", "easier, curriculum", "imitation, mixed in")]
CASES += [("hints, uniform", "reinforce_rej"), ("easier, mixed", "likelihood")]


def chances(sampler, q):
    """What each sampler's words say, written out: a list of (given, asked, taught, probability)."""
    steps = range(len(q))
    if isinstance(sampler, ReferenceSolutions):
        return [(0, len(q), False, 1 - sampler.share), (0, len(q), True, sampler.share)]
    if isinstance(sampler, HintedGroups):
        if sampler.depth == "uniform":
            return [(d, len(q), False, 1 / len(q)) for d in steps]
        good = [d for d in steps if np.prod(q[d:]) >= sampler.threshold]
        return [(min([*good, len(q) - 1]), len(q), False, 1.0)]
    if sampler.lengths == "mixed":
        return [(0, d + 1, False, 1 / len(q)) for d in steps]
    good = [d + 1 for d in steps if np.prod(q[: d + 1]) >= sampler.threshold]
    return [(0, max([1, *good]), False, 1.0)]


def moments_of_groups(q, method, now=None):
    """Mean and mean square of a group's update on a whole chain, one ordered group after another."""
    h = len(q)
    k = np.array(list(product(range(h + 1), repeat=method.group_size)))
    at = np.arange(h + 1)[:, None]
    step = np.arange(h)[None, :]

    def log_probs(values):
        return np.where(step < at, np.log(values), np.where(step == at, np.log(1 - values), 0.0))

    current = q if now is None else now
    scores = np.where(step < at, 1 - current, np.where(step == at, -current, 0.0))
    chance = np.exp(log_probs(q).sum(1))[k].prod(1)
    world = ReasoningChain(step_success=q).world()
    weights = method.weights(world.group(k, log_probs(q)[k]), (log_probs(current) - log_probs(q))[k])
    updates = np.einsum("cgs,cgs->cs", weights, scores[k]) / method.group_size
    return chance @ updates, updates.T @ (chance[:, None] * updates)


def by_parts(q, method, sampler, now=None):
    """Mean and covariance of a group's update: the chains that are left, each on its own steps."""
    current = q if now is None else now
    mean = np.zeros(len(q))
    square = np.zeros((len(q), len(q)))
    for given, asked, taught, chance in chances(sampler, q):
        part = slice(given, asked)
        if taught:
            one = 1 - current[part]
            two = np.outer(one, one)
        else:
            one, two = moments_of_groups(q[part], method, None if now is None else now[part])
        mean[part] += chance * one
        square[part, part] += chance * two
    return mean, square - np.outer(mean, mean)


@pytest.mark.parametrize(("sampler", "plain"), CASES)
def test_update_and_covariance_against_every_group_of_every_part(sampler, plain):
    method = replace(PLAIN[plain], sampler=SAMPLERS[sampler])
    mean, covariance = by_parts(CHAIN.step_success, PLAIN[plain], SAMPLERS[sampler])
    found = expectation(CHAIN, method, covariance=True)
    np.testing.assert_allclose(found.update, mean, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-11, atol=1e-15)

    # The step weights are those that give this update with the classes of whole questions
    given = np.einsum("k,ks,ks->s", CHAIN.class_probs, found.step_weights, CHAIN.scores)
    np.testing.assert_allclose(given, mean, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(("sampler", "plain"), [(name, "reinforce_rej") for name in SAMPLERS])
def test_update_of_a_policy_that_has_moved_on(sampler, plain):
    method = replace(PLAIN[plain], sampler=SAMPLERS[sampler])
    now = ReasoningChain(logits=CHAIN.logits + np.array([0.5, -0.6, 0.1]))
    found = update_function(CHAIN, method)(CHAIN.logits, now.logits)
    mean, _ = by_parts(CHAIN.step_success, PLAIN[plain], SAMPLERS[sampler], now.step_success)
    np.testing.assert_allclose(found, mean, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in rule.names() if not rule(name).sampler.whole])
def test_every_registered_method_and_both_samplings(name):
    """The exact engine, the Monte Carlo of any world and that of the chain: 4 standard errors."""
    method = rule(name, group_size=4)
    exact = expectation(CHAIN, method, covariance=True)
    sampled = expectation(CHAIN, method, "monte_carlo", groups=20_000, seed=1, covariance=True)
    chain = sampled_update(CHAIN, method, 20_000, seed=2)
    for update, error in ((sampled.update, sampled.standard_error), (chain.mean, chain.standard_error)):
        assert (np.abs(update - exact.update) <= 4 * error + 1e-7).all()
    np.testing.assert_allclose(sampled.covariance, exact.covariance, atol=0.05 * np.abs(exact.covariance).max() + 1e-12)


def test_a_hint_with_colours_counts_the_given_steps_as_right():
    """Hints and colours, credit to the prefix: the classes of the whole question that begin with the hint."""
    method = Method("odd", 3, reward=Colouring(beta=5.0), credit=CorrectPrefix(), sampler=HintedGroups("uniform"))
    mean = np.zeros(3)
    for given in range(3):
        q = np.where(np.arange(3) < given, 1.0, CHAIN.step_success)
        p = np.append(1.0, np.cumprod(q)) * np.append(1 - q, 1.0)
        k = np.array(list(product(range(given, 4), repeat=3)))
        learnt = np.broadcast_to(np.arange(3) >= given, (*k.shape, 3))
        group = replace(CHAIN.world().group(k), learnt=learnt)
        updates = np.einsum("cgs,cgs->cs", method.weights(group), CHAIN.scores[k]) / 3
        mean += p[k].prod(1) @ updates / 3
    np.testing.assert_allclose(expected_update(CHAIN, method), mean, rtol=1e-11)


def test_other_worlds_are_cut_in_the_same_way():
    """Steps with several options; and a judge that errs, whom an outcome reward does not hear."""
    logits = np.array([[0.2, -0.4, 0.9], [0.5, 0.1, -1.2], [0.3, 0.0, 0.4]])
    world = option_world(logits)
    plain = rule("grpo", group_size=3)
    hinted = rule("hints", group_size=3, depth="uniform")
    mean = sum(np.pad(expected_update(option_world(logits[d:]), plain), [(d, 0), (0, 0)]) for d in range(3)) / 3
    np.testing.assert_allclose(expected_update(world, hinted), mean, rtol=1e-11)

    shorter = rule("easier_questions", group_size=3)
    judged = judged_world(CHAIN, confusion(3, 0.3, 0.2))
    for method in (hinted, shorter):
        np.testing.assert_allclose(expected_update(judged, method), expected_update(CHAIN, method), rtol=1e-11)


def test_what_has_no_exact_form_is_refused():
    with pytest.raises(NoExactForm, match="several paths"):
        expected_update(many_paths_world([0.3, -0.2], [[0.4, 0.6], [0.7, 0.3]]), rule("hints", group_size=3))
    with pytest.raises(NoExactForm, match="FreshGroups"):
        normalized_update_function(CHAIN, rule("hints"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HintedGroups("deep"), "depth = 'deep'"),
        (lambda: HintedGroups(threshold=0.0), "threshold = 0.0"),
        (lambda: ShorterQuestions("long"), "lengths = 'long'"),
        (lambda: ReferenceSolutions(0), "share = 0"),
        (lambda: ReferenceSolutions(1.5), "share = 1.5"),
        (lambda: ReferenceSolutions(inner_updates=0), "inner_updates = 0"),
        (lambda: Method("odd", reward=Colouring(), sampler=ShorterQuestions()), "reward = Colouring"),
        (lambda: Method("odd", objective=PairRegression(), sampler=ReferenceSolutions()), "objective = PairReg"),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_whole_question_is_one_portion():
    portions = FreshGroups().portions(3)
    assert portions.learnt(3).tolist() == [[True] * 3]
    assert FreshGroups().chances(np.array([0.5, 0.2])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "options", "counts"),
    [
        ("hints", {"depth": "uniform"}, [33, 124]),
        ("hints", {"depth": "adaptive"}, [30, 79]),
        ("easier_questions", {"lengths": "mixed"}, [33, 124]),
    ],
)
def test_updates_to_half_success_without_a_judge(name, options, counts):
    """Quadratic in the number of steps where depths are uniform, about linear where they adapt; GRPO needs 1726 at 8.

    Hints and shorter questions are mirror images for steps of equal accuracy.
    """
    for horizon, count in zip((4, 8), counts, strict=True):
        chain = ReasoningChain(step_success=[0.3] * horizon)
        curve = solve(chain, rule(name, group_size=8, **options), count + 1, reusable=False)
        assert np.ceil(updates_to(curve)) == count


def test_hints_transfer_at_the_rate_of_what_is_left():
    """docs/theory/remedies.md#why-hints-transfer: the growth of unguided log-success under hints of one depth."""
    q = CHAIN.step_success
    for depth, threshold in ((0, 0.08), (1, 0.2), (2, 0.3)):
        method = rule("hints", group_size=8, threshold=threshold)
        left = float(np.prod(q[depth:]))
        rate = c(8, left) / (1 - left) * ((1 - q[depth:]) ** 2).sum()
        assert expected_update(CHAIN, method) @ (1 - q) == pytest.approx(rate, rel=1e-12)


def test_imitation_takes_the_time_of_its_flow():
    """docs/theory/remedies.md#imitation: theta + e^theta grows by 1 a unit of time, whatever the success is."""
    chain = ReasoningChain(step_success=[0.3] * 8)
    q = np.array([0.3, 2 ** (-1 / 8)])
    clock = np.log(q / (1 - q)) + q / (1 - q)
    assert flow_time(chain, rule("imitation")) == pytest.approx(clock[1] - clock[0], rel=1e-8)
