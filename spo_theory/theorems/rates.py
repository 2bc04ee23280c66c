"""Statements about learning dynamics: times to success, stalls and collapse (docs/theory/statements.md#rates)."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np

from spo_theory.dynamics.escape import collapse_rate, fewest_updates, lone_failure_update, pair_colouring_time
from spo_theory.dynamics.flow import flow_time
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import expected_update, update_function
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.options import option_world
from spo_theory.theorems.statement import statement


@statement(
    "The number of updates GRPO needs to half success is exponential in the number of steps.",
    "proved",
    checked="q = 0.2 and 0.5, G = 2, 8, 64: H = 3 and 6 by the exact map; the bound's growth from H = 24 to 25",
)
def grpo_escape_is_exponential() -> Iterator[str]:
    """Chains that reach half success within the bound; settings where the bound does not grow by 1 / q a step."""
    for q, group_size in product((0.2, 0.5), (2, 8, 64)):
        for horizon in (3, 6):
            # the bound says that so many updates do not suffice; the exact map must agree
            bound = fewest_updates(q**horizon, horizon, group_size)
            path = solve(ReasoningChain(step_success=[q] * horizon), rule("grpo", group_size=group_size), bound)
            if path["success"].iloc[-1] >= 0.5:
                yield f"q = {q}, G = {group_size}, H = {horizon}: within {bound} updates"

        # P falls by q with one step more, so the bound, of order 1 / (H P), grows by H / (H + 1) / q
        growth = fewest_updates(q**25, 25, group_size) / fewest_updates(q**24, 24, group_size)
        if abs(growth * q * 25 / 24 - 1) > 0.01:
            yield f"q = {q}, G = {group_size}: the bound grows by {growth:.3f} a step"


@statement(
    "At G = 2 the time colouring needs to half success is at most of order H^2.",
    "proved",
    checked="q = 0.05, 0.3, 0.6, H = 1 to 24 by the flow; the bound over H^2 from H = 100 to 10,000",
)
def pair_colouring_is_polynomial() -> Iterator[str]:
    """Chains whose flow takes longer than `pair_colouring_time`; a bound that outgrows H^2."""
    for q, horizon in product((0.05, 0.3, 0.6), (1, 2, 3, 6, 12, 24)):
        time = flow_time(ReasoningChain(step_success=[q] * horizon), rule("spo", group_size=2))
        bound = pair_colouring_time(q, horizon)
        if time > bound * (1 + 1e-9):
            yield f"q = {q}, H = {horizon}: {time:.4g} > {bound:.4g}"

    growth = pair_colouring_time(0.3, 10_000) / pair_colouring_time(0.3, 100) / 100**2
    if growth >= 1.01:
        yield f"bound over H^2 grows by {growth:.3f}"


@statement(
    "At any G the number of updates colouring needs to half success is polynomial in H, of an exponent below 2.",
    "observed",
    checked="q = 0.3, beta = 5, gamma = 1/2, G = 8 and 64, H = 4, 8, 16, 32",
)
def colouring_is_polynomial() -> Iterator[str]:
    """Doublings of H that take four times the updates or more."""
    horizons = (4, 8, 16, 32)
    for group_size in (8, 64):
        coloured = rule("spo", group_size=group_size, beta=5.0)
        times = [updates_to(solve(ReasoningChain(step_success=[0.3] * h), coloured, 400)) for h in horizons]
        for horizon, (time, of_twice) in zip(horizons, pairwise(times), strict=False):
            if not np.log2(of_twice / time) < 2:
                yield f"G = {group_size}: {time:.1f} at H = {horizon}, {of_twice:.1f} at twice that"


def largest_outcome_advantages(group_size: int) -> dict[str, float]:
    """Largest size of an advantage in a group, by the rules that see correctness alone.

    ``sqrt(G - 1)`` is that of a lone correct response; NGRPO's group has one response more.
    """
    return {"grpo": np.sqrt(group_size - 1), "ngrpo": np.sqrt(group_size), "sign": 1.0}


@statement(
    "Any rule that sees correctness alone and has bounded advantages updates by at most a constant times P: "
    "uniform penalties on all-negative groups keep the exponential stall.",
    "proved",
    checked="GRPO, NGRPO and sign; G = 2, 8, 32; 200 random chains of 1 to 6 steps",
)
def outcome_rules_stall() -> Iterator[str]:
    """Chains where a step moves by more than ``2 M P (1 - q_h)``, M the largest advantage."""
    rng = np.random.default_rng(0)
    for group_size in (2, 8, 32):
        for (name, largest), horizon in product(largest_outcome_advantages(group_size).items(), range(1, 7)):
            chain = ReasoningChain(step_success=rng.uniform(0.01, 0.99, (34, horizon)))
            bound = 2 * largest * chain.success[:, None] * (1 - chain.step_success)
            update = expected_update(chain, rule(name, group_size=group_size))
            beyond = (np.abs(update) > bound * (1 + 1e-12)).any(1)
            yield from (f"{name}, G = {group_size}, q = {q.tolist()}" for q in chain.step_success[beyond])


@statement(
    "With softmax steps the log-odds move 1 + sum rho^2 times as fast, and the wrong options' shares rho even "
    "out while the right one is learnt.",
    "proved",
    checked="100 random tables of 3 steps and 4 options, GRPO and colouring, G = 4; to 1e-11, "
    "and the shares' direction",
)
def options_even_out() -> Iterator[str]:
    """Rules under which the log-odds move by another factor, or the wrong options' shares grow apart."""
    # option 0 is the right one; rho are the shares of the others among themselves
    logits = np.random.default_rng(0).normal(0, 1.5, (100, 3, 4))
    probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    rho = probability[..., 1:] / probability[..., 1:].sum(-1, keepdims=True)
    chain = ReasoningChain(step_success=probability[..., 0])

    for name in ("grpo", "spo"):
        applied = rule(name, group_size=4)
        update = np.asarray(update_function(option_world(logits), applied)(logits))
        right = update[..., 0]
        wrong = update[..., 1:]
        mean_wrong = (rho * wrong).sum(-1)

        # the log-odds of the right option, to first order, against those of a step with a single logit
        single = expected_update(chain, applied)
        if (np.abs(right - mean_wrong - (1 + (rho**2).sum(-1)) * single) > 1e-11).any():
            yield f"{name}: the log-odds move differently"

        # the concentration sum rho^2 must fall where the right option gains
        concentration = 2 * (rho**2 * (wrong - mean_wrong[..., None])).sum(-1)
        if (concentration * single > 1e-15).any():
            yield f"{name}: wrong options concentrate while the right one is learnt"


