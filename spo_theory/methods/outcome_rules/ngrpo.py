"""NGRPO: a virtual correct response in every group (arXiv 2509.18851)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import VirtualCorrect


@method(source="arXiv 2509.18851", label="NGRPO", colour="#E69F00")
def ngrpo(
    group_size: GroupSize = 8, convention: Convention = "paper", std_eps: StdEps = None, ddof: Ddof = None
) -> Method:
    """NGRPO: a virtual correct response counts in every group's mean and std."""
    return Method("ngrpo", group_size, baseline=VirtualCorrect(standardized(convention, std_eps, ddof)))
