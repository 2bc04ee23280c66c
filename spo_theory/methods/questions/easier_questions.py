"""Easier questions: GRPO on shorter questions that share their steps with the hard one (arXiv 2601.15158)."""

from spo_theory.method import Method
from spo_theory.methods.conventions import standardized
from spo_theory.methods.options import Convention, Ddof, GroupSize, QuestionLengths, StdEps, Threshold
from spo_theory.methods.registry import method
from spo_theory.parts.samplers import ShorterQuestions


@method(source="arXiv 2601.15158", label="Easier questions", colour="#999933")
def easier_questions(
    group_size: GroupSize = 8,
    lengths: QuestionLengths = "mixed",
    threshold: Threshold = 0.25,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """Easier questions: GRPO on a mix of questions that ask for the first steps only."""
    sampler = ShorterQuestions(lengths, threshold)
    return Method("easier_questions", group_size, baseline=standardized(convention, std_eps, ddof), sampler=sampler)
