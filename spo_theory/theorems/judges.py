"""Statements about step judges that err (docs/theory/statements.md#scope-and-colours)."""

from collections.abc import Callable, Iterator
from itertools import product

from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import colouring_gain_function
from spo_theory.theorems.statement import statement

CHAINS = ((0.2, 0.2), (0.9, 0.5), (0.3, 0.5, 0.4), (0.93, 0.67, 0.64), (0.5, 0.4, 0.6, 0.3))


def judged_gain(step_success: tuple[float, ...], group_size: int) -> Callable[[float, float], float]:
    """What colouring (beta = 5) adds to the rate of log success, as a function of (miss, false_alarm).

    ``step_success``: accuracy of each step. The judge misses a wrong step with chance ``miss`` and calls a right one
    wrong with chance ``false_alarm``. Returns gains to first order, per unit of learning rate.
    """
    coloured = rule("spo", group_size=group_size, beta=5.0)
    return colouring_gain_function(ReasoningChain(step_success=step_success), coloured)


@statement(
    "If miss + false_alarm = 1, colouring adds nothing to GRPO's expected update, whatever the chain and G.",
    "proved",
    checked=f"{len(CHAINS)} chains, G = 3 and 8, miss = 0, 0.1, ..., 1; to 1e-13",
)
def useless_judge_is_silent() -> Iterator[str]:
    """Useless judges with which colouring changes the rate of log success by more than round-off."""
    for q, group_size in product(CHAINS, (3, 8)):
        gain_of = judged_gain(q, group_size)
        for tenths in range(11):
            gain = gain_of(tenths / 10, 1 - tenths / 10)
            if abs(gain) > 1e-13:
                yield f"q = {q}, G = {group_size}, miss = {tenths / 10:g}: gain {gain:g}"


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
