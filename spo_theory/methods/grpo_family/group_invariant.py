"""Group-invariant learning: a penalty on the gap between questions that go well and badly (after arXiv 2310.11971)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.across import VariancePenalty
from spo_theory.parts.group_statistics import LeaveOneOut

PenaltyStrength = Annotated[float, "Weight of the variance between the two kinds of questions (at least 0)."]


@method(source="after arXiv 2310.11971", label="Group-invariant", colour="#76B7B2")
def group_invariant(group_size: GroupSize = 8, strength: PenaltyStrength = 0.5) -> Method:
    """Group-invariant: RLOO in which questions that go well count less, and questions that go badly more.

    The kinds of questions are inferred from each batch. The published method trains a classifier for that and also
    adapts a KL penalty; the trainer's KL penalty is one for all questions.
    """
    return Method("group_invariant", group_size, baseline=LeaveOneOut(), across=VariancePenalty(strength))
