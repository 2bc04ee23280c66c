"""DPO on the pairs of a group (arXiv 2305.18290; on-policy and offline in arXiv 2404.14367)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.objectives import PairLogistic, Reference

PairBeta = Annotated[float, "How soon a pair is content with its difference of log-ratios (above 0, per nat)."]
ReferenceOption = Annotated[Reference, "Policy of the log-ratios: that of the start of training, or the sampling one."]


@method(source="arXiv 2305.18290", label="DPO", colour="#E15759")
def dpo(group_size: GroupSize = 8, beta: PairBeta = 0.1, reference: ReferenceOption = "start") -> Method:
    """DPO: logistic loss on the log-ratios to the start policy, over all pairs of a right and a wrong response."""
    return Method("dpo", group_size, baseline=Raw(), objective=PairLogistic(beta, reference))
