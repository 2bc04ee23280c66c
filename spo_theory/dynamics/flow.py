"""Gradient flow: the dynamics in the limit of small learning rates, by a library's ODE solver."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from spo_theory.dynamics.maps import apply_kernel, check_kernel, records
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities
from spo_theory.validation import check, problem, refuse

RELATIVE, ABSOLUTE = 1e-10, 1e-12  # error the solver allows itself per step, in logits


@jax.jit
def _velocity(form: UpdateForm, kernel: jax.Array | None, logits: jax.Array) -> jax.Array:
    return apply_kernel(kernel, evaluate_update(form, logits))


def _right_side(chain: ReasoningChain, rule: Method, kernel: Any) -> Callable[[float, np.ndarray], np.ndarray]:
    """The differential equation as scipy wants it: a function of time and flat logits."""
    k = check_kernel(chain, kernel)
    form = prepare_update(chain, rule, padded=True)
    shape = chain.logits.shape
    return lambda _, flat: np.asarray(_velocity(form, k, flat.reshape(shape))).ravel()


def flow(chain: ReasoningChain, rule: Method, duration: float, points: int = 201, kernel: Any = None) -> pd.DataFrame:
    """Follow ``dL/dt = K g(L)`` from ``chain``; time is counted in updates of learning rate 1.

    ``duration``: above 0. ``points``: rows of the answer, equally spaced in time, at least 2. ``kernel``: as in
    `spo_theory.solve`. Integrated by scipy's DOP853 to a relative error of 1e-10 per step. Returns a tidy DataFrame:
    time, success, all_negative, q_1..q_H. Raises `InputError` for bad settings.
    `solve` with a learning rate eta and duration / eta steps tends to this as eta goes to 0.
    Derived in docs/theory/dynamics.md.
    """
    refuse(
        problem(bool(np.isfinite(duration)) and duration > 0, "duration", duration, "a finite number above 0")
        + problem(isinstance(points, int) and points >= 2, "points", points, "a whole number, at least 2")
    )
    times = np.linspace(0.0, duration, points)
    path = solve_ivp(
        _right_side(chain, rule, kernel),
        (0.0, duration),
        chain.logits.ravel(),
        method="DOP853",
        t_eval=times,
        rtol=RELATIVE,
        atol=ABSOLUTE,
    )
    logits = path.y.T.reshape(points, *chain.logits.shape)
    table = records(logits, rule.group_size).drop(columns="step")
    table.insert(0, "time", times)
    return table


def flow_time(
    chain: ReasoningChain, rule: Method, level: float = 0.5, longest: float = 1e9, kernel: Any = None
) -> float:
    """Time until success first reaches ``level``, located by the solver; NaN if not within ``longest``.

    ``level``: of the mean success, in (0, 1). Units and errors as in `flow`. Derived in docs/theory/dynamics.md.
    """
    check(0 < level < 1, "level", level, "strictly between 0 and 1")
    check(longest > 0, "longest", longest, "above 0")
    shape = chain.logits.shape

    def above(_: float, flat: np.ndarray) -> float:
        return float(np.asarray(class_probabilities(flat.reshape(shape)))[..., -1].mean()) - level

    if above(0.0, chain.logits.ravel()) >= 0:
        return 0.0
    above.terminal = True  # type: ignore[attr-defined]
    above.direction = 1.0  # type: ignore[attr-defined]
    path = solve_ivp(
        _right_side(chain, rule, kernel),
        (0.0, longest),
        chain.logits.ravel(),
        method="DOP853",
        events=above,
        rtol=RELATIVE,
        atol=ABSOLUTE,
    )
    reached = path.t_events
    return float(reached[0][0]) if reached is not None and len(reached[0]) else float("nan")
