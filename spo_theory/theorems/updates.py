"""Statements about expected updates: pairs of responses in exact arithmetic, and a bound for any group size
(docs/theory/statements.md#groups-and-pairs)."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby, product
from math import prod, sqrt

import numpy as np

from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.theorems.statement import statement

GROUP_SIZES = (2, 3, 8, 64, 512)
SUCCESSES = np.concatenate([np.logspace(-12, -2, 60), np.linspace(0.011, 0.999, 200)])
PAIR_RULES = ("grpo", "spo", "spo_prefix")


def pair_update(q: tuple[Fraction, ...], coloured: bool, prefix_credit: bool = False) -> list[Fraction]:
    """Expected update of a group of two, exactly, by summing over both outcomes; rationals in and out.

    In a pair the advantages are +1 for the larger reward and -1 for the smaller one. ``q`` ``(H,)``: step successes.
    ``prefix_credit``: the wrong step of a response with advantage +1 is left out. Returns H numbers, the update of each
    step. Derived in docs/theory/statements.md#groups-and-pairs.

    >>> pair_update((Fraction(1, 2), Fraction(1, 2)), coloured=False)
    [Fraction(1, 8), Fraction(1, 8)]
    """
    # Class k < H fails at step k, class H is correct. Any increasing colouring ranks incorrect responses by class,
    # and only the rank matters in a pair
    horizon = len(q)
    failure_at = [prefix_product(q, k) * (1 - q[k]) for k in range(horizon)]
    class_probs = [*failure_at, prefix_product(q, horizon)]
    reward = [k if coloured else int(k == horizon) for k in range(horizon + 1)]

    # Sum over both responses; by symmetry the first one's share is the mean of both
    update = [Fraction(0)] * horizon
    for first, second in product(range(horizon + 1), repeat=2):
        advantage = (reward[first] > reward[second]) - (reward[first] < reward[second])
        chance = class_probs[first] * class_probs[second]
        # a response of class k takes its first k steps rightly and, unless it is correct, step k wrongly
        reached = first if prefix_credit and advantage > 0 else first + 1
        for step in range(min(reached, horizon)):
            # derivative of the step's log-probability with respect to its log-odds
            score = (1 - q[step]) if step < first else -q[step]
            update[step] += chance * advantage * score
    return update


def prefix_product(q: tuple[Fraction, ...], count: int) -> Fraction:
    """Probability that the first ``count`` steps are right, exactly.

    >>> prefix_product((Fraction(1, 2), Fraction(1, 3)), 2)
    Fraction(1, 6)
    """
    return prod(q[:count], start=Fraction(1))


def identity_points(most: int) -> Iterator[tuple[Fraction, ...]]:
    """Points enough to prove an identity between polynomials of degree at most 3 in each of H <= ``most`` variables.

    Four values of every variable determine a polynomial of degree 3 in it. Yields points ``(H,)``, H = 1 to ``most``.

    >>> sum(1 for _ in identity_points(2)) == 4 + 4**2
    True
    """
    nodes = [Fraction(i, 5) for i in (1, 2, 3, 4)]
    for horizon in range(1, most + 1):
        yield from product(nodes, repeat=horizon)


def at_step(q: tuple[Fraction, ...], step: int) -> str:
    """Name a place: the accuracies of all steps and the number of one, from 0.

    >>> at_step((Fraction(1, 2),), 0)
    "q = ['1/2'], step 1"
    """
    return f"q = {[str(x) for x in q]}, step {step + 1}"


def unlike_the_engine(*names: str) -> Iterator[str]:
    """Rules for which the exact engine's update of a pair is not `pair_update`, on the points of `identity_points`.

    ``names``: rules of `PAIR_RULES`. The updates are at most 1 and agree to 1e-13, some hundred roundings.
    """
    for horizon, points in groupby(identity_points(3), key=len):
        starts = list(points)
        chain = ReasoningChain(step_success=np.array(starts, dtype=float))
        for name in names:
            exact = [pair_update(q, name != "grpo", name == "spo_prefix") for q in starts]
            error = np.abs(expected_update(chain, rule(name, group_size=2)) - np.array(exact, dtype=float))
            if not (error <= 1e-13).all():
                yield f"{name}, H = {horizon}: the engine's update of a pair is {error.max():.2g} away"


@statement(
    "At G = 2, with the population std and no eps, the expected update is Q_H (1 - q_h) under GRPO and "
    "Q_{h-1} Q_h (1 - q_h) under any colouring whose colours are different numbers.",
    "proved",
    checked="the sum over both outcomes for H <= 5, exactly, on 4^H rational points; the engine on those with H <= 3",
)
def pair_closed_forms() -> Iterator[str]:
    """Points where the sum over both outcomes is not the closed form."""
    yield from unlike_the_engine("grpo", "spo")
    for q, coloured in product(identity_points(5), (False, True)):
        for step, update in enumerate(pair_update(q, coloured)):
            together = prefix_product(q, step) * prefix_product(q, step + 1) if coloured else prefix_product(q, len(q))
            if update != together * (1 - q[step]):
                yield at_step(q, step)


@statement(
    "At G = 2, with the population std and no eps, colouring never raises the update of the last step.",
    "proved",
    checked="H <= 4, exactly, on 4^H rational points, the engine on those with H <= 3; follows from pair_closed_forms",
)
def last_step_never_gains() -> Iterator[str]:
    """Points where the last step's update is larger than under GRPO; their ratio is ``Q_{H-1} <= 1``."""
    yield from unlike_the_engine("grpo", "spo")
    for q in identity_points(4):
        if pair_update(q, coloured=True)[-1] > pair_update(q, coloured=False)[-1]:
            yield at_step(q, len(q) - 1)


