"""Two budgets: group size at a fixed number of rollouts, and the KL penalty that still lets a policy escape."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from spo_theory.exact.moments import group_covariance
from spo_theory.exact.update import evaluate_update, expected_update, prepare_update
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.validation import check, problem, refuse


def signal_per_rollout(chain: ReasoningChain, name: str, sizes: Sequence[int], **options: object) -> pd.DataFrame:
    """Squared signal to noise of the rate of log success, per rollout, for each group size.

    The rate of log success is ``(1 - q)^T g``. A batch of N rollouts holds N / G groups, so its squared signal to noise
    is N times the number given here: the best group size at a fixed number of rollouts has the largest. ``chain``: of
    one question. ``name``, ``options``: of the method. ``sizes``: group sizes, each at least 2. Returns a row per size:
    group_size, signal_to_noise. Raises `InputError` for a chain of several questions. Derived in
    docs/theory/remedies.md#budgets.

    Example:
        >>> chain = ReasoningChain(step_success=[0.3] * 2)
        >>> signal_per_rollout(chain, "grpo", [2, 16]).round(4)["signal_to_noise"].tolist()
        [0.0938, 0.1806]
    """
    check(chain.logits.ndim == 1, "chain", f"{chain.logits.shape} logits", "one question, shape (H,)")
    direction = 1 - chain.step_success
    rows = []
    for size in sizes:
        method = rule(name, group_size=size, **options)
        mean = direction @ expected_update(chain, method)
        variance = direction @ group_covariance(chain, method) @ direction
        rows.append({"group_size": size, "signal_to_noise": mean**2 / variance / size})
    return pd.DataFrame(rows)


def divergence_from(start: jax.Array, logits: jax.Array) -> jax.Array:
    """KL divergence of a chain's policy from another one, nats: ``sum_h Q_{h-1} kl(q_h || q_h^0)``.

    ``start``, ``logits``: of the steps ``(H,)``, of the other policy and of this one. Q: probability of a right prefix.
    Derived in docs/theory/remedies.md#budgets.

    Example:
        >>> float(divergence_from(jnp.zeros(2), jnp.zeros(2)))
        0.0
    """
    right = jax.nn.sigmoid(logits)
    wrong = jax.nn.sigmoid(-logits)
    of_right = jax.nn.log_sigmoid(logits) - jax.nn.log_sigmoid(start)
    of_wrong = jax.nn.log_sigmoid(-logits) - jax.nn.log_sigmoid(-start)
    reached = jnp.concatenate([jnp.ones(1), jnp.cumprod(right)[:-1]])
    return jnp.sum(reached * (right * of_right + wrong * of_wrong))


def largest_kl_coefficient(
    chain: ReasoningChain, method: Method, level: float = 0.5, longest: float = 1e5, digits: int = 4
) -> float:
    """Largest weight of a KL penalty to the start with which the gradient flow still reaches ``level``.

    The flow is ``g - beta grad KL(policy || start)``; above the answer it comes to rest below the level. ``chain``: of
    one question, its success below ``level``. ``longest``: time of the flow after which it is taken to rest.
    ``digits``: of the answer, by bisection between 0 and 10. Raises `InputError` for bad settings. Derived in
    docs/theory/remedies.md#budgets.

    Example:
        >>> round(largest_kl_coefficient(ReasoningChain(step_success=[0.3] * 2), rule("grpo"), digits=3), 2)
        0.8
    """
    start = float(chain.success) if chain.logits.ndim == 1 else 1.0
    refuse(
        problem(chain.logits.ndim == 1, "chain", f"{chain.logits.shape} logits", "one question, shape (H,)")
        + problem(start < level < 1, "level", level, "above the success at the start, below 1")
        + problem(longest > 0, "longest", longest, "above 0")
    )
    form = prepare_update(chain, method)
    pull = jax.grad(divergence_from, argnums=1)
    speed = jax.jit(lambda logits, beta: evaluate_update(form, logits) - beta * pull(chain.logits, logits))

    def above(_: float, logits: np.ndarray) -> float:
        return float(np.prod(1 / (1 + np.exp(-logits)))) - level

    above.terminal = True  # type: ignore[attr-defined]

    def reaches(beta: float) -> bool:
        """Whether the flow gets to the level; a stiff solver rests cheaply where the flow does."""

        def slope(_: float, logits: np.ndarray) -> np.ndarray:
            return np.asarray(speed(logits, beta))

        path = solve_ivp(slope, (0.0, longest), chain.logits, "LSODA", events=above, rtol=1e-7, atol=1e-9)
        return bool(path.t_events is not None and len(path.t_events[0]))

    low, high = 0.0, 10.0
    while high - low > 10.0**-digits:
        middle = (low + high) / 2
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low
