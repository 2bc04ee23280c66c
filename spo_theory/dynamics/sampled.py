"""Monte Carlo of the chain: sampled groups, the same rule functions, jitted."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.allowed import checked, optional, several
from spo_theory.dynamics.maps import apply_kernel, check_run, runs
from spo_theory.dynamics.optimizers import Optimizer, steps_of
from spo_theory.exact.traced import Traced
from spo_theory.group import Group
from spo_theory.limits import SEED, check_memory, count, curve_bytes
from spo_theory.method import METHOD, Method, with_clips
from spo_theory.outcomes.chain import (
    CHAIN,
    ONE_QUESTION,
    ReasoningChain,
    class_probabilities,
    class_scores,
    step_log_probabilities,
)
from spo_theory.parts.samplers import DynamicSampling, FreshGroups
from spo_theory.parts.tree_search import TreeSearch
from spo_theory.validation import check, is_whole

MOST_SEEDS = 10**6
"""Seeds that a number may stand for."""


class SampledUpdate(NamedTuple):
    """Mean of the sampled update and its standard error, both ``(H,)``, over ``groups`` groups."""

    mean: np.ndarray
    standard_error: np.ndarray
    groups: int


class Batch(NamedTuple):
    """Sampled groups: classes ``(questions, G)`` and the judged group that a rule looks at."""

    classes: jax.Array
    group: Group


def _sample(rule: Method, sizes: jax.Array, logits: jax.Array, key: jax.Array) -> Batch:
    """One sampled group for each row of ``logits`` ``(questions, H)``."""
    horizon = logits.shape[-1]
    learnt, taught = _portions(rule, logits, key)

    # Steps that are given or not asked for are certain: they have infinite log-odds
    seen = logits if learnt is None else jnp.where(learnt, logits, jnp.inf)
    p = class_probabilities(seen)

    # A uniform number falls into class k if it is above k of the cumulative probabilities (the last, 1, is left out)
    draws = jax.random.uniform(key, (*logits.shape[:-1], rule.group_size, 1))
    classes = jnp.sum(draws > jnp.cumsum(p, axis=-1)[..., None, :-1], axis=-1)

    # The responses of a search depend on those before them
    if isinstance(rule.sampler, TreeSearch):
        classes = rule.sampler.draw(draws[..., 0], jax.nn.sigmoid(logits))

    # A solution that is taught is as if it had been sampled G times
    if taught is not None:
        taught = jnp.broadcast_to(taught[..., None], classes.shape)
        classes = jnp.where(taught, horizon, classes)

    lengths = jnp.broadcast_to(sizes, (*classes.shape, horizon))
    log_prob = _of_classes(step_log_probabilities(seen), classes)
    own = None if learnt is None else jnp.broadcast_to(learnt[..., None, :], lengths.shape)
    right = classes == horizon
    group = Group(right, classes, lengths, true_lengths=lengths, log_prob=log_prob, learnt=own, taught=taught)
    return Batch(classes, group)


def _delivered(rule: Method, sizes: jax.Array, logits: jax.Array, start: jax.Array, key: jax.Array) -> Batch:
    """As `_sample`, by the rule's sampler, and with the reference where the rule has one.

    ``start``: logits of the policy from which training began, of the shape of ``logits``.
    """
    batch = _sample(rule, sizes, logits, key)
    if isinstance(rule.sampler, DynamicSampling):
        batch = _resampled(rule, rule.sampler.most_batches, batch, sizes, logits, key)
    if not rule.objective.uses_reference:
        return batch
    reference = _of_classes(step_log_probabilities(start), batch.classes)
    return Batch(batch.classes, replace(batch.group, reference_log_prob=reference))


def _resampled(rule: Method, most: int, first: Batch, sizes: jax.Array, logits: jax.Array, key: jax.Array) -> Batch:
    """``first`` with groups that are not kept drawn again, in at most ``most`` rounds, the first one included."""

    def batch_of(classes: jax.Array) -> Batch:
        """The judged groups of given classes: all else follows from them."""
        log_prob = _of_classes(step_log_probabilities(logits), classes)
        lengths = jnp.broadcast_to(sizes, log_prob.shape)
        right = classes == logits.shape[-1]
        return Batch(classes, Group(right, classes, lengths, true_lengths=lengths, log_prob=log_prob))

    def unfinished(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        """Whether a group is still missing and another round is allowed."""
        rounds, classes = state
        return (rounds < most) & ~rule.kept(batch_of(classes).group).all()

    def again(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """Draw every group anew, and take those that are still missing."""
        rounds, classes = state
        fresh = _sample(rule, sizes, logits, jax.random.fold_in(key, rounds)).classes
        return rounds + 1, jnp.where(rule.kept(batch_of(classes).group)[..., None], classes, fresh)

    return batch_of(jax.lax.while_loop(unfinished, again, (jnp.asarray(1), first.classes))[1])


def _portions(rule: Method, logits: jax.Array, key: jax.Array) -> tuple[jax.Array | None, jax.Array | None]:
    """Of the portion drawn for each question: learnt steps ``(questions, H)``, and whether it is taught."""
    if rule.sampler.whole:
        return None, None

    # Random numbers of its own, so that the responses of a whole question stay the same
    portions = rule.sampler.portions(logits.shape[-1])
    chances = rule.sampler.chances(jax.nn.sigmoid(logits))
    luck = jax.random.uniform(jax.random.fold_in(key, 1), (*logits.shape[:-1], 1))
    place = jnp.sum(luck > jnp.cumsum(chances, axis=-1)[..., :-1], axis=-1)
    return jnp.asarray(portions.learnt(logits.shape[-1]))[place], jnp.asarray(portions.taught)[place]


def _of_classes(values: jax.Array, classes: jax.Array) -> jax.Array:
    """Rows ``(questions, G, H)`` of ``values`` ``(questions, H + 1, H)`` that belong to ``classes``."""
    return jnp.take_along_axis(values, classes[..., None], axis=-2)


def _update(rule: Method, batch: Batch, old: jax.Array, now: jax.Array) -> jax.Array:
    """Update ``(questions, H)`` of sampled groups under the policy ``now``; they were sampled under ``old``."""
    change = step_log_probabilities(now) - step_log_probabilities(old)
    weights = rule.weights(batch.group, _of_classes(change, batch.classes))
    return jnp.mean(weights * _of_classes(class_scores(now), batch.classes), axis=-2)


@partial(jax.jit, static_argnames=("block",))
def _sample_sums(
    sizes: jax.Array, logits: jax.Array, key: jax.Array, used: jax.Array, rule: Traced[Method], *, block: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sum and sum of squares ``(H,)`` of the updates of ``used`` sampled groups, at most ``block``, and their number.

    Groups that the rule's sampler would replace do not count.
    """
    rows = jnp.broadcast_to(logits, (block, *logits.shape))
    batch = _sample(rule.value, sizes, rows, key)
    counted = jnp.arange(block) < used
    if rule.value.sampler.resamples:
        counted = counted & rule.value.kept(batch.group)
    x = jnp.where(counted[:, None], _update(rule.value, batch, rows, rows), 0.0)
    return x.sum(0), (x * x).sum(0), counted.sum()


