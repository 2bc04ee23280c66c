"""Evaluating expectations of a group: pure functions of arrays, compiled once per shape.

A `Form` holds all that was prepared on the host. It is a pytree, so it can be an argument of a compiled function:
another reward, group size or eps is another array of the same shape. See docs/theory/expected-advantages.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.compositions import Multinomial

Expectation = Callable[[Any], jax.Array]
BLOCK = 2**19  # numbers an evaluation works on at a time: 4 MB, about what a cache holds
SMALLEST = 1e-100  # a factor phi below this is not divided by: what it multiplies is 0 to every digit


def in_blocks(function: Expectation, size: int) -> Expectation:
    """Evaluate ``function`` of ``p`` ``(..., K)`` some rows at a time when one row needs ``size`` numbers."""
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
    """A whole number of at most ``digits`` binary digits that is an argument of compiled code, not a part of it."""

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


class Piece(Protocol):
    """A part of an expectation that adds to the others; ``width``: numbers it needs for one ``p``."""

    active: Any

    @property
    def width(self) -> int: ...  # noqa: D102

    def __call__(self, p: jax.Array) -> jax.Array: ...  # noqa: D102


def _piece(*arrays: str, static: tuple[str, ...] = ()) -> Callable[[type], type]:
    """Class decorator: a frozen dataclass that jax takes for its ``arrays`` and the number or flag ``active``."""

    def register(kind: type) -> type:
        made = dataclass(frozen=True)(kind)
        return jax.tree_util.register_dataclass(made, data_fields=[*arrays, "active"], meta_fields=list(static))

    return register


@_piece("chance", "value", static=("given",))
class Enumerated:
    """Sum over compositions of the other responses: their probability times the ``value`` ``(C, K^given)``."""

    chance: Multinomial
    value: Any
    given: int
    active: Any = None

    @property
    def width(self) -> int:
        """One probability for every composition."""
        return self.value.shape[0]

    def __call__(self, p: jax.Array) -> jax.Array:
        """Expectation ``(..., K)`` or ``(..., K, K)``."""
        found = self.chance(p) @ self.value
        return found.reshape(*p.shape[:-1], *p.shape[-1:] * self.given)


@_piece("kernel", "pairs", "others")
class PairTable:
    """Mean advantage by quadrature, from a table ``(L, K (K - 1) / 2)`` of what a pair of classes has at each node.

    ``kernel``: ``(K, L)``. ``others``: the number of responses besides the pair.
    """

    kernel: Any
    pairs: Any
    others: Exponent
    active: Any = None

    @property
    def width(self) -> int:
        """One factor for every node."""
        return self.kernel.shape[1]

    def __call__(self, p: jax.Array) -> jax.Array:
        """``a_k = sum_j p_j d_kj`` with d odd: equal rewards drop out, nothing cancels if one class dominates."""
        classes = p.shape[-1]
        k, j = np.triu_indices(classes, 1)
        place = np.full((classes, classes), 2 * len(k))  # of d_kj among all d, all -d, and a 0
        place[k, j] = np.arange(len(k))
        place[j, k] = np.arange(len(k), 2 * len(k))
        d = (p @ self.kernel) ** self.others @ self.pairs
        d = jnp.concatenate([d, -d, jnp.zeros((*d.shape[:-1], 1))], axis=-1)
        return jnp.einsum("...kj,...j->...k", d[..., place], p)


@_piece("kernel", "weight", "difference", "others")
class PairProduct:
    """Mean advantage by quadrature for so many classes that a `PairTable` would be too large.

    ``kernel``: ``(L, K)``. ``weight``: ``(L,)``. ``difference``: ``r_k - r_j``, ``(K, K)``.
    """

    kernel: Any
    weight: Any
    difference: Any
    others: Exponent
    active: Any = None

    @property
    def width(self) -> int:
        """A factor for every node and class."""
        return math.prod(self.kernel.shape)

    def __call__(self, p: jax.Array) -> jax.Array:
        """As in `PairTable`, the pairs made at every evaluation."""
        scaled = (self.weight * (p @ self.kernel.T) ** self.others)[..., None, :] * self.kernel.T
        return jnp.einsum("...kj,...j->...k", self.difference * (scaled @ self.kernel), p)


@_piece("kernel", "weight", "difference", "group_size", "others", "fewer")
class SquareNodes:
    """Squared advantage by quadrature; ``fewer``: ``others`` - 1, or 0."""

    kernel: Any
    weight: Any
    difference: Any
    group_size: Any
    others: Exponent
    fewer: Exponent
    active: Any = None

    @property
    def width(self) -> int:
        """A factor for every node and class."""
        return math.prod(self.kernel.shape)

    def __call__(self, p: jax.Array) -> jax.Array:
        """``(r_k - mean)^2`` is a sum over pairs of other responses: the same one twice, or two different ones."""
        d = self.difference.T
        share = p[..., None, :] * self.kernel
        phi = share.sum(-1)
        same = jnp.einsum("...l,lk,...lk->...k", self.weight * phi**self.others, self.kernel, share @ d**2)
        pair = self.weight * phi**self.fewer
        return same + (self.group_size - 2) * jnp.einsum("...l,lk,...lk->...k", pair, self.kernel, (share @ d) ** 2)


@_piece("kernel", "weight", "difference", "group_size", "others")
class ProductNodes:
    """Product of the advantages of two responses by quadrature."""

    kernel: Any
    weight: Any
    difference: Any
    group_size: Any
    others: Exponent
    active: Any = None

    @property
    def width(self) -> int:
        """A factor for every node and class."""
        return math.prod(self.kernel.shape)

    def __call__(self, p: jax.Array) -> jax.Array:
        """Expectation ``(..., K, K)`` from mean and variance of a reward drawn at each node."""
        d = self.difference.T
        share = p[..., None, :] * self.kernel
        phi = share.sum(-1)
        # the mean only ever as a distance from it: nothing cancels
        above = (share @ d) / jnp.where(phi > SMALLEST, phi, 1.0)[..., None]
        spread = jnp.sum(share * above**2, axis=-1) / jnp.where(phi > SMALLEST, phi, 1.0)
        weight = self.weight * phi**self.others
        more = self.group_size - 2

        def contract(x: jax.Array, left: jax.Array) -> jax.Array:
            return jnp.swapaxes(x[..., None] * left, -1, -2) @ left

        apart = contract(weight, self.kernel)
        together = more**2 * contract(weight, above * self.kernel) + more * contract(weight * spread, self.kernel)
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

    A form of degree ``G - given`` in ``p``. Jit-able with ``form`` as an argument; vmap- and grad-able in ``p``.
    """
    p = jnp.asarray(p, float)
    inside = p if form.member is None else p @ form.member
    total = jnp.zeros((*p.shape[:-1], *inside.shape[-1:] * form.given))
    nothing = total

    # inactive pieces only keep shapes the same from one reward or group size to the next
    for piece in form.pieces:
        whole = in_blocks(piece, piece.width)
        if piece.active is None:
            total = total + whole(inside)
        else:
            total = total + jax.lax.cond(piece.active, whole, lambda _: nothing, inside)

    if form.place is not None:
        index = form.place if form.given == 1 else (form.place[:, None], form.place[None, :])
        total = total[..., *index] if form.given == 2 else total[..., index]
    return total if form.counted is None else jnp.where(form.counted, total, 0.0)


evaluate_compiled = jax.jit(evaluate)
