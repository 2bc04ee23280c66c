"""What updates cost, against every group of small chains; and the race to half success against single updates."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, rule, solve
from spo_theory.dynamics.maps import updates_to
from spo_theory.dynamics.race import race
from spo_theory.exact.costs import COSTS, evaluate_costs, prepare_costs
from spo_theory.needs import needs_of
from spo_theory.parts.filters import MixedGroups
from spo_theory.parts.samplers import DynamicSampling

CHAIN = ReasoningChain(step_success=(0.4, 0.7, 0.3))
WHOLE = [name for name in rule.names() if rule(name).sampler == rule("grpo").sampler]


@pytest.mark.parametrize("name", WHOLE)
def test_costs_against_every_group(name):
    """Tokens trained on are those of groups with a weight; judged, incorrect responses whose first error is heard."""
    method = rule(name, group_size=3)
    world = CHAIN.world()
    k = np.array(list(product(range(4), repeat=3)))
    chance = CHAIN.class_probs[k].prod(1)
    log_prob = np.asarray(world.model.step_log_probs(world.logits, ()))
    weights = np.asarray(method.weights(world.group(k, log_prob[k])))
    trained = chance @ (np.abs(weights).max((1, 2)) > 1e-12) * 9

    # Whoever hears the judge gives other weights to a group that differs in its first errors alone
    read = np.where(k < 3, np.minimum(k + 1, 3), 0).sum(1)
    negative, mixed = needs_of(method, 3).judged
    kinds = np.where((k == 3).any(1), (k < 3).any(1) * mixed, negative)
    found = dict(zip(COSTS, np.asarray(evaluate_costs(prepare_costs(CHAIN, method), CHAIN.logits)), strict=True))
    assert found["rollouts"] == 3
    assert found["tokens_generated"] == pytest.approx(9)
    assert found["tokens_trained"] == pytest.approx(trained, rel=1e-12)
    assert found["steps_judged"] == pytest.approx(chance @ (read * kinds), rel=1e-12)
    assert found["solutions"] == 0


def test_who_hears_the_judge():
    heard = {name: needs_of(rule(name), 3).judged.tolist() for name in ("grpo", "raft", "lens", "spo", "hints")}
    assert heard == {
        "grpo": [False, False],
        "raft": [False, False],
        "lens": [False, False],
        "spo": [True, False],
        "hints": [False, False],
    }
    assert needs_of(rule("spo", scope="all_incorrect"), 3).judged.tolist() == [True, True]


def test_costs_of_questions_asked_in_part():
    """Uniform hints leave 3, 2, 1 steps; mixed questions ask for 1, 2, 3; imitation writes nothing."""

    def costs(name, **options):
        form = prepare_costs(CHAIN, rule(name, group_size=4, **options))
        return dict(zip(COSTS, np.asarray(evaluate_costs(form, CHAIN.logits)), strict=True))

    hinted = costs("hints", depth="uniform")
    assert hinted["tokens_generated"] == pytest.approx(4 * 2)
    assert hinted["solutions"] == pytest.approx(2 / 3)
    left = [CHAIN.step_success[d:].prod() for d in range(3)]
    trained = np.mean([4 * (3 - d) * (1 - s**4 - (1 - s) ** 4) for d, s in enumerate(left)])
    assert hinted["tokens_trained"] == pytest.approx(trained, rel=1e-12)
    assert costs("hints", depth="adaptive")["solutions"] == 1
    assert costs("easier_questions")["tokens_generated"] == pytest.approx(4 * 2)
    assert costs("easier_questions")["solutions"] == 0
    alone = costs("imitation")
    assert [alone[name] for name in COSTS] == [0, 0, 3, 0, 1]
    mixed = costs("imitation", share=0.25)
    assert [mixed["rollouts"], mixed["tokens_generated"], mixed["solutions"]] == pytest.approx([3, 9, 0.25])


@pytest.mark.parametrize(("name", "q", "steps"), [("grpo", 0.3, 250), ("spo", 0.3, 60), ("hints", 0.4, 60)])
def test_a_race_is_the_sum_of_single_updates(name, q, steps):
    """Leaps over many updates: within a hundredth of `solve`, costs too."""
    chain = ReasoningChain(step_success=[q] * 6)
    method = rule(name, group_size=8)
    curve = solve(chain, method, steps)
    found = race(ReasoningChain(step_success=[[q] * 6]), method).iloc[0]
    count = updates_to(curve)
    assert found["updates"] == pytest.approx(count, rel=0.01)

    form = prepare_costs(chain, method)
    logits = np.log(curve.filter(like="q_")) - np.log1p(-curve.filter(like="q_"))
    each = np.asarray(evaluate_costs(form, logits.to_numpy()))[: int(count)].sum(0)
    np.testing.assert_allclose(found[list(COSTS)].to_numpy(float), each, rtol=0.05)


def test_a_race_may_take_very_long_or_never_end():
    """GRPO from success 1e-8: the time of its flow is known; a hint whose threshold no single step reaches is stuck."""
    far = race(ReasoningChain(step_success=[[0.1] * 8]), rule("grpo", group_size=8)).iloc[0]
    assert far["updates"] == pytest.approx(6.04e6, rel=0.01)
    stuck = race(ReasoningChain(step_success=[[0.1] * 4]), rule("hints"), iterations=400)
    assert stuck[["updates", *COSTS]].isna().all(axis=None)
    low = race(ReasoningChain(step_success=[[0.1] * 4]), rule("hints", threshold=0.05))
    assert low["updates"].iloc[0] < 100


def test_an_erring_judge_slows_only_those_who_hear_it():
    starts = ReasoningChain(step_success=[[0.3] * 4])
    for name, slower in (("grpo", False), ("spo", True)):
        method = rule(name, group_size=4)
        told = race(starts, method, miss=0.3, false_alarm=0.2)["updates"].iloc[0]
        truth = race(starts, method)["updates"].iloc[0]
        assert (told > 1.05 * truth) if slower else told == truth


def test_bad_settings_are_named():
    starts = ReasoningChain(step_success=[[0.3] * 2])
    for setting in ("learning_rate", "level", "longest"):
        with pytest.raises(InputError, match=f"{setting} = -1"):
            race(starts, rule("grpo"), **{setting: -1})
    with pytest.raises(InputError, match="inner_updates = 2"):
        race(starts, rule("grpo", inner_updates=2))


def test_dynamic_sampling_hides_the_stall_in_the_count_of_updates():
    """H = 8, q = 0.3, G = 8: 28 updates instead of 1727, and 1.6 times as many rollouts (referees' numbers)."""
    starts = ReasoningChain(step_success=[[0.3] * 8])
    plain = rule("grpo", group_size=8)
    filtered = replace(plain, keep=MixedGroups(), sampler=DynamicSampling())
    slow, fast = (race(starts, method).iloc[0] for method in (plain, filtered))
    assert fast["updates"] == pytest.approx(28, abs=1)
    assert fast["rollouts"] / slow["rollouts"] == pytest.approx(1.6, abs=0.1)

    # At the start: one group in 1 / (1 - silent) is kept, and all of its tokens are trained on
    success = 0.3**8
    silent = (1 - success) ** 8 + success**8
    found = dict(zip(COSTS, np.asarray(evaluate_costs(prepare_costs(starts, filtered), starts.logits))[0], strict=True))
    assert found["rollouts"] == pytest.approx(8 / (1 - silent), rel=1e-6)
    assert found["tokens_trained"] == pytest.approx(64, rel=1e-6)
