"""Expected weights and moments where questions are asked in part: hints, easier questions, imitation.

Every portion of a question is a question of its own: a chain without the given steps and without those that are not
asked for. Derived in docs/theory/remedies.md#portions.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.exact.refusals import NoExactForm
from spo_theory.method import Method
from spo_theory.outcomes.world import Model, World
from spo_theory.parts.samplers import FreshGroups, Sampler

if TYPE_CHECKING:
    from spo_theory.exact.moments import SecondMomentForm


def of_whole_questions(method: Method) -> Method:
    """``method`` as it acts on the groups of one portion: the same, with a sampler that asks whole questions."""
    return replace(method, sampler=FreshGroups(method.sampler.inner_updates))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["learnt", "possible", "taught", "correct"],
    meta_fields=["sampler"],
)
@dataclass(frozen=True)
class Parts:
    """The portions of the questions of a world, as arrays.

    learnt: boolean ``(W, S)``, steps that are neither given nor behind those asked for. possible: boolean ``(W, K)``,
    classes that a response to the portion can be of; one that is right as far as it is asked counts as correct.
    taught: boolean ``(W,)``. correct: index of the correct class. sampler: gives the chances.
    """

    learnt: Any
    possible: Any
    taught: Any
    correct: Any
    sampler: Sampler

    def chances(self, step_log_probs: jax.Array) -> jax.Array:
        """Probability ``(..., W)`` of each portion; ``step_log_probs`` ``(..., K, S)``: of the whole question."""
        steps = self.learnt.shape[-1]
        return self.sampler.chances(jnp.exp(step_log_probs[..., self.correct, :steps]))

    def odds(self, step_log_probs: jax.Array) -> jax.Array:
        """Probability of each class in each portion over that in the whole question, ``(..., W, K)``.

        ``step_log_probs`` ``(..., K, S)``: of the whole question.
        """
        # What is given or not asked for is certain: its chance is divided out
        outside = jnp.where(self.learnt[:, None, :], 0.0, step_log_probs[..., None, :, :]).sum(-1)
        return jnp.where(self.possible, jnp.exp(jnp.where(self.possible, -outside, 0.0)), 0.0)

    def inside(self, values: jax.Array) -> jax.Array:
        """``values`` of steps ``(..., K, S)``, for each portion and 0 for steps outside it, ``(..., W, K, S)``."""
        return jnp.where(self.learnt[:, None, :], values[..., None, :, :], 0.0)


def parts_of(world: World, method: Method) -> Parts:
    """The portions in which ``method`` asks the questions of ``world``.

    Raises `NoExactForm` for a world whose right responses do not share their steps: there a given step would say
    which of them is meant.
    """
    if not (world.one_path or method.sampler.whole):
        raise NoExactForm(
            f"sampler = {method.sampler!r} is not allowed in a world of several paths: a hint names one of them; "
            "use a chain"
        )

    # Padding behind the last step that counts is no step of the question
    horizon = int(np.count_nonzero(world.true_lengths))
    portions = method.sampler.portions(horizon)
    right = world.right_steps[None, :]
    inside = (right >= portions.given[:, None]) & (right < portions.asked[:, None])
    return Parts(
        learnt=np.pad(portions.learnt(horizon), [(0, 0), (0, world.lengths.shape[1] - horizon)]),
        possible=inside | world.correct,
        taught=portions.taught,
        correct=np.int64(np.flatnonzero(world.correct)[-1]),
        sampler=method.sampler,
    )


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "parts"], meta_fields=[])
@dataclass(frozen=True)
class PortionWeights:
    """Expected weights of a method that asks questions in part, as weights of the classes of the whole question.

    inner: of the groups of one portion. parts: the portions. Source: docs/theory/remedies.md#portions.
    """

    inner: Any
    parts: Parts

    def given(self, probs: jax.Array, step_log_probs: jax.Array, log_ratio: jax.Array | None) -> jax.Array:
        """Weights ``(..., K, S)`` that give the expected update with the classes of whole questions."""
        odds = self.parts.odds(step_log_probs)
        before = self.parts.inside(step_log_probs)
        ratio = None if log_ratio is None else self.parts.inside(log_ratio)
        weights = self.inner.given(odds * probs[..., None, :], before, ratio)
        weights = jnp.where(self.parts.possible[..., None], weights, 0.0)

        # A class is as much likelier in a portion as its odds say, and its weights count that much more
        chance = self.parts.chances(step_log_probs)
        sampled = jnp.where(self.parts.taught, 0.0, chance)
        counted = jnp.where(self.parts.learnt[:, None, :], (sampled[..., None] * odds)[..., None], 0.0)
        expected = jnp.sum(counted * weights, axis=-3)

        # A solution that is taught has weight 1 on each step, as often as it is shown
        shown = jnp.sum(jnp.where(self.parts.taught, chance, 0.0), axis=-1, keepdims=True)
        solution = jnp.arange(probs.shape[-1]) == self.parts.correct
        taught = jnp.where(solution, shown / jnp.where(solution, probs, 1.0), 0.0)
        steps = self.parts.learnt.any(axis=0)
        return expected + jnp.where(steps, taught[..., None], 0.0)


@dataclass(frozen=True)
class PortionModel:
    """The model of the portions of a world's questions; logits ``(..., W, *D)``, ``parameters``: those of the world
    and the `Parts`.

    inner: the model of the world. Source: docs/theory/remedies.md#portions.
    """

    inner: Model

    def _outside(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., W, K)`` of the steps of each class that are certain in the portion."""
        plain, parts = parameters
        found = self.inner.step_log_probs(logits, plain)
        return jnp.where(parts.learnt[:, None, :], 0.0, found).sum(-1)

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., W, K)`` of each class."""
        plain, parts = parameters
        outside = jnp.where(parts.possible, self._outside(logits, parameters), 0.0)
        return jnp.where(parts.possible, self.inner.probs(logits, plain) * jnp.exp(-outside), 0.0)

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., W, K, S)`` of each step, 0 outside the portion."""
        plain, parts = parameters
        return jnp.where(parts.learnt[:, None, :], self.inner.step_log_probs(logits, plain), 0.0)

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., W, K, S, *D)`` of each step, 0 outside the portion."""
        plain, parts = parameters
        scores = self.inner.step_scores(logits, plain)
        axes = scores.ndim - self.inner.step_log_probs(logits, plain).ndim
        inside = jnp.asarray(parts.learnt)[:, None, :].reshape(-1, 1, parts.learnt.shape[-1], *[1] * axes)
        return jnp.where(inside, scores, 0.0)

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., W, *D)`` over classes and steps of ``weights`` times scores."""
        plain, parts = parameters
        return self.inner.along_scores(logits, plain, jnp.where(parts.learnt[:, None, :], weights, 0.0))


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "parts", "parameters"], meta_fields=["model", "axes"])
@dataclass(frozen=True)
class PortionMoments:
    """``E[g g^T]`` of a method that asks questions in part: the mean over its portions.

    inner: of the groups of one portion, with a `PortionModel`. parts: the portions. parameters, model, axes: of the
    world. Source: docs/theory/remedies.md#portions.
    """

    inner: "SecondMomentForm"
    parts: Parts
    parameters: Any
    model: Model
    axes: int

    def second_moment(self, logits: jax.Array) -> jax.Array:
        """``E[g g^T]`` ``(..., D, D)``, the logits of a question in one row."""
        # Every portion needs its own copy of the logits, on a new axis before those of one question
        place = logits.ndim - self.axes
        shape = (*logits.shape[:place], len(self.parts.taught), *logits.shape[place:])
        each = self.inner.second_moment(jnp.broadcast_to(jnp.expand_dims(logits, place), shape))

        # A group of solutions that are taught has one update, the solution's score
        scores = self.model.step_scores(logits, self.parameters)
        flat = scores.reshape(*logits.shape[:place], *scores.shape[place : place + 2], -1)
        learnt = jnp.asarray(self.parts.learnt, float)
        solution = jnp.einsum("...sd,ws->...wd", flat[..., self.parts.correct, :, :], learnt)
        square = solution[..., :, None] * solution[..., None, :]

        chance = self.parts.chances(self.model.step_log_probs(logits, self.parameters))
        found = jnp.where(self.parts.taught[:, None, None], square, each)
        return jnp.sum(chance[..., None, None] * found, axis=-3)
