"""Learning dynamics of the chain under exact expected updates (docs/theory/dynamics.md)."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.allowed import ABOVE_0, FLAG, INNER_SHARE, checked, numbers, one_of, optional
from spo_theory.dynamics.first_passage import first_reach
from spo_theory.dynamics.optimizers import Optimizer, steps_of
from spo_theory.exact.moments import (
    SecondMomentForm,
    evaluate_second_moment,
    prepare_second_moment,
)
from spo_theory.exact.update import UpdateForm, evaluate_update, evaluate_weights, prepare_squares, prepare_update
from spo_theory.limits import check_memory, count, curve_bytes
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import CHAIN, ReasoningChain, class_probabilities
from spo_theory.parts.samplers import HistoryResampling
from spo_theory.validation import check, refuse


def check_run(
    chain: ReasoningChain, steps: int, learning_rate: float, optimizer: str, kernel: Any
) -> np.ndarray | None:
    """Refuse settings of a run that make no sense; return the kernel ``(H, H)`` as an array (or None).

    Raises one `InputError` for ``chain``, ``steps`` (a whole number, at least 0, whose curve fits the memory),
    ``learning_rate`` (finite, above 0) and ``optimizer`` (a name in `spo_theory.dynamics.optimizers.Optimizer`); then
    see `check_kernel`.
    """
    CHAIN.check("chain", chain)
    refuse(
        count(0).problems("steps", steps)
        + ABOVE_0.problems("learning_rate", learning_rate)
        + one_of(Optimizer).problems("optimizer", optimizer)
    )
    check_memory("steps", steps, curve_bytes(chain.horizon, steps, chain.logits.size // chain.horizon))
    return check_kernel(chain, kernel)


def check_kernel(chain: ReasoningChain, kernel: Any) -> np.ndarray | None:
    """Refuse a kernel that is not ``(H, H)`` finite numbers; return it as an array (or None).

    ``chain``: gives H. Raises `InputError` for another shape and for numbers that are not finite.
    """
    if kernel is None:
        return None
    k = numbers("kernel", kernel)
    h = chain.horizon
    check(k.shape == (h, h), "kernel.shape", k.shape, str((h, h)))
    return k


def apply_kernel(kernel: Any, g: jax.Array) -> jax.Array:
    """Change of the logits ``(..., H)`` per unit of learning rate when the update is ``g`` ``(..., H)``.

    ``kernel`` None: every logit is its own parameter, the change is ``g``. ``(H, H)``: all questions share
    their parameters, the change is ``K`` times the mean of ``g`` over questions. Derived in
    docs/theory/dynamics.md#maps.
    """
    if kernel is None:
        return g
    mean = g if g.ndim == 1 else g.mean(0)
    return jnp.broadcast_to(kernel @ mean, g.shape)


@jax.jit
def _probabilities(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Probabilities of the outcome classes ``(..., H + 1)`` and of right steps ``(..., H)``."""
    return class_probabilities(logits), jax.nn.sigmoid(logits)


def records(logits: np.ndarray, group_size: int, grad_norm: np.ndarray | None = None) -> pd.DataFrame:
    """One row per update from logits ``(steps + 1, ..., H)``: success, all_negative, q_1..q_H.

    A population of questions is averaged: ``success`` is the mean over questions of the probability of a
    correct response, ``all_negative`` the mean probability that none of ``group_size`` responses is correct.
    ``grad_norm`` ``(steps + 1,)``: a column of its own if given.
    """
    p, q = (np.asarray(x) for x in _probabilities(logits))
    success = p[..., -1]
    silent = p[..., :-1].sum(-1) ** group_size

    # axes of a population: step, question, H
    if q.ndim == 3:
        success = success.mean(1)
        silent = silent.mean(1)
        q = q.mean(1)

    table = {"step": np.arange(len(q)), "success": success, "all_negative": silent}
    if grad_norm is not None:
        table["grad_norm"] = grad_norm
    return pd.DataFrame(table | {f"q_{h + 1}": q[:, h] for h in range(q.shape[1])})


def runs(logits: np.ndarray, group_size: int) -> pd.DataFrame:
    """`records` of several runs, ``(runs, steps + 1, ..., H)``, one below the other.

    The caller adds the column that tells the runs apart; ``step`` starts again at 0 in each.
    """
    table = records(logits.reshape(-1, *logits.shape[2:]), group_size)
    return table.assign(step=np.tile(np.arange(logits.shape[1]), len(logits)))


