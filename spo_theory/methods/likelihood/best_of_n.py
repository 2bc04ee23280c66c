"""Best-of-N: imitation of the best response of each group (arXiv 2404.14367)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import BestOfGroup
from spo_theory.parts.objectives import LogLikelihood


@method(source="arXiv 2404.14367", label="Best of N", colour="#B07AA1")
def best_of_n(group_size: GroupSize = 8) -> Method:
    """Best-of-N: log-likelihood of the best response of each group; equally good ones share the weight."""
    return Method("best_of_n", group_size, baseline=BestOfGroup(), objective=LogLikelihood())
