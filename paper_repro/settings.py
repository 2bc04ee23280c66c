"""Settings that several studies share: the colouring of the chain's experiments, and rules built with it."""

from spo_theory.method import Method
from spo_theory.methods.registry import rule

BETA, GAMMA = 5.0, 0.5
"""Colouring of all experiments on the chain that do not say otherwise."""

COLOURED = ("spo", "spo_prefix")
"""The rules that colour, and so take a beta and a gamma."""


def build(name: str, group_size: int) -> Method:
    """A rule by name, with the experiments' colouring if it colours at all."""
    options = {"beta": BETA, "gamma": GAMMA} if name in COLOURED else {}
    return rule(name, group_size=group_size, **options)
