"""Synthetic problems with one right answer and checkable steps."""
