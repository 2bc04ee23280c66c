"""What the check of a statement found (docs/theory/statements.md)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: whether the statement held everywhere it was checked, where, and where it failed."""

    holds: bool
    checked: str
    counterexample: str = ""
