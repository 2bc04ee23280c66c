"""Names of the exact engine's modules, together."""

from spo_theory.exact.advantages import advantage_function, expected_advantages, quadrature_error
from spo_theory.exact.compositions import composition_count, compositions, member_classes, multinomial, powers
from spo_theory.exact.forms import Expectation, in_blocks
from spo_theory.exact.prepare import MAX_COMPOSITIONS, Engine, choose_method
from spo_theory.exact.refusals import AccuracyWarning, NoExactForm, need_exact
from spo_theory.exact.scopes import class_rewards, combine_scopes
from spo_theory.exact.update import (
    expected_update,
    negative_part_function,
    rule_advantage_function,
    rule_update_function,
)

__all__ = [
    "MAX_COMPOSITIONS", "AccuracyWarning", "Engine", "Expectation", "NoExactForm", "advantage_function",
    "choose_method", "class_rewards", "combine_scopes", "composition_count", "compositions", "expected_advantages",
    "expected_update", "in_blocks", "member_classes", "multinomial", "need_exact", "negative_part_function", "powers",
    "quadrature_error", "rule_advantage_function", "rule_update_function",
]  # fmt: skip
