"""Every check notices two wrong engines: one that returns no numbers, and one that is wrong in its own matter."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.parts.rewards import Colouring, Outcome
from spo_theory.theorems import THEOREMS, TOPICS

BY_NAME = {theorem.name: theorem for theorem in THEOREMS}
ADVANTAGES = Method.advantages


def plant(monkeypatch, **functions):
    """Replace functions of the engine by name in every topic that uses them; each gets the true one first."""
    for topic in TOPICS:
        for name, wrong in functions.items():
            if hasattr(topic, name):
                true = getattr(topic, name)
                monkeypatch.setattr(topic, name, lambda *a, true=true, wrong=wrong, **k: wrong(true, *a, **k))


def no_numbers(monkeypatch):
    """Everything that the engine returns is NaN."""

    def path(true, chain, rule, steps, *a, **k):
        return pd.DataFrame({"step": np.arange(steps + 1), "success": np.nan})

    plant(
        monkeypatch,
        expected_update=lambda true, chain, rule: np.full(chain.logits.shape, np.nan),
        update_function=lambda true, world, rule: lambda logits: np.full(np.shape(logits), np.nan),
        judged_update_function=lambda true, chain, rule: lambda logits, judge: jnp.full(logits.shape, jnp.nan),
        colouring_gain_function=lambda true, chain, rule: lambda miss, false_alarm: np.nan,
        solve=path,
        flow_time=lambda true, chain, rule: np.nan,
    )
    monkeypatch.setattr(Method, "advantages", lambda self, correct, *a, **k: np.full(correct.shape, np.nan))
    monkeypatch.setattr(ReasoningChain, "all_negative", lambda self, size: np.full(self.success.shape, np.nan))


def with_rules(monkeypatch, changed):
    """Every function of the engine sees ``changed(rule)`` instead of the rule."""

    def wrong(true, chain, rule, *a, **k):
        return true(chain, changed(rule), *a, **k)

    def gain(true, chain, rule):
        return true(chain, rule) if changed(rule).colouring else lambda miss, false_alarm: 0.0

    names = ("expected_update", "update_function", "judged_update_function", "solve", "flow_time")
    plant(monkeypatch, **dict.fromkeys(names, wrong), colouring_gain_function=gain)
    monkeypatch.setattr(Method, "advantages", lambda self, *a, **k: ADVANTAGES(changed(self), *a, **k))


def colouring_does_nothing(monkeypatch):
    with_rules(monkeypatch, lambda rule: replace(rule, reward=Outcome()) if rule.colouring else rule)


def every_rule_colours(monkeypatch):
    with_rules(monkeypatch, lambda rule: rule if rule.colouring else replace(rule, reward=Colouring(beta=5.0)))


def first_logit_stays(monkeypatch):
    def zeroed(update):
        update = np.array(update)
        update[..., 0] = 0
        return update

    plant(
        monkeypatch,
        expected_update=lambda true, *a: zeroed(true(*a)),
        update_function=lambda true, *a: lambda logits: zeroed(true(*a)(logits)),
    )


def one_response_decides(monkeypatch):
    monkeypatch.setattr(ReasoningChain, "all_negative", lambda self, size: 1 - self.success)


def advantages_are_reversed(monkeypatch):
    monkeypatch.setattr(Method, "advantages", lambda self, *a, **k: -ADVANTAGES(self, *a, **k))


def advantages_are_centred(monkeypatch):
    def centred(self, *a, **k):
        advantages = ADVANTAGES(self, *a, **k)
        return advantages - advantages.mean(-1, keepdims=True)

    monkeypatch.setattr(Method, "advantages", centred)


WITHOUT_COLOURING = {
    "grpo_is_silent": every_rule_colours,
    "grpo_push_is_bounded": every_rule_colours,
    "grpo_escape_is_exponential": every_rule_colours,
    "outcome_rules_stall": every_rule_colours,
    "options_even_out": first_logit_stays,
    "spread_makes_silent_groups": one_response_decides,
    "no_collapse_without_interference": advantages_are_reversed,
    "no_collapse_under_any_rule": advantages_are_centred,
    "aligned_colours_are_best": first_logit_stays,
    "hints_transfer": first_logit_stays,
    "resampling_saves_no_rollouts": every_rule_colours,
}
"""Statements that are not about colouring, each with an engine that is wrong in what they are about."""


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)
@pytest.mark.parametrize("wrong", ["no_numbers", "its own"])
def test_a_wrong_engine_is_noticed(monkeypatch, theorem, wrong):
    """The verdict contradicts the status: `test_verdict_matches_status` would fail with such an engine."""
    its_own = WITHOUT_COLOURING.get(theorem.name, colouring_does_nothing)
    (no_numbers if wrong == "no_numbers" else its_own)(monkeypatch)
    assert theorem.check().holds == (theorem.status == "refuted")


def test_only_statements_without_colouring_have_an_engine_of_their_own(monkeypatch):
    """An entry of the list above is needed: without colouring these statements are as true as before."""
    assert set(WITHOUT_COLOURING) <= set(BY_NAME)
    colouring_does_nothing(monkeypatch)
    for name in ("grpo_is_silent", "no_collapse_under_any_rule"):
        assert BY_NAME[name].check().holds == (BY_NAME[name].status != "refuted")
