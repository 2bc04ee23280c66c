"""Rewarding the unlikely: correct responses earn less the more probable they were (arXiv 2506.02355)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.filters import MixedGroups
from spo_theory.parts.shaped_rewards import RankPenalty

Strength = Annotated[float, "What the most probable correct response loses of its reward (0 to 1)."]


@method(source="arXiv 2506.02355", label="Unlikeliness", colour="#2F4B7C")
def unlikeliness(
    group_size: GroupSize = 8,
    strength: Strength = 0.25,
    convention: Convention = "verl",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Unlikeliness: GRPO on mixed groups whose correct responses lose reward by the rank of their probability."""
    return Method(
        "unlikeliness",
        group_size,
        reward=RankPenalty(strength),
        keep=MixedGroups(),
        baseline=standardized(convention, std_eps, ddof),
    )
