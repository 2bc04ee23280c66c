"""REINFORCE with rewards of +1 and -1, and its ablations (arXiv 2504.11343)."""

from typing import Annotated, Literal

from spo_theory.allowed import one_of
from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Baseline, GroupAdvantage, Raw
from spo_theory.parts.rewards import PlusMinusOne

Normalization = Literal["none", "mean", "std"]
NormalizeBy = Annotated[Normalization, "Reward as it is (none), less the group mean (mean), or divided by its std too."]

BASELINES: dict[str, Baseline] = {"none": Raw(), "mean": GroupAdvantage(scale="none"), "std": GroupAdvantage()}


@method(source="arXiv 2504.11343", label="REINFORCE", colour="#6F4070")
def reinforce(group_size: GroupSize = 4, normalize: NormalizeBy = "none") -> Method:
    """REINFORCE: reward +1 or -1 and no baseline, from every group."""
    one_of(Normalization).check("normalize", normalize)
    return Method("reinforce", group_size, reward=PlusMinusOne(), baseline=BASELINES[normalize])
