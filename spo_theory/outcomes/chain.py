"""The reasoning chain: outcome classes, their probabilities, scores and RTS (docs/theory/setting.md)."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.allowed import Allowed, instance, numbers, whole
from spo_theory.limits import check_memory, class_table_bytes
from spo_theory.outcomes.world import World
from spo_theory.parts.rewards import reasoning_trajectory_score
from spo_theory.validation import check, refuse


def class_probabilities(logits: Any) -> jax.Array:
    """Probabilities ``(..., H + 1)`` of the outcome classes from step logits ``(..., H)``.

    In class k < H the first k steps are right and step k + 1 is wrong. In class H all steps are right.
    The function can be jitted, vmapped and differentiated. Source: docs/theory/setting.md.
    """
    logits = jnp.asarray(logits, dtype=float)
    right = jax.nn.sigmoid(logits)
    wrong = jax.nn.sigmoid(-logits)

    # A class is a run of right steps, ended by a wrong one; nothing ends the run of the last class
    one = jnp.ones_like(right[..., :1])
    prefix = jnp.concatenate([one, jnp.cumprod(right, axis=-1)], axis=-1)
    return prefix * jnp.concatenate([wrong, one], axis=-1)


_class_probabilities = jax.jit(class_probabilities)  # one compilation instead of one for every operation


def class_scores(logits: Any) -> jax.Array:
    """Score ``d log p_k / d logit_h``, shape ``(..., H + 1, H)``, from step logits ``(..., H)``.

    With q_h the success probability of step h, the score is ``1 - q_h`` for a step taken right, ``-q_h`` for the
    first wrong step, and 0 for the steps after it. Source: docs/theory/setting.md.
    """
    logits = jnp.asarray(logits, dtype=float)
    h = logits.shape[-1]
    k = jnp.arange(h + 1)[:, None]
    step = jnp.arange(h)[None, :]

    right = jax.nn.sigmoid(logits)[..., None, :]
    wrong = jax.nn.sigmoid(-logits)[..., None, :]
    return jnp.where(step < k, wrong, jnp.where(step == k, -right, 0.0))


def step_log_probabilities(logits: Any) -> jax.Array:
    """Log-probability ``(..., H + 1, H)`` of each step of each class, from step logits ``(..., H)``.

    Steps after the first wrong one have the value 0: all wrong responses of a class count as one.
    Source: docs/theory/setting.md.
    """
    logits = jnp.asarray(logits, dtype=float)
    horizon = logits.shape[-1]
    outcome_class = jnp.arange(horizon + 1)[:, None]
    step = jnp.arange(horizon)[None, :]

    right = jax.nn.log_sigmoid(logits)[..., None, :]
    wrong = jax.nn.log_sigmoid(-logits)[..., None, :]
    return jnp.where(step < outcome_class, right, jnp.where(step == outcome_class, wrong, 0.0))


@dataclass(frozen=True)
class ChainModel:
    """Probabilities and scores of the chain, as the exact engine asks for them (`spo_theory.outcomes.world.Model`).

    ``logits`` have the shape ``(..., H)``. The chain has no further ``parameters``; they are ignored.
    Source: docs/theory/setting.md.
    """

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

    Give exactly one of ``step_success`` (probabilities, strictly between 0 and 1) and ``logits`` (their log-odds),
    of shape ``(H,)`` for one question or ``(N, H)`` for N questions. ``step_lengths`` ``(H,)``: above 0, in any unit,
    for example tokens (default: all equal). A response ends at its first wrong step.
    Raises `InputError` for anything else. Source: docs/theory/setting.md.

    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> chain.class_probs.tolist(), chain.rts.tolist(), float(chain.success)
    ([0.5, 0.25, 0.25], [0.0, 0.5, 1.0], 0.25)
    """

    step_success: Any = None
    logits: Any = None
    step_lengths: Any = None

    def __post_init__(self) -> None:
        # Two ways to say the same thing: neither may contradict the other
        if (self.step_success is None) == (self.logits is None):
            refuse(["ReasoningChain needs exactly one of step_success and logits"])

        # The message on a wrong shape names the argument that the caller gave
        name = "logits" if self.step_success is None else "step_success"
        given = numbers(name, self.logits if self.step_success is None else self.step_success, finite=False)
        check(
            given.ndim in (1, 2) and given.size > 0,
            f"{name}.shape",
            given.shape,
            "(H,) or (questions, H), H >= 1",
        )

        # Logits are the parameters of the policy, so probabilities of 0 and 1 have no place here
        if self.step_success is None:
            check(bool(np.isfinite(given).all()), "logits", given.tolist(), "finite numbers")
            logits = given
        else:
            inside = (given > 0) & (given < 1)
            check(bool(inside.all()), "step_success", given[~inside].tolist(), "strictly between 0 and 1")
            logits = np.log(given) - np.log1p(-given)

        # Lengths of 0 would make two classes share one RTS
        lengths = np.ones(given.shape[-1]) if self.step_lengths is None else numbers("step_lengths", self.step_lengths)
        check(
            lengths.shape == given.shape[-1:] and bool((np.isfinite(lengths) & (lengths > 0)).all()),
            "step_lengths",
            lengths.tolist(),
            f"{given.shape[-1]} finite numbers above 0",
        )

        # The dataclass is frozen, and so are its arrays: a chain can be shared without copies
        for field, value in (("logits", logits), ("step_lengths", lengths)):
            value.setflags(write=False)
            object.__setattr__(self, field, value)
        object.__setattr__(self, "step_success", np.asarray(jax.nn.sigmoid(logits)))

    def world(self) -> World:
        """The chain as a world for the exact engine: H + 1 classes, the last one correct.

        Raises `InputError` for so many steps that the tables of classes and steps do not fit the machine's memory.
        """
        check_memory("horizon", self.horizon, class_table_bytes(self.horizon))
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
        """Probability that a group of ``group_size`` responses, at least 1, has no correct one, shape ``(...)``."""
        whole(1).check("group_size", group_size)
        return self.class_probs[..., :-1].sum(-1) ** group_size


CHAIN = instance(ReasoningChain, "a ReasoningChain")
"""What functions of the chain take as their first argument."""

ONE_QUESTION = Allowed(
    "a ReasoningChain of one question, with logits (H,)",
    lambda chain: isinstance(chain, ReasoningChain) and chain.logits.ndim == 1,
)
