"""Several right paths: a response first picks a path, then takes its steps (docs/theory/step-weights.md)."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.allowed import numbers
from spo_theory.outcomes.chain import step_log_probabilities
from spo_theory.outcomes.world import World, along_differentiation, scores_by_differentiation
from spo_theory.validation import check


@dataclass(frozen=True)
class ManyPathsModel:
    """R paths of H steps; logits ``(..., R, H + 1)``, the first of each row for the choice of the path.

    The R (H + 1) classes are those of the chain of each path, path by path. The choice of the path is part of its
    first step. There are no further ``parameters``; they are ignored. Source: docs/theory/step-weights.md.
    """

    paths: int

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., R (H + 1), H)`` of each step of each class."""
        x = jnp.asarray(logits, float)
        choice = jax.nn.log_softmax(x[..., 0], axis=-1)

        # The choice is made once, in the first step, whatever comes after it
        of_step = step_log_probabilities(x[..., 1:])
        first = of_step[..., :1] + choice[..., None, None]
        of_step = jnp.concatenate([first, of_step[..., 1:]], axis=-1)

        return of_step.reshape(*of_step.shape[:-3], -1, of_step.shape[-1])

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., R (H + 1))`` of each class."""
        return jnp.exp(self.step_log_probs(logits, parameters).sum(-1))

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., K, H, R, H + 1)``, by differentiation."""
        return scores_by_differentiation(self, logits, parameters, 2)

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., R, H + 1)`` over classes and steps of ``weights`` times scores, by differentiation."""
        return along_differentiation(self, logits, parameters, weights)


def many_paths_world(choice: Any, step_success: Any) -> World:
    """A question that R paths solve, each with H steps of its own.

    A response picks one path and then takes its steps, all of length 1. ``choice`` ``(R,)``: logits of the softmax
    with which it picks. ``step_success`` ``(R, H)``: probability that each step of each path is right, strictly
    between 0 and 1. Returns a `World` of R (H + 1) classes, path by path; R of them are correct.
    Raises `InputError` for wrong shapes and values. Source: docs/theory/step-weights.md.

    Example:
        >>> world = many_paths_world([0.0, 0.0], [[0.5, 0.5], [0.9, 0.9]])
        >>> float(world.success.round(6))
        0.53
    """
    # Probabilities of 0 and 1 have no finite logits
    chosen = numbers("choice", choice)
    success = numbers("step_success", step_success)
    shaped = success.ndim == 2 and success.size > 0 and chosen.shape == success.shape[:1]
    check(shaped, "choice, step_success", (chosen.shape, success.shape), "of shapes (R,) and (R, H)")
    inside = (success > 0) & (success < 1)
    check(bool(inside.all()), "step_success", success[~inside].tolist(), "strictly between 0 and 1")

    # The classes of a path are those of its chain: one for each first error, and a correct one
    paths, horizon = success.shape
    first_error = np.tile(np.arange(horizon + 1), paths)
    return World(
        model=ManyPathsModel(paths),
        logits=np.column_stack([chosen, np.log(success) - np.log1p(-success)]),
        axes=2,
        correct=first_error == horizon,
        first_error=first_error,
        lengths=np.ones((first_error.size, horizon)),
        true_lengths=np.ones(horizon),
        one_path=paths == 1,
    )
