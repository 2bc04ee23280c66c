"""GRPO with process supervision: rewards of steps, standardized over the group (arXiv 2402.03300)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.credit import ProcessReward


@method(source="arXiv 2402.03300", label="GRPO, process rewards", colour="#A6761D")
def grpo_process(
    group_size: GroupSize = 8, convention: Convention = "paper", std_eps: StdEps = None, ddof: Ddof = None
) -> Method:
    """GRPO with process supervision: right steps earn 1, standardized over all steps of the group."""
    return Method("grpo_process", group_size, credit=ProcessReward(standardized(convention, std_eps, ddof)))
