"""CoRPO: a baseline that is never below what a good response earns (arXiv 2511.04439)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import FlooredMean

Threshold = Annotated[float, "Reward below which no response is pushed up (any finite number)."]


@method(source="arXiv 2511.04439", label="CoRPO", colour="#94346E")
def corpo(group_size: GroupSize = 8, threshold: Threshold = 0.5) -> Method:
    """CoRPO: outcome reward minus the group mean or a threshold, whichever is larger."""
    return Method("corpo", group_size, baseline=FlooredMean(threshold))
