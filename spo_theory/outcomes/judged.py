"""Step judges that err, as confusion matrices over outcome classes (docs/theory/judges.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.optimize import brentq

from spo_theory.allowed import SHARE, checked, numbers
from spo_theory.exact.compositions import compositions, log_multinomial
from spo_theory.exact.update import check_logits, evaluate_update, expected_update, prepare_update
from spo_theory.limits import check_memory, count
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import CHAIN, ONE_QUESTION, ReasoningChain
from spo_theory.outcomes.world import Model, World, as_world
from spo_theory.parts.rewards import Outcome
from spo_theory.validation import check

GRID_OFFSET = 0.4142
"""Where in its interval a grid point of false-alarm rates lies. No miss rate with few digits meets the line
miss + false_alarm = 1 on such a grid; there the gain is 0 and rounding would decide its sign."""


BESIDE = 1e-6
"""How far from the line of useless judges, in false alarms, the gain has a sign that rounding does not decide."""

NOTHING = 1e-14
"""A gain below this is round-off."""


@checked(horizon=count(), miss=SHARE, false_alarm=SHARE)
def confusion(horizon: int, miss: float = 0.0, false_alarm: float = 0.0) -> np.ndarray:
    """Probability ``(H, H + 1)`` that an incorrect response of class k is judged to fail first after j steps.

    The judge reads the ``horizon`` H steps in order and stops at the first one it calls wrong. ``miss``: probability
    that it passes a wrong step. ``false_alarm``: probability that it calls a right step wrong. Both lie in [0, 1]
    and are independent between steps. Every step after the first error is wrong too. Column H: no step was called
    wrong, so the response earns the colour of RTS 1 (its outcome still shows that it is incorrect).
    Raises `InputError` for a horizon below 1 or rates outside [0, 1]. Derived in docs/theory/judges.md.

    >>> confusion(2, miss=0.5).tolist()
    [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]
    """
    check_memory("horizon", horizon, 3 * 8.0 * horizon**2)

    # Steps before the first error can be flagged by a false alarm alone, the others unless they are missed
    steps = np.arange(horizon)
    flagged = np.where(steps[None, :] < steps[:, None], false_alarm, 1 - miss)  # [class k, step j]

    # The judge stops at step j only if it has passed all steps before j
    passed = np.concatenate([np.ones((horizon, 1)), np.cumprod(1 - flagged, axis=1)], axis=1)
    return passed * np.concatenate([flagged, np.ones((horizon, 1))], axis=1)


def voted(confusion_matrix: Any, votes: int) -> np.ndarray:
    """Confusion matrix ``(H, H + 1)`` of the majority of several independent judgements of each response.

    ``confusion_matrix`` ``(H, H + 1)``: of one judgement, see `confusion`. ``votes``: their number, at least 1. The
    first error that is named most often counts, the earliest of those named equally often. Raises `InputError` for
    fewer votes. Source: the paper, Table 4; derived in docs/theory/judges.md#votes.

    >>> voted(confusion(2, miss=0.5), votes=3).round(5).tolist()
    [[0.6875, 0.15625, 0.15625], [0.0, 0.5, 0.5]]
    """
    count().check("votes", votes)
    single = numbers("confusion_matrix", confusion_matrix)

    # How often each step is named; argmax takes the first, which is the earliest step
    named = compositions(votes, single.shape[1])
    winner = named.argmax(1)
    share = np.exp(log_multinomial(named)).astype(float) * np.prod(single[:, None, :] ** named, axis=-1)
    return share @ np.eye(single.shape[1])[winner]


@dataclass(frozen=True)
class JudgedModel:
    """The model of a world whose wrong responses are judged by a judge that errs.

    inner: the model of the world that is judged. truth: for each class, its class in that world. axes: number of axes
    of the logits of one question. ``parameters``: those of that world, and the probability ``(K,)`` of each judgement.
    Source: docs/theory/judges.md.
    """

    inner: Model
    truth: tuple[int, ...]
    axes: int

    def probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Probability ``(..., K)`` of each class."""
        inner, heard = parameters
        return self.inner.probs(logits, inner)[..., np.array(self.truth)] * heard

    def step_log_probs(self, logits: Any, parameters: Any) -> jax.Array:
        """Log-probability ``(..., K, S)`` of the steps really taken."""
        return self.inner.step_log_probs(logits, parameters[0])[..., np.array(self.truth), :]

    def step_scores(self, logits: Any, parameters: Any) -> jax.Array:
        """Gradient ``(..., K, S, *D)`` of the steps really taken."""
        scores = self.inner.step_scores(logits, parameters[0])
        return jnp.take(scores, np.array(self.truth), axis=np.ndim(logits) - self.axes)

    def along_scores(self, logits: Any, parameters: Any, weights: jax.Array) -> jax.Array:
        """Sum ``(..., *D)`` over classes and steps of ``weights`` ``(..., K, S)`` times scores."""
        truth = np.array(self.truth)
        of_truth = jnp.zeros((*weights.shape[:-2], truth.max() + 1, weights.shape[-1]), weights.dtype)
        return self.inner.along_scores(logits, parameters[0], of_truth.at[..., truth, :].add(weights))


