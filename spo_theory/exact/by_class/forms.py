"""Evaluating expectations of a group: pure functions of arrays, compiled once per shape.

A `Form` holds all that was prepared on the host. It is a pytree, so it can be an argument of a compiled function:
another reward, group size or eps is another array of the same shape. See docs/theory/expected-advantages.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np

Expectation = Callable[[Any], jax.Array]
BLOCK = 2**19  # numbers an evaluation works on at a time: 4 MB, about what a cache holds
SMALLEST = 1e-100  # a factor phi below this is not divided by: what it multiplies is 0 to every digit


def in_blocks(function: Expectation, size: int) -> Expectation:
    """``function`` of ``p`` ``(..., K)``, evaluated some rows at a time.

    ``size``: numbers that one row needs. Blocks of about `BLOCK` numbers stay in a cache, whatever the number of rows.
    """
    rows = max(1, BLOCK // size)

    def blocked(p: Any) -> jax.Array:
        p = jnp.asarray(p, float)
        count = math.prod(p.shape[:-1])
        if p.ndim == 1 or count <= rows:
            return function(p)
        flat = jax.lax.map(function, p.reshape(count, p.shape[-1]), batch_size=rows)
        return flat.reshape(*p.shape[:-1], *flat.shape[1:])

    return blocked


@partial(jax.tree_util.register_dataclass, data_fields=["value"], meta_fields=["digits"])
@dataclass(frozen=True)
class Exponent:
    """A whole number of at most ``digits`` binary digits that is an argument of compiled code, not a part of it.

    ``base ** exponent`` works with it, for an array ``base``; another group size then needs no new compilation.
    """

    value: Any
    digits: int

    @staticmethod
    def of(value: int) -> "Exponent":
        """``value`` with room for others: 6 digits, or 12, 24, ... if it needs them."""
        digits = 6
        while value >> digits:
            digits *= 2
        return Exponent(np.int32(value), digits)

    def __rpow__(self, base: jax.Array) -> jax.Array:
        """``base`` to this power by repeated squaring, in the order of a fixed one: the same bits, and 0^0 = 1."""
        result = jnp.ones_like(base)
        for digit in range(self.digits):
            result = jnp.where((self.value >> digit) & 1, result * base, result)
            base = base * base
        return result


@partial(jax.tree_util.register_dataclass, data_fields=["arrays", "active"], meta_fields=[])
@dataclass(frozen=True)
class Slabs:
    """Rows of a sum, cut into slabs of fixed sizes; those that are not ``active`` cost nothing.

    ``arrays``: what each slab consists of. ``active``: a flag for each (None: there is one slab, and it acts).
    """

    arrays: tuple[tuple, ...]
    active: tuple[Any, ...] | None = None

    def total(self, term: Callable[..., Any]) -> Any:
        """Sum over the active slabs of ``term(*arrays)``, a pytree of arrays whose shapes no slab changes."""
        if self.active is None:
            return term(*self.arrays[0])
        shapes = jax.eval_shape(term, *self.arrays[0])
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        found = nothing
        for arrays, active in zip(self.arrays, self.active, strict=True):
            more = jax.lax.cond(active, lambda a: term(*a), lambda _: nothing, arrays)
            found = jax.tree.map(jnp.add, found, more)
        return found

    @property
    def largest(self) -> int:
        """Numbers in the first array of the largest slab."""
        return max(math.prod(jax.tree.leaves(arrays)[0].shape) for arrays in self.arrays)


@partial(jax.tree_util.register_dataclass, data_fields=["stacked", "count"], meta_fields=[])
@dataclass(frozen=True)
class Loop:
    """As `Slabs`, for slabs of one size of which the first ``count`` act, one after the other.

    Compiles once for all slabs, but copies each before use: for terms that cost more than the copy, and that nobody
    differentiates in reverse. ``stacked``: the slabs' arrays with one more axis in front.
    """

    stacked: tuple
    count: Any

    def total(self, term: Callable[..., Any]) -> Any:
        """Sum over the active slabs of ``term(*arrays)``, a pytree of arrays."""
        shapes = jax.eval_shape(term, *self.arrays[0])
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def add(i: jax.Array, found: Any) -> Any:
            return jax.tree.map(jnp.add, found, term(*jax.tree.map(lambda x: x[i], self.stacked)))

        return jax.lax.fori_loop(0, self.count, add, nothing)

    @property
    def arrays(self) -> tuple[tuple, ...]:
        """Shapes of one slab's arrays."""
        return (jax.eval_shape(lambda stacked: jax.tree.map(lambda x: x[0], stacked), self.stacked),)

    @property
    def largest(self) -> int:
        """Numbers in the first array of a slab."""
        return math.prod(jax.tree.leaves(self.arrays[0])[0].shape)


