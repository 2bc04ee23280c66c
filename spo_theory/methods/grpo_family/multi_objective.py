"""Several rewards at once: aggregate and normalize in either order (arXiv 2503.21819; GDPO)."""

from typing import Annotated, Literal, get_args

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, StdEps
from spo_theory.methods.registry import method
from spo_theory.parts.across import Across, Independent
from spo_theory.parts.baselines import Baseline
from spo_theory.parts.rewards import Outcome
from spo_theory.parts.several_rewards import BatchScale, Brevity, NormalizedEach, RightPrefix, WeightedSum
from spo_theory.validation import check, is_number

Order = Literal["aggregate_first", "normalize_first", "normalize_first_then_batch"]
OrderOption = Annotated[
    Order,
    "Sum the rewards and standardize the sum (aggregate_first), standardize each and sum (normalize_first), and then "
    "divide by the spread over the batch too (normalize_first_then_batch).",
]
OutcomeWeight = Annotated[float, "Weight of a correct answer (any finite number)."]
PrefixWeight = Annotated[float, "Weight of the share of a response before its first error (any finite number)."]
BrevityWeight = Annotated[float, "Weight of brevity, minus the length over that of the right response (any number)."]


@method(source="arXiv 2503.21819", label="Several rewards", colour="#A05195")
def multi_objective(
    group_size: GroupSize = 8,
    order: OrderOption = "aggregate_first",
    outcome_weight: OutcomeWeight = 1.0,
    prefix_weight: PrefixWeight = 0.5,
    brevity_weight: BrevityWeight = 0.1,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Multi-objective: a weighted sum of outcome, right prefix and brevity, standardized before or after summing."""
    check(order in get_args(Order), "order", order, " or ".join(get_args(Order)))
    weights = (outcome_weight, prefix_weight, brevity_weight)
    for name, weight in zip(("outcome_weight", "prefix_weight", "brevity_weight"), weights, strict=True):
        check(is_number(weight), name, weight, "a finite number")
    reward = WeightedSum((Outcome(), RightPrefix(), Brevity()), weights)

    # Standardized components are made by the baseline, which then does not use their sum
    baseline: Baseline = standardized(convention, std_eps, ddof)
    if order != "aggregate_first":
        baseline = NormalizedEach(reward, standardized(convention, std_eps, ddof))
    across: Across = BatchScale() if order == "normalize_first_then_batch" else Independent()
    return Method("multi_objective", group_size, reward=reward, baseline=baseline, across=across)
