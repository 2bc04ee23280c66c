"""Learning dynamics of the chain under exact expected updates (docs/theory/dynamics.md)."""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.dynamics.first_passage import first_reach
from spo_theory.exact.expected import rule_update_function
from spo_theory.exact.moments import rule_square_function, second_moment_function
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities
from spo_theory.validation import check, problem, refuse

Optimizer = Literal["sgd", "momentum", "adam"]
MOMENTUM = 0.9  # of heavy-ball momentum, the usual value
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8  # Adam's own defaults, arXiv 1412.6980; torch's and optax's too


def check_run(
    chain: ReasoningChain, steps: int, learning_rate: float, optimizer: str, kernel: Any
) -> np.ndarray | None:
    """Refuse settings of a run that make no sense; return the kernel as an array (or None)."""
    refuse(
        problem(isinstance(steps, int) and steps >= 0, "steps", steps, "a whole number, at least 0")
        + problem(bool(np.isfinite(learning_rate)) and learning_rate > 0, "learning_rate", learning_rate, "above 0")
        + problem(optimizer in get_args(Optimizer), "optimizer", optimizer, " or ".join(get_args(Optimizer)))
    )
    return check_kernel(chain, kernel)


def check_kernel(chain: ReasoningChain, kernel: Any) -> np.ndarray | None:
    """Refuse a kernel that is not ``(H, H)`` finite numbers; return it as an array (or None)."""
    if kernel is None:
        return None
    k, h = np.asarray(kernel, dtype=float), chain.horizon
    check(k.shape == (h, h), "kernel.shape", k.shape, str((h, h)))
    check(bool(np.isfinite(k).all()), "kernel", "not finite", "finite numbers")
    return k


def apply_kernel(kernel: Any, g: jax.Array) -> jax.Array:
    """Change of the logits ``(..., H)`` per unit of learning rate when the update is ``g`` ``(..., H)``.

    ``kernel`` None: every logit is its own parameter, the change is ``g``. ``(H, H)``: all questions share
    their parameters, the change is ``K`` times the mean of ``g`` over questions.
    """
    if kernel is None:
        return g
    mean = g if g.ndim == 1 else g.mean(0)
    return jnp.broadcast_to(kernel @ mean, g.shape)


def records(logits: np.ndarray, group_size: int, grad_norm: np.ndarray | None = None) -> pd.DataFrame:
    """One row per update from logits ``(steps + 1, ..., H)``: success, all_negative, q_1..q_H.

    A population of questions is averaged: ``success`` is the mean over questions of the probability of a
    correct response, ``all_negative`` the mean probability that none of ``group_size`` responses is correct.
    """
    p = np.asarray(class_probabilities(logits))
    q = np.asarray(jax.nn.sigmoid(logits))
    success, silent = p[..., -1], p[..., :-1].sum(-1) ** group_size
    if q.ndim == 3:
        success, silent, q = success.mean(1), silent.mean(1), q.mean(1)
    table = {"step": np.arange(len(q)), "success": success, "all_negative": silent}
    if grad_norm is not None:
        table["grad_norm"] = grad_norm
    return pd.DataFrame(table | {f"q_{h + 1}": q[:, h] for h in range(q.shape[1])})


def runs(logits: np.ndarray, group_size: int) -> pd.DataFrame:
    """`records` of several runs, ``(runs, steps + 1, ..., H)``, one below the other."""
    table = records(logits.reshape(-1, *logits.shape[2:]), group_size)
    return table.assign(step=np.tile(np.arange(logits.shape[1]), len(logits)))


def solve(
    chain: ReasoningChain,
    rule: Method,
    steps: int,
    learning_rate: float = 1.0,
    optimizer: Optimizer = "sgd",
    kernel: Any = None,
    features: Any = None,
    gradient_variance: Any = None,
    questions: int | None = None,
) -> pd.DataFrame:
    """Follow the exact expected updates of ``rule`` from ``chain``: no sampling, nothing fitted.

    ``learning_rate`` multiplies the expected update g. ``kernel``: see `apply_kernel`.
    ``optimizer="momentum"`` is heavy-ball momentum 0.9, which commutes with a kernel.
    ``optimizer="adam"`` acts on parameters. Without ``features`` these are the logits themselves; with
    ``questions`` the gradient has the exact variance of a batch of that many groups, else it is noise-free.
    With ``features`` ``(H, P)``, the gradient of the mean log-odds of every step with respect to P parameters,
    it is the network linearized at the start; ``gradient_variance`` ``(P,)`` is then the variance of a batch
    gradient there, and follows the chain's own noise (`noise_energy`) from its value at the start.

    Returns a tidy DataFrame, one row per update: step (0..steps), success, all_negative, grad_norm (length of
    the mean gradient in parameter space), q_1..q_H (probabilities). Raises `InputError` for bad settings.
    Source: paper, Section 3.2, for H = 2, G = 2; derived in docs/theory/dynamics.md.
    """
    k = check_run(chain, steps, learning_rate, optimizer, kernel)
    if optimizer == "adam":
        check(k is None, "kernel", "given", "None with optimizer='adam': Adam needs features instead")
        j = None if features is None else np.asarray(features, dtype=float)
        check(j is None or (j.ndim == 2 and len(j) == chain.horizon), "features", "wrong shape", "of shape (H, P)")
        check(gradient_variance is None or j is not None, "gradient_variance", "given", "used with features")
        whole = isinstance(questions, int) and questions >= 1
        check(questions is None or whole, "questions", questions, "a whole number, at least 1, or None")
        check(questions is None or j is None, "questions", questions, "None with features: use gradient_variance")
        variance = _variance(chain, rule, gradient_variance, questions)
        logits, norms = _adam(chain, rule, steps, learning_rate, j, variance)
    else:
        check(questions is None, "questions", questions, "None unless optimizer='adam': noise does not move the mean")
        check(features is None, "features", "given", "None unless optimizer='adam': use kernel = features @ features.T")
        logits, norms = _sgd(chain, rule, steps, learning_rate, k, MOMENTUM if optimizer == "momentum" else 0.0)
    return records(logits, rule.group_size, norms)


