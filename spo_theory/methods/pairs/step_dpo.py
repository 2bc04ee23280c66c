"""DPO on pairs of steps (after arXiv 2405.00451, whose tree search is stood for by the judge)."""

from typing import Annotated, Literal, get_args

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.pairs.dpo import PairBeta, ReferenceOption
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.samplers import FreshGroups, HintedGroups, Sampler
from spo_theory.parts.step_pairs import StepPairLogistic, StepVerdict
from spo_theory.validation import check

Nodes = Literal["sampled", "every_depth"]
NodesOption = Annotated[
    Nodes,
    "Prefixes at which steps are compared: those that the group's responses reach, or every depth of the right "
    "solution equally often, as a search that finds it.",
]
Smoothing = Literal["none", "visits"]
SmoothingOption = Annotated[
    Smoothing, "Doubt a pair by the share of wrong steps among its siblings, at most a half (visits), or not (none)."
]


@method(source="after arXiv 2405.00451", label="Step-level DPO", colour="#4E79A7")
def step_dpo(
    group_size: GroupSize = 8,
    beta: PairBeta = 0.1,
    nodes: NodesOption = "sampled",
    smoothing: SmoothingOption = "none",
    reference: ReferenceOption = "sampling",
) -> Method:
    """Step-level DPO: logistic loss on pairs of a right and a wrong step behind the same right prefix.

    The published method finds the pairs by a tree search with self-evaluation; here the step judge does.
    """
    check(nodes in get_args(Nodes), "nodes", nodes, " or ".join(get_args(Nodes)))
    check(smoothing in get_args(Smoothing), "smoothing", smoothing, " or ".join(get_args(Smoothing)))
    sampler: Sampler = FreshGroups() if nodes == "sampled" else HintedGroups("uniform")
    return Method(
        "step_dpo",
        group_size,
        baseline=Raw(),
        credit=StepVerdict(),
        objective=StepPairLogistic(beta, smoothing == "visits", reference),
        sampler=sampler,
    )
