"""Hints: GRPO on questions whose solution is given in part (R3, arXiv 2402.05808; POPE, arXiv 2601.18779)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, HintDepth, StdEps, Threshold
from spo_theory.methods.registry import method
from spo_theory.parts.samplers import HintedGroups


@method(source="arXiv 2402.05808", label="Hints", colour="#117733")
def hints(
    group_size: GroupSize = 8,
    depth: HintDepth = "adaptive",
    threshold: Threshold = 0.25,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Hints: GRPO, with the first steps of a reference solution in the prompt."""
    sampler = HintedGroups(depth, threshold)
    return Method("hints", group_size, baseline=standardized(convention, std_eps, ddof), sampler=sampler)
