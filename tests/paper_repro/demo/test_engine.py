"""The engine of the live page, run in V8, against the Python library on random settings."""

from typing import Any

import numpy as np
import pytest
from javascript import Engine

from spo_theory import ReasoningChain, expected_update, rule, solve
from spo_theory.exact.update import evaluate_weights, prepare_update
from spo_theory.group import Group
from spo_theory.methods.registry import rule as registry
from spo_theory.outcomes.judged import confusion, judged_world

SMALL = ("raft", "rebel", "reinforce_rej", "spo_prefix")  # in Python a sum over all group compositions
AGREE = 1e-9  # what the page promises; its quadrature aims at 1e-11


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


METHODS = [name for name in Engine()("METHOD_NAMES") if name in registry.names()]


def random_setting(method: str, seed: int) -> dict[str, Any]:
    """A setting of the page within its sliders, with a perfect judge for even seeds."""
    rng = np.random.default_rng(seed)
    small = method in SMALL
    judge = rng.uniform(0, 1, 2) if seed % 2 else np.zeros(2)
    return {
        "method": method,
        "groupSize": int(rng.integers(2, 7 if small else 65)),
        "horizon": int(rng.integers(2, 5 if small else 13)),
        "beta": float(rng.uniform(0.1, 20)),
        "gamma": float(rng.uniform(0, 1)),
        "scope": str(rng.choice(["all_negative", "all_incorrect"])),
        "miss": float(judge[0]),
        "falseAlarm": float(judge[1]),
    }


def python_rule(setting: dict[str, Any]) -> Any:
    """The method of a setting."""
    coloured = setting["method"] in ("spo", "spo_prefix")
    options = {key: setting[key] for key in ("beta", "gamma", "scope")} if coloured else {}
    return rule(setting["method"], group_size=setting["groupSize"], **options)


def random_logits(setting: dict[str, Any], seed: int) -> np.ndarray:
    """Log-odds of the steps, some hard and some easy."""
    return np.random.default_rng(seed).normal(0.0, 1.5, setting["horizon"])


def test_the_page_has_every_method_of_the_comparison() -> None:
    assert set(METHODS) >= {"grpo", "spo", "spo_prefix", "dr_grpo", "ngrpo", "sign", "lens"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, 1])
def test_expected_weights_and_update(engine: Engine, method: str, seed: int) -> None:
    setting = random_setting(method, seed)
    logits = random_logits(setting, seed)
    horizon = setting["horizon"]
    chain = ReasoningChain(logits=logits)

    # In Python a judged class is a pair of the truth and of what was heard; the page has their mean
    chances = confusion(horizon, setting["miss"], setting["falseAlarm"])
    world = judged_world(chain, chances)
    form = prepare_update(world, python_rule(setting))
    given = np.asarray(evaluate_weights(form, logits))
    mean = np.einsum("kj,kjs->ks", chances, given[:-1].reshape(horizon, horizon + 1, horizon))
    written = np.arange(horizon) <= np.arange(horizon + 1)[:, None]
    weights = np.where(written, np.concatenate([mean, given[-1:]]), 0.0)
    update = np.einsum("k,ks,ks->s", chain.class_probs, weights, chain.scores)

    found = engine("expectedWeights(prepare(s), x).map((row) => Array.from(row))", s=setting, x=logits.tolist())
    np.testing.assert_allclose(found, weights, rtol=0, atol=AGREE)
    moved = engine("Array.from(expectedUpdate(prepare(s), x))", s=setting, x=logits.tolist())
    np.testing.assert_allclose(moved, update, rtol=0, atol=AGREE)


@pytest.mark.parametrize("method", ["hints", "easier_questions", "imitation"])
def test_rules_that_ask_questions_in_part(engine: Engine, method: str) -> None:
    assert method in engine("REMEDIES")
    setting = random_setting("grpo", 0) | {"method": method, "horizon": 5, "groupSize": 8}
    starts = np.random.default_rng(4).normal(0.0, 1.5, (6, 5))  # hard and easy ones: the depths of hints differ
    update = expected_update(ReasoningChain(logits=starts), rule(method, group_size=8))
    for start, expected in zip(starts, np.asarray(update), strict=True):
        found = engine("Array.from(expectedUpdate(prepare(s), x))", s=setting, x=start.tolist())
        np.testing.assert_allclose(found, expected, rtol=0, atol=AGREE)


