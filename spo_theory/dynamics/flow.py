"""Gradient flow: the dynamics in the limit of small learning rates, by a library's ODE solver."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from spo_theory.allowed import ABOVE_0, INNER_SHARE, checked
from spo_theory.dynamics.maps import apply_kernel, check_kernel, records
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.limits import check_memory, count, curve_bytes
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import CHAIN, ReasoningChain, class_probabilities

RELATIVE = 1e-10  # error the solver allows itself per step, relative to the logits
ABSOLUTE = 1e-12  # the same in logits, for logits near 0


@jax.jit
def _velocity(form: UpdateForm, kernel: jax.Array | None, logits: jax.Array) -> jax.Array:
    """Velocity ``(..., H)`` of the logits, per update of learning rate 1."""
    return apply_kernel(kernel, evaluate_update(form, logits))


def _right_side(chain: ReasoningChain, rule: Method, kernel: Any) -> Callable[[float, np.ndarray], np.ndarray]:
    """The differential equation as scipy wants it: a function of time and flat logits."""
    k = check_kernel(chain, kernel)
    form = prepare_update(chain, rule, padded=True)
    shape = chain.logits.shape
    return lambda _, flat: np.asarray(_velocity(form, k, flat.reshape(shape))).ravel()


@checked(chain=CHAIN, rule=METHOD, duration=ABOVE_0, points=count(2))
def flow(chain: ReasoningChain, rule: Method, duration: float, points: int = 201, kernel: Any = None) -> pd.DataFrame:
    """Follow ``dL/dt = K g(L)`` from ``chain``; time is counted in updates of learning rate 1.

    It is the limit of `spo_theory.solve` with learning rate eta and ``duration / eta`` steps as eta goes to 0.
    Integrated by scipy's DOP853 to a relative error of 1e-10 per step.

    ``duration``: above 0. ``points``: rows of the answer, equally spaced in time, at least 2. ``kernel``: as in
    `spo_theory.solve`. Returns a tidy DataFrame: time, success, all_negative, q_1..q_H. Raises `InputError` for bad
    settings. Derived in docs/theory/dynamics.md#gradient-flow.

    Example:
        >>> from spo_theory import ReasoningChain, rule
        >>> chain = ReasoningChain(step_success=[0.5, 0.5])
        >>> flow(chain, rule("grpo", group_size=2), duration=4.0, points=3)["success"].round(3).tolist()
        [0.25, 0.32, 0.403]
    """
    check_memory("points", points, curve_bytes(chain.horizon, points, chain.logits.size // chain.horizon))

    # The solver chooses its own steps; the rows are read off its interpolation
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

    # scipy works on flat logits ``(size, points)``; rows are times here, not numbers of updates
    logits = path.y.T.reshape(points, *chain.logits.shape)
    table = records(logits, rule.group_size).drop(columns="step")
    table.insert(0, "time", times)
    return table


@checked(chain=CHAIN, rule=METHOD, level=INNER_SHARE, longest=ABOVE_0)
def flow_time(
    chain: ReasoningChain, rule: Method, level: float = 0.5, longest: float = 1e9, kernel: Any = None
) -> float:
    """Time until success first reaches ``level``, located by the solver; NaN if not within ``longest``.

    ``level``: of the mean success over questions, in (0, 1). ``longest``: above 0, where the search ends. ``kernel``:
    as in `spo_theory.solve`. Returns a time in updates of learning rate 1, 0 for a chain that starts above the level.
    Raises `InputError` for bad settings. Derived in docs/theory/dynamics.md#gradient-flow.

    Example:
        >>> from spo_theory import ReasoningChain, rule
        >>> round(flow_time(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo", group_size=2)), 3)
        6.23
    """
    shape = chain.logits.shape

    def above(_: float, flat: np.ndarray) -> float:
        """How far the mean success is above the level: the solver looks for where this is 0."""
        return float(np.asarray(class_probabilities(flat.reshape(shape)))[..., -1].mean()) - level

    if above(0.0, chain.logits.ravel()) >= 0:
        return 0.0

    # scipy reads these two attributes: stop at the first event, and count only a rise through the level
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

    # One list of times for each event function: there is one, and its list is empty if the level was never reached
    reached = path.t_events
    return float(reached[0][0]) if reached is not None and len(reached[0]) else float("nan")
