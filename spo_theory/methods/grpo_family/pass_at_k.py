"""Pass@k: the gradient of the success of k attempts (arXiv 2505.15201)."""

from typing import Annotated

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.registry import method
from spo_theory.parts.group_statistics import MarginalPassAtK
from spo_theory.validation import check

Attempts = Annotated[int, "Attempts of which one has to succeed (a whole number from 1 to the group size)."]


@method(source="arXiv 2505.15201", label="Pass@k gradient", colour="#73AF48")
def pass_at_k(group_size: GroupSize = 8, k: Attempts = 2) -> Method:
    """Pass@k: a correct response counts by the chance that k - 1 others of its group all fail."""
    made = Method("pass_at_k", group_size, baseline=MarginalPassAtK(k))
    check(k <= group_size, "k", k, f"at most the group size, {group_size}")
    return made
