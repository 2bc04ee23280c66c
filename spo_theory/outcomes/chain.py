"""The reasoning chain: outcome classes, their probabilities, scores and RTS (docs/theory/setting.md)."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.outcomes.world import World
from spo_theory.parts.rewards import reasoning_trajectory_score
from spo_theory.validation import check, refuse


def class_probabilities(logits: Any) -> jax.Array:
    """Probabilities ``(..., H + 1)`` of the outcome classes from step logits ``(..., H)``; jit- and vmap-able.

    Class k < H: the first k steps are right and step k + 1 is wrong. Class H: all right.
    """
    logits = jnp.asarray(logits, dtype=float)
    right, wrong = jax.nn.sigmoid(logits), jax.nn.sigmoid(-logits)
    one = jnp.ones_like(right[..., :1])
    prefix = jnp.concatenate([one, jnp.cumprod(right, axis=-1)], axis=-1)
    return prefix * jnp.concatenate([wrong, one], axis=-1)


_class_probabilities = jax.jit(class_probabilities)  # one compilation instead of one for every operation


def class_scores(logits: Any) -> jax.Array:
    """Score ``d log p_k / d logit_h``, shape ``(..., H + 1, H)``, from step logits ``(..., H)``.

    ``1 - q_h`` for a step taken right, ``-q_h`` for the first wrong one, 0 beyond it.
    """
    logits = jnp.asarray(logits, dtype=float)
    h = logits.shape[-1]
    k, step = jnp.arange(h + 1)[:, None], jnp.arange(h)[None, :]
    right, wrong = jax.nn.sigmoid(logits)[..., None, :], jax.nn.sigmoid(-logits)[..., None, :]
    return jnp.where(step < k, wrong, jnp.where(step == k, -right, 0.0))


def step_log_probabilities(logits: Any) -> jax.Array:
    """Log-probability ``(..., H + 1, H)`` of each step of each class, 0 beyond the first error."""
    logits = jnp.asarray(logits, dtype=float)
    horizon = logits.shape[-1]
    outcome_class = jnp.arange(horizon + 1)[:, None]
    step = jnp.arange(horizon)[None, :]

    right = jax.nn.log_sigmoid(logits)[..., None, :]
    wrong = jax.nn.log_sigmoid(-logits)[..., None, :]
    return jnp.where(step < outcome_class, right, jnp.where(step == outcome_class, wrong, 0.0))


@dataclass(frozen=True)
class ChainModel:
    """Probabilities and scores of the chain, in the form the engine asks for (`spo_theory.outcomes.world.Model`)."""

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., H + 1)`` of each class."""
        return class_probabilities(logits)

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., H + 1, H)`` of each step of each class."""
        return step_log_probabilities(logits)

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., H + 1, H, H)``: a step moves its own logit only."""
        scores = class_scores(logits)
        return scores[..., None] * jnp.eye(scores.shape[-1])

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., H)`` over classes of ``weights`` ``(..., H + 1, H)`` times scores."""
        return jnp.sum(weights * class_scores(logits), axis=-2)


@dataclass(frozen=True, eq=False, kw_only=True)
class ReasoningChain:
    """Questions that each need H reasoning steps, every step a coin with its own success probability.

    Give ``step_success`` (probabilities in (0, 1)) or ``logits`` (their log-odds), shape ``(H,)`` for one
    question or ``(N, H)`` for N questions. ``step_lengths``: ``(H,)``, positive, in any unit (default: equal).
    Raises `InputError` for anything else. Source: docs/theory/setting.md.
    """

    step_success: Any = None
    logits: Any = None
    step_lengths: Any = None

    def __post_init__(self) -> None:
        if (self.step_success is None) == (self.logits is None):
            refuse(["ReasoningChain needs exactly one of step_success and logits"])
        name = "logits" if self.step_success is None else "step_success"
        given = np.array(self.logits if self.step_success is None else self.step_success, dtype=float)
        check(
            given.ndim in (1, 2) and given.size > 0,
            f"{name}.shape",
            given.shape,
            "(H,) or (questions, H), H >= 1",
        )
        if self.step_success is None:
            check(bool(np.isfinite(given).all()), "logits", given.tolist(), "finite numbers")
            logits = given
        else:
            inside = (given > 0) & (given < 1)
            check(bool(inside.all()), "step_success", given[~inside].tolist(), "strictly between 0 and 1")
            logits = np.log(given) - np.log1p(-given)
        lengths = np.ones(given.shape[-1]) if self.step_lengths is None else np.array(self.step_lengths, dtype=float)
        check(
            lengths.shape == given.shape[-1:] and bool((np.isfinite(lengths) & (lengths > 0)).all()),
            "step_lengths",
            lengths.tolist(),
            f"{given.shape[-1]} finite numbers above 0",
        )
        for field, value in (("logits", logits), ("step_lengths", lengths)):
            value.setflags(write=False)
            object.__setattr__(self, field, value)
        object.__setattr__(self, "step_success", np.asarray(jax.nn.sigmoid(logits)))

    def world(self) -> World:
        """The chain as a world for the exact engine: H + 1 classes, the last one correct."""
        classes = np.arange(self.horizon + 1)
        return World(
            model=ChainModel(),
            logits=self.logits,
            axes=1,
            correct=classes == self.horizon,
            first_error=classes,
            lengths=np.tile(self.step_lengths, (classes.size, 1)),
            true_lengths=self.step_lengths,
        )

    @property
    def horizon(self) -> int:
        """Number of steps, H."""
        return int(self.logits.shape[-1])

    @property
    def class_probs(self) -> np.ndarray:
        """Probability of each outcome class, ``(..., H + 1)``; class H is a correct response."""
        return np.asarray(_class_probabilities(self.logits))

    @property
    def scores(self) -> np.ndarray:
        """Score of each class for each step logit, ``(..., H + 1, H)``."""
        return np.asarray(class_scores(self.logits))

    @property
    def rts(self) -> np.ndarray:
        """Reasoning trajectory score of each class, ``(H + 1,)``."""
        k = np.arange(self.horizon + 1)
        return reasoning_trajectory_score(k, np.tile(self.step_lengths, (k.size, 1)))

    @property
    def success(self) -> np.ndarray:
        """Probability that a response is correct, shape ``(...)``."""
        return self.class_probs[..., -1]

    def all_negative(self, group_size: int) -> np.ndarray:
        """Probability that a group of ``group_size`` responses has no correct one, shape ``(...)``."""
        return self.class_probs[..., :-1].sum(-1) ** group_size
