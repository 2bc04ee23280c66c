"""Measuring what policies can do, on the same questions and with intervals."""

from toy_llm.evaluation.spec import Evaluation
from toy_llm.evaluation.statistics import interval, pass_at_k
from toy_llm.evaluation.tables import COLUMNS, evaluate, evaluate_suites

__all__ = ["COLUMNS", "Evaluation", "evaluate", "evaluate_suites", "interval", "pass_at_k"]