@checked(chain=ONE_QUESTION, rule=METHOD, groups=count(2), seed=SEED)
def sampled_update(chain: ReasoningChain, rule: Method, groups: int, seed: int = 0) -> SampledUpdate:
    """Monte Carlo estimate of `expected_update` for a single question from ``groups`` sampled groups.

    ``groups``: at least 2. ``seed``: of the sampling. Returns a `SampledUpdate`: mean and standard error ``(H,)``.
    Raises `InputError` for a chain of several questions or fewer groups. The gradient of a group:
    docs/theory/step-weights.md#the-contract.

    Example:
        >>> from spo_theory import expected_update, rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> grpo = rule("grpo", group_size=2)
        >>> estimate = sampled_update(chain, grpo, groups=10_000)
        >>> bool((abs(estimate.mean - expected_update(chain, grpo)) < 4 * estimate.standard_error).all())
        True
    """
    check_memory("group_size", rule.group_size, 8.0 * rule.group_size * (chain.horizon + 1))

    # Blocks of about a million numbers bound the memory, and all have one size, so that one compilation serves all
    block = min(groups, max(1, 2**20 // (rule.group_size * (chain.horizon + 1))))
    total = np.zeros(chain.horizon)
    square = np.zeros(chain.horizon)
    count = 0
    for i, start in enumerate(range(0, groups, block)):
        key = jax.random.fold_in(jax.random.key(seed), i)
        used = min(block, groups - start)
        s, s2, counted = _sample_sums(chain.step_lengths, chain.logits, key, used, Traced(rule), block=block)
        total = total + np.asarray(s)
        square = square + np.asarray(s2)
        count = count + int(counted)

    # Unbiased variance of a group's update; rounding can push a variance of 0 below 0
    check(count >= 2, "groups", groups, "enough that two of them are kept")
    mean = total / count
    variance = np.maximum(square / count - mean**2, 0.0) * count / (count - 1)
    return SampledUpdate(mean, np.sqrt(variance / count), count)


@checked(chain=CHAIN, rule=METHOD, questions=count(), inner_updates=optional(count()))
def simulate(
    chain: ReasoningChain,
    rule: Method,
    steps: int,
    learning_rate: float = 1.0,
    questions: int = 64,
    seeds: int | list[int] = 5,
    kernel: np.ndarray | None = None,
    optimizer: Optimizer = "sgd",
    inner_updates: int | None = None,
    clip_low: float | None = None,
    clip_high: float | None = None,
) -> pd.DataFrame:
    """Train the chain on sampled groups; the counterpart of `solve`.

    Each update draws one group for each of ``questions`` questions: copies of the chain's one question, which
    share its logits, or, for a chain of N questions, the N questions themselves (``questions`` is then not
    used). ``seeds``: a list, or a number n for seeds 0..n-1; all run together. ``kernel``: as in `solve`, not
    with Adam. ``optimizer``: as in `solve`. ``inner_updates``: gradient steps on every batch; the counterpart of
    `spo_theory.dynamics.clipped.solve_clipped`. It, ``clip_low`` and ``clip_high``: None for the rule's own.

    Returns a tidy DataFrame, one row per seed and update: seed, step, success and all_negative (probabilities
    under the current logits, not sampled shares), q_1..q_H. Raises `InputError` for bad settings.
    The gradient of a group: docs/theory/step-weights.md#the-contract.

    Example:
        >>> from spo_theory import rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> table = simulate(chain, rule("grpo", group_size=2), steps=2, questions=8, seeds=3)
        >>> len(table), sorted(set(table["seed"].tolist()))
        (9, [0, 1, 2])
    """
    # A number of seeds is short for the first whole numbers
    names = seed_list(seeds)

    # Adam acts on parameters and a kernel describes logits: together they have no meaning
    inner = rule.sampler.inner_updates if inner_updates is None else FreshGroups(inner_updates).inner_updates
    k = check_run(chain, steps, learning_rate, optimizer, kernel)
    check(k is None or optimizer != "adam", "kernel", "given", "None with optimizer='adam'")
    check_memory("questions", questions, 8.0 * len(names) * questions * rule.group_size * (chain.horizon + 1))
    check_memory("seeds", seeds, curve_bytes(chain.horizon, steps, len(names) * (chain.logits.size // chain.horizon)))

    # All seeds run side by side in one compiled program
    keys = jnp.stack([jax.random.key(s) for s in names])
    paths = _runs(
        keys,
        chain.step_lengths,
        chain.logits,
        float(learning_rate),
        k,
        Traced(with_clips(rule, clip_low, clip_high)),
        optimizer=optimizer,
        questions=questions,
        inner_updates=inner,
        steps=steps,
    )
    return runs(np.asarray(paths), rule.group_size).assign(seed=np.repeat(names, steps + 1))


def seed_list(seeds: Any) -> list[int]:
    """The seeds themselves: a number n stands for 0..n-1. Raises `InputError` for what is neither that nor a list.

    >>> seed_list(3)
    [0, 1, 2]
    """
    if is_whole(seeds, 1) and seeds <= MOST_SEEDS:
        return list(range(seeds))
    several(SEED).check("seeds", seeds)
    return [int(seed) for seed in seeds]


@partial(jax.jit, static_argnames=("optimizer", "questions", "inner_updates", "steps"))
def _runs(
    keys: jax.Array,
    sizes: jax.Array,
    start: jax.Array,
    learning_rate: jax.Array,
    kernel: jax.Array | None,
    rule: Traced[Method],
    *,
    optimizer: Optimizer,
    questions: int,
    inner_updates: int,
    steps: int,
) -> jax.Array:
    """Logits ``(runs, steps + 1, ..., H)`` at the start of every batch, one run for each key."""
    single = start.ndim == 1
    transformation = steps_of(optimizer)

    def spread(logits: jax.Array) -> jax.Array:
        """Logits of every question of a batch."""
        return jnp.broadcast_to(logits, (questions, len(logits))) if single else logits

    def run(key: jax.Array) -> jax.Array:
        """Logits ``(steps + 1, ..., H)`` of one run."""

        def step(state: tuple, i: jax.Array) -> tuple[tuple, jax.Array]:
            """Sample one batch and use it for all inner updates; hands on the logits that sampled it."""
            first = state[0]
            batch = _delivered(rule.value, sizes, spread(first), spread(start), jax.random.fold_in(key, i))

            # The batch stays that of ``first``; ratios compare the moving logits to it
            for _ in range(inner_updates):
                logits, memory = state
                each = _update(rule.value, batch, spread(first), spread(logits))
                g = each.mean(0) if single else each
                change, memory = transformation.update(apply_kernel(kernel, g), memory)
                state = (logits + learning_rate * change, memory)
            return state, first

        return jax.lax.scan(step, (start, transformation.init(start)), jnp.arange(steps + 1))[1]

    return jax.vmap(run)(keys)
