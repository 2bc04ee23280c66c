"""What the tables of several published results share. Time is counted in updates of learning rate 1.

Where a result has a closed form or printed numbers, a row holds both: ``published`` follows the source's formula,
``project`` is computed from the outcome classes, groups or dynamics without it (NaN where it was not computed). ``P``
is the success probability, ``q_h`` that of step h.
"""

from typing import Any

import numpy as np
import pandas as pd

from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.groups import group_advantages

INFINITE = float("inf")


def joined(parts: list[dict[str, Any]]) -> pd.DataFrame:
    """One table of parts; in a part a single value stands for a whole column.

    >>> joined([{"rule": "grpo", "project": [0.1, 0.2]}, {"rule": "spo", "project": [0.3]}])["rule"].tolist()
    ['grpo', 'grpo', 'spo']
    """
    return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)


def largest_difference(table: pd.DataFrame) -> float:
    """Largest difference of ``project`` and ``published`` as a share of the largest published value.

    table: with both columns; rows in which one of them is missing or infinite do not count.

    >>> largest_difference(pd.DataFrame({"project": [1.0, 2.5, np.nan], "published": [1.0, 2.0, 3.0]}))
    0.25
    """
    both = table[np.isfinite(table["project"]) & np.isfinite(table["published"])]
    return float((both["project"] - both["published"]).abs().max() / both["published"].abs().max())


def single_steps(p: np.ndarray) -> ReasoningChain:
    """One question of a single step for each success probability in ``p`` ``(N,)``.

    >>> single_steps(np.array([0.1, 0.2])).horizon
    1
    """
    return ReasoningChain(step_success=np.asarray(p)[:, None])


def group_updates(chain: ReasoningChain, rule: Method, classes: np.ndarray) -> np.ndarray:
    """Update ``(C, H)`` of each group of outcome classes ``(C, G)``."""
    advantages = group_advantages(rule, classes, chain.horizon)
    return np.einsum("cg,cgh->ch", advantages, chain.scores[classes]) / classes.shape[1]
