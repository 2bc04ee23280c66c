"""Reinforce-Rej: REINFORCE on groups that hold both kinds of responses (arXiv 2504.11343)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.filters import MixedGroups
from spo_theory.parts.rewards import PlusMinusOne


@method(source="arXiv 2504.11343", label="Reinforce-Rej", colour="#444444")
def reinforce_rej(group_size: GroupSize = 4) -> Method:
    """Reinforce-Rej: reward +1 or -1 and no baseline, from groups that hold both kinds of responses."""
    return Method("reinforce_rej", group_size, reward=PlusMinusOne(), keep=MixedGroups(), baseline=Raw())
