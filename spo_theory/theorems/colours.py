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
ROUND_OFF = 1e-13  # moves of an update below this have no certain sign
SOME_MOVE = 1e-9  # what a change of the colours moves at some start, at the least


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
    "Three equally long steps, scope all_negative, std without eps: beta and gamma change the expected update, but "
    "only through one number, the middle colour's place.",
    "proved",
    checked="G = 3, 8; 27 starts; beta = 3, 8, 20 with the gamma that gives the same ratio as (5, 1/2); to 1e-10; "
    "with another gamma some update differs by 1e-3",
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
        if not error <= 1e-10:
            yield f"G = {group_size}, beta = {beta}, gamma = {gamma}: {error:.1e} apart"

        # and the number does matter: a colour at another place gives another update
        moved = expected_update(chain, rule("spo", group_size=group_size, beta=beta, gamma=gamma + 0.2))
        if not np.abs(one - moved).max() > 1e-3:
            yield f"G = {group_size}, beta = {beta}: another gamma gives the same update"


DIRECTIONS = np.array([-1.0, 1.0, -1.0])
"""What raising gamma does to the updates of three steps: it lowers the first and the last and raises the other one."""


def moves(
    vary: str, values: tuple[float, ...], fixed: str, held: tuple[float, ...]
) -> Iterator[tuple[str, np.ndarray]]:
    """How far updates of three steps move the way of `DIRECTIONS` when ``vary`` is raised while ``fixed`` is held.

    ``vary``, ``fixed``: beta and gamma, or the other way round. Yields for G = 3, 8 and neighbouring ``values`` where
    it was and the moves ``(125, 3)``, of 125 starts, above 0 if in that direction.
    """
    chain = three_step_grid((0.1, 0.3, 0.5, 0.7, 0.9))
    for group_size, at in product((3, 8), held):
        rules = [rule("spo", group_size=group_size, **{vary: value, fixed: at}) for value in values]
        updates = [expected_update(chain, r) for r in rules]

        # neighbouring values are enough: a change over a longer way is the sum of theirs
        for (low, before), (high, after) in pairwise(zip(values, updates, strict=True)):
            where = f"G = {group_size}, {fixed} = {at}, {vary} {low} to {high}"
            yield where, (after - before) * DIRECTIONS


def all_move(along: np.ndarray) -> bool:
    """Whether no update moves against its direction by more than round-off, and each step's does somewhere.

    ``along`` ``(N, 3)``: moves in the expected direction.
    """
    return bool((along >= -ROUND_OFF).all() and (along.max(0) > SOME_MOVE).all())


@statement(
    "Three equally long steps, scope all_negative, std without eps: raising gamma lowers the updates of steps 1 and 3 "
    "and raises that of step 2.",
    "proved",
    checked="H = 3, 125 starts, G = 3 and 8, gamma = 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, beta = 2.0, 5.0, 10.0, 20.0; no "
    "move the other way beyond 1e-13, and one of 1e-9 at some start",
)
def monotone_in_gamma() -> Iterator[str]:
    """Values of gamma between which an update moves the other way, or none moves."""
    for where, along in moves("gamma", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "beta", (2.0, 5.0, 10.0, 20.0)):
        if not all_move(along):
            yield f"{where}: an update moves by {along.min():.2g}"


@statement(
    "Three equally long steps, scope all_negative, std without eps: raising beta moves the updates as raising gamma "
    "does if gamma > 1/3, the other way if gamma < 1/3, and not at all at gamma = 1/3.",
    "proved",
    checked="H = 3, 125 starts, G = 3 and 8, beta = 1.0, 2.0, 5.0, 10.0, 20.0, gamma = 0.1, 0.3, 1/3, 0.4, 0.7; as for "
    "monotone_in_gamma",
)
def beta_turns_at_a_third() -> Iterator[str]:
    """Values of beta between which an update moves the wrong way, or none moves where one should."""
    for gamma, way in ((0.1, -1.0), (0.3, -1.0), (1 / 3, 0.0), (0.4, 1.0), (0.7, 1.0)):
        for where, along in moves("beta", (1.0, 2.0, 5.0, 10.0, 20.0), "gamma", (gamma,)):
            right = all_move(way * along) if way else bool((np.abs(along) <= ROUND_OFF).all())
            if not right:
                yield f"{where}: updates move by {along.min():.2g} to {along.max():.2g}"


