"""Colours: graded rewards for incorrect responses."""
