"""MaxRL: the gradient of log success instead of success (arXiv 2602.02710)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import OverMean


@method(source="arXiv 2602.02710", label="MaxRL", colour="#1D6996")
def maxrl(group_size: GroupSize = 8) -> Method:
    """MaxRL: outcome reward minus the group mean, divided by the mean instead of the std."""
    return Method("maxrl", group_size, baseline=OverMean())
