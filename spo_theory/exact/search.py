"""Expected weights of groups that a tree search makes (docs/theory/related.md#tree-search).

Responses of such a group are not independent: each depends on the numbers of those before it. These numbers are a
Markov chain over group compositions, so the law of whole groups follows by adding one response at a time.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.enumeration import Groups, prepare_traced
from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.traced import Traced
from spo_theory.exact.weights import TracedWeights
from spo_theory.method import Method
from spo_theory.outcomes.world import World
from spo_theory.parts.tree_search import TreeSearch


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "counts", "next", "sampler"], meta_fields=[])
@dataclass(frozen=True)
class SearchWeights:
    """Expected weights of a method whose groups come from a tree search, as weights of independent responses.

    inner: the method's weights in every composition.
    counts: of the compositions of 0, 1, ..., G responses, ``(C, K)`` each.
    next: the row of the next list that one more response of each class makes, ``(C, K)`` each.
    sampler: the search.
    """

    inner: TracedWeights
    counts: tuple[Any, ...]
    next: tuple[Any, ...]
    sampler: Traced[TreeSearch]

    def law(self, success: jax.Array) -> jax.Array:
        """Probability ``(..., R)`` of every composition of G responses, for ``success`` ``(..., H)`` of right steps."""
        chance = jnp.ones((*success.shape[:-1], 1))

        # One more response leads from every composition to as many others as there are classes
        for visits, row, larger in zip(self.counts[:-1], self.next, self.counts[1:], strict=True):
            shape = (*success.shape[:-1], *visits.shape)
            of_class = self.sampler.value.law(
                jnp.broadcast_to(jnp.asarray(visits, float), shape),
                jnp.broadcast_to(success[..., None, :], (*shape[:-1], success.shape[-1])),
            )
            added = jnp.zeros((*success.shape[:-1], len(larger)))
            chance = added.at[..., jnp.asarray(row)].add(chance[..., None] * of_class)
        return chance

    def given(self, probs: jax.Array, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """Weights ``(..., K, S)`` that give the expected update with independent responses."""
        success = jnp.exp(step_log_probs[..., -1, : probs.shape[-1] - 1])
        weights = self.inner.of_classes(step_log_probs, log_ratio)
        share = self.law(success)[..., None] * self.counts[-1] / self.counts[-1][0].sum()
        return jnp.einsum("...rk,...rks->...ks", share, weights) / probs[..., None]


def prepare_search(world: World, method: Method) -> SearchWeights:
    """Prepare expected weights of a method that searches; raises `NoExactForm` in worlds that are no chain."""
    assert isinstance(method.sampler, TreeSearch)
    classes = world.classes
    steps = np.arange(classes)

    # The search knows a right and a wrong step behind every right prefix, and which of them is which
    plain = np.array_equal(world.first_error, steps) and np.array_equal(world.correct, steps == classes - 1)
    if not (plain and world.true_first_error is None and world.lengths.shape[1] == classes - 1):
        raise NoExactForm(f"sampler = {method.sampler!r} is not allowed in a world that is no chain; use a chain")

    inner = prepare_traced(world, method)
    groups = [Groups(size, classes) for size in range(1, method.group_size + 1)]
    counts = (np.zeros((1, classes), int), *(one.counts for one in groups))
    return SearchWeights(inner, counts, tuple(one.whole for one in groups), Traced(method.sampler))


def refuse_search(method: Method) -> None:
    """Raise `NoExactForm` for a method that searches: its caller takes the responses of a group for independent."""
    if isinstance(method.sampler, TreeSearch):
        raise NoExactForm(
            f"sampler = {method.sampler!r} is not allowed here: its responses are not independent; use "
            "spo_theory.exact.engine.expectation"
        )
