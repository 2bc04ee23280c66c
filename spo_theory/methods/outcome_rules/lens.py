"""LENS-like: a penalty on confident wrong responses of all-negative groups (after arXiv 2510.08696)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import ConfidencePenalty


@method(source="after arXiv 2510.08696", label="LENS-like penalty", colour="#8C564B")
def lens(
    group_size: GroupSize = 8, convention: Convention = "paper", std_eps: StdEps = None, ddof: Ddof = None
) -> Method:
    """LENS-like: GRPO that penalizes confident wrong responses of all-negative groups.

    The paper's exact weight is not reproduced: this is the maximum-likelihood one.
    """
    return Method("lens", group_size, baseline=ConfidencePenalty(standardized(convention, std_eps, ddof)))
