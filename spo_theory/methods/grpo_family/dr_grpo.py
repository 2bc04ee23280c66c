"""Dr. GRPO: GRPO without the division by the standard deviation (arXiv 2503.20783)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import CONVENTIONS
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method


@method(source="arXiv 2503.20783", label="Dr. GRPO", colour="#009E73")
def dr_grpo(group_size: GroupSize = 8) -> Method:
    """Dr. GRPO: outcome reward minus the group mean, not divided by the std."""
    return Method("dr_grpo", group_size, baseline=CONVENTIONS["dr_grpo"])
