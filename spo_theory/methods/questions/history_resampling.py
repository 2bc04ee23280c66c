"""History resampling: GRPO on a pool without the questions that were solved the last time (SRPO, arXiv 2504.14286)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.samplers import HistoryResampling, LeftOut

Pool = Annotated[int, "Questions in the pool (a whole number, at least 1)."]
LeftOutOption = Annotated[LeftOut, "For how long a solved question is left out: for one epoch (once) or forever."]


@method(source="arXiv 2504.14286", label="History resampling", colour="#661100")
def history_resampling(
    group_size: GroupSize = 8,
    pool: Pool = 256,
    left_out: LeftOutOption = "once",
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """History resampling: GRPO on a fixed pool, without questions whose responses were all right the last time."""
    baseline = standardized(convention, std_eps, ddof)
    return Method(
        "history_resampling", group_size, baseline=baseline, sampler=HistoryResampling(pool=pool, left_out=left_out)
    )
