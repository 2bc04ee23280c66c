"""Checks of statements about single groups and about pairs, in exact arithmetic
(docs/theory/statements.md#groups-and-pairs)."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import comb, sqrt

import numpy as np

from spo_theory.exact.compositions import compositions, member_classes
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.theorems.statement import Verdict


def all_groups(horizon: int, group_size: int) -> np.ndarray:
    """Outcome classes ``(C, G)`` of every group of ``group_size`` responses, up to order."""
    return member_classes(compositions(group_size, horizon + 1))


def _advantages(r: Method, classes: np.ndarray, horizon: int) -> np.ndarray:
    return r.advantages(classes == horizon, classes, np.full(classes.shape, horizon))


SIZES = tuple((h, g) for h in (1, 2, 4, 6) for g in (2, 3, 5, 8))
SIZES_TEXT = "every group of G = 2, 3, 5, 8 responses of H = 1, 2, 4, 6 steps"


def grpo_is_silent() -> Verdict:
    """Every all-negative group has advantages exactly 0 under GRPO and Dr. GRPO, in every convention."""
    for h, g in SIZES:
        classes = all_groups(h, g)
        negative = classes[(classes < h).all(1)]
        for r in (
            rule("grpo", group_size=g),
            rule("dr_grpo", group_size=g),
            rule("grpo", group_size=g, convention="trl"),
        ):
            if (a := _advantages(r, negative, h)).any():
                return Verdict(False, SIZES_TEXT, f"{r.name}, first errors {negative[a.any(1)][0].tolist()}")
    return Verdict(True, SIZES_TEXT)


def colouring_speaks() -> Verdict:
    """An all-negative group is silent under colouring if and only if all its responses fail at the same step."""
    for h, g in SIZES:
        classes = all_groups(h, g)
        negative = classes[(classes < h).all(1)]
        silent = (_advantages(rule("spo", group_size=g), negative, h) == 0).all(1)
        stuck = (negative == negative[:, :1]).all(1)
        if (silent != stuck).any():
            return Verdict(False, SIZES_TEXT, f"first errors {negative[silent != stuck][0].tolist()}")
    return Verdict(True, SIZES_TEXT)


def mixed_groups_keep(scope: str) -> Verdict:
    """Whether colouring with this scope leaves every group with a correct response as GRPO has it, to the bit."""
    readings = ((10.0, 0.5), (0.5, 10.0), (5.0, 0.5), (100.0, 0.9))
    text = f"{SIZES_TEXT}, {len(readings)} pairs (beta, gamma)"
    for (h, g), (beta, gamma) in product(SIZES, readings):
        classes = all_groups(h, g)
        mixed = classes[(classes == h).any(1)]
        plain = _advantages(rule("grpo", group_size=g), mixed, h)
        coloured = _advantages(rule("spo", group_size=g, beta=beta, gamma=gamma, scope=scope), mixed, h)
        if (changed := (plain != coloured).any(1)).any():
            where = f"H = {h}, G = {g}, beta = {beta:g}, gamma = {gamma:g}, first errors {mixed[changed][0].tolist()}"
            return Verdict(False, text, where)
    return Verdict(True, text)


def pair_update(q: tuple[Fraction, ...], coloured: bool, prefix_credit: bool = False) -> list[Fraction]:
    """Expected update of a group of two, exactly, by summing over both outcomes; rationals in and out.

    In a pair the advantages are +1 for the larger reward and -1 for the smaller one. ``q`` ``(H,)``: step successes.
    ``prefix_credit``: the wrong step of a response with advantage +1 is left out.
    """
    h, one = len(q), Fraction(1)
    prefix = [one]
    for x in q:
        prefix.append(prefix[-1] * x)
    p = [prefix[k] * (1 - q[k]) for k in range(h)] + [prefix[h]]
    reward = [k if coloured else int(k == h) for k in range(h + 1)]
    update = [Fraction(0)] * h
    for k, j in product(range(h + 1), repeat=2):
        sign = (reward[k] > reward[j]) - (reward[k] < reward[j])
        last = k if prefix_credit and sign > 0 else k + 1
        for step in range(min(last, h)):
            update[step] += p[k] * p[j] * sign * ((1 - q[step]) if step < k else -q[step])
    return update


def _prefix(q: tuple[Fraction, ...], k: int) -> Fraction:
    result = Fraction(1)
    for x in q[:k]:
        result *= x
    return result


def _grids(most: int) -> Iterator[tuple[Fraction, ...]]:
    """Points enough to prove an identity between polynomials of degree at most 3 in each of H <= ``most`` variables."""
    nodes = [Fraction(i, 5) for i in (1, 2, 3, 4)]
    for h in range(1, most + 1):
        yield from product(nodes, repeat=h)


def pair_closed_forms() -> Verdict:
    """At G = 2, ``g_h = Q_H (1 - q_h)`` under GRPO and ``Q_{h-1} Q_h (1 - q_h)`` under any increasing colouring."""
    text = "all polynomial identities for H <= 5, exactly, on 4^H rational points (degree at most 3 in each q)"
    for q in _grids(5):
        for coloured in (False, True):
            for h, g in enumerate(pair_update(q, coloured)):
                form = _prefix(q, h) * _prefix(q, h + 1) if coloured else _prefix(q, len(q))
                if g != form * (1 - q[h]):
                    return Verdict(False, text, f"q = {[str(x) for x in q]}, step {h + 1}")
    return Verdict(True, text)


def prefix_credit_never_loses() -> Verdict:
    """At G = 2, with credit to the prefix, ``g_h = Q_h (1 - q_h)``: at least GRPO's ``Q_H (1 - q_h)`` at every step."""
    text = "the identity for H <= 5, exactly, on 4^H rational points (degree at most 3 in each q); the order follows"
    for q in _grids(5):
        for h, g in enumerate(pair_update(q, True, prefix_credit=True)):
            if g != _prefix(q, h + 1) * (1 - q[h]) or g < _prefix(q, len(q)) * (1 - q[h]):
                return Verdict(False, text, f"q = {[str(x) for x in q]}, step {h + 1}")
    return Verdict(True, text)


