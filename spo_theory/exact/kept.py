"""How often a method keeps a group, and expectations over kept groups alone (docs/theory/step-weights.md#resampling).

A sampler that replaces the groups its method does not learn from delivers groups given that they are kept.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.compositions import Multinomial, compositions, member_classes, multinomial, none_of
from spo_theory.exact.enumeration import check_size, distinguished
from spo_theory.method import Method
from spo_theory.outcomes.world import World, as_world


@partial(jax.tree_util.register_dataclass, data_fields=["chance", "member"], meta_fields=[])
@dataclass(frozen=True)
class KeptShare:
    """Probability that a group is kept: the sum over the compositions that are.

    chance: of these compositions. member: ``(K, V)``, from the classes of the world to those that the method can tell
    apart.
    """

    chance: Multinomial
    member: Any

    def of(self, probs: jax.Array) -> jax.Array:
        """The probability ``(...)`` for class probabilities ``(..., K)``."""
        return self.chance(probs @ self.member).sum(-1)


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "kept"], meta_fields=[])
@dataclass(frozen=True)
class ResampledWeights:
    """Expected step weights of a sampler that replaces groups which are not kept: those of all groups, over the share.

    inner: expected weights over all groups, 0 in those that are not kept. kept: how often a group is.
    """

    inner: Any
    kept: KeptShare

    def given(self, probs: jax.Array, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """``E[w_1s, kept | class of 1 is k] / Pr(kept)`` ``(..., K, S)``."""
        share = self.kept.of(probs)[..., None, None]
        return self.inner.given(probs, step_log_probs, log_ratio) / jnp.where(share > 0, share, 1.0)


def prepare_kept(world: World, method: Method) -> KeptShare:
    """Prepare the probability that ``method`` keeps a group of ``world``.

    Raises `NoExactForm` where there are too many compositions. Derived in docs/theory/step-weights.md#resampling.
    """
    check_size(world, method)
    classes = distinguished(world, method)
    counts = compositions(method.group_size, classes.count)
    group = world.group(classes.first[member_classes(counts)])
    kept = counts[np.asarray(method.kept(group))]
    chance = multinomial(kept) if len(kept) else none_of(method.group_size, classes.count, 0)
    return KeptShare(chance, classes.member)


def given_kept(weights: Any, world: World, method: Method) -> Any:
    """``weights``, or the same given that a group is kept where the sampler of ``method`` delivers no others.

    Raises `NoExactForm` as `prepare_kept`. Derived in docs/theory/step-weights.md#resampling.
    """
    if not method.sampler.resamples:
        return weights
    return ResampledWeights(weights, prepare_kept(world, method))


def kept_share(world: Any, method: Method) -> np.ndarray:
    """Probability ``(...)`` that ``method`` learns from a group of ``world`` (a `World`, or what has one).

    A sampler that replaces the others draws ``G / kept_share`` rollouts for every group that it delivers.
    Raises `NoExactForm` where there are too many group compositions. Derived in
    docs/theory/step-weights.md#resampling.

    Example, pairs of which one is right and one wrong:
        >>> from spo_theory import ReasoningChain, rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> float(kept_share(chain, rule("grpo", group_size=2, train_on="mixed")))
        0.375
    """
    world = as_world(world)
    return np.asarray(prepare_kept(world, method).of(jnp.asarray(world.class_probs)))
