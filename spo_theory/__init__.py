"""The stylized model of group-relative policy optimization: update rules and their exact learning dynamics.

Names are imported on first use, so the update rules load neither jax nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spo_theory.chain import ReasoningChain
    from spo_theory.checks import InputError
    from spo_theory.dynamics import solve
    from spo_theory.expected import expected_advantages, expected_update
    from spo_theory.monte_carlo import sampled_update, simulate
    from spo_theory.rules import rule

_HOME = {
    "InputError": "checks",
    "ReasoningChain": "chain",
    "expected_advantages": "expected",
    "expected_update": "expected",
    "rule": "rules",
    "sampled_update": "monte_carlo",
    "simulate": "monte_carlo",
    "solve": "dynamics",
}
__all__ = [
    "InputError",
    "ReasoningChain",
    "expected_advantages",
    "expected_update",
    "rule",
    "sampled_update",
    "simulate",
    "solve",
]


def __getattr__(name: str) -> Any:
    """Import ``name`` from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'spo_theory' has no attribute {name!r}")
    return getattr(import_module(f"spo_theory.{_HOME[name]}"), name)