@statement(
    "Three steps: raising beta lowers the updates of steps 1 and 3 and raises that of step 2, or leaves them.",
    "refuted",
    checked="H = 3, 125 starts, G = 3 and 8, beta = 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, gamma = 0.1, 0.3, 0.5, 0.7",
)
def monotone_in_beta() -> Iterator[str]:
    """Values of beta between which an update moves the other way."""
    for where, along in moves("beta", (0.5, 1.0, 2.0, 5.0, 10.0, 20.0), "gamma", (0.1, 0.3, 0.5, 0.7)):
        if (along < -1e-12).any():
            yield f"{where}: an update moves by {along.min():.2g}"


def times_of_readings(
    q: float, horizons: tuple[int, ...], scope: str, updates: int
) -> Iterator[tuple[str, float, float]]:
    """Updates to half success by the exact map under both readings of the paper's beta and gamma, G = 8.

    ``q``: accuracy of all steps at the start. ``updates``: the longest path. Yields for every horizon where it was and
    the updates of the readings in the order of `READINGS`, NaN if they are more than ``updates``.
    """
    for horizon in horizons:
        chain = ReasoningChain(step_success=[q] * horizon)
        paths = (solve(chain, rule("spo", reading=name, scope=scope), updates) for name in READINGS)
        one, other = map(updates_to, paths)
        yield f"q = {q}, H = {horizon}", one, other


def readings_apart(where: str, one: float, other: float) -> str:
    """Where the readings differ, in words.

    >>> readings_apart("H = 2", 7.0, 8.0)
    'H = 2: threshold 7.0, literal 8.0'
    """
    return f"{where}: " + ", ".join(f"{name} {time:.1f}" for name, time in zip(READINGS, (one, other), strict=True))


@statement(
    "From q = 0.3, G = 8, 2 to 8 steps, scope all_negative: both readings of the paper's beta and gamma reach half "
    "success within 60 updates, and within 2 % of each other.",
    "observed",
    checked="q = 0.3 at H = 2, 4, 6, 8 steps, G = 8, learning rate 1, population std without eps",
)
def readings_agree() -> Iterator[str]:
    """Horizons at which the readings differ by more than 2 % in the updates needed, or one needs more than 60."""
    for where, one, other in times_of_readings(0.3, (2, 4, 6, 8), "all_negative", 60):
        if not abs(one / other - 1) <= 0.02:  # NaN, where one of them is not there, is no agreement
            yield readings_apart(where, one, other)


@statement(
    "Scope all_negative: both readings of the paper's beta and gamma reach half success within 2 % of each other, from "
    "every start and at every G.",
    "refuted",
    checked="q = 0.1, H = 8, G = 8 and q = 0.3, H = 16, G = 8, learning rate 1, population std without eps",
)
def readings_agree_everywhere() -> Iterator[str]:
    """Starts at which the readings differ by more than 2 % in the updates needed."""
    for q, horizon in ((0.1, 8), (0.3, 16)):
        for where, one, other in times_of_readings(q, (horizon,), "all_negative", 400):
            if abs(one / other - 1) > 0.02:
                yield readings_apart(where, one, other)


@statement(
    "From q = 0.3, G = 8, 2 to 8 steps, scope all_incorrect: both readings of the paper's beta and gamma reach half "
    "success within 2 % of each other.",
    "refuted",
    checked="q = 0.3 at H = 2, 4, 6, 8 steps, G = 8, learning rate 1, population std without eps",
)
def readings_agree_in_all_incorrect() -> Iterator[str]:
    """Horizons at which the readings differ by more than 2 % in the updates needed."""
    for where, one, other in times_of_readings(0.3, (2, 4, 6, 8), "all_incorrect", 120):
        if abs(one / other - 1) > 0.02:
            yield readings_apart(where, one, other)


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
        lost = gains.max() - gains[best_of_other]
        if lost > 1e-6 * gains.max():
            best = f"at q = {q} best is beta = {beta:.3g}, gamma = {gamma:.2g}"
            yield f"{best}; the other start's best pair gains {lost / gains.max():.1%} less there"
