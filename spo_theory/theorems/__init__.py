"""Statements about the rules, each beside its check, one topic a module (docs/theory/statements.md)."""

from spo_theory.theorems import colours, groups, judges, rates, remedies, scopes, two_steps, updates
from spo_theory.theorems.statement import Statement, Verdict, statements_of

TOPICS = (groups, updates, judges, two_steps, scopes, rates, colours, remedies)
THEOREMS: tuple[Statement, ...] = tuple(s for topic in TOPICS for s in statements_of(topic))
"""All statements, in the order of docs/theory/statements.md."""

__all__ = ["THEOREMS", "TOPICS", "Statement", "Verdict"]