@statement(
    "At the same mean success a spread of difficulty never lowers the share of all-negative groups.",
    "proved",
    checked="1,000 random populations of 2 to 20 questions, G = 2, 8, 64",
)
def spread_makes_silent_groups() -> Iterator[str]:
    """Populations with fewer all-negative groups than questions that are all alike (by Jensen there is none)."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        a, b = rng.uniform(0.2, 3, 2)
        success = rng.beta(a, b, size=int(rng.integers(2, 21)))
        for group_size in (2, 8, 64):
            alike = (1 - success.mean()) ** group_size
            if ((1 - success) ** group_size).mean() < alike * (1 - 1e-12):
                yield f"P = {success.tolist()}, G = {group_size}"


def lone_failure_updates(chain: ReasoningChain, applied: Method) -> np.ndarray:
    """Update ``(H, H)`` of a group with one incorrect response, row h: it fails at step h; from the rule itself.

    The same as `spo_theory.dynamics.escape.lone_failure_update`, which is a closed form. One question.
    """
    # row h: the first response is of class h, the others are correct
    horizon = chain.horizon
    classes = np.full((horizon, applied.group_size), horizon)
    classes[:, 0] = np.arange(horizon)
    lengths = np.full(classes.shape, horizon)
    advantages = applied.advantages(classes == horizon, classes, lengths, dtype=np.dtype(float))
    return (advantages[..., None] * chain.scores[classes]).mean(1)


@statement(
    "A lone failure, however large the step size, lowers success only through a negative entry of the kernel.",
    "proved",
    checked="100 random chains of 1 to 6 steps, GRPO, Dr. GRPO and colouring (all_incorrect)",
)
def no_collapse_without_interference() -> Iterator[str]:
    """Chains where the closed form is not the rule's update, lowers a log-odds, or collapses without interference."""
    rng = np.random.default_rng(0)
    rules = (rule("grpo"), rule("dr_grpo"), rule("spo", scope="all_incorrect"))
    for n in range(100):
        horizon = 1 + n % 6
        chain = ReasoningChain(step_success=rng.uniform(0.01, 0.999, horizon))
        for applied in rules:
            where = f"{applied.name}, q = {chain.step_success.tolist()}"
            closed_form = lone_failure_update(chain, applied)
            if (np.abs(lone_failure_updates(chain, applied) - closed_form) > 1e-14).any():
                yield f"{where}: another closed form"
            if (closed_form < 0).any():
                yield f"{where}: a log-odds falls"

            # a kernel without a negative entry: no step's progress can harm another one
            no_interference = np.ones((horizon, horizon))
            _, failing_step = collapse_rate(chain, applied, no_interference, level=float(chain.success) / 2)
            if failing_step != -1:
                yield f"{where}: collapses from a failure at step {failing_step + 1}"