def heard_chances(world: World, confusion_matrix: Any) -> jax.Array:
    """Probability ``(K,)`` of the judgement that each class of `judged_world` stands for.

    ``world``: the world that is judged. ``confusion_matrix`` ``(H, H + 1)``: see `confusion`. Correct responses are
    never misjudged: their probability is 1. Source: docs/theory/judges.md.
    """
    matrix = jnp.asarray(confusion_matrix, float)
    wrong = world.first_error[~world.correct]
    return jnp.concatenate([matrix[wrong].ravel(), jnp.ones(int(world.correct.sum()))])


def check_confusion(world: World, matrix: Any) -> None:
    """Raise `InputError` unless ``matrix`` is a confusion matrix ``(H, H + 1)`` for the steps of ``world``.

    The rows must be distributions. In compiled code there is only the shape to look at.
    """
    horizon = world.true_lengths.size
    shape = np.shape(matrix)
    check(shape == (horizon, horizon + 1), "confusion_matrix.shape", shape, str((horizon, horizon + 1)))
    if isinstance(matrix, jax.core.Tracer):
        return
    rows = numbers("confusion_matrix", matrix)
    fair = bool((rows >= 0).all()) and bool((np.abs(rows.sum(1) - 1) <= 1e-9).all())
    check(fair, "confusion_matrix", rows.tolist(), "rows of probabilities that sum to 1")


def judged_world(world: Any, confusion_matrix: Any) -> World:
    """``world`` with the first errors that a judge reports instead of the true ones; outcomes are known exactly.

    ``world``: a `World`, or what has one, such as a `ReasoningChain`. ``confusion_matrix`` ``(H, H + 1)``: see
    `confusion`. Every wrong class becomes H + 1 classes, one for each judgement; correct classes stay as they are and
    come last. Raises `InputError` for a matrix that is no such one. Derived in docs/theory/judges.md.

    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> judged_world(chain, confusion(2, miss=0.5)).class_probs.tolist()
    [0.25, 0.125, 0.125, 0.0, 0.125, 0.125, 0.25]
    """
    # The outcome is known, so only wrong responses can be misjudged
    plain = as_world(world)
    check_confusion(plain, confusion_matrix)
    wrong = np.flatnonzero(~plain.correct)
    right = np.flatnonzero(plain.correct)
    horizon = plain.true_lengths.size

    # The truth decides what a response teaches, the judgement decides how it is rewarded: classes are pairs of both
    truth = np.concatenate([np.repeat(wrong, horizon + 1), right])
    heard = np.concatenate([np.tile(np.arange(horizon + 1), wrong.size), plain.first_error[right]])

    # Lengths are those of the steps really taken: a judge does not change what was written
    return World(
        model=JudgedModel(plain.model, tuple(truth.tolist()), plain.axes),
        logits=plain.logits,
        axes=plain.axes,
        correct=plain.correct[truth],
        first_error=heard,
        lengths=plain.lengths[truth],
        true_lengths=plain.true_lengths,
        parameters=(plain.parameters, heard_chances(plain, confusion_matrix)),
        true_first_error=plain.right_steps[truth],
        one_path=plain.one_path,
    )


def judged_update_function(chain: Any, rule: Method) -> Callable[[Any, Any], jax.Array]:
    """Expected update under an erring judge, as a function of logits ``(..., *D)`` and confusion ``(H, H + 1)``.

    ``chain``: a `ReasoningChain` or a `World`. The function returns ``(..., *D)``, per unit of learning rate, and can
    be jitted. All that depends on neither argument is prepared once. Raises `NoExactForm` where only the Monte Carlo
    remains. Derived in docs/theory/judges.md.
    """
    plain = as_world(chain)
    horizon = plain.true_lengths.size
    form = prepare_update(judged_world(plain, confusion(horizon)), rule)

    def update(logits: Any, judged: Any) -> jax.Array:
        check_logits(plain, logits)
        check_confusion(plain, judged)
        heard = heard_chances(plain, judged)
        return evaluate_update(replace(form, parameters=(plain.parameters, heard)), logits)

    return update


@checked(chain=CHAIN, rule=METHOD, miss=SHARE, false_alarm=SHARE)
def expected_update_judged(
    chain: ReasoningChain, rule: Method, miss: float = 0.0, false_alarm: float = 0.0
) -> np.ndarray:
    """Expected update ``(..., H)`` when the colours come from a judge that errs; outcomes are known exactly.

    ``miss``, ``false_alarm``: as in `confusion`. An incorrect response is rewarded for the step at which the judge
    says it fails, and its advantage acts on the steps it really took. The rule says whether it colours all-negative
    groups or all groups. A perfect judge gives `spo_theory.expected_update`. Per unit of learning rate. Raises
    `InputError` for rates outside [0, 1]. Derived in docs/theory/judges.md.

    >>> from spo_theory import rule
    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> expected_update_judged(chain, rule("spo", group_size=2), miss=0.5).round(4).tolist()
    [0.1875, 0.0938]
    """
    judged = confusion(chain.horizon, miss, false_alarm)
    return np.asarray(judged_update_function(chain, rule)(chain.logits, judged))


