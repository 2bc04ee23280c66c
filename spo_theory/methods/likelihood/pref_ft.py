"""Pref-FT: imitation of the preferred response of every pair (arXiv 2404.14367)."""

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import PairsWon
from spo_theory.parts.objectives import LogLikelihood


@method(source="arXiv 2404.14367", label="Pref-FT", colour="#59A14F")
def pref_ft(group_size: GroupSize = 8) -> Method:
    """Pref-FT: log-likelihood of the better response of every pair of a group."""
    return Method("pref_ft", group_size, baseline=PairsWon(), objective=LogLikelihood())
