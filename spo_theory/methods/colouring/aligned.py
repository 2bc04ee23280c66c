"""Aligned colours: the reward that raises log success fastest, to first order (docs/theory/related.md#aligned)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.rewards import Scope
from spo_theory.parts.shaped_rewards import Aligned, Estimate

AlignedScope = Annotated[Scope, "Groups with aligned rewards: those without a correct response, or all of them."]
AlignedEstimate = Annotated[Estimate, "Success of steps: counted in the group, or the policy's own probabilities."]
Prior = Annotated[float, "Right and wrong steps added to the counts of the group (at least 0)."]


@method(source="docs/theory/related.md", label="Aligned colours", colour="#0F4C5C")
def aligned(
    group_size: GroupSize = 8,
    scope: AlignedScope = "all_negative",
    estimate: AlignedEstimate = "group",
    prior: Prior = 0.5,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Aligned: GRPO whose all-negative groups earn what each response would do for the success of the policy.

    Not published: of all rewards these raise log success fastest on the chain, and they need neither beta nor gamma.
    """
    reward = Aligned(scope, estimate, prior)
    return Method("aligned", group_size, reward=reward, baseline=standardized(convention, std_eps, ddof))
