"""Reward-weighted regression (in the form of arXiv 2404.14367)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import ExponentialWeight
from spo_theory.parts.objectives import LogLikelihood

Temperature = Annotated[float, "Reward that changes a weight by the factor e (above 0)."]


@method(source="arXiv 2404.14367", label="RWR", colour="#9C755F")
def rwr(group_size: GroupSize = 8, reward_temperature: Temperature = 1.0) -> Method:
    """RWR: log-likelihood of every response, weighted by the exponential of its reward."""
    return Method("rwr", group_size, baseline=ExponentialWeight(reward_temperature), objective=LogLikelihood())
