"""Public functions take any value, or refuse it with an error that says so: they never fail in another way."""

from inspect import signature

import pytest
from fuzz.junk import FEW, JUNK, is_costly, refusal
from hypothesis import assume, given
from hypothesis import strategies as st

from spo_theory import ReasoningChain, expected_advantages, expected_update, rule, solve
from spo_theory.dynamics.escape import escape_time, fewest_updates, pair_colouring_time
from spo_theory.outcomes.judged import confusion, expected_update_judged
from toy_llm import TrainConfig
from toy_llm.evaluation.statistics import pass_at_k

CHAIN = ReasoningChain(step_success=[0.4, 0.6])
GRPO = rule("grpo", group_size=2)

GOOD = {
    expected_advantages: {"class_probs": [0.5, 0.5], "rewards": [0.0, 1.0], "group_size": 4},
    expected_update: {"chain": CHAIN, "rule": GRPO},
    solve: {"chain": CHAIN, "rule": GRPO, "steps": 1},
    escape_time: {"chain": CHAIN, "group_size": 4},
    fewest_updates: {"success": 0.2, "horizon": 2, "group_size": 4},
    pair_colouring_time: {"step_success": 0.3, "horizon": 2},
    confusion: {"horizon": 2},
    expected_update_judged: {"chain": CHAIN, "rule": rule("spo", group_size=2)},
    pass_at_k: {"correct": [1], "samples": 2, "k": 1},
}
"""Functions with arguments that are fine; one of them at a time is replaced."""

NOT_FUZZED = {"chain", "rule"}
"""Arguments that are made by constructors which refuse bad values themselves, and are fuzzed below."""

CALLS = [(function, name) for function in GOOD for name in signature(function).parameters if name not in NOT_FUZZED]


@pytest.mark.parametrize(("function", "name"), CALLS, ids=lambda part: getattr(part, "__name__", part))
@FEW
@given(value=JUNK)
def test_one_argument_of_any_kind(function, name, value):
    assume(not is_costly(value))
    refusal(lambda: function(**GOOD[function] | {name: value}))


@pytest.mark.parametrize("name", ["step_success", "logits", "step_lengths"])
@FEW
@given(value=JUNK)
def test_a_chain_of_anything(name, value):
    base = {"step_success": [0.4, 0.6]} if name == "step_lengths" else {}
    refusal(lambda: ReasoningChain(**base, **{name: value}))


@pytest.mark.parametrize("name", rule.names())
@FEW
@given(data=st.data())
def test_a_rule_with_an_option_of_any_kind(name, data):
    option = data.draw(st.sampled_from(["group_size", *(option.name for option in rule.options(name)), "nonsense"]))
    refusal(lambda: rule(name, **{option: data.draw(JUNK)}))


@given(name=st.sampled_from(sorted(TrainConfig.__dataclass_fields__)), value=JUNK)
def test_a_run_with_a_setting_of_any_kind(name, value):
    """Its problems are lines of text, however wrong it is."""
    assume(not is_costly(value))
    if refusal(lambda: TrainConfig(**{name: value})) is None:
        lines = TrainConfig(**{name: value}).problems()
        assert all(isinstance(line, str) and line for line in lines)
