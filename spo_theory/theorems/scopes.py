"""Statements about the scope of colouring: all-negative groups, or every incorrect response
(docs/theory/statements.md#scope-and-colours)."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy.stats import binom

from spo_theory.exact.update import expected_update
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.statement import statement

BETAS_AND_GAMMAS = ((5.0, 0.5), (10.0, 0.5), (0.5, 10.0), (50.0, 0.9))
ROUND_OFF = 1e-13  # gains of this size have no certain sign


def log_success_rate(chain: ReasoningChain, applied: Method) -> np.ndarray:
    """``sum_h (1 - q_h) g_h`` ``(...)``: how fast log success rises to first order, per unit of learning rate.

    ``1 - q_h`` is the derivative of ``log P = sum_h log q_h`` with respect to the log-odds of step h.

    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> round(float(log_success_rate(chain, rule("grpo", group_size=2))), 3)
    0.125
    """
    return ((1 - chain.step_success) * expected_update(chain, applied)).sum(-1)


def two_step_grid(points: int) -> ReasoningChain:
    """All pairs of ``points`` accuracies, at the middles of equal intervals, as a chain of two steps.

    Returns a chain of ``points`` squared questions, logits ``(points^2, 2)``.

    >>> two_step_grid(2).step_success.round(3).tolist()
    [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    """
    # middles, because the accuracies 0 and 1 have no finite log-odds
    axis = (np.arange(points) + 0.5) / points
    return ReasoningChain(step_success=np.stack([a.ravel() for a in np.meshgrid(axis, axis)], axis=1))


def wrong_side(chain: ReasoningChain, coloured: Method) -> tuple[np.ndarray, np.ndarray]:
    """What colouring gains at every start of a two-step chain ``(N,)``, and where its sign is not that of
    ``1 - p - q (1 - q)`` ``(N,)``.

    ``chain``: N questions of two steps with accuracies p and q. Gain: rate of log success less GRPO's, see
    `log_success_rate`; gains of the size of round-off are never on the wrong side.
    """
    p, q = chain.step_success.T
    plain = rule("grpo", group_size=coloured.group_size)
    gain = log_success_rate(chain, coloured) - log_success_rate(chain, plain)
    wrong = (np.abs(gain) > ROUND_OFF) & ((gain > 0) != (1 - p - q * (1 - q) > 0))
    return gain, wrong


def mean_std(group_size: int, share: np.ndarray) -> np.ndarray:
    """Mean population std of a group of two values, 0 and 1, of which 1 has the probability ``share`` (any shape).

    It is ``c_G`` of docs/theory/expected-advantages.md#limits.

    >>> mean_std(2, np.array([0.5])).round(12).tolist()
    [0.25]
    """
    count = np.arange(group_size + 1)
    std = np.sqrt(count * (group_size - count)) / group_size
    return binom.pmf(count, group_size, share[..., None]) @ std


@statement(
    "Two untied steps, scope all_negative: colouring raises success faster than GRPO, to first order, iff "
    "1 - p > q (1 - q), for every G, beta and gamma.",
    "proved",
    checked=f"31 x 31 starts, G = 2, 3, 8, 16, {len(BETAS_AND_GAMMAS)} pairs (beta, gamma); "
    "what colouring adds to both updates is the closed form, to 1e-13",
)
def boundary_of_any_group() -> Iterator[str]:
    """Starts where colouring does not add ``(1-P)^G c_G(s) (1, -q)``; its gain has the sign of the boundary."""
    chain = two_step_grid(31)
    p, q = chain.step_success.T
    failure = 1 - chain.success
    for group_size, (beta, gamma) in product((2, 3, 8, 16), BETAS_AND_GAMMAS):
        # s is the share of the failures at step 2 in an all-negative group
        weight = failure**group_size * mean_std(group_size, p * (1 - q) / failure)
        closed_form = weight[:, None] * np.stack([np.ones_like(q), -q], axis=1)

        coloured = expected_update(chain, rule("spo", group_size=group_size, beta=beta, gamma=gamma))
        added = coloured - expected_update(chain, rule("grpo", group_size=group_size))
        right = (np.abs(added - closed_form) <= ROUND_OFF).all(1)
        where = f"G = {group_size}, beta = {beta:g}"
        yield from (f"p = {p[i]:.3f}, q = {q[i]:.3f}, {where}: added {added[i]}" for i in np.flatnonzero(~right))


@statement(
    "Two steps, scope all_incorrect: the same boundary 1 - p = q (1 - q) holds for every group size.",
    "refuted",
    checked="31 x 31 starts, G = 2, 3, 8, beta = 5, gamma = 1/2",
)
def boundary_with_all_incorrect() -> Iterator[str]:
    """Group sizes with starts on the wrong side, described by the one with the largest gain or loss."""
    chain = two_step_grid(31)
    for group_size in (2, 3, 8):
        gain, wrong = wrong_side(chain, rule("spo", group_size=group_size, beta=5.0, scope="all_incorrect"))
        if wrong.any():
            i = int(np.argmax(np.where(wrong, np.abs(gain), 0)))
            p, q = chain.step_success[i]
            where = f"p = {p:.3f}, q = {q:.3f}, G = {group_size}"
            yield f"{where}: gain {gain[i]:.2g}, {int(wrong.sum())} starts in all"


def rates_over_grpo(
    scope: str, horizons: tuple[int, ...], group_sizes: tuple[int, ...], betas: tuple[float, ...]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Rate of log success under colouring over that under GRPO, equal steps, success 0.60, 0.61, ..., 0.99.

    ``scope``: of the colouring, gamma = 1/2. Yields for every horizon, group size and beta where it was, the step
    accuracies ``(40,)`` and the ratios ``(40,)``.
    """
    success = np.arange(0.6, 0.995, 0.01)
    for horizon, group_size, beta in product(horizons, group_sizes, betas):
        accuracy = success ** (1 / horizon)
        chain = ReasoningChain(step_success=np.repeat(accuracy[:, None], horizon, axis=1))
        coloured = log_success_rate(chain, rule("spo", group_size=group_size, beta=beta, scope=scope))
        ratio = coloured / log_success_rate(chain, rule("grpo", group_size=group_size))
        yield f"H = {horizon}, G = {group_size}, beta = {beta:g}", accuracy, ratio


def fastest(where: str, accuracy: np.ndarray, ratio: np.ndarray) -> str:
    """The place of the largest ratio ``(N,)``, in words; ``accuracy``: of the steps ``(N,)``.

    >>> fastest("H = 2", np.array([0.5, 0.6]), np.array([0.9, 1.1]))
    'H = 2, q = 0.600: 1.1000 times GRPO'
    """
    i = int(np.argmax(ratio))
    return f"{where}, q = {accuracy[i]:.3f}: {ratio[i]:.4f} times GRPO"


@statement(
    "2 to 6 equal steps, G = 4, 8, 16, beta = 5 or 10, gamma = 1/2: scope all_incorrect raises log success more slowly "
    "than GRPO once success is 0.6 or more.",
    "observed",
    checked="equal steps, P = 0.60, 0.61, ..., 0.99, H = 2 to 6, G = 4, 8, 16, beta = 5 and 10, gamma = 1/2",
)
def all_incorrect_slows_the_end() -> Iterator[str]:
    """Settings in which log success rises at least as fast as under GRPO somewhere, described by the fastest."""
    for where, accuracy, ratio in rates_over_grpo("all_incorrect", (2, 3, 4, 5, 6), (4, 8, 16), (5.0, 10.0)):
        if not (ratio < 1).all():
            yield fastest(where, accuracy, ratio)


@statement(
    "Scope all_incorrect raises log success more slowly than GRPO once success is 0.6 or more, at every G.",
    "refuted",
    checked="equal steps, P = 0.60, 0.61, ..., 0.99, H = 2 and 4, G = 2 and 3, beta = 5, gamma = 1/2",
)
def all_incorrect_slows_every_end() -> Iterator[str]:
    """Settings in which log success rises faster than under GRPO somewhere, described by the fastest."""
    for where, accuracy, ratio in rates_over_grpo("all_incorrect", (2, 4), (2, 3), (5.0,)):
        if (ratio > 1 + 1e-9).any():
            yield fastest(where, accuracy, ratio)


@statement(
    "Equal steps, two or more, G = 2, either scope: colouring raises log success faster than GRPO at every success.",
    "proved",
    checked="P = 0.60, 0.61, ..., 0.99, H = 2, 4, 6: the ratio is the mean of q^(2h - 1 - H) over steps h, to 1e-12",
)
def pairs_are_faster_on_equal_steps() -> Iterator[str]:
    """Settings in which the ratio of rates is not that mean, or not above 1."""
    for scope, horizon in product(("all_negative", "all_incorrect"), (2, 4, 6)):
        for where, accuracy, ratio in rates_over_grpo(scope, (horizon,), (2,), (5.0,)):
            exponents = 2 * np.arange(1, horizon + 1) - 1 - horizon
            mean = (accuracy[:, None] ** exponents).mean(1)
            if not (np.abs(ratio / mean - 1) <= 1e-12).all() or not (ratio > 1).all():
                yield f"{scope}, {where}"