class Piece(Protocol):
    """A part of an expectation that adds to the others; ``width``: numbers it needs at a time for one ``p``."""

    @property
    def width(self) -> int: ...  # noqa: D102

    def __call__(self, p: jax.Array) -> jax.Array: ...  # noqa: D102


Kind = TypeVar("Kind", bound=type)


@dataclass_transform(frozen_default=True)
def _piece(*data: str, static: tuple[str, ...] = ()) -> Callable[[Kind], Kind]:
    """Class decorator: a frozen dataclass that jax takes for its ``slabs`` and other ``data``."""

    def register(kind: Kind) -> Kind:
        fields = ["slabs", *data]
        made: Any = dataclass(frozen=True)(kind)
        return jax.tree_util.register_dataclass(made, fields, list(static))

    return register


@_piece(static=("given",))
class Enumerated:
    """Sum over compositions of the other responses: their probability times the value of the given ones.

    Slabs of the compositions' `Multinomial` and values ``(C, K^given)``.
    """

    slabs: Slabs | Loop
    given: int

    @property
    def width(self) -> int:
        """One probability for every composition."""
        return max(value.shape[0] for _, value in self.slabs.arrays)

    def __call__(self, p: jax.Array) -> jax.Array:
        """Expectation ``(..., K)`` or ``(..., K, K)``."""
        found = self.slabs.total(lambda chance, value: chance(p) @ value)
        return found.reshape(*p.shape[:-1], *p.shape[-1:] * self.given)


@_piece("others")
class PairTable:
    """Mean advantage by quadrature, from a table of what a pair of classes has at each node.

    Slabs of kernels ``(K, L)`` and pairs ``(L, K (K - 1) / 2)``. ``others``: responses besides the pair.
    """

    slabs: Slabs | Loop
    others: Exponent

    @property
    def width(self) -> int:
        """One factor for every node."""
        return max(pairs.shape[0] for _, pairs in self.slabs.arrays)

    def __call__(self, p: jax.Array) -> jax.Array:
        """``a_k = sum_j p_j d_kj`` with d odd: equal rewards drop out, nothing cancels if one class dominates."""
        classes = p.shape[-1]
        k, j = np.triu_indices(classes, 1)
        place = np.full((classes, classes), 2 * len(k))  # of d_kj among all d, all -d, and a 0
        place[k, j] = np.arange(len(k))
        place[j, k] = np.arange(len(k), 2 * len(k))
        # d is odd: one half of it is summed, and the other half is its negative
        d = self.slabs.total(lambda kernel, pairs: (p @ kernel) ** self.others @ pairs)
        d = jnp.concatenate([d, -d, jnp.zeros((*d.shape[:-1], 1))], axis=-1)
        return jnp.einsum("...kj,...j->...k", d[..., place], p)


@_piece("difference", "others")
class PairProduct:
    """Mean advantage by quadrature for so many classes that a `PairTable` would be too large.

    Slabs of kernels ``(L, K)`` and weights ``(L,)``. ``difference``: ``r_k - r_j``, ``(K, K)``.
    """

    slabs: Slabs | Loop
    difference: Any
    others: Exponent

    @property
    def width(self) -> int:
        """A factor for every node and class."""
        return self.slabs.largest

    def __call__(self, p: jax.Array) -> jax.Array:
        """As in `PairTable`, the pairs made at every evaluation."""

        def apart(kernel: jax.Array, weight: jax.Array) -> jax.Array:
            scaled = (weight * (p @ kernel.T) ** self.others)[..., None, :] * kernel.T
            return scaled @ kernel

        return jnp.einsum("...kj,...j->...k", self.difference * self.slabs.total(apart), p)


