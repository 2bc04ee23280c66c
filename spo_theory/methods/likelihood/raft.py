"""RAFT: fine-tuning on the best responses (arXiv 2504.11343)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import PositivePart
from spo_theory.parts.objectives import LogLikelihood
from spo_theory.parts.rewards import PlusMinusOne


@method(source="arXiv 2504.11343", label="RAFT", colour="#B8860B")
def raft(group_size: GroupSize = 4) -> Method:
    """RAFT: maximize the log-likelihood of the correct responses; nothing is pushed down."""
    return Method("raft", group_size, reward=PlusMinusOne(), baseline=PositivePart(), objective=LogLikelihood())
