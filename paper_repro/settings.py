"""Settings that several studies share: the colouring of the chain's experiments, and rules built with it."""

from spo_theory.method import Method
from spo_theory.methods.registry import rule

BETA = 5.0
GAMMA = 0.5
"""Colouring of all experiments on the chain that do not say otherwise."""


def build(name: str, group_size: int) -> Method:
    """A rule by name, with the experiments' colouring if it colours at all.

    name: one of `rule.names()`. group_size: responses per question, at least 2. Raises `InputError` for others.

    >>> build("spo_prefix", group_size=4).reward.beta
    5.0
    """
    colouring = {"beta": BETA, "gamma": GAMMA}
    own = {option.name for option in rule.options(name)}
    return rule(name, group_size=group_size, **(colouring if set(colouring) <= own else {}))
