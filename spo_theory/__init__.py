"""The stylized model of group-relative policy optimization: update rules and their exact learning dynamics.

Names are imported on first use, so the update rules load neither jax nor torch. The base installation has the update
rules and their conformance checks; what needs an extra that is missing says which one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spo_theory.dynamics.maps import solve
    from spo_theory.dynamics.sampled import sampled_update, simulate
    from spo_theory.exact.by_class.advantages import expected_advantages
    from spo_theory.exact.update import expected_update
    from spo_theory.methods.registry import rule
    from spo_theory.outcomes.chain import ReasoningChain
    from spo_theory.validation import InputError

_HOME = {
    "InputError": "validation",
    "ReasoningChain": "outcomes.chain",
    "expected_advantages": "exact.by_class.advantages",
    "expected_update": "exact.update",
    "rule": "methods.registry",
    "sampled_update": "dynamics.sampled",
    "simulate": "dynamics.sampled",
    "solve": "dynamics.maps",
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
    """Import ``name`` from its module on first use; raises `ModuleNotFoundError` that names a missing extra."""
    if name == "__version__":
        return import_module("importlib.metadata").version("spectral-policy-lab")
    if name not in _HOME:
        raise AttributeError(f"module 'spo_theory' has no attribute {name!r}")
    try:
        return getattr(import_module(f"spo_theory.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        from spo_theory.optional import install_hint

        hint = install_hint(error.name or "")
        if not hint:
            raise
        raise ModuleNotFoundError(f"spo_theory.{name}: {hint}", name=error.name) from error
