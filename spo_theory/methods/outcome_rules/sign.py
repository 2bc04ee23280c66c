"""Sign: the sign of the outcome as advantage (arXiv 2605.07689)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Signed


@method(source="arXiv 2605.07689", label="Sign", colour="#CC79A7")
def sign(group_size: GroupSize = 8) -> Method:
    """Sign: advantage 2 r - 1, whatever the group."""
    return Method("sign", group_size, baseline=Signed())
