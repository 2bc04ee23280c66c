"""GRPO: group-relative policy optimization (arXiv 2402.03300)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import trainer_baseline
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method


@method(source="arXiv 2402.03300", label="GRPO", colour="#D55E00")
def grpo(
    group_size: GroupSize = 8, convention: Convention = "paper", std_eps: StdEps = None, ddof: Ddof = None
) -> Method:
    """GRPO: outcome reward, group-standardized advantage."""
    return Method("grpo", group_size, baseline=trainer_baseline(convention, std_eps, ddof))
