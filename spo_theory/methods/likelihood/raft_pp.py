"""RAFT++: RAFT with importance ratios and clips (arXiv 2504.11343)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import PositivePart
from spo_theory.parts.rewards import PlusMinusOne


@method(source="arXiv 2504.11343", label="RAFT++", colour="#E6B800")
def raft_pp(group_size: GroupSize = 4) -> Method:
    """RAFT++: the clipped surrogate of the correct responses alone; nothing is pushed down."""
    return Method("raft_pp", group_size, reward=PlusMinusOne(), baseline=PositivePart())
