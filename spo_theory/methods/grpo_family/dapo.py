"""DAPO: asymmetric clip, token-level loss, penalty on length, dynamic sampling (arXiv 2503.14476)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.credit import TokenMean
from spo_theory.parts.filters import MixedGroups
from spo_theory.parts.objectives import Clipped
from spo_theory.parts.rewards import PlusMinusOne
from spo_theory.parts.samplers import DynamicSampling
from spo_theory.parts.shaped_rewards import OverlongPenalty

MaxLength = Annotated[float, "Greatest length, in lengths of the right response (above 0)."]
Cache = Annotated[float, "Stretch before max_length over which the penalty grows (above 0, at most max_length)."]
MostBatches = Annotated[int, "How often at most a batch is sampled again (a whole number, at least 1)."]


@method(source="arXiv 2503.14476", label="DAPO", colour="#38A6A5")
def dapo(
    group_size: GroupSize = 8,
    max_length: MaxLength = 2.0,
    cache: Cache = 0.4,
    most_batches: MostBatches = 10,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """DAPO: GRPO with a higher upper clip, a token-level loss, a penalty on length, and mixed groups only.

    Groups that are not mixed are replaced by new ones; what is thrown away counts as rollouts.
    """
    return Method(
        "dapo",
        group_size,
        reward=OverlongPenalty(PlusMinusOne(), max_length, cache),
        keep=MixedGroups(),
        baseline=standardized(convention, std_eps, ddof),
        credit=TokenMean(),
        objective=Clipped(clip_low=0.2, clip_high=0.28),
        sampler=DynamicSampling(most_batches=most_batches),
    )
