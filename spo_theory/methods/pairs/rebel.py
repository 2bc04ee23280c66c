"""REBEL: regression on differences of rewards (arXiv 2404.16767)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.objectives import PairRegression

Eta = Annotated[float, "Nats that a log-ratio should gain per unit of reward (above 0)."]


@method(source="arXiv 2404.16767", label="REBEL", colour="#7F3C8D")
def rebel(group_size: GroupSize = 2, eta: Eta = 1.0) -> Method:
    """REBEL: regress differences of log-ratios on differences of rewards, over all pairs of a group."""
    return Method("rebel", group_size, baseline=Raw(), objective=PairRegression(eta))