@checked(chain=ONE_QUESTION, rule=METHOD)
def colouring_gain_function(chain: ReasoningChain, rule: Method) -> Callable[[float, float], float]:
    """What colouring with an erring judge adds to the rate of log success, as a function of (miss, false_alarm).

    The gain is ``sum_h (1 - q_h) (g_h - g_h of the same rule without colouring)``, per unit of learning rate. Where it
    is above 0, the judged colouring raises success faster than GRPO, to first order. ``chain``: of one question.
    Raises `InputError` for several questions or a rule without colouring. Derived in docs/theory/judges.md.
    """
    check(rule.colouring is not None, "colouring", rule.colouring, "given: the rule must colour")
    update = judged_update_function(chain, rule)
    plain = expected_update(chain, replace(rule, reward=Outcome()))
    miss_step = 1 - chain.step_success
    gain = jax.jit(lambda c: (update(chain.logits, c) - plain) @ miss_step)
    return lambda miss, false_alarm: float(gain(confusion(chain.horizon, miss, false_alarm)))


@checked(chain=ONE_QUESTION, rule=METHOD, points=count(3))
def useful_judges(chain: ReasoningChain, rule: Method, misses: Any, points: int = 81) -> pd.DataFrame:
    """The boundary of the judges with which colouring helps: for every miss rate, the false-alarm rates of no gain.

    They are the zeros of `colouring_gain_function` in (0, 1) at which its sign changes, bracketed on ``points`` equally
    spaced rates and computed to 1e-12. Returns a DataFrame: miss, false_alarm, helps (colouring helps "below" or
    "above" that rate). With scope all_negative the line miss + false_alarm = 1 is always among them, unless colouring
    adds nothing at all; with all_incorrect it need not be.
    Raises `InputError` for ``misses`` outside [0, 1] or fewer than 3 points. Derived in docs/theory/judges.md.

    >>> from spo_theory import rule
    >>> chain = ReasoningChain(step_success=[0.5, 0.5])
    >>> useful_judges(chain, rule("spo", group_size=2), misses=[0.2], points=9).round(4)
       miss  false_alarm  helps
    0   0.2          0.8  below
    """
    # Refusals come before any work
    rates = np.atleast_1d(numbers("misses", misses))
    check(rates.ndim == 1, "misses.shape", rates.shape, "one number or a list of them")
    check(bool(((rates >= 0) & (rates <= 1)).all()), "misses", rates.tolist(), "between 0 and 1")

    # The same grid for every miss rate, moved away from rates at which rounding would decide, see `GRID_OFFSET`
    gain = colouring_gain_function(chain, rule)
    grid = (np.arange(points) + GRID_OFFSET) / points
    line_is_known = rule.colouring is not None and rule.colouring.scope == "all_negative"

    # Boundaries in the order of their false-alarm rates, each with the side on which colouring helps
    rows = []
    for miss in rates:
        at_miss = partial(gain, float(miss))
        found = _with_the_line(at_miss, grid, 1 - float(miss)) if line_is_known else _boundaries(at_miss, grid)
        rows += [
            {"miss": miss, "false_alarm": root, "helps": "below" if helps_below else "above"}
            for root, helps_below in sorted(found)
        ]
    return pd.DataFrame(rows, columns=["miss", "false_alarm", "helps"])


def _boundaries(gain: Callable[[float], float], grid: np.ndarray) -> list[tuple[float, bool]]:
    """Where ``gain`` changes its sign between points of ``grid``, to 1e-12, and whether it is above 0 below that."""
    values = np.array([gain(f) for f in grid])
    changes = np.flatnonzero(values[:-1] * values[1:] < 0)
    return [(float(brentq(gain, grid[i], grid[i + 1], xtol=1e-12)), bool(values[i] > 0)) for i in changes]


def _with_the_line(gain: Callable[[float], float], grid: np.ndarray, useless: float) -> list[tuple[float, bool]]:
    """As `_boundaries`, where ``gain`` is known to be 0 at the false-alarm rate ``useless``."""

    def divided(f: float) -> float:
        """The gain without that zero; beside it, so that rounding does not decide the sign."""
        if abs(useless - f) < BESIDE:
            f = useless - BESIDE if useless > BESIDE else useless + BESIDE
        return gain(f) / (useless - f)

    # Where colouring adds nothing at all, there is no boundary
    if max(abs(gain(float(f))) for f in grid) < NOTHING:
        return []

    # Beyond the line the gain has the other sign than the divided one
    found = [(root, above == (root < useless)) for root, above in _boundaries(divided, grid)]
    return [*found, (useless, divided(useless) > 0)] if 0 < useless < 1 else found
