"""Exact expected advantages for any group size (docs/theory/expected-advantages.md)."""

from functools import partial
from typing import Any, Literal

import jax
import numpy as np

from spo_theory.allowed import numbers
from spo_theory.exact.by_class.certified import prepare_certified, relative_change
from spo_theory.exact.by_class.forms import Expectation, Form, evaluate, evaluate_compiled
from spo_theory.exact.by_class.prepare import Engine, check_prepared, prepare
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.validation import check


def advantage_function(
    rewards: Any,
    group_size: int,
    *,
    std_eps: float = 0.0,
    ddof: int = 0,
    scale: Literal["std", "none"] = "std",
    method: Engine = "auto",
) -> Expectation:
    """Prepare `expected_advantages` for fixed rewards ``(K,)``: a function from ``p`` ``(..., K)`` to ``(..., K)``.

    All that does not depend on the class probabilities ``p`` is computed here, once. The function can be jitted,
    vmapped and differentiated. It does not check probabilities: where they do not sum to 1 it is a form of degree
    G - 1 in ``p``, the same by every method. Arguments, errors and warnings as in `expected_advantages`.
    Derived in docs/theory/expected-advantages.md.

    >>> advantage_function([0.0, 1.0], group_size=2)([0.5, 0.5])
    Array([-0.5,  0.5], dtype=float64)
    """
    form = prepare_certified(rewards, group_size, GroupAdvantage(ddof, std_eps, scale), method)
    return partial(evaluate_of, form, np.size(rewards))


def evaluate_of(form: Form, classes: int, p: Any) -> jax.Array:
    """The expectation at ``p`` ``(..., K)`` for ``classes`` K; raises `InputError` for another number of classes."""
    check(np.shape(p)[-1:] == (classes,), "class_probs.shape", np.shape(p), f"(..., {classes})")
    return evaluate(form, p)


def _checked_probabilities(class_probs: Any, classes: int) -> np.ndarray:
    """Probabilities ``(..., K)`` as numbers whose rows sum to 1 up to round-off; raises `InputError` if they do not."""
    p = numbers("class_probs", class_probs, finite=False)
    check(p.ndim >= 1 and p.shape[-1] > 0, "class_probs.shape", p.shape, "(..., K) with K at least 1")
    check(p.shape[-1] == classes, "class_probs.shape[-1]", p.shape[-1], f"{classes}, the number of rewards")
    inside = (p >= 0) & (p <= 1 + 1e-9)
    check(bool(inside.all()), "class_probs", p[~inside][:1].tolist(), "between 0 and 1")
    total = p.sum(-1, keepdims=True)
    off = np.abs(total - 1)
    worst = float(total.ravel()[np.argmax(off)]) if total.size else 1.0
    check(abs(worst - 1) <= 1e-9, "sum of class_probs", worst, "1 (to 1e-9): divide them by their sum")

    # A form of degree G - 1 makes G - 1 times as much of what a sum is off by; round-off is left as it is
    return np.where(off > 4 * classes * np.finfo(float).eps, p / total, p)


def expected_advantages(
    class_probs: Any,
    rewards: Any,
    group_size: int,
    *,
    std_eps: float = 0.0,
    ddof: int = 0,
    scale: Literal["std", "none"] = "std",
    method: Engine = "auto",
) -> jax.Array:
    """Expected advantage of a response given its outcome class, exactly: ``E[A_1 | class of 1 is k]``.

    ``class_probs`` ``(..., K)``: each row a distribution over classes, from which the ``group_size`` G responses
    are drawn independently. ``rewards`` ``(K,)``: the reward of each class. ``std_eps`` (in units of the rewards),
    ``ddof``, ``scale``: as in `spo_theory.parts.baselines.GroupAdvantage`. ``method``: ``enumerate`` sums over all
    group compositions, ``quadrature`` integrates (any G and K), ``auto`` takes the cheaper. Returns ``(..., K)``.

    Raises `InputError` for bad probabilities, rewards or settings; warns with `AccuracyWarning` and an error
    estimate where the quadrature is not certified. Derived in docs/theory/expected-advantages.md.

    >>> expected_advantages([0.5, 0.5], [0.0, 1.0], group_size=2)
    Array([-0.5,  0.5], dtype=float64)
    """
    # Inside a jit there are no numbers yet that could be checked
    r = numbers("rewards", rewards)
    check(r.ndim == 1 and r.size > 0, "rewards.shape", r.shape, "(K,) with K at least 1")
    traced = isinstance(class_probs, jax.core.Tracer)
    p = class_probs if traced else _checked_probabilities(class_probs, r.size)
    # Called with numbers, the function is compiled for padded arrays, which serve the next setting as well
    advantage = GroupAdvantage(ddof, std_eps, scale)
    at = p if not traced and p.size else None
    form = prepare_certified(r, group_size, advantage, method, padded=not traced, at=at)
    return evaluate_of(form, r.size, p) if traced else evaluate_compiled(form, p)


def quadrature_error(class_probs: Any, rewards: Any, group_size: int, *, std_eps: float = 0.0, ddof: int = 0) -> float:
    """Largest change of an expected advantage when the quadrature's spacings are halved, over the largest one.

    An estimate of the relative error at ``class_probs`` ``(..., K)``. Arguments and errors as in
    `expected_advantages`. Derived in docs/theory/expected-advantages.md#accuracy.
    """
    r = numbers("rewards", rewards)
    p = _checked_probabilities(class_probs, r.size)
    check(p.size > 0, "class_probs.shape", p.shape, "at least one row")
    check_prepared(r, group_size, "quadrature")

    advantage = GroupAdvantage(ddof, std_eps)
    coarse = prepare(r, group_size, advantage, "quadrature")
    fine = prepare(r, group_size, advantage, "quadrature", refine=2)
    return relative_change(partial(evaluate, coarse), partial(evaluate, fine), p)
