"""Statements about the values of the colours: slope beta and threshold gamma
(docs/theory/statements.md#scope-and-colours)."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
from scipy.optimize import brentq

from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import expected_update
from spo_theory.methods.conventions import READINGS
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.parts.rewards import Colouring
from spo_theory.theorems.scopes import log_success_rate
from spo_theory.theorems.statement import statement

BETAS = np.geomspace(0.5, 50, 15)
GAMMAS = np.linspace(-0.2, 1.2, 15)


def pair_gap_ratio(colouring: Colouring) -> float:
    """``(c_1 - c_0) / (c_2 - c_0)`` of the colours of RTS 0, 1/3 and 2/3: all that three equal steps let through.

    >>> round(pair_gap_ratio(Colouring(5.0, 0.5)), 3)
    0.366
    """
    colour = colouring.values(np.arange(3) / 3)
    return float((colour[1] - colour[0]) / (colour[2] - colour[0]))


def three_step_grid(axis: tuple[float, ...]) -> ReasoningChain:
    """All triples of these accuracies as a chain of three steps.

    Returns a chain of ``n^3`` questions for n accuracies, each in (0, 1).
    """
    return ReasoningChain(step_success=list(product(axis, repeat=3)))


@statement(
    "Three steps, scope all_negative: beta and gamma matter through one number, the middle colour's place.",
    "proved",
    checked="G = 3, 8; 27 starts; beta = 3, 8, 20 with the gamma that gives the same ratio as (5, 1/2); to 1e-10",
)
def three_steps_have_one_number() -> Iterator[str]:
    """Slopes whose updates differ from those of (5, 1/2) though `pair_gap_ratio` is the same."""
    chain = three_step_grid((0.2, 0.5, 0.8))
    wanted = pair_gap_ratio(Colouring(5.0, 0.5))
    for group_size, beta in product((3, 8), (3.0, 8.0, 20.0)):
        # the threshold that puts the middle colour of this slope in the same place
        gamma = brentq(lambda x, b=beta: pair_gap_ratio(Colouring(b, x)) - wanted, -0.3, 1.3, xtol=1e-14)

        one = expected_update(chain, rule("spo", group_size=group_size, beta=5.0, gamma=0.5))
        other = expected_update(chain, rule("spo", group_size=group_size, beta=beta, gamma=gamma))
        error = float(np.abs(one - other).max())
        if error > 1e-10:
            yield f"G = {group_size}, beta = {beta}, gamma = {gamma}: {error:.1e} apart"


def wrong_moves(vary: str, values: tuple[float, ...], fixed: str, held: tuple[float, ...]) -> Iterator[str]:
    """Steps of three whose update moves the wrong way when ``vary`` is raised while ``fixed`` is held.

    Expected: the updates of steps 1 and 3 do not rise, that of step 2 does not fall.
    """
    chain = three_step_grid((0.1, 0.3, 0.5, 0.7, 0.9))
    expected_direction = np.array([-1.0, 1.0, -1.0])
    for group_size, at in product((3, 8), held):
        rules = [rule("spo", group_size=group_size, **{vary: value, fixed: at}) for value in values]
        updates = [expected_update(chain, r) for r in rules]

        # neighbouring values are enough: a change over a longer way is the sum of theirs
        for (low, before), (high, after) in pairwise(zip(values, updates, strict=True)):
            change = after - before
            for n, step in np.argwhere(change * expected_direction < -1e-12):
                where = f"q = {chain.step_success[n].tolist()}, G = {group_size}, {fixed} = {at}"
                yield f"{where}, {vary} {low} to {high}: step {step + 1} changes by {change[n, step]:.2g}"


@statement(
    "Three steps: raising gamma lowers the updates of steps 1 and 3 and raises that of step 2, or leaves them.",
    "certified",
    checked="H = 3, 125 starts, G = 3 and 8, gamma = 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, beta = 2.0, 5.0, 10.0, 20.0",
)
def monotone_in_gamma() -> Iterator[str]:
    """See `wrong_moves`."""
    return wrong_moves("gamma", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "beta", (2.0, 5.0, 10.0, 20.0))


@statement(
    "Three steps: raising beta lowers the updates of steps 1 and 3 and raises that of step 2, or leaves them.",
    "refuted",
    checked="H = 3, 125 starts, G = 3 and 8, beta = 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, gamma = 0.1, 0.3, 0.5, 0.7",
)
def monotone_in_beta() -> Iterator[str]:
    """See `wrong_moves`."""
    return wrong_moves("beta", (0.5, 1.0, 2.0, 5.0, 10.0, 20.0), "gamma", (0.1, 0.3, 0.5, 0.7))


def disagreements(scope: str) -> Iterator[str]:
    """Horizons at which the readings of the paper's beta and gamma differ by more than 2 % in the updates needed.

    ``scope``: ``all_negative`` or ``all_incorrect``. Updates are those to success 1/2 by the exact map.
    """
    for horizon in (2, 4, 6, 8):
        chain = ReasoningChain(step_success=[0.3] * horizon)
        times = {name: updates_to(solve(chain, rule("spo", reading=name, scope=scope), 120)) for name in READINGS}
        one, other = times.values()
        if abs(one / other - 1) > 0.02:
            yield f"H = {horizon}: " + ", ".join(f"{name} {time:.1f}" for name, time in times.items())


@statement(
    "Scope all_negative: both readings of the paper's beta and gamma reach half success within 2 %.",
    "observed",
    checked="scope all_negative, q = 0.3 at H = 2, 4, 6, 8 steps, G = 8, learning rate 1, population std without eps",
)
def readings_agree() -> Iterator[str]:
    """See `disagreements`."""
    return disagreements("all_negative")


@statement(
    "Scope all_incorrect: both readings of the paper's beta and gamma reach half success within 2 %.",
    "refuted",
    checked="scope all_incorrect, q = 0.3 at H = 2, 4, 6, 8 steps, G = 8, learning rate 1, population std without eps",
)
def readings_agree_in_all_incorrect() -> Iterator[str]:
    """See `disagreements`."""
    return disagreements("all_incorrect")


def best_colouring(
    chain: ReasoningChain, group_size: int, scope: str = "all_negative"
) -> tuple[float, float, np.ndarray]:
    """The best of 15 x 15 pairs (beta, gamma) for one question, and the gain of all of them ``(15, 15)``.

    beta from 0.5 to 50 (geometric), gamma from -0.2 to 1.2. Gain: what colouring adds to the rate of log success, to
    first order. Returns (beta, gamma, gains), gains ``[beta, gamma]``. Derived in
    docs/theory/statements.md#scope-and-colours.
    """
    # GRPO's rate is the same for all pairs
    plain = log_success_rate(chain, rule("grpo", group_size=group_size))
    gains = np.empty((len(BETAS), len(GAMMAS)))
    for (i, beta), (j, gamma) in product(enumerate(BETAS), enumerate(GAMMAS)):
        coloured = rule("spo", group_size=group_size, beta=beta, gamma=gamma, scope=scope)
        gains[i, j] = log_success_rate(chain, coloured) - plain

    row, column = np.unravel_index(int(np.argmax(gains)), gains.shape)
    return float(BETAS[row]), float(GAMMAS[column]), gains


@statement(
    "One pair (beta, gamma) raises success fastest from every start.",
    "refuted",
    checked="q = (0.3, 0.3, 0.3) and (0.8, 0.5, 0.2), G = 8, 15 x 15 pairs with beta 0.5 to 50, gamma -0.2 to 1.2",
)
def one_best_colouring() -> Iterator[str]:
    """Starts at which the best pair of the other start gains less than their own best one."""
    starts = ((0.3, 0.3, 0.3), (0.8, 0.5, 0.2))
    found = [best_colouring(ReasoningChain(step_success=q), 8) for q in starts]
    for q, (beta, gamma, gains), (_, _, other_gains) in zip(starts, found, reversed(found), strict=True):
        # what this start loses with the pair that is best at the other one, as a share of its own best gain
        best_of_other = np.unravel_index(int(np.argmax(other_gains)), other_gains.shape)
        loss = 1 - gains[best_of_other] / gains.max()
        if loss > 1e-6:
            best = f"at q = {q} best is beta = {beta:.3g}, gamma = {gamma:.2g}"
            yield f"{best}; the other start's best pair gains {loss:.1%} less there"