@checked(chain=CHAIN, rule=METHOD, questions=optional(count()), reusable=FLAG)
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
    reusable: bool = True,
) -> pd.DataFrame:
    """Follow the exact expected updates of ``rule`` from ``chain``: no sampling, nothing fitted.

    A rule whose sampler uses every batch for several inner updates moves that often in every row.
    ``learning_rate`` multiplies the expected update g. ``kernel``: see `apply_kernel`.
    ``optimizer="momentum"`` is heavy-ball momentum 0.9, which commutes with a kernel.
    ``optimizer="adam"`` acts on parameters. Without ``features`` these are the logits themselves; with
    ``questions`` the gradient has the exact variance of a batch of that many groups, else it is noise-free.
    With ``features`` ``(H, P)``, the gradient of the mean log-odds of every step with respect to P parameters,
    it is the network linearized at the start; ``gradient_variance`` ``(P,)`` is then the variance of a batch
    gradient there, and follows the chain's own noise (`noise_energy`) from its value at the start.

    ``reusable``: compile so that calls with other rewards, group sizes, starts or rates compile nothing; without it the
    first call compiles three times as fast, for a single curve.

    Returns a tidy DataFrame, one row per update: step (0..steps), success, all_negative, grad_norm (length of
    the mean gradient in parameter space), q_1..q_H (probabilities). Raises `InputError` for bad settings.
    Source: paper, Section 3.2, for H = 2, G = 2; derived in docs/theory/dynamics.md#maps.

    Example:
        >>> from spo_theory import ReasoningChain, rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> solve(chain, rule("grpo", group_size=2), steps=3)["success"].round(3).tolist()
        [0.25, 0.282, 0.318, 0.357]
    """
    k = check_run(chain, steps, learning_rate, optimizer, kernel)
    _check_history(chain, rule)

    # Only Adam needs parameters and noise: the others are linear in the gradient, so a kernel and the mean are enough
    if optimizer == "adam":
        check(k is None, "kernel", "given", "None with optimizer='adam': Adam needs features instead")
        j = None if features is None else numbers("features", features)
        wide = j is None or (j.ndim == 2 and len(j) == chain.horizon and j.shape[1] >= 1)
        check(wide, "features.shape", None if j is None else j.shape, f"({chain.horizon}, P)")
        check(gradient_variance is None or j is not None, "gradient_variance", "given", "used with features")
        if gradient_variance is not None and j is not None:
            gradient_variance = numbers("gradient_variance", gradient_variance)
            shape = gradient_variance.shape
            check(shape == j.shape[1:], "gradient_variance.shape", shape, f"{j.shape[1:]}, as many as features")
            check(bool((gradient_variance >= 0).all()), "gradient_variance", gradient_variance.tolist(), "at least 0")
        check(questions is None or j is None, "questions", questions, "None with features: use gradient_variance")
    else:
        j = None
        check(questions is None, "questions", questions, "None unless optimizer='adam': noise does not move the mean")
        check(features is None, "features", "given", "None unless optimizer='adam': use kernel = features @ features.T")
        check(gradient_variance is None, "gradient_variance", "given", "None unless optimizer='adam'")

    # All that depends on the rule and not on the logits is computed once, outside the compiled loop
    inner = rule.sampler.inner_updates
    noisy = questions is not None or gradient_variance is not None
    check(inner == 1 or not noisy, "inner_updates", inner, "1 with sampling noise: its size is known on fresh groups")
    form = prepare_update(chain, rule, padded=reusable, off_policy=inner > 1)
    noise = _prepare_noise(chain, rule, gradient_variance, questions)
    settings: dict[str, Any] = {"optimizer": optimizer, "steps": steps, "inner_updates": inner}
    logits, norms = follow(form, noise, chain.logits, float(learning_rate), k, j, **settings)
    finite = bool(np.isfinite(logits).all())
    check(finite, "learning_rate", learning_rate, "smaller, or the start less extreme: log-odds overflow")
    return records(np.asarray(logits), rule.group_size, np.asarray(norms))


