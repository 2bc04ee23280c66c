"""A stylized world: what one response can come to, as classes with probabilities and scores.

The exact engine (`spo_theory.exact.engine`) and the sampler know worlds by this class alone, so a new world needs no
new engine. Kinds of worlds: a chain of steps, steps with several options, several right paths, unequal lengths, a judge
that errs. Derived in docs/theory/step-weights.md.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from spo_theory.allowed import Allowed
from spo_theory.group import Group
from spo_theory.validation import check

jax.config.update("jax_enable_x64", True)  # the theory is stated to 1e-10; float32 cannot hold it


class Model(Protocol):
    """Probabilities of the classes as functions of the logits; hashable, so that compiled code can be kept.

    ``logits``: ``(..., *D)``. ``parameters``: further arrays of the world, such as a judge's confusion matrix.
    """

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., K)`` of each class."""

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., K, S)`` of each step that a response of each class takes; 0 for steps not taken."""

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., K, S, *D)`` of `step_log_probs` in the logits."""

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., *D)`` over classes and steps of ``weights`` ``(..., K, S)`` times `step_scores`."""


def scores_by_differentiation(model: Model, logits: Any, parameters: Any, axes: int) -> jax.Array:
    """`Model.step_scores` ``(..., K, S, *D)`` by forward-mode differentiation of `Model.step_log_probs`.

    ``axes``: number of axes of the logits of one question; those in front of them are batch axes.
    """

    def of_one(x: jax.Array) -> jax.Array:
        return jax.jacfwd(lambda inner: model.step_log_probs(inner, parameters))(x)

    for _ in range(jnp.ndim(logits) - axes):
        of_one = jax.vmap(of_one)
    return of_one(jnp.asarray(logits, float))


def along_differentiation(model: Model, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
    """`Model.along_scores` ``(..., *D)`` by reverse-mode differentiation of the weighted log-probabilities.

    ``weights`` ``(..., K, S)``. One pass for all of them, and no table of scores has to be held.
    """
    return jax.grad(lambda x: jnp.sum(weights * model.step_log_probs(x, parameters)))(jnp.asarray(logits, float))


@dataclass(frozen=True, eq=False)
class World:
    """K classes of responses to a question of at most S steps, with logits of any shape ``D``.

    model: probabilities and scores. logits: ``(*D)`` for one question, ``(N, *D)`` for N. axes: number of axes of D.
    correct: boolean ``(K,)``. first_error: ``(K,)``, right steps before the first wrong one, as the judge says.
    lengths: ``(K, S)``, of each step, 0 where a class has none. true_lengths: ``(S,)``, of the right response.
    parameters: further arrays, see `Model`. true_first_error: ``(K,)``, right steps in truth, None if the judge says
    the truth. one_path: whether all right responses take the same steps, so that the first of them can be given.
    Raises `InputError` where the arrays do not have one entry per class.
    Source: docs/theory/step-weights.md#contract.
    """

    model: Model
    logits: np.ndarray
    axes: int
    correct: np.ndarray
    first_error: np.ndarray
    lengths: np.ndarray
    true_lengths: np.ndarray
    parameters: Any = ()
    true_first_error: np.ndarray | None = None
    one_path: bool = True

    def __post_init__(self) -> None:
        classes = len(self.correct)
        shapes = (self.first_error.shape, self.lengths.shape[:1])
        check(shapes == ((classes,), (classes,)), "first_error, lengths", shapes, f"of {classes} classes")

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return len(self.correct)

    @property
    def right_steps(self) -> np.ndarray:
        """Right steps before the first wrong one, in truth ``(K,)``."""
        return self.first_error if self.true_first_error is None else self.true_first_error

    @property
    def class_probs(self) -> np.ndarray:
        """Probability of each class ``(..., K)``."""
        return np.asarray(self.model.probs(self.logits, self.parameters))

    @property
    def success(self) -> np.ndarray:
        """Probability that a response is correct, shape ``(...)``."""
        return self.class_probs[..., self.correct].sum(-1)

    def group(self, classes: Any, log_prob: Any = None, learnt: Any = None, taught: Any = None) -> Group:
        """The judged group of responses of the given ``classes`` ``(..., G)``; other arguments: see `Group`.

        The group holds jax arrays if ``log_prob`` or ``classes`` is one, and numpy arrays otherwise.
        """
        xp = jnp if isinstance(log_prob, jax.Array) or isinstance(classes, jax.Array) else np
        lengths = xp.asarray(self.lengths)[classes]
        return Group(
            xp.asarray(self.correct)[classes],
            xp.asarray(self.first_error)[classes],
            lengths,
            true_lengths=xp.broadcast_to(xp.asarray(self.true_lengths), lengths.shape),
            log_prob=log_prob,
            learnt=learnt,
            taught=taught,
        )


def as_world(world: Any) -> World:
    """``world`` itself, or the one that it describes (a `ReasoningChain` has ``world()``).

    Functions of the engine call it first, so that a caller can hand them either. Raises `InputError` for anything else.
    """
    WORLD.check("world", world)
    return world if isinstance(world, World) else world.world()


WORLD = Allowed("a World or a ReasoningChain", lambda world: isinstance(world, World) or callable(world.world))
