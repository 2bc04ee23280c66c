"""The law of GRPO's escape time at a finite batch: a jump process of rare successes (docs/theory/remedies.md#kicks)."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.validation import check, is_whole, problem, refuse

FORGOTTEN = 1e-6
"""Probability of runs that have not arrived when the search ends."""


class EscapeLaw(NamedTuple):
    """The law of the number of updates to a level of success.

    probability: ``(T + 1,)``, of exactly t updates. late: probability of more than T. kick: by how much the first
    success moves log success.
    """

    probability: np.ndarray
    late: float
    kick: float

    def quantile(self, share: float) -> float:
        """The number of updates that a run needs at most with probability ``share``; NaN if that is above T."""
        reached = np.flatnonzero(np.cumsum(self.probability) >= share)
        return float(reached[0]) if reached.size else float("nan")

    def mean(self) -> float:
        """Mean number of updates of the runs that arrive within T."""
        return float(self.probability @ np.arange(len(self.probability)) / self.probability.sum())

    def table(self) -> pd.DataFrame:
        """One row per number of updates: step, probability, arrived (so far)."""
        step = np.arange(len(self.probability))
        return pd.DataFrame({"step": step, "probability": self.probability, "arrived": np.cumsum(self.probability)})


def kicked_path(chain: ReasoningChain, group_size: int, size: float, level: float, most: int) -> np.ndarray:
    """Success ``(N + 1,)`` after 0, 1, ... N kicks, the last at ``level`` or above (or N = ``most``).

    A lone success moves the logits by ``size (1 - q) / (1 - P)``, ``size`` the learning rate times
    ``sqrt(G - 1) / (G B)``. A large kick is taken in small parts, along the curve of the mean direction.
    """
    logits = chain.logits.copy()
    found = [float(chain.success)]
    parts = max(1, int(np.ceil(size * chain.horizon / 0.05)))
    while found[-1] < level and len(found) <= most:
        for _ in range(parts):
            q = 1 / (1 + np.exp(-logits))
            logits = logits + size / parts * (1 - q) / (1 - q.prod())
        found.append(float((1 / (1 + np.exp(-logits))).prod()))
    return np.array(found)


def escape_law(
    chain: ReasoningChain,
    group_size: int,
    learning_rate: float = 1.0,
    questions: int = 64,
    level: float = 0.5,
    longest: int = 100_000,
    most_kicks: int = 4000,
) -> EscapeLaw:
    """The law of GRPO's escape time from ``chain`` with ``questions`` groups an update: a chain over numbers of kicks.

    While successes are rare, GRPO stands still between them and each one kicks the logits along the same curve. The
    number of successes in an update is binomial, so the number of kicks so far is a Markov chain. ``longest``: updates
    after which the search ends. Returns an `EscapeLaw`. Raises `InputError` for bad settings and where more than
    ``most_kicks`` are needed: there the mean field (`spo_theory.solve`) is accurate. Derived in
    docs/theory/remedies.md#kicks.

    Example:
        >>> law = escape_law(ReasoningChain(step_success=[0.3] * 6), 8, learning_rate=4.0, questions=4)
        >>> round(law.mean()), law.quantile(0.5)
        (83, 72.0)
    """
    refuse(
        problem(chain.logits.ndim == 1, "chain", f"{chain.logits.shape} logits", "one question, shape (H,)")
        + problem(is_whole(group_size, 2), "group_size", group_size, "a whole number, at least 2")
        + problem(is_whole(questions, 1), "questions", questions, "a whole number, at least 1")
        + problem(bool(np.isfinite(learning_rate)) and learning_rate > 0, "learning_rate", learning_rate, "above 0")
        + problem(0 < level < 1, "level", level, "strictly between 0 and 1")
        + problem(is_whole(longest, 1), "longest", longest, "a whole number, at least 1")
    )
    responses = group_size * questions
    size = learning_rate * np.sqrt(group_size - 1) / responses
    success = kicked_path(chain, group_size, size, level, most_kicks)
    check(success[-1] >= level, "questions", questions, f"so few that {most_kicks} kicks suffice; use solve")

    # Row n: how many kicks an update brings from n on; whoever has all of them has arrived
    needed = len(success) - 1
    step = np.zeros((needed + 1, needed + 1))
    for n in range(needed):
        more = np.arange(needed - n)
        step[n, n:needed] = binom.pmf(more, responses, success[n])
        step[n, needed] = binom.sf(needed - n - 1, responses, success[n])

    # The distribution over kicks, one update after another
    where = np.zeros(needed + 1)
    where[0] = 1.0
    arrived = [where[needed]]
    while where[:needed].sum() > FORGOTTEN and len(arrived) <= longest:
        now = where[:needed] @ step[:needed]
        arrived.append(now[needed])
        where[:needed] = now[:needed]
    kick = float(np.log(success[1] / success[0])) if needed else 0.0
    return EscapeLaw(np.array(arrived), float(where[:needed].sum()), kick)