def _sgd(
    chain: ReasoningChain, rule: Method, steps: int, learning_rate: float, kernel: np.ndarray | None, momentum: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logits ``(steps + 1, ..., H)`` and gradient norms ``(steps + 1,)`` of gradient steps with momentum."""
    update = rule_update_function(rule, chain.rts)
    k = None if kernel is None else jnp.asarray(kernel)

    def step(state: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        logits, velocity = state
        g = update(logits)
        change = apply_kernel(k, g)
        norm = jnp.sqrt(jnp.mean(jnp.sum(g * change, axis=-1)))
        velocity = momentum * velocity + change
        return (logits + learning_rate * velocity, velocity), (logits, norm)

    x = jnp.asarray(chain.logits)
    _, (path, norms) = jax.jit(lambda s: jax.lax.scan(step, s, length=steps + 1))((x, jnp.zeros_like(x)))
    return np.asarray(path), np.asarray(norms)


def noise_energy(chain: ReasoningChain, rule: Method) -> Any:
    """Jit-able function from logits to ``E[A^2] sum_h q_h (1 - q_h)``, the size of the sampling noise.

    The squared gradient of one response is its squared advantage times the squared scores of its H tokens,
    those after the first error included; a token's squared score is ``q (1 - q)`` on average. Averaged over
    questions. Derived in docs/theory/dynamics.md.
    """
    square = rule_square_function(rule, chain.rts)

    def energy(logits: jax.Array) -> jax.Array:
        p, q = class_probabilities(logits), jax.nn.sigmoid(logits)
        return jnp.mean(jnp.sum(p * square(p), -1) * jnp.sum(q * (1 - q), -1))

    return energy


def _variance(chain: ReasoningChain, rule: Method, at_start: Any, questions: int | None) -> Any:
    """Jit-able function from logits to the variance of a batch gradient, per parameter."""
    if questions is not None:
        second, update = second_moment_function(rule, chain.rts), rule_update_function(rule, chain.rts)
        return lambda x: (jnp.diagonal(second(x), axis1=-2, axis2=-1) - update(x) ** 2) / questions
    if at_start is None:
        return lambda _: 0.0
    energy = noise_energy(chain, rule)
    per_energy = jnp.asarray(at_start) / energy(jnp.asarray(chain.logits))
    return lambda x: per_energy * energy(x)


def _adam(
    chain: ReasoningChain, rule: Method, steps: int, learning_rate: float, features: np.ndarray | None, variance: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and gradient norms of Adam on the logits, or on the parameters of the linearized network."""
    update = rule_update_function(rule, chain.rts)
    start = jnp.asarray(chain.logits)
    if features is None:
        to_parameters, to_logits = (lambda g: g), (lambda change: change)
    else:
        j = jnp.asarray(features)
        to_parameters, to_logits = (lambda g: (g if g.ndim == 1 else g.mean(0)) @ j), (lambda change: j @ change)

    def step(state: tuple, i: jax.Array) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        logits, m, v = state
        g = to_parameters(update(logits))
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * (g * g + variance(logits))
        m_hat, v_hat = m / (1 - BETA1 ** (i + 1)), v / (1 - BETA2 ** (i + 1))
        change = to_logits(m_hat / (jnp.sqrt(v_hat) + ADAM_EPS))
        norm = jnp.sqrt(jnp.mean(jnp.sum(jnp.atleast_2d(g) ** 2, axis=-1)))
        return (logits + learning_rate * change, m, v), (logits, norm)

    zero = jnp.zeros_like(to_parameters(start))
    _, (path, norms) = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(steps + 1)))((start, zero, zero))
    return np.asarray(path), np.asarray(norms)


def escape_map(
    chain: ReasoningChain, rule: Method, steps: int, learning_rate: float = 1.0, level: float = 0.5
) -> np.ndarray:
    """Updates ``(N,)`` until the success of each question first reaches ``level``, linear between updates; or NaN.

    Every question of ``chain`` is an initial condition of its own, with its own logits; exact expected updates, at most
    ``steps`` of them. Raises `InputError` for bad settings. Derived in docs/theory/dynamics.md.
    """
    check_run(chain, steps, learning_rate, "sgd", None)
    check(0 < level < 1, "level", level, "strictly between 0 and 1")
    update = rule_update_function(rule, chain.rts)
    start = jnp.atleast_2d(jnp.asarray(chain.logits))

    def step(state: tuple[jax.Array, jax.Array, jax.Array], i: jax.Array) -> tuple[tuple, None]:
        logits, last, reached = state
        now = class_probabilities(logits)[..., -1]
        between = jnp.where(now > last, (now - level) / jnp.where(now > last, now - last, 1.0), 0.0)
        reached = jnp.where(jnp.isnan(reached) & (now >= level), jnp.where(i > 0, i - between, 0.0), reached)
        return (logits + learning_rate * update(logits), now, reached), None

    none = jnp.full(len(start), jnp.nan)
    state = (start, jnp.zeros(len(start)), none)
    (_, _, reached), _ = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(steps + 1)))(state)
    return np.asarray(reached)


def updates_to(curve: pd.DataFrame, level: float = 0.5, column: str = "success") -> float:
    """Updates until ``column`` of a solution first reaches ``level``, linear between rows; NaN if it never does."""
    return first_reach(curve["step"].to_numpy(), curve[column].to_numpy(), level)
