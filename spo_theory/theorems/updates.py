"""Statements about expected updates: pairs of responses in exact arithmetic, and a bound for any group size
(docs/theory/statements.md#groups-and-pairs)."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import comb, prod, sqrt

import numpy as np

from spo_theory.theorems.statement import statement

GROUP_SIZES = (2, 3, 8, 64, 512)
SUCCESSES = np.concatenate([np.logspace(-12, -2, 60), np.linspace(0.011, 0.999, 200)])


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


@statement(
    "At G = 2 the expected update is Q_H (1 - q_h) under GRPO and Q_{h-1} Q_h (1 - q_h) under any colouring.",
    "proved up to a horizon",
    checked="all polynomial identities for H <= 5, exactly, on 4^H rational points (degree at most 3 in each q)",
)
def pair_closed_forms() -> Iterator[str]:
    """Points where the sum over both outcomes is not the closed form."""
    for q, coloured in product(identity_points(5), (False, True)):
        for step, update in enumerate(pair_update(q, coloured)):
            together = prefix_product(q, step) * prefix_product(q, step + 1) if coloured else prefix_product(q, len(q))
            if update != together * (1 - q[step]):
                yield at_step(q, step)


@statement(
    "At G = 2 colouring never raises the update of the last step.",
    "proved",
    checked="H <= 4, exactly, on 4^H rational points; follows from pair_closed_forms",
)
def last_step_never_gains() -> Iterator[str]:
    """Points where the last step's update is larger than under GRPO; their ratio is ``Q_{H-1} <= 1``."""
    for q in identity_points(4):
        if pair_update(q, coloured=True)[-1] > pair_update(q, coloured=False)[-1]:
            yield at_step(q, len(q) - 1)


@statement(
    "At G = 2, with credit to the correct prefix alone, no step's update is smaller than under GRPO.",
    "proved",
    checked="the identity for H <= 5, exactly, on 4^H rational points (degree at most 3 in each q); the order follows",
)
def prefix_credit_never_loses() -> Iterator[str]:
    """Points where the update is not ``Q_h (1 - q_h)``, or is below GRPO's ``Q_H (1 - q_h)``."""
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
    "Two steps, G = 2: colouring raises success faster than GRPO to first order iff 1 - p > q (1 - q).",
    "proved",
    checked="exactly, on 99 x 99 rational points",
)
def first_order_boundary() -> Iterator[str]:
    """Points where what colouring gains has not the sign of ``1 - p - q (1 - q)``."""
    for i, j in product(range(1, 100), repeat=2):
        p = Fraction(i, 100)
        q = Fraction(j, 100)
        gain = pair_success_rate((p, q), coloured=True) - pair_success_rate((p, q), coloured=False)
        side = 1 - p - q * (1 - q)
        if (gain > 0) != (side > 0) or (gain == 0) != (side == 0):
            yield f"p = {p}, q = {q}"


@statement(
    "Two steps, G = 2: colouring raises success at least as fast as GRPO from every start.",
    "refuted",
    checked="exactly, on 9 x 9 rational points",
)
def always_faster() -> Iterator[str]:
    """Points where colouring raises success more slowly than GRPO."""
    for i, j in product(range(9, 0, -1), repeat=2):
        p = Fraction(i, 10)
        q = Fraction(j, 10)
        plain = pair_success_rate((p, q), coloured=False)
        coloured = pair_success_rate((p, q), coloured=True)
        if coloured < plain:
            yield f"p = {float(p):g}, q = {float(q):g}: {float(coloured):g} < {float(plain):g}"


@statement(
    "Under GRPO every expected update is at most sqrt(G - 1) P (1 - q_h) / (1 - P).",
    "proved",
    checked=f"G = {', '.join(map(str, GROUP_SIZES))}; {SUCCESSES.size} values of P from 1e-12 to 0.999",
)
def grpo_push_is_bounded() -> Iterator[str]:
    """Success probabilities at which the group's mean std ``c_G(P)`` exceeds ``sqrt(G - 1) P``.

    The update is ``c_G(P) (1 - q_h) / (1 - P)``, whatever H and the other steps, so the bound is one of ``c_G``.
    """
    for group_size in GROUP_SIZES:
        # groups that are all wrong or all right have std 0 and are left out
        correct = np.arange(1, group_size)
        # both factors of the binomial are scaled by 2^G: the numbers of ways alone would overflow
        ways = np.array([float(Fraction(comb(group_size, int(k)), 1) / 2**group_size) for k in correct])
        std = np.sqrt(correct * (group_size - correct)) / group_size
        for success in SUCCESSES:
            log_chance = correct * np.log(2 * success) + (group_size - correct) * np.log(2 * (1 - success))
            mean_std = (np.exp(log_chance) * ways * std).sum()
            if mean_std > sqrt(group_size - 1) * success * (1 + 1e-12):
                yield f"G = {group_size}, P = {success:g}"
