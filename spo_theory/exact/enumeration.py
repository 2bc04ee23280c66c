"""Sums over all group compositions, prepared for any method over any world (docs/theory/step-weights.md).

A composition says how many of the G responses fall into each class. Given the class of one response, the numbers of
the other G - 1 in each class are multinomial, so ``E[w_1s | class of 1 is k]`` is a sum of the method's own weights
over compositions of the others.
"""

from dataclasses import dataclass

import numpy as np

from spo_theory.exact.by_class.forms import Slabs
from spo_theory.exact.by_class.prepare import MAX_COMPOSITIONS, cut_rows
from spo_theory.exact.compositions import composition_count, compositions, member_classes, multinomial
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.traced import Traced
from spo_theory.exact.weights import EnumeratedWeights, TracedWeights
from spo_theory.method import Method
from spo_theory.outcomes.world import World
from spo_theory.parts.baselines import GroupStatistics, PositivePart, Raw
from spo_theory.parts.credit import WholeResponse
from spo_theory.parts.filters import AllNegativeGroups, EveryGroup, MixedGroups, SomeCorrect, SomeIncorrect
from spo_theory.parts.rewards import Outcome, PlusMinusOne

DEAF = (
    Outcome,
    PlusMinusOne,
    EveryGroup,
    AllNegativeGroups,
    SomeCorrect,
    SomeIncorrect,
    MixedGroups,
    GroupStatistics,
    Raw,
    PositivePart,
    WholeResponse,
)
"""Parts of methods that do not hear where a response goes wrong, but only whether."""

LARGEST_TABLE = 60_000_000
"""Step weights that an enumeration may hold: half a GB."""


@dataclass(frozen=True)
class Classes:
    """Classes that a method can tell apart.

    first ``(V,)``: one class of the world for each of them. place ``(K,)``: for every class of the world, the one of
    them to which it belongs. Made by `distinguished`. Source: docs/theory/step-weights.md#expected-weights.
    """

    first: np.ndarray
    place: np.ndarray

    @property
    def count(self) -> int:
        """Number of them, V."""
        return len(self.first)

    @property
    def member(self) -> np.ndarray:
        """Matrix ``(K, V)`` that adds up the probabilities of each of them."""
        return np.eye(self.count)[self.place]


def is_static(method: Method) -> bool:
    """Whether the weights of ``method`` follow from outcome classes, the sign of credit and the log-ratio alone.

    Such weights are computed once; all others depend on probabilities too, and are computed anew for every policy.
    """
    return method.objective.by_sign and not method.uses_log_prob


def distinguished(world: World, method: Method) -> Classes:
    """The `Classes` of ``world`` that ``method`` can tell apart: all of them if it weighs by probabilities.

    Fewer classes make far fewer compositions. Source: docs/theory/step-weights.md#expected-weights.
    """
    if not is_static(method):
        every = np.arange(world.classes)
        return Classes(every, every)

    # Classes that a method sees alike get one weight: wrong options of one step, or answers a judge takes for the same.
    # Nobody who learns from outcomes alone sees where a response goes wrong
    parts = (method.reward, method.keep, method.baseline, method.credit)
    heard = 0 if all(isinstance(part, DEAF) for part in parts) else world.first_error
    seen = np.column_stack([world.correct, heard * np.ones(world.classes), world.lengths]).astype(float)
    _, first, place = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    return Classes(first, np.ravel(place))


def check_size(world: World, method: Method) -> None:
    """Refuse an enumeration of more than `MAX_COMPOSITIONS` compositions or `LARGEST_TABLE` step weights.

    Raises `NoExactForm`; its message names the Monte Carlo, which serves instead.
    """
    rows = composition_count(method.group_size, distinguished(world, method).count)
    numbers = rows * method.group_size * world.lengths.shape[1]
    if rows > MAX_COMPOSITIONS or numbers > LARGEST_TABLE:
        raise NoExactForm(
            f"group compositions = {rows} of {method.group_size} responses are not allowed: an enumeration holds at "
            f"most {MAX_COMPOSITIONS} and {LARGEST_TABLE} step weights; use spo_theory.simulate, or "
            "spo_theory.exact.engine.expectation with engine = 'monte_carlo'"
        )


