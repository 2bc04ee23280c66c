"""IPO on the pairs of a group (arXiv 2310.12036; on-policy and offline in arXiv 2404.14367)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.pairs.dpo import ReferenceOption
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.objectives import PairSquare

Tau = Annotated[float, "Half of one over the wanted difference of log-ratios (above 0, per nat)."]


@method(source="arXiv 2310.12036", label="IPO", colour="#FF9DA7")
def ipo(group_size: GroupSize = 8, tau: Tau = 0.1, reference: ReferenceOption = "start") -> Method:
    """IPO: square loss that asks for one difference of log-ratios, over all pairs of a right and a wrong response."""
    return Method("ipo", group_size, baseline=Raw(), objective=PairSquare(tau, reference))
