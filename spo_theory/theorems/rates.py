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
    "Untied steps of accuracy at most q < 1, fixed G and learning rate: the number of updates GRPO needs to half "
    "success is exponential in the number of steps.",
    "proved",
    checked="q = 0.2 and 0.5, G = 2, 8, 64: H = 3 and 6 by the exact map; the bound's growth from H = 24 to 25",
)
def grpo_escape_is_exponential() -> Iterator[str]:
    """Chains that reach half success within the bound; settings where the bound does not grow by 1 / q a step."""
    for q, group_size in product((0.2, 0.5), (2, 8, 64)):
        for horizon, longest in ((3, 100), (6, 3000)):
            # the bound says that so many updates do not suffice; the exact map must agree
            bound = fewest_updates(q**horizon, horizon, group_size)
            path = solve(ReasoningChain(step_success=[q] * horizon), rule("grpo", group_size=group_size), longest)
            if not path["success"].iloc[bound] < 0.5:
                yield f"q = {q}, G = {group_size}, H = {horizon}: within {bound} updates"

        # P falls by q with one step more, so the bound, of order 1 / (H P), grows by H / (H + 1) / q
        growth = fewest_updates(q**25, 25, group_size) / fewest_updates(q**24, 24, group_size)
        if not abs(growth * q * 25 / 24 - 1) <= 0.01:
            yield f"q = {q}, G = {group_size}: the bound grows by {growth:.3f} a step"


@statement(
    "Equal untied steps of accuracy q, G = 2, gradient flow: the time colouring needs to half success is at most of "
    "order H^2 + H / q.",
    "proved",
    checked="q = 0.05, 0.3, 0.6, H = 1, 2, 6, 24 by the flow; the bound over H^2 + H / q for H to 10,000 and "
    "q = 1e-6 to 0.6",
)
def pair_colouring_is_polynomial() -> Iterator[str]:
    """Chains whose flow takes longer than `pair_colouring_time`; a bound above ``12 (H^2 + H / q)``."""
    for q, horizon in product((0.05, 0.3, 0.6), (1, 2, 6, 24)):
        time = flow_time(ReasoningChain(step_success=[q] * horizon), rule("spo", group_size=2))
        bound = pair_colouring_time(q, horizon)
        if not time <= bound * (1 + 1e-9):
            yield f"q = {q}, H = {horizon}: {time:.4g} > {bound:.4g}"

    for q, horizon in product((1e-6, 1e-3, 0.05, 0.3, 0.6), (1, 10, 100, 1000, 10_000)):
        share = pair_colouring_time(q, horizon) / (horizon**2 + horizon / q)
        if not share <= 12:
            yield f"q = {q}, H = {horizon}: {share:.3f} times H^2 + H / q"


@statement(
    "From q = 0.3, G = 8 and 64, beta = 5, gamma = 1/2: twice as many steps, up to 32, take colouring less than four "
    "times as many updates to half success.",
    "observed",
    checked="q = 0.3, beta = 5, gamma = 1/2, G = 8 and 64, H = 4, 8, 16, 32, learning rate 1",
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
    "Untied steps: any rule that sees correctness alone and has bounded advantages updates by at most a constant times "
    "P. Uniform penalties on all-negative groups keep the exponential stall.",
    "proved",
    checked="GRPO, NGRPO and sign; G = 2, 8, 32; 200 random chains of 1 to 6 steps",
)
def outcome_rules_stall() -> Iterator[str]:
    """Chains where a step moves by more than ``2 M P (1 - q_h)``, M the largest advantage, or does not move."""
    rng = np.random.default_rng(0)
    for group_size in (2, 8, 32):
        for (name, largest), horizon in product(largest_outcome_advantages(group_size).items(), range(1, 7)):
            chain = ReasoningChain(step_success=rng.uniform(0.01, 0.99, (34, horizon)))
            bound = 2 * largest * chain.success[:, None] * (1 - chain.step_success)
            update = expected_update(chain, rule(name, group_size=group_size))
            within = ((update > 0) & (update <= bound * (1 + 1e-12))).all(1)
            yield from (f"{name}, G = {group_size}, q = {q.tolist()}" for q in chain.step_success[~within])


