"""Statements about the paper's two-step model: its Theorem 3.3, and what becomes of it at other starts
(docs/theory/statements.md#rates)."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from spo_theory.dynamics.maps import solve
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.statement import statement

UPDATES = 20_000
FAILURE_LIMIT = 2.0  # of k (1 - success) as the number of updates k grows, under both rules
PROOF_STARTS = 1000  # updates after which the proof of success_ahead takes over from the computed path


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds, any shape, in their precision: extended if they are.

    >>> float(sigmoid(np.zeros(1))[0])
    0.5
    """
    return 1 / (1 + np.exp(-logits))


def increments(logits: np.ndarray, coloured: bool) -> np.ndarray:
    """The paper's closed increments of both logits ``(..., 2)`` at learning rate 1 (its Section 3.2).

    >>> increments(np.zeros(2), coloured=True).tolist()
    [0.25, 0.0625]
    """
    p = sigmoid(logits[..., 0])
    q = sigmoid(logits[..., 1])
    pair = (p * (1 - p), p * p * q * (1 - q)) if coloured else (p * (1 - p) * q, p * q * (1 - q))
    return np.stack(pair, axis=-1)


def unlike_the_engine() -> Iterator[str]:
    """Rules whose expected update by the exact engine is not the closed increment, on 19 x 19 starts; to 1e-14."""
    axis = np.arange(1, 20) / 20
    chain = ReasoningChain(step_success=list(product(axis, axis)))
    for name in ("grpo", "spo"):
        update = expected_update(chain, rule(name, group_size=2))
        error = np.abs(update - increments(chain.logits, coloured=name == "spo"))
        if not (error <= 1e-14).all():
            yield f"{name}: the engine's update is {error.max():.2g} away from the closed increment"


def two_step_paths(count: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Logits ``(2,)`` after k = 1..count updates of the paper's two-step model from (1/2, 1/2): coloured, GRPO.

    In extended precision: the lead that the statements look for is of order 1 / k^2 and must not drown in round-off.
    """
    coloured = np.zeros(2, np.longdouble)
    plain = np.zeros(2, np.longdouble)
    for k in range(1, count + 1):
        coloured = coloured + increments(coloured, coloured=True)
        plain = plain + increments(plain, coloured=False)
        yield k, coloured, plain


@statement(
    "The paper's Theorem 3.3 (i): from (1/2, 1/2), G = 2, success tends to 1 under GRPO and under colouring.",
    "proved",
    checked="k = 1 to 20,000: every increment positive, and k (1 - success) within 2 +- 0.01 at the end, its limit",
)
def both_succeed() -> Iterator[str]:
    """Updates that do not raise a logit; ends where the failure rate is not the one that falls like 2 / k."""
    yield from unlike_the_engine()

    # First half of the check: both logits rise at every update
    before = {"coloured": np.zeros(2), "GRPO": np.zeros(2)}
    for k, coloured, plain in two_step_paths(UPDATES):
        after = {"coloured": coloured, "GRPO": plain}
        yield from (
            f"{name}, k = {k}: a logit does not rise" for name in after if not (after[name] > before[name]).all()
        )
        before = after

    # Second half: a finite run shows the limit by the rate at which failure falls
    for name, logits in before.items():
        scaled = UPDATES * float(1 - np.prod(sigmoid(logits)))
        if not abs(scaled - FAILURE_LIMIT) <= 0.01:
            yield f"{name}: k (1 - success) = {scaled:.3f} at k = {UPDATES}"


@statement(
    "The paper's Theorem 3.3 (ii): from (1/2, 1/2) step 1 is ahead under colouring after every update.",
    "proved",
    checked="k = 1 to 20,000",
)
def first_step_ahead() -> Iterator[str]:
    """Updates after which the first step's logit is not ahead under colouring."""
    yield from unlike_the_engine()
    for k, coloured, plain in two_step_paths(UPDATES):
        if not coloured[0] > plain[0]:
            yield f"k = {k}"


def premises_of_the_lead(coloured: np.ndarray, plain: np.ndarray) -> dict[str, bool]:
    """What the proof that success stays ahead for ever asks of the logits ``(2,)`` at the update where it starts.

    Returns for each premise whether it holds. Derived in docs/theory/statements.md#success-is-ahead.
    """
    u, v = np.exp(coloured)
    w = np.exp(plain[0])
    least = min(u, v, w)
    lead = u + v - 2 * w
    apart = max(u - v, 8.2)
    return {
        "the odds are at least 500": bool(least >= 500),
        "step 2 is not ahead of step 1": bool(u >= v),
        "the steps are close": bool(apart <= 0.8 * v),
        "the lead in odds outlives all that can still be lost": bool(lead - 20 / least >= 4),
        "the gap between the steps costs less than the lead": bool(apart**2 / v * (1 + (apart + 1) / v) ** 2 < 8),
    }


@statement(
    "The paper's Theorem 3.3 (iii): from (1/2, 1/2), G = 2, success is higher under colouring after every update.",
    "proved",
    checked=f"k = 1 to 20,000, and the premises of the proof at k = {PROOF_STARTS}, from where it holds for ever",
)
def success_ahead() -> Iterator[str]:
    """Updates after which success is not ahead; premises that do not hold where the proof takes over."""
    yield from unlike_the_engine()
    for k, coloured, plain in two_step_paths(UPDATES):
        # log success is minus the sum of these; the least lead is 1e-8, far above the rounding of the path, 1e-14
        ahead = float(np.log1p(np.exp(-plain)).sum() - np.log1p(np.exp(-coloured)).sum())
        if not ahead > 1e-9:
            yield f"k = {k}: {ahead:.2g}"
        if k == PROOF_STARTS:
            premises = premises_of_the_lead(coloured, plain)
            yield from (f"k = {k}: not true that {premise}" for premise, holds in premises.items() if not holds)


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
        behind = np.flatnonzero(coloured[1:] < plain[1:] - 1e-12) + 1
        if behind.size:
            yield f"from {start}: behind after {behind[0]} to {behind[-1]} updates"


@statement(
    "Two untied steps, G = 2, learning rate 1, p at most 0.7: one coloured update raises success more than one of "
    "GRPO.",
    "proved",
    checked="p = 0.005, 0.010, ..., 0.7 times q = 0.005, ..., 0.995, with the engine's updates",
)
def one_early_step_gains() -> Iterator[str]:
    """Starts from which one update of GRPO raises success at least as much."""
    p, q = (axis.ravel() for axis in np.meshgrid(np.arange(1, 141) / 200, np.arange(1, 200) / 200))
    chain = ReasoningChain(step_success=np.stack([p, q], axis=1))

    # log success after one update is minus the sum of log(1 + exp(-logit))
    lost = {}
    for name in ("grpo", "spo"):
        after = chain.logits + expected_update(chain, rule(name, group_size=2))
        lost[name] = np.logaddexp(0, -after).sum(1)
    gain = lost["grpo"] - lost["spo"]
    yield from (f"p = {p[i]:g}, q = {q[i]:g}: {gain[i]:.2g}" for i in np.flatnonzero(~(gain > 0)))
