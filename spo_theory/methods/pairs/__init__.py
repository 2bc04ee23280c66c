"""Comparisons of two responses, or of two steps, of one group."""
