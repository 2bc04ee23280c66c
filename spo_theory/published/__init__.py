"""Closed forms of other authors for the same learning problem, one paper a module, to hold the project's own results
against. The rules do not use them."""
