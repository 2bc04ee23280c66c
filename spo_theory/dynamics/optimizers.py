"""Optimizers of the learning dynamics, made of optax's parts; the learning rate multiplies their steps outside."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

Optimizer = Literal["sgd", "momentum", "adam"]
MOMENTUM = 0.9  # of heavy-ball momentum, the usual value
BETA1 = 0.9  # Adam's own defaults, arXiv 1412.6980; torch's and optax's too
BETA2 = 0.999
ADAM_EPS = 1e-8


class AdamState(NamedTuple):
    """Number of steps taken, and the running means of the gradient and of its square."""

    taken: jax.Array
    first: Any
    second: Any


def scale_by_noisy_adam() -> optax.GradientTransformationExtraArgs:
    """`optax.scale_by_adam` for the mean of a noisy gradient: ``variance`` of the noise adds to the squared mean.

    With ``variance`` 0 it is Adam. Source: arXiv 1412.6980, algorithm 1, in expectation over the noise of a step.
    """

    def init(params: Any) -> AdamState:
        """Memory before the first step: all means are 0."""
        zero = jax.tree.map(jnp.zeros_like, params)
        return AdamState(jnp.zeros([], jnp.int32), zero, zero)

    def update(gradient: Any, state: AdamState, params: Any = None, *, variance: Any = 0.0, **_: Any) -> tuple:
        """Step of learning rate 1 and the new memory."""
        count = state.taken + 1

        # running means of the gradient and of its mean square, which is the squared mean plus the variance
        square = jax.tree.map(lambda g: g * g + variance, gradient)
        first = optax.tree.update_moment(gradient, state.first, BETA1, 1)
        second = optax.tree.update_moment(square, state.second, BETA2, 1)

        # both means started from 0 and are still too small: the correction undoes that
        mean = optax.tree.bias_correction(first, BETA1, count)
        size = optax.tree.bias_correction(second, BETA2, count)
        step = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + ADAM_EPS), mean, size)
        return step, AdamState(count, first, second)

    return optax.GradientTransformationExtraArgs(init, update)


def steps_of(optimizer: Optimizer) -> optax.GradientTransformationExtraArgs:
    """The transformation from gradients to steps of learning rate 1, uphill.

    ``optimizer``: ``sgd``, the gradient itself; ``momentum``, heavy-ball with 0.9; ``adam``, with its usual constants.
    Its ``update`` takes ``variance``, the noise of the gradient; only Adam uses it.
    """
    if optimizer == "adam":
        return scale_by_noisy_adam()
    return optax.with_extra_args_support(optax.trace(MOMENTUM) if optimizer == "momentum" else optax.identity())
