"""RLOO: the baseline of a response is the mean reward of the others (arXiv 2402.14740)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import LeaveOneOut
from spo_theory.parts.objectives import Clipped


@method(source="arXiv 2402.14740", label="RLOO", colour="#5F4690")
def rloo(group_size: GroupSize = 8) -> Method:
    """RLOO: outcome reward minus the mean reward of the other responses; one importance ratio a response."""
    return Method("rloo", group_size, baseline=LeaveOneOut(), objective=Clipped(ratio="sequence"))
