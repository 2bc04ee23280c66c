"""What a policy can do: success, pass@k, accuracy per step and group shares, with bootstrap intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spo_theory.validation import problem, refuse
from toy_llm.evaluation.ratios import question_ratios
from toy_llm.evaluation.spec import Evaluation
from toy_llm.evaluation.statistics import interval
from toy_llm.network.policy import Policy
from toy_llm.network.tabular import TabularPolicy

COLUMNS = ("suite", "metric", "k", "value", "low", "high", "seeds", "questions")


def evaluate(policies: Policy | Sequence[Policy], suite: str, settings: Evaluation | None = None) -> pd.DataFrame:
    """Measure policies, one per training seed, on the same questions of their task; ``suite`` is its name.

    Returns a tidy DataFrame with the columns suite, metric, k (of pass@k), value, low, high (a bootstrap interval
    over seeds and questions, see `interval`), seeds, questions. The metrics, in shares unless said otherwise:

    - success: correct responses; success_exact: its expectation at temperature 1, the mean probability of the
      true response; pass@k: see `pass_at_k`.
    - accuracy_h: right steps h among those that were written behind a right prefix of a question with that many
      steps; NaN if there are none.
    - all_negative, all_positive, zero_advantage: groups of ``update_rule.group_size`` responses with no and only
      correct ones, and with step weights that are all exactly zero under the rule (with exact steps).
    - entropy: nats per token, as the mean of minus log probability over the sampled tokens, at the sampling
      temperature; response_length: tokens, with the end; ended: responses that were not cut off.

    Repeatable from its arguments; the policies are on the CPU. Raises `InputError` for bad settings, and if there is
    no policy or their tasks differ.

    >>> from toy_llm.network.tabular import TabularPolicy
    >>> from toy_llm.problems.chain import ChainTask
    >>> policy = TabularPolicy(ChainTask(horizon=2), [0.5, 0.5])
    >>> table = evaluate(policy, "chain", Evaluation(questions=64, samples=8, ks=(1,)))
    >>> table.loc[table["metric"] == "success_exact", "value"].item()
    0.25
    """
    # One policy is a list of one; all must answer the same questions to be compared.
    settings = Evaluation() if settings is None else settings
    every: Sequence[Policy] = policies if isinstance(policies, Sequence) else [policies]
    one_task = len({repr(policy.task) for policy in every}) == 1
    lines = settings.problems() + problem(one_task, "policies", list(every), "one or more, all for the same task")

    # A table has no temperature: its steps are what they are.
    tabular = any(isinstance(policy, TabularPolicy) for policy in every)
    hot = tabular and settings.temperature != 1
    refuse(lines + problem(not hot, "temperature", settings.temperature, "1.0 for a tabular policy"))

    # Of every metric two sums for each question, seeds by questions: their ratio is the value.
    measured = [question_ratios(policy, settings, index) for index, policy in enumerate(every)]
    rows = []
    for metric, k in measured[0]:
        above = np.stack([ratios[metric, k].above for ratios in measured])
        below = np.stack([ratios[metric, k].below for ratios in measured])
        estimate = interval(above, below, settings.confidence, settings.resamples, settings.seed)
        rows.append((suite, metric, k, *estimate, len(every), settings.questions))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"k": "Int64"})


def evaluate_suites(suites: Mapping[str, Sequence[Policy]], settings: Evaluation | None = None) -> pd.DataFrame:
    """`evaluate` on several suites, one below the other; each has its own policies, since a policy has one task.

    ``suites``: policies, one per training seed, by the name of their suite. Returns the columns of `evaluate`. Raises
    as `evaluate`, before later suites are measured.
    """
    tables = [evaluate(policies, name, settings) for name, policies in suites.items()]
    return pd.concat(tables, ignore_index=True)
