"""Escape from the stall and collapse after success: times, bounds and step sizes
(docs/theory/escape-and-collapse.md)."""

from typing import Any

import numpy as np
from scipy.optimize import brentq

from spo_theory.allowed import ABOVE_0, INNER_SHARE, Allowed, checked
from spo_theory.dynamics.maps import check_kernel
from spo_theory.limits import count
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.chain import ONE_QUESTION, ReasoningChain
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.credit import WholeResponse
from spo_theory.parts.filters import EveryGroup
from spo_theory.published.davis_recht import transform_clock
from spo_theory.validation import check, is_number, problem, refuse

SMALLEST_KICK = 1e-290  # of a log-odds by one group: a learning rate that made it count would overflow
HALF = Allowed("strictly between 0 and 0.5", lambda value: is_number(value) and 0 < value < 0.5)
TINY = 1e-290  # growth of log P in an update, below which round-off would decide the number of updates
LEAP = 1.002  # `fewest_updates` takes many updates at once, in which P grows by less than this factor
LEAP_SPENT = 1e-3  # how much log P grows in a leap: exp(0.001) < 1.002, so the bound taken at its end is one
LAST_LEG = 10_000  # single updates up to the target that are walked one by one; more are counted at once
LEAP_BELOW = 0.45  # from this success on, single updates: a leap must not pass the target 1/2


@checked(chain=ONE_QUESTION, group_size=count(2))
def escape_time(chain: ReasoningChain, group_size: int, kernel: Any = None) -> float:
    """Asymptotic time of GRPO's escape, ``1 / (P sqrt(G - 1) (1 - q)^T K (1 - q))``, as P tends to 0.

    ``chain``: one question. ``group_size``: G, at least 2. ``kernel``: as in `spo_theory.solve` (None: the identity).
    Returns a time in updates of learning rate 1. It holds the q_h at their start: its relative error falls like 1 / H
    for steps of equal accuracy. Raises `InputError` for a chain of several questions, a bad group size, and a kernel
    that does not raise success. Derived in
    docs/theory/escape-and-collapse.md.

    Example:
        >>> round(escape_time(ReasoningChain(step_success=[0.1] * 4), group_size=8))
        1167
    """
    k = check_kernel(chain, kernel)
    miss = 1 - chain.step_success
    push = miss @ miss if k is None else miss @ k @ miss
    check(
        push > 0,
        "kernel",
        None if k is None else k.tolist(),
        "such that (1 - q)^T K (1 - q) is above 0: this one pushes success down",
    )
    return float(1 / (chain.success * np.sqrt(group_size - 1) * push))


@checked(success=HALF, horizon=count(), group_size=count(2), learning_rate=ABOVE_0)
def fewest_updates(success: float, horizon: int, group_size: int, learning_rate: float = 1.0) -> int:
    """A number of GRPO updates that never suffices to go from ``success`` to 1/2, whatever the steps' accuracies.

    Each update of untied logits raises log P by at most ``eta H sqrt(G - 1) P / (1 - P)`` (population std, any eps):
    this iterates that bound.

    ``success``: P at the start, in (0, 1/2). ``horizon``: H, steps, at least 1. ``group_size``: G, at least 2.
    ``learning_rate``: eta, above 0. Returns a number of updates. Raises `InputError` for other values. Proved in
    docs/theory/escape-and-collapse.md.

    Example:
        >>> fewest_updates(success=0.001, horizon=4, group_size=8)
        96
    """
    rate = learning_rate * horizon * np.sqrt(group_size - 1)
    moves = rate * success >= TINY
    check(moves, "learning_rate", learning_rate, f"such that learning_rate H sqrt(G - 1) P is at least {TINY:g}")

    # every update multiplies P by at most exp(rate P / (1 - P)), which grows with P: iterate that bound
    count = 0
    p = success
    while (after := p * np.exp(rate * p / (1 - p))) < 0.5:
        # near the target, where leaps must not be taken, small updates have at most the factor of P = 1/2
        left = np.log(0.5 / p) / rate
        if p >= LEAP_BELOW and left > LAST_LEG:
            return count + int(left)

        # many updates at once, all with the factor of a P they do not pass: one that is LEAP times as large
        top = LEAP * p
        jump = max(1, int(LEAP_SPENT / (rate * top / (1 - top)))) if p < LEAP_BELOW else 1
        if jump > 1:
            after = p * np.exp(jump * rate * top / (1 - top))
        if after >= 0.5:
            break
        count += jump
        p = after
    return count


@checked(step_success=INNER_SHARE, horizon=count())
def pair_colouring_time(step_success: float, horizon: int) -> float:
    """A time in which colouring at G = 2 is sure to reach 1/2 from steps of equal accuracy, of order H^2.

    ``4 H (clock(1 - 1/(2H)) - clock(q))`` with `spo_theory.published.davis_recht.transform_clock` of the mean only,
    in the gradient flow, for any increasing colouring.

    ``step_success``: q, the same for all steps, in (0, 1). ``horizon``: H, at least 1. Returns a time in updates of
    learning rate 1, 0 for steps that are good enough already. Raises `InputError` for other values. Proved in
    docs/theory/escape-and-collapse.md.

    Example:
        >>> round(pair_colouring_time(step_success=0.3, horizon=4), 1)
        229.6
    """
    target = 1 - 1 / (2 * horizon)
    return 4 * horizon * max(float(transform_clock(target, "none") - transform_clock(step_success, "none")), 0.0)


