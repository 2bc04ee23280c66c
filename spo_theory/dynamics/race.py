"""How many updates a method takes to a level of success, and what they cost (docs/theory/remedies.md#race)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from spo_theory.exact.costs import COSTS, CostForm, evaluate_costs, prepare_costs
from spo_theory.exact.update import UpdateForm, evaluate_update, prepare_update
from spo_theory.method import Method
from spo_theory.needs import needs_of
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import confusion, judged_world
from spo_theory.outcomes.world import World
from spo_theory.validation import check, problem, refuse

RISE = 0.1
"""Most by which log success may change in one leap over many updates."""

MOVE = 0.1
"""Most by which a logit may change in one leap."""

FEWEST = 8
"""A leap takes at least so many updates; shorter ones are made one by one, exactly."""


def race(
    starts: ReasoningChain,
    method: Method,
    learning_rate: float = 1.0,
    level: float = 0.5,
    longest: float = 1e15,
    miss: float = 0.0,
    false_alarm: float = 0.0,
    iterations: int = 6000,
) -> pd.DataFrame:
    """Updates until the success of each question first reaches ``level``, and what they cost until then.

    ``starts``: N questions, each with logits of its own. Exact expected updates one by one where they are large, and
    leaps by the midpoint rule over many updates where they are small, so that stalls of any length can be followed:
    together within about a hundredth of the number of updates. ``miss``, ``false_alarm``: of the judge that colouring
    methods hear, see `spo_theory.outcomes.judged.confusion`. ``longest``: updates after which the search ends;
    ``iterations``: leaps and single updates after which it ends.

    Returns one row per question: step_success_1 (of the first step at the start), updates, then the sums of `COSTS`,
    per question; NaN where the level is not reached. Raises `InputError` for bad settings and `NoExactForm` where only
    the Monte Carlo remains. Derived in docs/theory/remedies.md#race.

    Example:
        >>> from spo_theory import rule
        >>> starts = ReasoningChain(step_success=[[0.3] * 8])
        >>> race(starts, rule("grpo", group_size=8)).round(0)[["updates", "rollouts"]].to_numpy().tolist()
        [[1727.0, 13815.0]]
    """
    positive = bool(np.isfinite(learning_rate)) and learning_rate > 0
    refuse(
        problem(positive, "learning_rate", learning_rate, "above 0")
        + problem(0 < level < 1, "level", level, "strictly between 0 and 1")
        + problem(longest > 0, "longest", longest, "above 0")
    )
    check(method.sampler.inner_updates == 1, "inner_updates", method.sampler.inner_updates, "1 in a race")

    world = heard_world(starts, method, miss, false_alarm)
    form = prepare_update(world, method, padded=True)
    costs = prepare_costs(world, method)
    begin = np.atleast_2d(starts.logits)
    settings = (float(learning_rate), float(level), float(longest))
    updates, spent = _race(form, costs, begin, *settings, iterations=iterations)

    table = {"step_success_1": np.atleast_2d(starts.step_success)[:, 0], "updates": np.asarray(updates)}
    return pd.DataFrame(table | dict(zip(COSTS, np.asarray(spent).T, strict=True)))


def heard_world(starts: ReasoningChain, method: Method, miss: float = 0.0, false_alarm: float = 0.0) -> World:
    """The world in which `race` runs ``method``: with the judge that errs only if the method hears it.

    A judge changes nothing for a method that does not hear it, and a world with it has many more outcome classes.
    Arguments as of `race`; raises `InputError` for rates that no judge can have.

    Example:
        >>> from spo_theory import rule
        >>> starts = ReasoningChain(step_success=[[0.3] * 4])
        >>> [heard_world(starts, rule(name, group_size=4), 0.1, 0.05).classes for name in ("grpo", "spo")]
        [5, 21]
    """
    judge = confusion(starts.horizon, miss, false_alarm)
    if (miss or false_alarm) and needs_of(method, starts.horizon).judged.any():
        return judged_world(starts, judge)
    return starts.world()


@partial(jax.jit, static_argnames=("iterations",))
def _race(
    form: UpdateForm,
    costs: CostForm,
    start: jax.Array,
    learning_rate: jax.Array,
    level: jax.Array,
    longest: jax.Array,
    *,
    iterations: int,
) -> tuple[jax.Array, jax.Array]:
    """Updates ``(N,)`` and costs ``(N, 5)`` until ``level``, from logits ``(N, H)``; NaN where it is not reached."""

    def log_success(logits: jax.Array) -> jax.Array:
        return jax.nn.log_sigmoid(logits).sum(-1)

    def going(state: tuple) -> jax.Array:
        _, updates, _, done, count = state
        return (count < iterations) & jnp.any(~done & (updates < longest))

    def step(state: tuple) -> tuple:
        logits, updates, spent, done, count = state

        def stage(number: int, found: tuple) -> tuple:
            """First how many updates to take at once, and the middle of the way; then the slope there."""
            point, many, _ = found
            g = learning_rate * evaluate_update(form, point)
            rise = jnp.abs(jnp.sum(jax.nn.sigmoid(-logits) * g, -1))
            few = jnp.minimum(RISE / rise, MOVE / jnp.abs(g).max(-1))
            few = jnp.where(few >= FEWEST, jnp.floor(jnp.minimum(few, longest)), 1.0)
            middle = jnp.where((few > 1)[:, None], logits + few[:, None] / 2 * g, logits)
            return jnp.where(number == 0, middle, point), jnp.where(number == 0, few, many), g

        # The midpoint rule for leaps; a single update is taken as it is, its middle is where it begins. One loop for
        # both stages, so that the update is compiled once
        middle, many, slope = jax.lax.fori_loop(0, 2, stage, (logits, updates, logits))
        moved = logits + many[:, None] * slope
        now = log_success(logits)

        # The level is passed within this leap or update: only the share up to there counts
        after = log_success(moved)
        passed = after >= jnp.log(level)
        share = jnp.where(passed, (jnp.log(level) - now) / jnp.where(passed, after - now, 1.0), 1.0)
        taken = jnp.where(done, 0.0, many * jnp.clip(share, 0.0, 1.0))
        paid = taken[:, None] * evaluate_costs(costs, middle)
        spent = spent + jnp.where(done[:, None], 0.0, paid)
        return jnp.where(done[:, None], logits, moved), updates + taken, spent, done | passed, count + 1

    done = log_success(start) >= jnp.log(level)
    zero = jnp.zeros(len(start))
    first = (start, zero, jnp.zeros((len(start), len(COSTS))), done, jnp.int32(0))
    _, updates, spent, done, _ = jax.lax.while_loop(going, step, first)
    return jnp.where(done, updates, jnp.nan), jnp.where(done[:, None], spent, jnp.nan)


def updates_in_world(
    world: World, method: Method, learning_rate: float = 1.0, level: float = 0.5, longest: int = 20_000
) -> float:
    """Exact updates until the success of a question in any world first reaches ``level``, linear between updates.

    ``world``: of one question, every logit a parameter of its own. NaN if ``longest`` updates do not suffice. Raises
    `NoExactForm` where only the Monte Carlo remains. Derived in docs/theory/remedies.md#recovery.

    Example:
        >>> from spo_theory import rule
        >>> from spo_theory.outcomes.recovering import recovering_world
        >>> round(updates_in_world(recovering_world([0.3] * 4, 0.05), rule("grpo", group_size=8)), 1)
        13.3
    """
    check(0 < level < 1, "level", level, "strictly between 0 and 1")
    form = prepare_update(world, method)
    correct = np.flatnonzero(world.correct)
    settings = (world.logits, correct, float(learning_rate), float(level), float(longest))
    return float(_single_updates(form, *settings))


@jax.jit
def _single_updates(
    form: UpdateForm, start: jax.Array, correct: jax.Array, rate: jax.Array, level: jax.Array, longest: jax.Array
) -> jax.Array:
    """Updates to ``level`` from logits ``(*D)``, one by one; ``correct``: indices of the correct classes."""

    def success(logits: jax.Array) -> jax.Array:
        return form.model.probs(logits, form.parameters)[correct].sum()

    def step(state: tuple) -> tuple:
        logits, now, _, count = state
        moved = logits + rate * evaluate_update(form, logits)
        return moved, success(moved), now, count + 1

    first = (start, success(start), 0.0, 0.0)
    state = jax.lax.while_loop(lambda s: (s[1] < level) & (s[3] < longest), step, first)
    _, now, before, count = state
    part = jnp.where(count > 0, (level - before) / (now - before) - 1, 0.0)
    return jnp.where(now >= level, count + part, jnp.nan)
