"""Is a run broken, and what would help? Rollout logs in, shares and remedies out.

`read_rollouts` reads what trainers write; `diagnose` answers. The same from the shell: ``spo diagnose LOGS``.
Explained in docs/diagnosis.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spo_theory.diagnosis.findings import diagnose
    from spo_theory.diagnosis.reading import read_rollouts
    from spo_theory.diagnosis.rollouts import Rollouts

_HOME = {"Rollouts": "rollouts", "diagnose": "findings", "read_rollouts": "reading"}
__all__ = ["Rollouts", "diagnose", "read_rollouts"]


def __getattr__(name: str) -> Any:
    """Import ``name`` from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'spo_theory.diagnosis' has no attribute {name!r}")
    return getattr(import_module(f"spo_theory.diagnosis.{_HOME[name]}"), name)