@pytest.mark.parametrize(("beta", "gamma"), [(20.0, 0.0), (20.0, 1.0), (0.1, 0.5), (0.5, 10.0)])
def test_the_ends_of_the_sliders(engine: Engine, beta: float, gamma: float) -> None:
    setting = random_setting("spo", 0) | {"horizon": 12, "groupSize": 64, "beta": beta, "gamma": gamma}
    for size in (2, 64):
        setting["groupSize"] = size
        logits = random_logits(setting, size)
        form = prepare_update(ReasoningChain(logits=logits), python_rule(setting), padded=True)
        weights = np.asarray(evaluate_weights(form, logits))[:, 0]
        found = engine("expectedWeights(prepare(s), x).map((row) => row[0])", s=setting, x=logits.tolist())
        np.testing.assert_allclose(found, weights, rtol=0, atol=AGREE)


@pytest.mark.parametrize("method", ["grpo", "spo", "spo_prefix"])
def test_curves_of_a_population(engine: Engine, method: str) -> None:
    setting = random_setting(method, 2) | {"horizon": 4, "groupSize": 6}
    questions = np.random.default_rng(3).normal(-0.5, 1.0, (3, 4))
    curve = solve(ReasoningChain(logits=questions), python_rule(setting), steps=30, learning_rate=0.7)

    found = engine(
        "(({success, allNegative}) => [Array.from(success), Array.from(allNegative)])(solve(prepare(s), x, 30, 0.7))",
        s=setting,
        x=questions.tolist(),
    )
    np.testing.assert_allclose(found[0], curve["success"], rtol=0, atol=AGREE)
    np.testing.assert_allclose(found[1], curve["all_negative"], rtol=0, atol=AGREE)


@pytest.mark.parametrize("method", METHODS)
def test_a_sampled_group_is_judged_as_in_python(engine: Engine, method: str) -> None:
    setting = random_setting(method, 5) | {"horizon": 4, "groupSize": 6}
    logits = random_logits(setting, 5)
    chain = ReasoningChain(logits=logits)
    log_probs = np.asarray(chain.world().model.step_log_probs(logits, ()))

    for seed in range(8):
        responses = engine("sampleGroup(prepare(s), x, generator(n))", s=setting, x=logits.tolist(), n=seed)
        found = engine("judgeGroup(prepare(s), x, r)", s=setting, x=logits.tolist(), r=responses)
        outcome = np.array([response["outcome"] for response in responses])
        heard = np.array([response["heard"] for response in responses])
        group = Group(outcome == 4, heard, np.ones((6, 4)), log_prob=log_probs[outcome])
        weights = python_rule(setting).weights(group)

        shown = np.array(found["weights"], dtype=float)  # NaN where a response has no such step
        written = np.arange(4) <= outcome[:, None]
        assert (np.isnan(shown) == ~written).all()
        np.testing.assert_allclose(shown[written], weights[written], rtol=0, atol=1e-12)


def test_groups_are_sampled_with_the_chances_of_the_chain(engine: Engine) -> None:
    setting = random_setting("spo", 1) | {"horizon": 3, "groupSize": 64, "miss": 0.3, "falseAlarm": 0.2}
    logits = [0.4, -0.3, 0.2]
    counts = np.zeros((4, 4))
    sampled = engine(
        "Array.from({length: 400}, (_, n) => sampleGroup(prepare(s), x, generator(n)))", s=setting, x=logits
    )
    for group in sampled:
        for response in group:
            counts[response["outcome"], response["heard"]] += 1

    heard = np.vstack([confusion(3, 0.3, 0.2), [0, 0, 0, 1]])
    expected = ReasoningChain(logits=logits).class_probs[:, None] * heard
    total = counts.sum()
    error = np.sqrt(expected * (1 - expected) / total)
    assert (abs(counts / total - expected) <= 4 * error).all()  # 4 standard errors; 0 where the chance is 0


def test_the_same_seed_gives_the_same_group(engine: Engine) -> None:
    setting = random_setting("grpo", 0)
    logits = random_logits(setting, 0).tolist()
    first, again, other = (
        engine("sampleGroup(prepare(s), x, generator(n))", s=setting, x=logits, n=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_too_many_compositions_are_refused_in_a_sentence(engine: Engine) -> None:
    setting = random_setting("spo_prefix", 0) | {"horizon": 12, "groupSize": 64}
    said = engine("(() => { try { prepare(s); } catch (error) { return error.message; } })()", s=setting)
    assert said.startswith("Credit to the prefix alone is summed over all ways")
