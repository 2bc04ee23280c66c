"""Does anybody's function do what its convention says? Named properties, verdicts and shrunken counterexamples.

`check` judges one function by every property that applies; `identify` names the convention that it follows. The same
from the shell: ``spo check package.module:function``. Explained in docs/conformance.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spo_theory.conformance.advantages.identification import identify
    from spo_theory.conformance.checking import check
    from spo_theory.conformance.report import Report

_HOME = {"check": "checking", "identify": "advantages.identification", "Report": "report"}
__all__ = ["Report", "check", "identify"]


def __getattr__(name: str) -> Any:
    """Import ``name`` from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'spo_theory.conformance' has no attribute {name!r}")
    return getattr(import_module(f"spo_theory.conformance.{_HOME[name]}"), name)
