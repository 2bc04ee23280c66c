"""Statements about the scope of colouring: all-negative groups, or every incorrect response
(docs/theory/statements.md#scope-and-colours)."""

from collections.abc import Iterator
from itertools import product

import numpy as np

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


@statement(
    "Two steps, scope all_negative: colouring raises success faster than GRPO, to first order, iff "
    "1 - p > q (1 - q), for every G, beta and gamma.",
    "proved",
    checked=f"31 x 31 starts, G = 2, 3, 8, 16, {len(BETAS_AND_GAMMAS)} pairs (beta, gamma); "
    "signs where the gain exceeds 1e-13",
)
def boundary_of_any_group() -> Iterator[str]:
    """Starts on the wrong side: colouring adds ``(1-P)^G c_G(s) (1, -q_2)``, whose sign is ``1 - p - q (1 - q)``."""
    chain = two_step_grid(31)
    for group_size, (beta, gamma) in product((2, 3, 8, 16), BETAS_AND_GAMMAS):
        gain, wrong = wrong_side(chain, rule("spo", group_size=group_size, beta=beta, gamma=gamma))
        for i in np.flatnonzero(wrong):
            p, q = chain.step_success[i]
            yield f"p = {p:.3f}, q = {q:.3f}, G = {group_size}, beta = {beta}: gain {gain[i]:.2g}"


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


@statement(
    "Scope all_incorrect raises log success more slowly than GRPO once success is 0.6 or more, for equal steps.",
    "certified",
    checked="equal steps, P = 0.60, 0.61, ..., 0.99, H = 2 to 6, G = 4, 8, 16, beta = 5 and 10, gamma = 1/2",
)
def all_incorrect_slows_the_end() -> Iterator[str]:
    """Settings in which log success rises at least as fast as under GRPO somewhere, described by the fastest."""
    success = np.arange(0.6, 0.995, 0.01)
    for horizon, group_size, beta in product(range(2, 7), (4, 8, 16), (5.0, 10.0)):
        equal_steps = np.repeat(success[:, None] ** (1 / horizon), horizon, axis=1)
        chain = ReasoningChain(step_success=equal_steps)
        coloured = rule("spo", group_size=group_size, beta=beta, scope="all_incorrect")
        plain = rule("grpo", group_size=group_size)

        ratio = log_success_rate(chain, coloured) / log_success_rate(chain, plain)
        if (ratio >= 1).any():
            i = int(np.argmax(ratio))
            where = f"H = {horizon}, G = {group_size}, beta = {beta}, P = {success[i]:.2f}"
            yield f"{where}: {ratio[i]:.4f} times GRPO's"
