"""Preparing expectations on the host: which method, and the arrays of its `spo_theory.exact.by_class.forms.Form`."""

from dataclasses import replace
from typing import Any, Literal, TypeVar

import jax
import numpy as np

from spo_theory.allowed import numbers, one_of, whole
from spo_theory.exact.by_class.forms import (
    Enumerated,
    Exponent,
    Form,
    Loop,
    PairProduct,
    PairTable,
    Piece,
    ProductNodes,
    Slabs,
    SquareNodes,
)
from spo_theory.exact.by_class.quadrature import SMALLEST_GAP, Nodes, group_nodes, node_count, too_close
from spo_theory.exact.compositions import composition_count, compositions, member_classes, multinomial, none_of
from spo_theory.exact.refusals import need_exact
from spo_theory.limits import check_memory, count
from spo_theory.parts.baselines import GroupAdvantage, GroupStatistics
from spo_theory.validation import check, problem, refuse

Engine = Literal["auto", "enumerate", "quadrature"]
Statistic = Literal["mean", "negative", "square", "product"]
Statistics = TypeVar("Statistics", bound=GroupStatistics)
DEFAULT = GroupAdvantage()
NODE_COPIES = 3  # measured: memory at its peak over that of the factors themselves
MAX_COMPOSITIONS = 2_000_000  # what an enumeration may hold: some hundred MB
MOST_REWARDS = 1024  # different ones, of a quadrature: one of them has taken a quarter of an hour by then
PAIR_TABLE = 2**22  # entries of the largest table of pairs of classes: 32 MB
MOST_SHARED = 16  # different rewards up to which a padded form has a place for both methods
NODES = 8192  # nodes that a padded form has room for, or 2, 4, ... times as many
GROUPS = (4, 6, 8, 16, 64)  # group sizes a padded form has room to enumerate, where that is at most ROWS compositions
ROWS = 2048
NODE_STOPS = (0.375, 0.5, 0.75, 1.0)  # shares of the room at which an evaluation can stop
SLABS = 8  # of the room, where a loop can stop after each


