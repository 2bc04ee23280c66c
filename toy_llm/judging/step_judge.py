"""What a step judge is: who tells the update rule where a response goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from toy_llm.judging.exact import Verdict

StepJudge = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Verdict], torch.Tensor]
"""``(prompts (Q, P), responses (Q, G, T), answers (Q, T), verdict) -> first_error (Q, G)``, int64.

It is asked about incorrect responses alone: outcomes are always known exactly, so a correct response keeps the
``first_error`` of its verdict. An incorrect response in which the judge finds nothing wrong gets ``first_error`` equal
to its number of steps.
"""


@dataclass(frozen=True)
class JudgeSource:
    """The step judge of a run.

    name: says everything that decides its judgements, settings included. at: ``(stream, index) -> StepJudge``, the
    judge of one batch. One that errs draws its errors from its arguments and its own seed alone, so that a resumed run
    gets the same judgements.
    """

    name: str
    at: Callable[[str, int], StepJudge]