@statement(
    "At G = 2, with the population std and no eps, and with credit to the correct prefix alone, no step's update is "
    "smaller than under GRPO.",
    "proved",
    checked="the identity for H <= 5, exactly, on 4^H rational points, the engine on those with H <= 3",
)
def prefix_credit_never_loses() -> Iterator[str]:
    """Points where the update is not ``Q_h (1 - q_h)``, or is below GRPO's ``Q_H (1 - q_h)``."""
    yield from unlike_the_engine("grpo", "spo_prefix")
    for q in identity_points(5):
        success = prefix_product(q, len(q))
        for step, update in enumerate(pair_update(q, coloured=True, prefix_credit=True)):
            closed_form = prefix_product(q, step + 1) * (1 - q[step])
            if update != closed_form or update < success * (1 - q[step]):
                yield at_step(q, step)


def pair_success_rate(q: tuple[Fraction, ...], coloured: bool) -> Fraction:
    """``sum_h (1 - q_h) g_h``: how fast log success rises at G = 2, to first order, exactly.

    Per unit of learning rate; arguments as in `pair_update`.
    """
    updates = pair_update(q, coloured)
    return sum((g * (1 - x) for g, x in zip(updates, q, strict=True)), Fraction(0))


@statement(
    "Two untied steps, G = 2: colouring raises success faster than GRPO to first order iff 1 - p > q (1 - q).",
    "proved",
    checked="exactly, on 99 x 99 rational points; the engine on 16 of them",
)
def first_order_boundary() -> Iterator[str]:
    """Points where what colouring gains has not the sign of ``1 - p - q (1 - q)``."""
    yield from unlike_the_engine("grpo", "spo")
    for i, j in product(range(1, 100), repeat=2):
        p = Fraction(i, 100)
        q = Fraction(j, 100)
        gain = pair_success_rate((p, q), coloured=True) - pair_success_rate((p, q), coloured=False)
        side = 1 - p - q * (1 - q)
        if (gain > 0) != (side > 0) or (gain == 0) != (side == 0):
            yield f"p = {p}, q = {q}"


@statement(
    "Two untied steps, G = 2: colouring raises success at least as fast as GRPO from every start.",
    "refuted",
    checked="9 x 9 starts by the engine; the first counterexample again in exact arithmetic",
)
def always_faster() -> Iterator[str]:
    """Points where colouring raises success more slowly than GRPO."""
    starts = [(Fraction(i, 10), Fraction(j, 10)) for i, j in product(range(9, 0, -1), repeat=2)]
    chain = ReasoningChain(step_success=np.array(starts, dtype=float))
    plain, coloured = (
        ((1 - chain.step_success) * expected_update(chain, rule(name, group_size=2))).sum(1) for name in ("grpo", "spo")
    )
    for n in np.flatnonzero(coloured < plain - 1e-12):
        # what the engine says is believed only if rational arithmetic says the same
        if pair_success_rate(starts[n], coloured=True) < pair_success_rate(starts[n], coloured=False):
            p, q = starts[n]
            yield f"p = {float(p):g}, q = {float(q):g}: {coloured[n]:g} < {plain[n]:g}"


@statement(
    "Under GRPO every expected update is at most sqrt(G - 1) P (1 - q_h) / (1 - P), and nearly that where P is small.",
    "proved",
    checked=f"1 and 3 equal steps; G = {', '.join(map(str, GROUP_SIZES))}; {SUCCESSES.size} values of P from 1e-12 to "
    "0.999; to 1e-12 of the bound, and above 0.999 of it at P = 1e-9 and below",
)
def grpo_push_is_bounded() -> Iterator[str]:
    """Chains with an update beyond the bound, or well below it though P is small."""
    for horizon, group_size in product((1, 3), GROUP_SIZES):
        accuracy = np.repeat(SUCCESSES[:, None] ** (1 / horizon), horizon, axis=1)
        chain = ReasoningChain(step_success=accuracy)
        bound = sqrt(group_size - 1) * SUCCESSES[:, None] * (1 - chain.step_success) / (1 - SUCCESSES[:, None])

        share = expected_update(chain, rule("grpo", group_size=group_size)) / bound
        within = (share <= 1 + 1e-12).all(1)
        sharp = (share >= 0.999).all(1) | (SUCCESSES > 1e-9)
        yield from (f"H = {horizon}, G = {group_size}, P = {P:g}" for P in SUCCESSES[~(within & sharp)])