@statement(
    "With softmax steps the log-odds move at 1 + sum rho^2 times the rate, and the wrong options' shares rho even "
    "out while the right one is learnt (rates of the flow, not of finite steps).",
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
        error = np.abs(right - mean_wrong - (1 + (rho**2).sum(-1)) * single)
        if not (error <= 1e-11).all():
            yield f"{name}: the log-odds move differently"

        # the concentration sum rho^2 must fall where the right option gains
        concentration = 2 * (rho**2 * (wrong - mean_wrong[..., None])).sum(-1)
        if not (concentration * single <= 1e-15).all():
            yield f"{name}: wrong options concentrate while the right one is learnt"


def spread_population(rng: np.random.Generator) -> ReasoningChain:
    """2 to 20 questions of one step, their success drawn from a random beta distribution.

    >>> spread_population(np.random.default_rng(0)).success.size >= 2
    True
    """
    a, b = rng.uniform(0.2, 3, 2)
    success = rng.beta(a, b, size=int(rng.integers(2, 21)))
    return ReasoningChain(step_success=np.clip(success, 1e-12, 1 - 1e-12)[:, None])


@statement(
    "At the same mean success a spread of difficulty raises the share of all-negative groups.",
    "proved",
    checked="300 random populations of 2 to 20 questions, G = 2, 8, 64; at G = 2 by the variance of success, to 1e-12",
)
def spread_makes_silent_groups() -> Iterator[str]:
    """Populations with fewer all-negative groups than questions that are all alike (by Jensen there is none)."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        chain = spread_population(rng)
        for group_size in (2, 8, 64):
            more = chain.all_negative(group_size).mean() - (1 - chain.success.mean()) ** group_size
            right = abs(more - chain.success.var()) <= 1e-12 if group_size == 2 else more > 0
            if not right:
                yield f"P = {chain.success.tolist()}, G = {group_size}"


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
    "Under a rule whose advantages sum to 0 in every group, a lone failure, however large the step size, lowers "
    "success only through a negative entry of the kernel.",
    "proved",
    checked="100 random chains of 1 to 6 steps and kernels without a negative entry, GRPO, Dr. GRPO and colouring "
    "(all_incorrect)",
)
def no_collapse_without_interference() -> Iterator[str]:
    """Chains where the closed form is not the rule's update, lowers a log-odds, or collapses without interference."""
    rng = np.random.default_rng(0)
    rules = (rule("grpo"), rule("dr_grpo"), rule("spo", scope="all_incorrect"))
    for n in range(100):
        horizon = 1 + n % 6
        chain = ReasoningChain(step_success=rng.uniform(0.01, 0.999, horizon))
        kernel = rng.uniform(0, 1, (horizon, horizon))
        for applied in rules:
            where = f"{applied.name}, q = {chain.step_success.tolist()}"
            closed_form = lone_failure_update(chain, applied)
            error = np.abs(lone_failure_updates(chain, applied) - closed_form)
            if not (error <= 1e-14).all():
                yield f"{where}: another closed form"
            if not ((closed_form >= 0).all() and (np.diag(closed_form) > 0).all()):
                yield f"{where}: a log-odds falls, or that of the failed step does not rise"

            # a kernel without a negative entry: no step's progress can harm another one
            _, failing_step = collapse_rate(chain, applied, kernel, level=float(chain.success) / 2)
            if failing_step != -1:
                yield f"{where}: collapses from a failure at step {failing_step + 1}"


@statement(
    "Untied steps: a lone failure, however large the step size, never lowers success, whatever the rule.",
    "refuted",
    checked="NGRPO, G = 8, three steps of accuracy 0.9, a failure at each of them, learning rate 1000",
)
def no_collapse_under_any_rule() -> Iterator[str]:
    """Lone failures after which success is lower: NGRPO's advantages sum to less than 0, so right steps fall too."""
    chain = ReasoningChain(step_success=[0.9] * 3)
    for h, update in enumerate(lone_failure_updates(chain, rule("ngrpo"))):
        after = np.exp(-np.logaddexp(0, -(chain.logits + 1000 * update)).sum())
        if after < chain.success - 1e-9:
            yield f"NGRPO, failure at step {h + 1}: success {chain.success:.3f} to {after:.4f}"
