"""History resampling on a population of questions, in the mean field (docs/theory/remedies.md#history)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.dynamics.maps import apply_kernel, check_run
from spo_theory.exact.portions import of_whole_questions
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain, class_probabilities
from spo_theory.parts.samplers import HistoryResampling
from spo_theory.validation import check


def solve_history(
    questions: ReasoningChain, rule: Method, epochs: int, learning_rate: float = 1.0, kernel: np.ndarray | None = None
) -> pd.DataFrame:
    """Follow a population of questions under history resampling, one group for each question that is left an epoch.

    ``questions``: N of them, ``(N, H)``. ``rule``: with a `HistoryResampling` sampler, whose ``left_out`` counts
    and whose pool is the population; any other rule asks every question in every epoch. ``learning_rate``: without a
    kernel of each question's own update, with one of the mean over those asked, as in `spo_theory.solve`. The
    chance that a question is left is followed exactly at the mean policy.

    Returns one row per epoch: step, success (mean over questions), asked (expected number of questions), rollouts (sum
    so far), informative (share of the asked groups that hold both kinds of responses). Raises `InputError` for bad
    settings. Derived in docs/theory/remedies.md#history.

    Example:
        >>> from spo_theory import rule
        >>> mixed = ReasoningChain(step_success=[[0.99, 0.99], [0.3, 0.3]])
        >>> solve_history(mixed, rule("history_resampling", group_size=4), epochs=2)["asked"].round(2).tolist()
        [2.0, 1.08, 1.93]
    """
    check(questions.logits.ndim == 2, "questions", f"{questions.logits.shape} logits", "several questions, (N, H)")
    k = check_run(questions, epochs, learning_rate, "sgd", kernel)

    form = prepare_update(questions, of_whole_questions(rule))
    sampler = rule.sampler
    kind = sampler.left_out if isinstance(sampler, HistoryResampling) else "every"
    settings = {"epochs": epochs, "kind": kind}
    size = float(rule.group_size)
    success, left = _follow(form, questions.logits, k, float(learning_rate), size, **settings)

    # What was asked of an epoch has been paid when the next one begins
    success = np.asarray(success)
    left = np.asarray(left)
    mixed = 1 - success**size - (1 - success) ** size
    asked = left.sum(1)
    paid = np.append(0.0, np.cumsum(asked * size)[:-1])
    return pd.DataFrame(
        {
            "step": np.arange(epochs + 1),
            "success": success.mean(1),
            "asked": asked,
            "rollouts": paid,
            "informative": (left * mixed).sum(1) / asked,
        }
    )


@partial(jax.jit, static_argnames=("epochs", "kind"))
def _follow(
    form: UpdateForm,
    start: jax.Array,
    kernel: jax.Array | None,
    learning_rate: jax.Array,
    size: jax.Array,
    *,
    epochs: int,
    kind: str,
) -> tuple[jax.Array, jax.Array]:
    """Success ``(epochs + 1, N)`` and chance ``(epochs + 1, N)`` to be asked of every question."""

    def step(state: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        """One epoch: an update by those that are asked, then who is left out of the next one."""
        logits, left = state
        success = class_probabilities(logits)[..., -1]
        weight = left[:, None]
        if kernel is not None:  # the mean is over those that are asked
            weight = weight * len(left) / left.sum()
        moved = logits + learning_rate * apply_kernel(kernel, weight * evaluate_update(form, logits))

        solved = left * success**size
        following = {"once": 1 - solved, "forever": left - solved, "every": left}[kind]
        return (moved, following), (success, left)

    return jax.lax.scan(step, (start, jnp.ones(len(start))), length=epochs + 1)[1]