def _check_history(chain: ReasoningChain, rule: Method) -> None:
    """Refuse a rule that leaves solved questions out on several questions: which are left is for `solve_history`."""
    forgets = chain.logits.ndim == 1 or not isinstance(rule.sampler, HistoryResampling)
    check(forgets, "sampler", rule.sampler, "FreshGroups() with several questions; or use dynamics.history")


@partial(jax.jit, static_argnames=("optimizer", "steps", "inner_updates"))
def follow(
    form: UpdateForm,
    noise: "BatchNoise | LinearNoise | None",
    start: jax.Array,
    learning_rate: jax.Array,
    kernel: jax.Array | None,
    features: jax.Array | None,
    *,
    optimizer: Optimizer,
    steps: int,
    inner_updates: int,
) -> tuple[jax.Array, jax.Array]:
    """Logits ``(steps + 1, ..., H)`` and gradient norms ``(steps + 1,)`` at the start of every batch.

    ``start``: logits ``(..., H)``. ``inner_updates``: gradient steps on each batch, with importance ratios.
    """
    transformation = steps_of(optimizer)

    def gradient(g: jax.Array) -> jax.Array:
        """What the optimizer sees: the change of the logits or, with features, the gradient of the parameters."""
        if features is None:
            return apply_kernel(kernel, g)
        return (g if g.ndim == 1 else g.mean(0)) @ features

    def step(state: tuple, _: None) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        """One batch: the first inner update is on-policy, the others have importance ratios."""
        sampled = state[0]
        state, norm = move(sampled, state, None)
        for _again in range(inner_updates - 1):
            state, _norm = move(sampled, state, state[0])
        return state, (sampled, norm)

    def move(sampled: jax.Array, state: tuple, now: jax.Array | None) -> tuple[tuple, jax.Array]:
        """One gradient step on groups of the policy ``sampled`` (``now``: None while it still is that policy)."""
        logits, memory = state
        g = evaluate_update(form, sampled, now)
        seen = gradient(g)

        # the squared length in parameter space is g K g; features are those parameters themselves
        square = g * seen if features is None else seen * seen
        norm = jnp.sqrt(jnp.mean(jnp.sum(jnp.atleast_2d(square), axis=-1)))

        # features map the step of the parameters back to a change of the logits
        variance = 0.0 if noise is None else noise.variance(sampled, g, start)
        change, memory = transformation.update(seen, memory, variance=variance)
        change = change if features is None else features @ change
        return (logits + learning_rate * change, memory), norm

    # the optimizer's memory has the shape of what it sees, which is that of a gradient
    memory = transformation.init(gradient(jnp.zeros_like(start)))
    _, path = jax.lax.scan(step, (start, memory), length=steps + 1)
    return path


@partial(jax.tree_util.register_dataclass, data_fields=["second", "questions"], meta_fields=[])
@dataclass(frozen=True)
class BatchNoise:
    """Sampling noise of batches of ``questions`` groups, on the logits."""

    second: SecondMomentForm
    questions: Any

    def variance(self, logits: jax.Array, update: jax.Array, _: jax.Array) -> jax.Array:
        """Variance ``(..., H)`` of a batch gradient whose mean is ``update`` ``(..., H)``."""
        square = jnp.diagonal(evaluate_second_moment(self.second, logits), axis1=-2, axis2=-1)
        return (square - update**2) / self.questions


@partial(jax.tree_util.register_dataclass, data_fields=["square", "at_start"], meta_fields=[])
@dataclass(frozen=True)
class LinearNoise:
    """Sampling noise on the parameters of a linearized network: ``at_start`` ``(P,)``, then as the chain's own."""

    square: UpdateForm
    at_start: Any

    def variance(self, logits: jax.Array, _: jax.Array, start: jax.Array) -> jax.Array:
        """Variance ``(P,)`` of a batch gradient."""
        return self.at_start / noise_energy(self.square, start) * noise_energy(self.square, logits)


def noise_energy(square: UpdateForm, logits: jax.Array) -> jax.Array:
    """``sum_h E[w_h^2] q_h (1 - q_h)`` at logits ``(..., H)``, the size of the sampling noise.

    The squared gradient of one response is the sum over its H tokens of their squared weights times their squared
    scores, those after the first error included; a token's squared score is ``q (1 - q)`` on average. Averaged over
    questions. ``square``: the form of ``E[w_h^2 | k]``. Derived in docs/theory/dynamics.md.
    """
    p = class_probabilities(logits)
    q = jax.nn.sigmoid(logits)
    square_of_step = jnp.sum(p[..., None] * evaluate_weights(square, logits), axis=-2)
    return jnp.mean(jnp.sum(square_of_step * q * (1 - q), axis=-1))


