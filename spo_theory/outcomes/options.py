"""Steps with several options: one right, the wrong ones not equally likely (docs/theory/options.md)."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.allowed import ABOVE_0, checked, numbers
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.limits import check_memory, count, curve_bytes
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.world import World, along_differentiation
from spo_theory.validation import check

SMALLEST = 1e-290
"""Probability below which the shares in it have lost digits."""


@dataclass(frozen=True)
class OptionsModel:
    """H steps that are a softmax over M options each, option 0 right; logits ``(..., H, M)``.

    There is one class for every step and wrong option, of the responses that go wrong there, step by step. The last
    class is right. There are no further ``parameters``; they are ignored. Source: docs/theory/options.md.
    """

    horizon: int
    options: int

    def _taken(self) -> tuple[np.ndarray, np.ndarray]:
        """Option that each class takes at each step ``(K, H)``, and whether it takes the step at all ``(K, H)``."""
        wrong = self.options - 1
        failed_at = np.append(np.repeat(np.arange(self.horizon), wrong), self.horizon)[:, None]
        option = np.append(np.tile(np.arange(1, self.options), self.horizon), 0)[:, None]
        step = np.arange(self.horizon)[None, :]
        return np.where(step == failed_at, option, 0), step <= failed_at

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., K, H)`` of each step of each class."""
        chosen, taken = self._taken()
        of_option = jax.nn.log_softmax(jnp.asarray(logits, float), axis=-1)
        return jnp.where(taken, of_option[..., np.arange(self.horizon)[None, :], chosen], 0.0)

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., K)`` of each class."""
        return jnp.exp(self.step_log_probs(logits, parameters).sum(-1))

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., K, H, H, M)``: a step moves the logits of its own options."""
        chosen, taken = self._taken()
        share = jax.nn.softmax(jnp.asarray(logits, float), axis=-1)
        one_hot = np.eye(self.options)[chosen]
        own_step = jnp.where(taken[..., None], one_hot - share[..., None, :, :], 0.0)
        return own_step[..., None, :] * np.eye(self.horizon)[:, :, None]

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., H, M)`` over classes and steps of ``weights`` times scores, by differentiation."""
        return along_differentiation(self, logits, parameters, weights)


def option_world(logits: Any, step_lengths: Any = None) -> World:
    """The chain of H softmax steps over M options each, of which option 0 is right.

    ``logits``: ``(H, M)`` for one question, ``(N, H, M)`` for N. ``step_lengths`` ``(H,)``: above 0, in any unit
    (default: equal). A judge sees at which step a response goes wrong, not which wrong option it took.
    Returns a `World` of H (M - 1) + 1 classes, the last one correct. Raises `InputError` for wrong shapes and values.
    Derived in docs/theory/options.md.

    >>> option_world([[0.0, 0.0, 0.0]]).class_probs.round(4).tolist()
    [0.3333, 0.3333, 0.3333]
    """
    # A softmax over one option would have nothing to learn
    x = numbers("logits", logits)
    shaped = x.ndim in (2, 3) and x.shape[-2] >= 1 and x.shape[-1] >= 2 and len(x) >= 1
    check(shaped, "logits.shape", x.shape, "(H, M), H at least 1 and M at least 2")
    check_memory("logits.shape", x.shape, 24.0 * (x.shape[-2] * x.shape[-1]) ** 2)
    horizon, options = x.shape[-2:]

    # Lengths only matter relative to each other, for the RTS
    lengths = np.ones(horizon) if step_lengths is None else numbers("step_lengths", step_lengths)
    good = lengths.shape == (horizon,) and bool((lengths > 0).all())
    check(good, "step_lengths", lengths.tolist(), f"{horizon} finite numbers above 0")

    # Wrong options of one step are classes of their own: they differ in what they teach, not in their reward
    first_error = np.append(np.repeat(np.arange(horizon), options - 1), horizon)
    return World(
        model=OptionsModel(horizon, options),
        logits=x,
        axes=2,
        correct=first_error == horizon,
        first_error=first_error,
        lengths=np.tile(lengths, (first_error.size, 1)),
        true_lengths=lengths,
    )


@checked(rule=METHOD, steps=count(0), learning_rate=ABOVE_0)
def solve_options(
    logits: Any, rule: Method, steps: int, learning_rate: float = 1.0, step_lengths: Any = None
) -> pd.DataFrame:
    """Follow the exact expected updates of a chain of softmax steps from ``logits`` ``(H, M)``, option 0 right.

    Every logit is its own parameter and moves by ``learning_rate`` times its expected update, ``steps`` times.
    Returns a DataFrame with a row for each of the steps 0 to ``steps``: step, success, q_1..q_H (probability of the
    right option) and concentration_1..H (sum of squared shares of the wrong options: 1/(M-1) if all are equally
    likely, 1 if there is only one). Raises `InputError` for bad settings. Derived in docs/theory/options.md.

    >>> from spo_theory import rule
    >>> solve_options([[0.0, 1.0, 0.0]], rule("grpo", group_size=2), steps=2).round(4)
       step  success     q_1  concentration_1
    0     0   0.2119  0.2119           0.6068
    1     1   0.2601  0.2601           0.5930
    2     2   0.3231  0.3231           0.5787
    """
    # A path is followed for one question; values of its logits are checked by `option_world`
    x = numbers("logits", logits)
    check(x.ndim == 2, "logits.shape", x.shape, "(H, M), H at least 1 and M at least 2")
    check_memory("steps", steps, curve_bytes(x.size, steps))

    # Padded arrays: another rule or group size on as many steps and options needs no new compilation
    form = prepare_update(option_world(x, step_lengths), rule, padded=True)
    path = _follow(form, x, float(learning_rate), steps=steps)
    finite = bool(np.isfinite(path).all())
    check(finite, "learning_rate", learning_rate, "smaller, or the start less extreme: log-odds overflow")

    # Shares of the wrong options among themselves, whatever the right one has
    option = np.asarray(jax.nn.softmax(path, axis=-1))
    right = option[..., 0]
    wrong = option[..., 1:].sum(-1, keepdims=True)
    among_wrong = np.asarray(jax.nn.softmax(path[..., 1:], axis=-1))  # where all of them have underflowed
    share = np.where(wrong > SMALLEST, option[..., 1:] / np.maximum(wrong, SMALLEST), among_wrong)
    concentration = (share**2).sum(-1)

    # Columns count steps of the response from 1, as the text does
    table = {"step": np.arange(steps + 1), "success": right.prod(1)}
    table |= {f"q_{h + 1}": right[:, h] for h in range(len(x))}
    table |= {f"concentration_{h + 1}": concentration[:, h] for h in range(len(x))}
    return pd.DataFrame(table)


@partial(jax.jit, static_argnames=("steps",))
def _follow(form: UpdateForm, start: jax.Array, learning_rate: jax.Array, *, steps: int) -> jax.Array:
    """Logits ``(steps + 1, H, M)`` of exact expected updates from ``start`` ``(H, M)``."""

    def step(logits: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return logits + learning_rate * evaluate_update(form, logits), logits

    return jax.lax.scan(step, start, length=steps + 1)[1]
