"""Statements about the paper's two-step model: its Theorem 3.3, and what becomes of it at other starts
(docs/theory/statements.md#rates)."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from spo_theory.dynamics.maps import solve
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.statement import statement

UPDATES = 20_000
FAILURE_LIMIT = 2.0  # of k (1 - success) as the number of updates k grows, under both rules
LEAD_LIMIT = 4.42  # of k^2 times the difference of log success


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds, any shape, in their precision: extended if they are.

    >>> float(sigmoid(np.zeros(1))[0])
    0.5
    """
    return 1 / (1 + np.exp(-logits))


def two_step_paths(count: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Logits ``(2,)`` after k = 1..count updates of the paper's two-step model from (1/2, 1/2): coloured, GRPO.

    Its closed increments (paper, Section 3.2), in extended precision: the lead that the statements look for is of order
    1 / k^2 and must not drown in round-off.
    """
    coloured = np.zeros(2, np.longdouble)
    plain = np.zeros(2, np.longdouble)
    for k in range(1, count + 1):
        p, q = sigmoid(coloured)
        coloured = coloured + np.array([p * (1 - p), p * p * q * (1 - q)])
        p, q = sigmoid(plain)
        plain = plain + np.array([p * (1 - p) * q, p * q * (1 - q)])
        yield k, coloured, plain


@statement(
    "The paper's Theorem 3.3 (i): from (1/2, 1/2), G = 2, success tends to 1 under GRPO and under colouring.",
    "proved",
    checked="k = 1 to 20,000: every increment positive, and k (1 - success) within 2 +- 0.01 at the end, its limit",
)
def both_succeed() -> Iterator[str]:
    """Updates that do not raise a logit; ends where the failure rate is not the one that falls like 2 / k."""
    # First half of the check: both logits rise at every update
    before = {"coloured": np.zeros(2), "GRPO": np.zeros(2)}
    for k, coloured, plain in two_step_paths(UPDATES):
        after = {"coloured": coloured, "GRPO": plain}
        yield from (f"{name}, k = {k}: a logit does not rise" for name in after if (after[name] <= before[name]).any())
        before = after

    # Second half: a finite run shows the limit by the rate at which failure falls
    for name, logits in before.items():
        scaled = UPDATES * float(1 - np.prod(sigmoid(logits)))
        if abs(scaled - FAILURE_LIMIT) > 0.01:
            yield f"{name}: k (1 - success) = {scaled:.3f} at k = {UPDATES}"


@statement(
    "The paper's Theorem 3.3 (ii): from (1/2, 1/2) step 1 is ahead under colouring after every update.",
    "proved",
    checked="k = 1 to 20,000",
)
def first_step_ahead() -> Iterator[str]:
    """Updates after which the first step's logit is not ahead under colouring."""
    for k, coloured, plain in two_step_paths(UPDATES):
        if coloured[0] <= plain[0]:
            yield f"k = {k}"


@statement(
    "The paper's Theorem 3.3 (iii): from (1/2, 1/2) success is higher under colouring after every update.",
    "certified",
    checked="k = 1 to 20,000; k^2 times the difference of log success tends to 4.42 there, rounding is 1e-9 of it",
)
def success_ahead() -> Iterator[str]:
    """Updates after which success is not ahead; ends where the lead is not the one that falls like 4.42 / k^2."""
    ahead = 0.0
    for k, coloured, plain in two_step_paths(UPDATES):
        ahead = float(np.log1p(np.exp(-plain)).sum() - np.log1p(np.exp(-coloured)).sum())
        if ahead <= 0:
            yield f"k = {k}: {ahead:.2g}"

    # Once the lead has its limiting form, it no longer changes sign
    scaled = UPDATES**2 * ahead
    if abs(scaled - LEAD_LIMIT) >= 0.02:
        yield f"k^2 gap = {scaled:.3f}"


@statement(
    "Theorem 3.3 (iii) from any start: success is higher under colouring after every update.",
    "refuted",
    checked="9 x 9 starts, 50 updates",
)
def ahead_from_everywhere() -> Iterator[str]:
    """Starts from which success is behind under colouring for some updates; step 1 nearly learned comes first."""
    axis = [i / 10 for i in range(1, 10)]
    for start in product(axis[::-1], axis):
        chain = ReasoningChain(step_success=start)
        coloured = solve(chain, rule("spo", group_size=2), 50)["success"].to_numpy()
        plain = solve(chain, rule("grpo", group_size=2), 50)["success"].to_numpy()

        # row 0 is the common start
        behind = np.flatnonzero(coloured[1:] < plain[1:]) + 1
        if behind.size:
            yield f"from {start}: behind after {behind[0]} to {behind[-1]} updates"


@statement(
    "Two steps, G = 2, learning rate 1, p at most 0.7: one coloured update raises success more than one of GRPO.",
    "proved",
    checked="p = 0.005, 0.010, ..., 0.7 times q = 0.005, ..., 0.995",
)
def one_early_step_gains() -> Iterator[str]:
    """Starts from which one update of GRPO raises success at least as much; the worst one comes first."""
    p, q = (axis.ravel() for axis in np.meshgrid(np.arange(1, 141) / 200, np.arange(1, 200) / 200))
    first = np.log(p) - np.log1p(-p)
    second = np.log(q) - np.log1p(-q)

    # log success after one update, step by step: -log(1 + exp(-logit))
    gain = -np.logaddexp(0, -(first + p * (1 - p))) + np.logaddexp(0, -(first + p * (1 - p) * q))
    gain += -np.logaddexp(0, -(second + p * p * q * (1 - q))) + np.logaddexp(0, -(second + p * q * (1 - q)))

    # The smallest gain comes first: once one is positive, all that follow are
    for i in np.argsort(gain, kind="stable"):
        if gain[i] > 0:
            return
        yield f"p = {p[i]:g}, q = {q[i]:g}: {gain[i]:.2g}"
