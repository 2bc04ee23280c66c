"""Statements about step judges that err (docs/theory/statements.md#scope-and-colours)."""

from collections.abc import Callable, Iterator
from itertools import product

import jax
import numpy as np

from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import colouring_gain_function, confusion, judged_update_function
from spo_theory.theorems.statement import statement

CHAINS = ((0.2, 0.2), (0.9, 0.5), (0.3, 0.5, 0.4), (0.93, 0.67, 0.64), (0.5, 0.4, 0.6, 0.3))

Rates = tuple[float, float]
"""Of a judge: how often it misses a wrong step, and how often it calls a right one wrong."""


def judged_gain(step_success: tuple[float, ...], group_size: int) -> Callable[[float, float], float]:
    """What colouring (beta = 5) adds to the rate of log success, as a function of (miss, false_alarm).

    ``step_success``: accuracy of each step. The judge misses a wrong step with chance ``miss`` and calls a right one
    wrong with chance ``false_alarm``. Returns gains to first order, per unit of learning rate.
    """
    coloured = rule("spo", group_size=group_size, beta=5.0)
    return colouring_gain_function(ReasoningChain(step_success=step_success), coloured)


def added_by_colouring(scope: str, judges: tuple[Rates, ...]) -> Iterator[tuple[Rates, str, float]]:
    """Largest change of an expected update that colouring makes, relative to GRPO's largest update.

    ``scope``: of the colouring (beta = 5). ``judges``: pairs (miss, false_alarm). Yields for G = 3, 8, each of
    `CHAINS` and every judge that judge, where it was, and the change.
    """
    for q, group_size in product(CHAINS, (3, 8)):
        chain = ReasoningChain(step_success=q)
        coloured = rule("spo", group_size=group_size, beta=5.0, scope=scope)
        judged_update = jax.jit(judged_update_function(chain, coloured))
        plain = expected_update(chain, rule("grpo", group_size=group_size))

        for judge in judges:
            judged = np.asarray(judged_update(chain.logits, confusion(chain.horizon, *judge)))
            where = f"q = {q}, G = {group_size}, (miss, false_alarm) = {judge}"
            yield judge, where, float(np.abs(judged - plain).max() / np.abs(plain).max())


@statement(
    "Scope all_negative, two steps or more: colouring by a perfect judge changes GRPO's expected update, and adds "
    "nothing to it if miss + false_alarm = 1, whatever the chain and G.",
    "proved",
    checked=f"{len(CHAINS)} chains, G = 3 and 8, miss = 0, 0.1, ..., 1; every step's update, to 1e-12 of the largest",
)
def useless_judge_is_silent() -> Iterator[str]:
    """Useless judges with which colouring changes an update by more than round-off; a perfect one that changes none."""
    perfect = (0.0, 0.0)
    useless = tuple((tenths / 10, 1 - tenths / 10) for tenths in range(11))
    for judge, where, change in added_by_colouring("all_negative", (perfect, *useless)):
        right = change > 1e-6 if judge == perfect else change <= 1e-12
        if not right:
            yield f"{where}: an update changes by {change:.2g} of the largest"


@statement(
    "Scope all_incorrect: colouring adds nothing to GRPO's expected update if miss + false_alarm = 1.",
    "refuted",
    checked=f"{len(CHAINS)} chains, G = 3 and 8, miss = false_alarm = 1/2",
)
def useless_judge_is_silent_in_all_incorrect() -> Iterator[str]:
    """Useless judges with which colouring changes an update: random colours act in groups with a correct response."""
    for _, where, change in added_by_colouring("all_incorrect", ((0.5, 0.5),)):
        if change > 1e-3:
            yield f"{where}: an update changes by {change:.1%} of the largest"


@statement(
    "Where colouring helps with a perfect judge, it helps with an erring one iff miss + false_alarm < 1.",
    "refuted",
    checked=f"{len(CHAINS)} chains, G = 3, miss and false_alarm in 0.02, 0.34, 0.66, 0.98",
)
def better_than_useless_helps() -> Iterator[str]:
    """Erring judges that hurt though they are better than useless, or help though they are worse."""
    rates = (0.02, 0.34, 0.66, 0.98)
    for q in CHAINS:
        gain_of = judged_gain(q, 3)
        perfect = gain_of(0.0, 0.0)
        for miss, alarm in product(rates, rates):
            gain = gain_of(miss, alarm)
            useless = abs(miss + alarm - 1) <= 0.01
            if perfect > 0 and not useless and (gain > 0) != (miss + alarm < 1):
                errors = f"miss = {miss:g}, false_alarm = {alarm:g}"
                yield f"q = {q}, G = 3, {errors}: gain {gain:.2g}, perfect {perfect:.2g}"
