"""Steps whose errors can be recovered from: an off-track response may come back (docs/theory/remedies.md#recovery)."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.outcomes.world import World, along_differentiation, scores_by_differentiation
from spo_theory.validation import problem, refuse

MOST_STEPS = 10
"""Most steps of such a world: it has two to that power classes."""


@dataclass(frozen=True)
class RecoveringModel:
    """H steps that are taken on or off the track; logits ``(..., 2, H)``.

    The first row holds the log-odds of staying on the track, the second those of coming back to it. A class is a
    sequence of right (1) and wrong (0) steps, in the order of binary numbers. There are no further ``parameters``; they
    are ignored. Source: docs/theory/remedies.md#recovery.
    """

    horizon: int

    def _taken(self) -> np.ndarray:
        """Whether each step of each class is right, ``(K, H)``."""
        return np.array(list(product((0, 1), repeat=self.horizon)), dtype=bool)

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., K, H)`` of each step of each class."""
        right = self._taken()
        # A step is taken on the track if the one before it was right; the first one always is
        on_track = np.concatenate([np.ones((len(right), 1), bool), right[:, :-1]], axis=1)
        x = jnp.asarray(logits, float)[..., None, :, :]
        odds = jnp.where(on_track, x[..., 0, :], x[..., 1, :])
        return jnp.where(right, jax.nn.log_sigmoid(odds), jax.nn.log_sigmoid(-odds))

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., K)`` of each class."""
        return jnp.exp(self.step_log_probs(logits, parameters).sum(-1))

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., K, H, 2, H)``, by differentiation."""
        return scores_by_differentiation(self, logits, parameters, 2)

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., 2, H)`` over classes and steps of ``weights`` times scores, by differentiation."""
        return along_differentiation(self, logits, parameters, weights)


def recovering_world(step_success: Any, recovery: Any) -> World:
    """A question of H steps whose errors are not final: an off-track response comes back at each step.

    ``step_success`` ``(H,)``: probability to stay on the track; ``recovery``: to come back to it, one number or
    ``(H,)``; both strictly between 0 and 1, and learnt. A response is correct if its last step is on the track. A judge
    tells the first wrong step, as ever. Returns a `World` of ``2^H`` classes. Raises `InputError` for wrong shapes and
    values and for more than `MOST_STEPS` steps. Source: docs/theory/remedies.md#recovery.

    Example:
        >>> recovering_world([0.3] * 6, 0.05).success.round(4).item()
        0.0669
    """
    stay = np.asarray(step_success, dtype=float)
    shaped = stay.ndim == 1 and 1 <= stay.size <= MOST_STEPS
    refuse(problem(shaped, "step_success", stay.shape, f"of shape (H,), H from 1 to {MOST_STEPS}"))
    back = np.broadcast_to(np.asarray(recovery, dtype=float), stay.shape)
    refuse(
        problem(bool(((stay > 0) & (stay < 1)).all()), "step_success", stay.tolist(), "strictly between 0 and 1")
        + problem(bool(((back > 0) & (back < 1)).all()), "recovery", back.tolist(), "strictly between 0 and 1")
    )

    model = RecoveringModel(stay.size)
    right = model._taken()
    return World(
        model=model,
        logits=np.stack([np.log(stay) - np.log1p(-stay), np.log(back) - np.log1p(-back)]),
        axes=2,
        correct=right[:, -1],
        first_error=np.cumprod(right, axis=1).sum(1),
        lengths=np.ones(right.shape),
        true_lengths=np.ones(stay.size),
        one_path=False,
    )
