"""DPO on pairs of steps, judged or found by a tree search (arXiv 2405.00451)."""

from typing import Annotated, Literal, get_args

from spo_theory.method import Method
from spo_theory.methods.options import GroupSize
from spo_theory.methods.pairs.dpo import PairBeta, ReferenceOption
from spo_theory.methods.registry import method
from spo_theory.parts.baselines import Raw
from spo_theory.parts.samplers import FreshGroups, HintedGroups, Sampler
from spo_theory.parts.step_pairs import StepPairLogistic, StepVerdict
from spo_theory.parts.tree_search import SearchVerdict, TreeSearch
from spo_theory.validation import check

Nodes = Literal["sampled", "every_depth", "search"]
NodesOption = Annotated[
    Nodes,
    "Prefixes at which steps are compared: those that the group's responses reach, every depth of the right "
    "solution equally often, or those that a tree search visits, whose values then say which step is better.",
]
Smoothing = Literal["none", "visits"]
SmoothingOption = Annotated[
    Smoothing, "Doubt a pair by the share of wrong steps among its siblings, at most a half (visits), or not (none)."
]

Puct = Annotated[float, "Bonus of rarely visited steps in the tree search (at least 0); for nodes search."]
Confidence = Annotated[
    float, "Self-evaluation of a right step, 1 less it of a wrong one (0 to 1; 0.5: none); for nodes search."
]


@method(source="after arXiv 2405.00451", label="Step-level DPO", colour="#4E79A7")
def step_dpo(
    group_size: GroupSize = 8,
    beta: PairBeta = 0.1,
    nodes: NodesOption = "sampled",
    smoothing: SmoothingOption = "none",
    reference: ReferenceOption = "sampling",
    puct: Puct = 1.0,
    confidence: Confidence = 0.9,
) -> Method:
    """Step-level DPO: logistic loss on pairs of a right and a wrong step behind the same right prefix.

    The step judge finds the pairs, or, with ``nodes="search"``, a tree search with PUCT and self-evaluation does.
    """
    check(nodes in get_args(Nodes), "nodes", nodes, " or ".join(get_args(Nodes)))
    check(smoothing in get_args(Smoothing), "smoothing", smoothing, " or ".join(get_args(Smoothing)))
    samplers: dict[Nodes, Sampler] = {
        "sampled": FreshGroups(),
        "every_depth": HintedGroups("uniform"),
        "search": TreeSearch(puct=puct, confidence=confidence),
    }
    return Method(
        "step_dpo",
        group_size,
        baseline=Raw(),
        credit=SearchVerdict(confidence) if nodes == "search" else StepVerdict(),
        objective=StepPairLogistic(beta, smoothing == "visits", reference),
        sampler=samplers[nodes],
    )
