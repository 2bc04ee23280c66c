"""Compositions of a group: how many responses fall in each class, and with which probability."""

from dataclasses import dataclass
from functools import partial
from math import comb
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

LARGEST_LOG = 700.0  # beyond exp(700) = 1e304 multinomial coefficients overflow, and logarithms take over
SMALLEST = 1e-150  # a probability of 0 is moved here before a logarithm: values stay 0, slopes stay right
REPEATED = 64  # highest power by repeated products: they lose a digit and more beyond, and are faster before


def composition_count(total: int, parts: int) -> int:
    """Number C of rows of `compositions`, without making them: ``comb(total + parts - 1, parts - 1)``."""
    return comb(total + parts - 1, parts - 1)


def compositions(total: int, parts: int) -> np.ndarray:
    """All rows ``(C, parts)`` of whole numbers, at least 0, that sum to ``total``.

    ``total``: number of responses. ``parts``: number of classes, at least 1. The later classes change slowest.
    Their number C is `composition_count`. Source: docs/theory/step-weights.md#expected-weights.

    >>> compositions(2, 2).tolist()
    [[2, 0], [1, 1], [0, 2]]
    """
    left = np.array([total])
    columns: list[np.ndarray] = []
    for _ in range(parts - 1):  # from the last class to the second; the first takes what is left
        choices = left + 1
        row = np.repeat(np.arange(len(left)), choices)
        taken = np.arange(len(row)) - np.repeat(np.cumsum(choices) - choices, choices)
        columns = [taken, *(column[row] for column in columns)]
        left = left[row] - taken
    return np.stack([left, *columns], axis=1)


def member_classes(counts: np.ndarray) -> np.ndarray:
    """Class ``(C, G)`` of every member of groups with the given ``counts`` ``(C, K)``, in rising order.

    All rows of ``counts`` must have the same sum, the group size G.

    >>> member_classes(np.array([[2, 0], [1, 1]])).tolist()
    [[0, 0], [0, 1]]
    """
    member = np.arange(int(counts[0].sum()))
    return (member[None, :, None] >= np.cumsum(counts, axis=1)[:, None, :-1]).sum(-1)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def powers(p: jax.Array, size: int) -> jax.Array:
    """Powers ``p^n`` for n = 0..``size``, shape ``(..., size + 1)``, of ``p`` ``(...)``.

    ``0^0 = 1``, and derivatives of any order are right at p = 0 too.
    """
    n = jnp.arange(size + 1)
    if size > REPEATED:
        return p[..., None] ** n
    return jnp.cumprod(jnp.where(n > 0, p[..., None], 1.0), axis=-1)


@powers.defjvp
def _slopes(size: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    table = powers(primals[0], size)
    lower = jnp.concatenate([jnp.zeros_like(table[..., :1]), table[..., :-1]], axis=-1)
    return table, jnp.arange(size + 1) * lower * tangents[0][..., None]


def log_multinomial(counts: np.ndarray) -> np.ndarray:
    """Logarithm ``(C,)`` of the number of orders of each row of ``counts`` ``(C, K)``, in extended precision.

    That number is the multinomial coefficient ``G! / (n_1! ... n_K!)``. All rows must have the same sum G.
    """
    size = int(counts[0].sum())
    log_factorial = np.cumsum(np.log(np.maximum(np.arange(size + 1), 1).astype(np.longdouble)))
    return log_factorial[size] - log_factorial[counts].sum(1)


@partial(jax.tree_util.register_dataclass, data_fields=["counts", "ways"], meta_fields=["largest", "logarithmic"])
@dataclass(frozen=True)
class Multinomial:
    """Probability ``(..., C)`` of each row of counts, as a function of ``p`` ``(..., K)``.

    ``counts``: ``(K, C)``. ``ways``: ``(C,)``, the number of orders of each row, or its logarithm if ``logarithmic``.
    ``largest``: no count is above it.
    """

    counts: Any
    ways: Any
    largest: int
    logarithmic: bool

    def __call__(self, p: jax.Array) -> jax.Array:
        """Probabilities ``(..., C)`` of the rows."""
        if self.logarithmic:
            return jnp.exp(jnp.log(jnp.where(p > SMALLEST, p, p + SMALLEST)) @ self.counts + self.ways)
        table = powers(p, self.largest)
        result = self.ways
        for k in range(self.counts.shape[0]):
            result = result * table[..., k, self.counts[k]]
        return result


def none_of(largest: int, classes: int, rows: int) -> Multinomial:
    """A `Multinomial` of as many ``rows``, all of probability 0: it keeps the place of another one of that shape."""
    return Multinomial(np.zeros((classes, rows), dtype=int), np.zeros(rows), largest, False)


def multinomial(counts: np.ndarray, largest: int | None = None, rows: int | None = None) -> Multinomial:
    """Jit-able function from ``p`` ``(..., K)`` to the probability ``(..., C)`` of each row of counts ``(C, K)``.

    ``largest``: size of its table of powers, at least the number of responses. ``rows``: at least C; those beyond have
    probability 0. Values and derivatives are right at ``p_k = 0`` too. Relative errors are below 1e-14. Where the
    numbers of orders overflow (two classes from about 1,010 responses on) they are below 5e-16 times the number of
    responses, and probabilities below 1e-60 may be lost.
    """
    # Too large a coefficient for a double: its logarithm and those of the probabilities are added instead
    size = int(counts[0].sum())
    log_ways = log_multinomial(counts)
    if log_ways.max() > LARGEST_LOG:
        return Multinomial(counts.T.astype(float), log_ways.astype(float), 0, True)

    # Coefficients of small groups are rounded to the whole numbers that they are; those of large groups have too many
    # digits for it
    ways = np.exp(log_ways).astype(float)
    ways = np.rint(ways) if size <= 16 else ways
    more = (rows or len(ways)) - len(ways)
    return Multinomial(np.pad(counts.T, ((0, 0), (0, more))), np.pad(ways, (0, more)), max(size, largest or 0), False)