def last_step_never_gains() -> Verdict:
    """At G = 2 colouring never raises the update of the last step: the ratio to GRPO's is ``Q_{H-1} <= 1``."""
    text = "H <= 4, exactly, on 4^H rational points; follows from pair_closed_forms"
    for q in _grids(4):
        if pair_update(q, True)[-1] > pair_update(q, False)[-1]:
            return Verdict(False, text, f"q = {[str(x) for x in q]}")
    return Verdict(True, text)


def first_order_boundary() -> Verdict:
    """Two steps, G = 2: colouring raises success faster than GRPO, to first order, iff ``1 - p > q (1 - q)``."""
    text = "exactly, on 99 x 99 rational points"
    for i, j in product(range(1, 100), repeat=2):
        p, q = Fraction(i, 100), Fraction(j, 100)
        slope = [sum(g * (1 - x) for g, x in zip(pair_update((p, q), c), (p, q), strict=True)) for c in (False, True)]
        gain, side = slope[1] - slope[0], 1 - p - q * (1 - q)
        if (gain > 0) != (side > 0) or (gain == 0) != (side == 0):
            return Verdict(False, text, f"p = {p}, q = {q}")
    return Verdict(True, text)


def always_faster() -> Verdict:
    """Two steps, G = 2: colouring raises success at least as fast as GRPO from every start (it does not)."""
    text = "exactly, on 9 x 9 rational points"
    for i, j in product(range(9, 0, -1), repeat=2):
        p, q = Fraction(i, 10), Fraction(j, 10)
        slope = [sum(g * (1 - x) for g, x in zip(pair_update((p, q), c), (p, q), strict=True)) for c in (False, True)]
        if slope[1] < slope[0]:
            return Verdict(
                False, text, f"p = {float(p):g}, q = {float(q):g}: {float(slope[1]):g} < {float(slope[0]):g}"
            )
    return Verdict(True, text)


def grpo_push_is_bounded() -> Verdict:
    """Under GRPO every update is at most ``sqrt(G - 1) P (1 - q_h) / (1 - P)``, whatever H and the other steps."""
    sizes, grid = (2, 3, 8, 64, 512), np.concatenate([np.logspace(-12, -2, 60), np.linspace(0.011, 0.999, 200)])
    text = f"G = {', '.join(map(str, sizes))}; {grid.size} values of P from 1e-12 to 0.999"
    for g in sizes:
        k = np.arange(1, g)
        ways = np.array([float(Fraction(comb(g, int(x)), 1) / 2**g) for x in k])  # scaled: the numbers overflow
        for p in grid:
            chance = np.exp(k * np.log(2 * p) + (g - k) * np.log(2 * (1 - p))) * ways
            factor = (chance * np.sqrt(k * (g - k))).sum() / g
            if factor > sqrt(g - 1) * p * (1 + 1e-12):
                return Verdict(False, text, f"G = {g}, P = {p:g}")
    return Verdict(True, text)
