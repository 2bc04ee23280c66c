"""Token-weighted GRPO with a graded reward (after TW-GRPO, arXiv 2505.24718)."""

from typing import Annotated, Literal, get_args

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.credit import SpreadWeighted
from spo_theory.parts.rewards import Outcome
from spo_theory.parts.several_rewards import RightPrefix
from spo_theory.validation import check

Grading = Literal["soft", "fixed"]
Alpha = Annotated[float, "Factor of the step at which the group's states differ most (at least 1)."]
RewardGrading = Annotated[Grading, "Reward of a wrong response: the share that is right (soft), or 0 (fixed)."]


@method(source="after arXiv 2505.24718", label="Token-weighted", colour="#665191")
def token_weighted(
    group_size: GroupSize = 8,
    alpha: Alpha = 1.7,
    reward: RewardGrading = "soft",
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Token-weighted: GRPO with a graded reward that weighs steps by how much the states of the group differ there.

    The published weights compare token distributions; here it is whether responses are still right.
    """
    check(reward in get_args(Grading), "reward", reward, " or ".join(get_args(Grading)))
    return Method(
        "token_weighted",
        group_size,
        reward=RightPrefix() if reward == "soft" else Outcome(),
        baseline=standardized(convention, std_eps, ddof),
        credit=SpreadWeighted(alpha),
    )
