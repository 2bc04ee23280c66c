"""Batches of rewards on which advantages are tried, and how a batch that fails is made small."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

SIMPLE = (0.0, 1.0, 0.5, 2.0, 0.1)
"""Values that a counterexample is written with if it still fails with them."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Rewards ``(Q, G)`` of Q groups; ``valid`` ``(Q, G)``: which responses count, None for all."""

    rewards: np.ndarray
    valid: np.ndarray | None = None

    @property
    def counted(self) -> np.ndarray:
        """Boolean ``(Q, G)``: the responses that count."""
        return np.ones(self.rewards.shape, dtype=bool) if self.valid is None else self.valid


def binary(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Groups of 0/1 rewards: every number of correct responses, at places that differ from group to group."""
    for size in sizes:
        counts = range(size + 1) if size <= 8 else (0, 1, 2, size // 2, size - 1, size)
        rows = [np.roll((np.arange(size) < count).astype(float), 3 * row) for row, count in enumerate(counts)]
        yield Batch(np.stack(rows))


def graded(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Rewards from 0 to 1 in sixteenths, six groups of different spread; no two groups alike."""
    for size in sizes:
        generator = np.random.default_rng(size)
        yield Batch(generator.integers(0, [[17], [9], [5], [17], [3], [17]], (6, size)) / 16)


def gaussian(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Rewards of a reward model: normal, with another mean and spread in every group."""
    for size in sizes:
        generator = np.random.default_rng(100 + size)
        yield Batch(generator.normal([[0.0], [2.0], [-3.0]], [[1.0], [0.3], [4.0]], (3, size)))


def signed(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """The groups of `binary` with rewards -1 and 1."""
    for batch in binary(sizes):
        yield Batch(2 * batch.rewards - 1)


def colours(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """All-negative groups as the paper colours them: logistic in the share of right steps, of five."""
    for size in sizes:
        steps = np.random.default_rng(200 + size).integers(0, 5, (4, size))
        steps[:, 0] = [0, 1, 2, 3]
        steps[:, -1] = [3, 2, 4, 4]  # no group of equal colours: that is a property of its own
        yield Batch(1 / (1 + np.exp(-10 * (steps / 5 - 0.5))))


def tiny(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Mixed groups whose rewards differ by as little as 1e-10, where an epsilon decides; no offset."""
    for size in sizes:
        one = (np.arange(size) < max(size // 3, 1)).astype(float)
        for scale in (1e-2, 1e-4, 1e-6, 1e-8, 1e-10):
            yield Batch(scale * np.stack([one, np.roll(one, 1), 1 - one]))


def constant(values: tuple[float, ...]) -> Callable[[tuple[int, ...]], Iterator[Batch]]:
    """Groups of equal rewards, one group for every value."""

    def batches(sizes: tuple[int, ...]) -> Iterator[Batch]:
        """One batch for every group size and value."""
        for size in sizes:
            for value in values:
                yield Batch(np.full((1, size), value))

    return batches


def among_others(values: tuple[float, ...]) -> Callable[[tuple[int, ...]], Iterator[Batch]]:
    """Groups of equal rewards, one for every value, beside a mixed group, in one batch."""

    def batches(sizes: tuple[int, ...]) -> Iterator[Batch]:
        """One batch for every group size."""
        for size in sizes:
            mixed = (np.arange(size) == 0).astype(float)
            yield Batch(np.stack([mixed, *(np.full(size, value) for value in values)]))

    return batches


def nearly_equal(sizes: tuple[int, ...], dtype: str) -> Iterator[Batch]:
    """Rewards around 0.5 and 0.7 that differ by some units in the last place of ``dtype``, or by 1e-6."""
    ulp = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    for size in sizes:
        step = np.arange(size) % 3
        yield Batch(np.stack([0.5 + ulp * step, 0.7 + 4 * ulp * step]))
        if ulp < 1e-7:
            yield Batch(0.5 + 1e-6 * step[None])


def offset(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Rewards 0 and 1 on top of 1000, and rewards a few thousandths apart on top of 1/2."""
    for size in sizes:
        one = (np.arange(size) < max(size // 3, 1)).astype(float)
        yield Batch(np.stack([1000 + one, 1000 + np.roll(one, 1)]))
        yield Batch(0.5 + 0.001 * np.arange(size)[None])


def masked(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Groups in which some responses do not count, at least two left; what stands in their place varies."""
    for size in sizes:
        if size < 3:
            continue
        generator = np.random.default_rng(300 + size)
        rewards = generator.integers(0, 5, (5, size)) / 4
        valid = generator.random((5, size)) < 0.7
        valid[:, :2] = True
        valid[0] = True
        yield Batch(rewards, np.stack([np.roll(row, 2 * number) for number, row in enumerate(valid)]))


def lonely(sizes: tuple[int, ...]) -> Iterator[Batch]:
    """Groups of which one response is left, among whole ones."""
    for size in sizes:
        rewards = np.linspace(0.25, 1, 3 * size).reshape(3, size)
        valid = np.ones((3, size), dtype=bool)
        valid[1] = np.arange(size) == size - 1
        yield Batch(rewards, valid)


def smaller(batch: Batch, keep_size: bool = False) -> Iterator[Batch]:
    """Simpler batches than ``batch``: a group or a response less, no mask, plainer values; the boldest changes first.

    keep_size: whether groups must stay as large as they are.
    """
    rewards, valid = batch.rewards, batch.valid
    groups, size = rewards.shape

    # Half of the groups or of the responses at once, then one at a time
    for part in (slice(0, groups // 2), slice(groups // 2, groups)):
        if groups > 2:
            yield Batch(rewards[part], None if valid is None else valid[part])
    if not keep_size:
        for part in (slice(0, size // 2), slice(size // 2, size)):
            if size > 3:
                yield Batch(rewards[:, part], None if valid is None else valid[:, part])
    for row in range(groups if groups > 1 else 0):
        yield Batch(np.delete(rewards, row, 0), None if valid is None else np.delete(valid, row, 0))
    for column in range(min(size, 12) if size > 2 and not keep_size else 0):
        yield Batch(np.delete(rewards, column, 1), None if valid is None else np.delete(valid, column, 1))

    # Then plainer values, each everywhere where it stands, and last at single places
    for value in np.unique(rewards):
        for plain in (*SIMPLE, float(f"{value:.1g}"), float(f"{value:.3g}")):
            if plainer(plain, float(value)):
                yield replace(batch, rewards=np.where(rewards == value, plain, rewards))
    for place in np.ndindex(*rewards.shape) if rewards.size <= 24 else ():
        for plain in SIMPLE[:2]:
            if plainer(plain, float(rewards[place])):
                changed = rewards.copy()
                changed[place] = plain
                yield replace(batch, rewards=changed)


def plainer(value: float, than: float) -> bool:
    """Whether ``value`` is written more simply than ``than``, so that making things simpler comes to an end.

    >>> plainer(0.5, 0.6931), plainer(1.0, 0.0)
    (True, False)
    """
    return _plainness(value) < _plainness(than)


def _plainness(value: float) -> tuple[int, int]:
    """Order of simplicity: the simple values first, then those of few digits."""
    place = SIMPLE.index(value) if value in SIMPLE else len(SIMPLE)
    return place, len(repr(float(value)))