@checked(rule=METHOD, horizon=count())
def lone_failure_advantage(rule: Method, horizon: int) -> np.ndarray:
    """Advantage ``(H,)`` of the only incorrect response of a group, by the step it fails at; steps of equal length.

    Raises `InputError` for what is no rule or horizon.

    Example:
        >>> from spo_theory import rule
        >>> lone_failure_advantage(rule("grpo", group_size=2), horizon=3).tolist()
        [-1.0, -1.0, -1.0]
    """
    # Row h is one group: its first response fails at step h, the others are correct (class H)
    k = np.full((horizon, rule.group_size), horizon)
    k[:, 0] = np.arange(horizon)
    return rule.advantages(k == horizon, k, np.full(k.shape, horizon), dtype=np.dtype(float))[:, 0]


@checked(chain=ONE_QUESTION, rule=METHOD)
def lone_failure_update(chain: ReasoningChain, rule: Method) -> np.ndarray:
    """Update ``(H, H)`` of a group with one incorrect response; row h: it fails at step h.

    Advantages sum to 0, so the steps before the error get nothing, step h gets ``|A| / G`` and a later step j
    ``|A| / G (1 - q_j)``: never negative. Rules whose advantages do not sum to 0 also move the steps that were
    right. Raises `InputError` for a chain of several questions, and for a rule that asks questions in part. Derived
    in docs/theory/escape-and-collapse.md.

    Example:
        >>> from spo_theory import rule
        >>> lone_failure_update(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo", group_size=2)).tolist()
        [[0.5, 0.25], [0.0, 0.5]]
    """
    check(rule.sampler.whole, "rule", rule.name, "one that asks whole questions")
    h = chain.horizon
    sums_to_0 = isinstance(rule.baseline, GroupAdvantage) and rule.objective.by_sign
    if not (sums_to_0 and isinstance(rule.credit, WholeResponse) and isinstance(rule.keep, EveryGroup)):
        return _lone_failures(chain, rule)

    # No difference of large numbers is taken, so that what is 0 is exactly 0
    later = np.triu(np.tile(1 - chain.step_success, (h, 1)), 1) + np.eye(h)
    return np.abs(lone_failure_advantage(rule, h))[:, None] / rule.group_size * later


def _lone_failures(chain: ReasoningChain, rule: Method) -> np.ndarray:
    """As `lone_failure_update`, for any rule: the sum of all weights times scores of each group."""
    k = np.full((chain.horizon, rule.group_size), chain.horizon)
    k[:, 0] = np.arange(chain.horizon)
    world = chain.world()
    log_prob = np.asarray(world.model.step_log_probs(world.logits, world.parameters))[k]
    weights = np.asarray(rule.weights(world.group(k, log_prob)))
    return (weights * chain.scores[k]).sum(1) / rule.group_size


@checked(chain=ONE_QUESTION, rule=METHOD, questions=count(), level=INNER_SHARE)
def collapse_rate(
    chain: ReasoningChain, rule: Method, kernel: Any, questions: int = 1, level: float = 0.5
) -> tuple[float, int]:
    """Learning rate from which one lone failure takes success below ``level``, and the step it fails at (from 0).

    Late in training nearly all groups are all-correct and silent; what acts is a lone failure, and its advantage,
    ``-sqrt(G - 1)``, does not shrink with its rarity. The batch has ``questions`` groups and no other mixed one. With a
    kernel that has no negative entry no log-odds falls: the answer is ``(inf, -1)``, there is no collapse at any
    learning rate. ``kernel``: ``(H, H)``. ``level``: in (0, success of the chain). Raises `InputError` for a bad
    kernel, level or number. Derived in docs/theory/escape-and-collapse.md.

    Example:
        >>> from spo_theory import rule
        >>> interference = [[1.0, -0.5], [-0.5, 1.0]]
        >>> chain = ReasoningChain(step_success=[0.9, 0.9])
        >>> rate, failing_step = collapse_rate(chain, rule("grpo", group_size=8), interference)
        >>> round(rate, 2), failing_step
        (13.27, 1)
    """
    k = check_kernel(chain, kernel)
    refuse(
        problem(k is not None, "kernel", kernel, "(H, H) numbers: untied steps never collapse")
        + problem(0 < level < float(chain.success), "level", level, f"between 0 and the success {chain.success:.3g}")
    )

    # Try a failure at every step and keep the one that needs the smallest learning rate
    found = (float("inf"), -1)
    for h, g in enumerate(lone_failure_update(chain, rule)):
        kick = k @ g / questions

        def above(rate: float, kick: np.ndarray = kick) -> float:
            """Log success after one such batch, less that of the level."""
            # log P is concave along a line: it crosses the level at most once
            return float(-np.logaddexp(0.0, -(chain.logits + rate * kick)).sum() - np.log(level))

        if (kick >= -SMALLEST_KICK).all():
            continue

        # Double the rate until success is below the level, then locate the crossing between 0 and that rate
        high = 1 / np.abs(kick).max()
        while above(high) >= 0:
            high *= 2
        found = min(found, (float(brentq(above, 0.0, high)), h))
    return found