def _prepare_noise(
    chain: ReasoningChain, rule: Method, at_start: Any, questions: int | None
) -> BatchNoise | LinearNoise | None:
    """The noise that Adam sees: of a batch, of a network's batch, or none."""
    if questions is not None:
        return BatchNoise(prepare_second_moment(chain, rule, padded=True), np.float64(questions))
    if at_start is None:
        return None
    return LinearNoise(prepare_squares(chain, rule, padded=True), np.asarray(at_start, dtype=float))


@checked(chain=CHAIN, rule=METHOD, level=INNER_SHARE)
def escape_map(
    chain: ReasoningChain, rule: Method, steps: int, learning_rate: float = 1.0, level: float = 0.5
) -> np.ndarray:
    """Updates ``(N,)`` until the success of each question first reaches ``level``, linear between updates; or NaN.

    Every question of ``chain`` is an initial condition of its own, with its own logits; exact expected updates, at most
    ``steps`` of them. ``level``: of success, in (0, 1). Raises `InputError` for bad settings. Derived in
    docs/theory/dynamics.md#maps.

    Example:
        >>> from spo_theory import rule
        >>> starts = ReasoningChain(step_success=[[0.5, 0.5], [0.2, 0.2]])
        >>> escape_map(starts, rule("grpo", group_size=2), steps=40).round(2).tolist()
        [6.32, 28.4]
    """
    check_run(chain, steps, learning_rate, "sgd", None)
    inner = rule.sampler.inner_updates
    form = prepare_update(chain, rule, padded=True, off_policy=inner > 1)
    start = np.atleast_2d(chain.logits)
    settings = {"steps": steps, "inner_updates": inner}
    return np.asarray(_first_passage(form, start, float(learning_rate), float(level), **settings))


@partial(jax.jit, static_argnames=("steps", "inner_updates"))
def _first_passage(
    form: UpdateForm,
    start: jax.Array,
    learning_rate: jax.Array,
    level: jax.Array,
    *,
    steps: int,
    inner_updates: int,
) -> jax.Array:
    """Updates ``(N,)`` to ``level`` from ``start`` ``(N, H)``, as in `escape_map`."""

    def step(state: tuple[jax.Array, jax.Array, jax.Array], i: jax.Array) -> tuple[tuple, None]:
        """One update of every question; notes the time of those whose success has just passed the level."""
        logits, last, reached = state
        now = class_probabilities(logits)[..., -1]

        # how long ago the level was passed, as a share of an update; where success fell this is not used
        between = jnp.where(now > last, (now - level) / jnp.where(now > last, now - last, 1.0), 0.0)
        reached = jnp.where(jnp.isnan(reached) & (now >= level), jnp.where(i > 0, i - between, 0.0), reached)
        moved = logits + learning_rate * evaluate_update(form, logits)
        for _again in range(inner_updates - 1):
            moved = moved + learning_rate * evaluate_update(form, logits, moved)
        return (moved, now, reached), None

    # NaN stands for "not yet": only a NaN is ever replaced by a time
    none = jnp.full(len(start), jnp.nan)
    state = (start, jnp.zeros(len(start)), none)
    (_, _, reached), _ = jax.lax.scan(step, state, jnp.arange(steps + 1))
    return reached


def updates_to(curve: pd.DataFrame, level: float = 0.5, column: str = "success") -> float:
    """Updates until ``column`` of a solution first reaches ``level``, linear between rows; NaN if it never does.

    ``curve``: a DataFrame with ``step`` and ``column``, one run, as `solve` returns it. Raises `InputError` if it has
    no such columns.

    Example:
        >>> updates_to(pd.DataFrame({"step": [0, 1, 2], "success": [0.2, 0.4, 0.6]}))
        1.5
    """
    here = getattr(curve, "columns", ())
    check(column in here and "step" in here, "column", column, f"one of {', '.join(map(str, here))}, beside step")
    return first_reach(curve["step"].to_numpy(), curve[column].to_numpy(), level)