@_piece("difference", "group_size", "others", "fewer")
class SquareNodes:
    """Squared advantage by quadrature.

    slabs, difference: as in `PairProduct`. group_size: G. others: G - 2. fewer: ``others`` - 1, or 0 if that is less.
    Derived in docs/theory/second-moments.md#squares-and-products.
    """

    slabs: Slabs | Loop
    difference: Any
    group_size: Any
    others: Exponent
    fewer: Exponent

    @property
    def width(self) -> int:
        """A factor for every node and class."""
        return self.slabs.largest

    def __call__(self, p: jax.Array) -> jax.Array:
        """``(r_k - mean)^2`` is a sum over pairs of other responses: the same one twice, or two different ones."""
        d = self.difference.T

        def squares(kernel: jax.Array, weight: jax.Array) -> jax.Array:
            share = p[..., None, :] * kernel
            phi = share.sum(-1)
            same = jnp.einsum("...l,lk,...lk->...k", weight * phi**self.others, kernel, share @ d**2)
            two = jnp.einsum("...l,lk,...lk->...k", weight * phi**self.fewer, kernel, (share @ d) ** 2)
            return same + (self.group_size - 2) * two

        return self.slabs.total(squares)


@_piece("difference", "group_size", "others")
class ProductNodes:
    """Product of the advantages of two responses by quadrature.

    slabs, difference: as in `PairProduct`. group_size: G. others: G - 2, besides the two given responses.
    Derived in docs/theory/second-moments.md#squares-and-products.
    """

    slabs: Slabs | Loop
    difference: Any
    group_size: Any
    others: Exponent

    @property
    def width(self) -> int:
        """A factor for every node and class."""
        return self.slabs.largest

    def __call__(self, p: jax.Array) -> jax.Array:
        """Expectation ``(..., K, K)`` from mean and variance of a reward drawn at each node."""
        # Besides the two given responses there are G - 2 more
        d = self.difference.T
        more = self.group_size - 2

        # Sums over the nodes as matrix products: nothing of size nodes x K x K is held
        def contract(x: jax.Array, left: jax.Array) -> jax.Array:
            return jnp.swapaxes(x[..., None] * left, -1, -2) @ left

        def terms(kernel: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
            share = p[..., None, :] * kernel
            phi = share.sum(-1)
            # The mean enters only as a distance from it, so nothing cancels
            above = (share @ d) / jnp.where(phi > SMALLEST, phi, 1.0)[..., None]
            spread = jnp.sum(share * above**2, axis=-1) / jnp.where(phi > SMALLEST, phi, 1.0)
            acting = weight * phi**self.others
            together = more**2 * contract(acting, above * kernel) + more * contract(acting * spread, kernel)
            return together, contract(acting, kernel)

        # The two given responses also shift the mean themselves, by the difference of their rewards
        together, apart = self.slabs.total(terms)
        return together - (more + 1) * d**2 * apart


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["pieces", "member", "place", "counted"],
    meta_fields=["given"],
)
@dataclass(frozen=True)
class Form:
    """An expectation given the classes of ``given`` responses, prepared for fixed rewards and group size.

    ``member`` ``(K, D)`` and ``place`` ``(K,)`` map the K classes to the D different rewards (None: all differ).
    ``counted`` ``(K,)``: where the value counts, 0 elsewhere (None: everywhere). No pieces: the value is 0.
    """

    pieces: tuple[Piece, ...]
    given: int = 1
    member: Any = None
    place: Any = None
    counted: Any = None


def evaluate(form: Form, p: Any) -> jax.Array:
    """The expectation ``(..., K)``, or ``(..., K, K)`` for two given classes, at ``p`` ``(..., K)``.

    It is a form of degree ``G - given`` in the class probabilities ``p``, which need not sum to 1. Can be jitted with
    ``form`` as an argument, and vmapped and differentiated in ``p``. Source: docs/theory/expected-advantages.md.
    """
    # Classes of equal reward count as one: their probabilities add up
    p = jnp.asarray(p, float)
    inside = p if form.member is None else p @ form.member
    total = jnp.zeros((*p.shape[:-1], *inside.shape[-1:] * form.given))

    for piece in form.pieces:
        total = total + in_blocks(piece, piece.width)(inside)

    # All classes of one reward have the same expectation
    if form.place is not None:
        index = form.place if form.given == 1 else (form.place[:, None], form.place[None, :])
        total = total[..., *index] if form.given == 2 else total[..., index]
    return total if form.counted is None else jnp.where(form.counted, total, 0.0)


evaluate_compiled = jax.jit(evaluate)
