"""Imitation: the log-likelihood of reference solutions, alone or mixed with GRPO."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.objectives import LogLikelihood
from spo_theory.parts.samplers import ReferenceSolutions

Share = Annotated[float, "Share of questions taught by their solution, the others by GRPO (above 0; 1: all)."]


@method(source="docs/theory/remedies.md", label="Imitation", colour="#882255")
def imitation(
    group_size: GroupSize = 8,
    share: Share = 1.0,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Imitation: maximize the log-likelihood of reference solutions, alone or mixed with GRPO.

    The log-likelihood knows no importance ratio: with several inner updates neither part has one.
    """
    baseline = standardized(convention, std_eps, ddof)
    sampler = ReferenceSolutions(share)
    return Method("imitation", group_size, baseline=baseline, objective=LogLikelihood(), sampler=sampler)