class Groups:
    """All R compositions of a group of G responses over V classes, and all C of the others of one response.

    counts: ``(R, V)``, responses of each class in every composition. members: ``(R, G)``, the class of each. holder:
    ``(R, V)``, one member of each class there, 0 where there is none. others: ``(C, V)``, counts of the other G - 1.
    whole: ``(C, V)``, the row of ``counts`` that the others and one more response of each class make.
    """

    def __init__(self, group_size: int, classes: int) -> None:
        self.counts = compositions(group_size, classes)
        self.members = member_classes(self.counts)
        self.others = compositions(group_size - 1, classes)
        self.whole = self._find_rows()

        # Members stand in the order of their classes: the first one of a class comes behind all of smaller classes
        before = np.cumsum(self.counts, axis=1) - self.counts
        self.holder = np.where(self.counts > 0, before, 0)

    def _find_rows(self) -> np.ndarray:
        """Row of ``counts`` for every row of ``others`` and every class of the response that is added, ``(C, V)``."""
        # Rows are found by a random linear code: digits of base G + 1 would overflow for many classes
        code = np.random.default_rng(0).integers(1, 2**62, size=self.counts.shape[1], dtype=np.int64)
        with np.errstate(over="ignore"):
            codes = np.asarray(self.counts @ code)
            of_others = np.asarray(self.others @ code)
            wanted = np.add.outer(of_others, code)

        order = np.argsort(codes)
        found = order[np.searchsorted(codes, wanted, sorter=order)]
        if not (codes[found] == wanted).all() or len(np.unique(codes)) != len(codes):
            raise ArithmeticError("two group compositions have one code")  # a collision in 64 bits
        return found

    def of_classes(self, per_member: np.ndarray) -> np.ndarray:
        """From a value of every member ``(R, G, S)`` to that of a response of each class ``(R, V, S)``."""
        return np.take_along_axis(per_member, self.holder[..., None], axis=1)

    def given(self, per_member: np.ndarray) -> np.ndarray:
        """From a value of every member ``(R, G, S)`` to that of the given response ``(C, V, S)``."""
        classes = np.arange(self.counts.shape[1])
        return self.of_classes(per_member)[self.whole, classes[None, :]]


def static_weights(world: World, method: Method, classes: Classes, groups: Groups) -> np.ndarray:
    """The method's own weights ``(R, G, S)`` of every member of every composition, for the sampling policy.

    ``classes``: from `distinguished`. ``groups``: the compositions over them.
    """
    group = world.group(classes.first[groups.members])
    return np.asarray(method.weights(group), dtype=float)


def prepare_enumerated(world: World, method: Method, *, padded: bool = False, power: int = 1) -> EnumeratedWeights:
    """Expected weights to a ``power`` of a method whose weights depend on outcome classes alone (`is_static`).

    ``padded``: leave room in the arrays for other group sizes, so that code compiled for one serves the next. Raises
    `NoExactForm` where there are too many compositions. Derived in docs/theory/step-weights.md#expected-weights.
    """
    check_size(world, method)
    classes = distinguished(world, method)
    groups = Groups(method.group_size, classes.count)
    weights = groups.given(static_weights(world, method, classes, groups)) ** power

    # Objectives weigh praise and blame apart, so their expectations are kept apart
    count = len(groups.others)
    positive = np.maximum(weights, 0.0).reshape(count, -1)
    negative = np.minimum(weights, 0.0).reshape(count, -1)
    if padded:
        slabs = cut_rows(groups.others, (positive, negative), method.group_size)
    else:
        slabs = Slabs(((multinomial(groups.others), positive, negative),))
    return EnumeratedWeights(slabs, classes.member, classes.place, weights.shape[1:], Traced(method.objective))


def prepare_traced(world: World, method: Method, power: int = 1) -> TracedWeights:
    """Expected weights to a ``power`` of any method, computed anew for every policy.

    Raises `NoExactForm` where there are too many compositions. Derived in
    docs/theory/step-weights.md#expected-weights.
    """
    check_size(world, method)
    groups = Groups(method.group_size, world.classes)
    looks = (
        world.correct,
        world.first_error,
        np.asarray(world.lengths, dtype=float),
        np.asarray(world.true_lengths, dtype=float),
    )
    # Training begins at the policy of the world, so that one is the reference of the policies it comes to
    reference = None
    if method.objective.uses_reference:
        reference = world.model.step_log_probs(world.logits, world.parameters)
    chance = multinomial(groups.others)
    return TracedWeights(chance, groups.members, groups.holder, groups.whole, looks, reference, Traced(method), power)
