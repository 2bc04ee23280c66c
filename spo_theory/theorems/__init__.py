"""Statements about the rules, each with its check."""