def choose_method(
    distinct: np.ndarray, group_size: int, advantage: GroupStatistics = DEFAULT, method: str = "auto"
) -> str:
    """``method``, with ``auto`` replaced by the cheaper one for these distinct rewards, by predicted work.

    The mean only is a quadrature of one node, and exact; another baseline than the mean has no quadrature.
    """
    if not isinstance(advantage, GroupAdvantage):
        need_exact(method != "quadrature", "method", method, "auto or enumerate with another baseline than the mean")
        return "enumerate"
    if method != "auto":
        return method
    if advantage.scale == "none":
        return "quadrature"
    # A row gathers K powers and was measured to cost about twice as much as a node
    rows = composition_count(group_size - 1, len(distinct))
    if too_close(distinct) and rows <= MAX_COMPOSITIONS:
        return "enumerate"
    return "enumerate" if rows <= min(node_count(distinct, group_size) // 2, MAX_COMPOSITIONS) else "quadrature"


def check_prepared(rewards: np.ndarray, group_size: int, method: str) -> None:
    """Refuse rewards that are not ``(K,)`` finite numbers, a bad group size or an unknown method.

    Raises `InputError` with every problem that it finds.
    """
    refuse(
        problem(rewards.ndim == 1 and rewards.size > 0, "rewards.shape", rewards.shape, "(K,) with K at least 1")
        + problem(bool(np.isfinite(rewards).all()), "rewards", rewards.tolist(), "finite numbers")
        + count(2).problems("group_size", group_size)
        + one_of(Engine).problems("method", method)
    )


def check_spread(rewards: np.ndarray, advantage: GroupStatistics, statistic: Statistic) -> None:
    """Refuse rewards whose differences, or the squares that ``statistic`` takes of them, overflow."""
    most = np.finfo(float).max / 4
    if statistic in ("square", "product") and advantage.scale == "none":
        most = np.sqrt(most)
    spread = float(rewards.max() / 2 - rewards.min() / 2) * 2
    check(bool(spread <= most), "rewards", rewards.tolist(), f"at most {most:.3g} apart")


def of_ordinary_size(rewards: np.ndarray, advantage: Statistics) -> tuple[np.ndarray, Statistics]:
    """Rewards and eps divided by a power of 2 where squares of the rewards would leave the range of doubles.

    Standardized advantages stay the same, to the bit. Rewards between 1e-100 and 1e100 apart stay as they are.
    """
    span = float(rewards.max() - rewards.min())
    if not isinstance(advantage, GroupAdvantage) or advantage.scale == "none" or span == 0 or 1e-100 < span < 1e100:
        return rewards, advantage
    power = -int(np.frexp(span)[1])
    return np.ldexp(rewards, power), replace(advantage, eps=float(np.ldexp(advantage.eps, power)))


def check_rows(group_size: int, classes: int) -> None:
    """Refuse an enumeration of more than `MAX_COMPOSITIONS` group compositions."""
    rows = composition_count(group_size - 1, classes)
    check(rows <= MAX_COMPOSITIONS, "group compositions", rows, f"at most {MAX_COMPOSITIONS}; use quadrature")


def check_nodes(distinct: np.ndarray, group_size: int, advantage: GroupAdvantage, refine: int) -> None:
    """Refuse a quadrature of rewards that are too close for it, or too many for the memory of this machine.

    ``distinct``: different rewards ``(D,)``. ``refine``: see `prepare`.
    """
    if advantage.scale == "none":
        return
    apart = f"{SMALLEST_GAP:g} of their range apart for quadrature, and there are too many groups to enumerate"
    check(not too_close(distinct), "rewards", distinct.tolist(), f"equal or at least {apart}")
    whole(1, MOST_REWARDS).check("different rewards", len(distinct))

    # Factors at every node and class, in copies while they are made, and again in a quadrature of half the spacing
    needed = NODE_COPIES * 8.0 * node_count(distinct, group_size) * len(distinct) * refine**2
    check_memory("different rewards", len(distinct), needed)


def prepare(
    rewards: Any,
    group_size: int,
    advantage: GroupStatistics = DEFAULT,
    method: str = "auto",
    statistic: Statistic = "mean",
    *,
    padded: bool = False,
    refine: int = 1,
) -> Form:
    """Everything about an expectation that does not depend on the class probabilities, for `forms.evaluate`.

    ``rewards`` ``(K,)``: of the classes. ``statistic``: of a response of class k its advantage (``mean``), the smaller
    of it and 0 (``negative``, by enumeration unless there are two rewards) or its ``square``; or the ``product`` of the
    advantages of two responses. ``padded``: leave room in the arrays for other rewards and group sizes, so that code
    compiled for one serves the next. ``refine``: divides the spacings of the quadrature. Raises `InputError` for bad
    rewards or settings, `NoExactForm` where only the Monte Carlo remains.
    Derived in docs/theory/expected-advantages.md.
    """
    values = numbers("rewards", rewards)
    check_prepared(values, group_size, method)
    check_spread(values, advantage, statistic)
    values, advantage = of_ordinary_size(values, advantage)
    # Classes of equal reward count as one; with one reward alone no response has an advantage
    given = 2 if statistic == "product" else 1
    distinct, index = np.unique(values, return_inverse=True)
    if len(distinct) == 1 and advantage.silent_if_equal:
        return Form((), given)

    # With two rewards a worse response never has an advantage above 0, nor a better one below
    counted = None
    if statistic == "negative" and len(distinct) == 2 and advantage.silent_if_equal:
        statistic = "mean"
        counted = values == distinct[0]

    # From the different rewards back to the classes, unless they are the same
    pieces = _pieces(distinct, group_size, advantage, method, statistic, padded, refine)
    if len(distinct) == len(values) and np.array_equal(index, np.arange(len(values))):
        return jax.device_put(Form(pieces, given, counted=counted))
    member = np.eye(len(distinct))[index]
    return jax.device_put(Form(pieces, given, member=member, place=index, counted=counted))


def _pieces(
    distinct: np.ndarray,
    group_size: int,
    advantage: GroupStatistics,
    method: str,
    statistic: Statistic,
    padded: bool,
    refine: int,
) -> tuple[Piece, ...]:
    """Pieces of a form for different rewards; both methods' if padded, where another group size may need the other."""
    # A quadrature knows nothing of signs
    if statistic == "negative":
        rows = composition_count(group_size - 1, len(distinct))
        allowed = f"at most {MAX_COMPOSITIONS} for the negative part of advantages"
        need_exact(method != "quadrature" and rows <= MAX_COMPOSITIONS, "group compositions", rows, allowed)
        counts, value = _compositions(distinct, group_size, advantage, statistic)
        return (_enumerated(group_size, statistic, counts, value, padded),)
    # The method that is not used has no rows, but the shapes that a padded form needs
    used = choose_method(distinct, group_size, advantage, method)
    counts = np.zeros((1, len(distinct)), dtype=int)
    value = np.zeros((0, len(distinct) ** (2 if statistic == "product" else 1)))
    rule = Nodes(np.zeros((0, len(distinct))), np.zeros(0))
    if used == "enumerate":
        check_rows(group_size, len(distinct))
        counts, value = _compositions(distinct, group_size, advantage, statistic)
    else:
        assert isinstance(advantage, GroupAdvantage)  # `choose_method` enumerates the others
        check_nodes(distinct, group_size, advantage, refine)
        rule = group_nodes(distinct, group_size, advantage, 1 if statistic == "mean" else 2, refine)

    # Two rewards are enumerated up to groups of about a thousand, and the mean only has one node. In all other cases
    # the other method keeps its place, for a group size that needs it
    standardized = isinstance(advantage, GroupAdvantage) and advantage.scale == "std"
    both = padded and method == "auto" and standardized and 2 < len(distinct) <= MOST_SHARED
    pieces: list[Piece] = []
    if used == "enumerate" or both:
        pieces.append(_enumerated(group_size, statistic, counts, value, padded))
    if used == "quadrature" or both:
        pieces.append(_quadrature(distinct, group_size, statistic, rule, padded))
    return tuple(pieces)


def _cut(arrays: tuple[np.ndarray, ...], count: int, stops: tuple[float, ...]) -> Slabs:
    """Slabs of arrays of ``count`` nodes whose sizes do not depend on it: parts of a room doubled until it suffices.

    ``stops``: shares of the room at which a slab ends and an evaluation can stop. Rows that are missing are filled up.
    """
    room = NODES
    while room < count:
        room *= 2
    ends = [round(room * share) for share in stops]
    slabs = []
    flags = []
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        slabs.append(tuple(_filled(array[start:stop], stop - start) for array in arrays))
        flags.append(np.bool_(start < count))
    return Slabs(tuple(slabs), tuple(flags))


def _stack(arrays: tuple[np.ndarray, ...], count: int) -> Loop:
    """As `_cut`, into equal slabs for a loop: second moments are dear to compile, and evaluated rarely."""
    cut = _cut(arrays, count, tuple((i + 1) / SLABS for i in range(SLABS)))
    return Loop(tuple(np.stack(slabs) for slabs in zip(*cut.arrays, strict=True)), np.int32(sum(cut.active or ())))


def _filled(array: np.ndarray, rows: int) -> np.ndarray:
    """``array`` with rows of 0 up to ``rows``."""
    return np.pad(array, [(0, rows - len(array))] + [(0, 0)] * (array.ndim - 1))


def cut_rows(counts: np.ndarray, values: tuple[np.ndarray, ...], group_size: int, given: int = 1) -> Slabs:
    """Slabs of a sum over compositions with ``counts`` ``(C, V)`` of all responses but ``given``.

    One slab for every size of `GROUPS`, of which the smallest that fits acts, so what was compiled for one group size
    serves the next; a larger group has one slab of its own shape. ``values``: arrays of C rows that belong to the
    compositions, or of none: then no slab acts. A slab holds their `Multinomial` and these.
    """
    # A group beyond all sizes has no room made for it
    classes = counts.shape[1]
    empty = len(values[0]) == 0
    sizes = [g for g in GROUPS if composition_count(g - given, classes) <= ROWS]
    if not empty and group_size > max(sizes, default=0):
        return Slabs(((multinomial(counts), *values),))

    # The slabs that do not act keep their shapes, filled with probabilities of 0
    fitting = None if empty else min(g for g in sizes if g >= group_size)
    slabs = []
    for size in sizes:
        rows = composition_count(size - given, classes)
        acts = size == fitting
        chance = multinomial(counts, size - given, rows) if acts else none_of(size - given, classes, rows)
        slabs.append((chance, *(_filled(value if acts else value[:0], rows) for value in values)))
    return Slabs(tuple(slabs), tuple(np.bool_(size == fitting) for size in sizes))


def _compositions(
    distinct: np.ndarray, group_size: int, advantage: GroupStatistics, statistic: Statistic
) -> tuple[np.ndarray, np.ndarray]:
    """Counts ``(C, K)`` of the other responses, and the statistic's values among them, some millions at a time."""
    counts = compositions(group_size - (2 if statistic == "product" else 1), len(distinct))
    blocks = np.array_split(np.arange(len(counts)), 1 + counts.size * group_size // 2**24)
    return counts, np.concatenate([_values(distinct, counts[block], advantage, statistic) for block in blocks])


def _enumerated(
    group_size: int, statistic: Statistic, counts: np.ndarray, value: np.ndarray, padded: bool
) -> Enumerated:
    """The sum over compositions; padded and without values it has their shapes only."""
    given = 2 if statistic == "product" else 1
    slabs = cut_rows(counts, (value,), group_size, given) if padded else Slabs(((multinomial(counts), value),))
    return Enumerated(slabs, given)


def _values(distinct: np.ndarray, counts: np.ndarray, advantage: GroupStatistics, statistic: Statistic) -> np.ndarray:
    """Value ``(C, K)`` or ``(C, K * K)`` of the statistic for every class of the given responses among the others."""
    # The rule's own advantages, of groups made of the given responses and the others
    classes = len(distinct)
    others = distinct[member_classes(counts)]

    # The given responses come first in their group, so theirs are the first advantages
    def among_others(*own: float) -> np.ndarray:
        return advantage(np.concatenate([np.broadcast_to(own, (len(counts), len(own))), others], axis=1))

    # The product is the same for both orders of the two given responses
    if statistic == "product":
        table = np.empty((len(counts), classes, classes))
        for k in range(classes):
            for j in range(k, classes):
                both = among_others(distinct[k], distinct[j])
                table[:, k, j] = both[:, 0] * both[:, 1]
                table[:, j, k] = table[:, k, j]
        return table.reshape(len(counts), -1)

    # All other statistics are functions of the advantage of one given response
    first = np.stack([among_others(own)[:, 0] for own in distinct], axis=1)
    if statistic == "negative":
        return np.minimum(first, 0.0)
    return first**2 if statistic == "square" else first


def _quadrature(distinct: np.ndarray, group_size: int, statistic: Statistic, rule: Nodes, padded: bool) -> Piece:
    """The sum over the nodes of ``rule``; padded and without nodes it has their shapes only."""
    # Two responses, a pair or the given ones, are taken out of the product over the group
    count = len(rule.weight)
    difference = distinct[:, None] - distinct[None, :]
    others = Exponent.of(group_size - 2)

    # A single node is exact and has one shape for every setting, so it needs no room
    def slabs(*arrays: np.ndarray) -> Slabs | Loop:
        fixed = padded and count != 1
        if not fixed:
            return Slabs((arrays,))
        return _cut(arrays, count, NODE_STOPS) if statistic == "mean" else _stack(arrays, count)

    # Squares and products have two differences of rewards, each over G, and more responses are given
    if statistic == "square":
        weight = rule.weight * (group_size - 1) / group_size**2
        fewer = Exponent.of(max(group_size - 3, 0))
        size = np.int32(group_size)
        return SquareNodes(slabs(rule.kernel, weight), difference, size, others, fewer)
    if statistic == "product":
        table = slabs(rule.kernel, rule.weight / group_size**2)
        return ProductNodes(table, difference, np.int32(group_size), others)

    # The mean is a sum over pairs of classes: tabulated for every node, unless that table is too large
    weight = rule.weight * (group_size - 1) / group_size
    k, j = np.triu_indices(len(distinct), 1)
    if max(count, NODES if padded else 0) * len(k) > PAIR_TABLE:
        return PairProduct(slabs(rule.kernel, weight), difference, others)
    pairs = weight[:, None] * rule.kernel[:, k] * rule.kernel[:, j] * (distinct[k] - distinct[j])
    table = slabs(rule.kernel, pairs)
    assert isinstance(table, Slabs)  # the mean is never summed in a loop
    turned = tuple((np.ascontiguousarray(kernel.T), pair) for kernel, pair in table.arrays)
    return PairTable(Slabs(turned, table.active), others)
