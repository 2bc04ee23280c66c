"""Statements about the rules as values that can be checked (docs/theory/statements.md)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from spo_theory.theorems import colours, groups, rates
from spo_theory.theorems.statement import Verdict

Status = Literal["proved", "proved up to a horizon", "certified", "observed", "refuted"]


@dataclass(frozen=True)
class Theorem:
    """A statement about the rules. status: how it is known. check: tries it and returns a `Verdict`.

    "proved": proof in docs/theory/statements.md, confirmed by the check. "proved up to a horizon": a polynomial
    identity checked exactly on enough points to prove it. "certified": checked by the exact engine on a grid over its
    whole domain, which the verdict names. "observed": checked at the places the verdict names only. "refuted": the
    check returns a counterexample.
    """

    name: str
    statement: str
    status: Status
    check: Callable[[], Verdict]


THEOREMS = (
    Theorem(
        "grpo_is_silent",
        "GRPO and Dr. GRPO make no update from an all-negative group.",
        "proved",
        groups.grpo_is_silent,
    ),
    Theorem(
        "colouring_speaks",
        "Under colouring an all-negative group is silent if and only if all its responses fail at the same step.",
        "proved",
        groups.colouring_speaks,
    ),
    Theorem(
        "all_negative_scope_keeps_mixed_groups",
        "Colouring with scope all_negative never changes a group that has a correct response.",
        "proved",
        lambda: groups.mixed_groups_keep("all_negative"),
    ),
    Theorem(
        "all_incorrect_scope_keeps_mixed_groups",
        "Colouring with scope all_incorrect never changes a group that has a correct response.",
        "refuted",
        lambda: groups.mixed_groups_keep("all_incorrect"),
    ),
    Theorem(
        "pair_closed_forms",
        "At G = 2 the expected update is Q_H (1 - q_h) under GRPO and Q_{h-1} Q_h (1 - q_h) under any colouring.",
        "proved up to a horizon",
        groups.pair_closed_forms,
    ),
    Theorem(
        "last_step_never_gains",
        "At G = 2 colouring never raises the update of the last step.",
        "proved",
        groups.last_step_never_gains,
    ),
    Theorem(
        "prefix_credit_never_loses",
        "At G = 2, with credit to the correct prefix alone, no step's update is smaller than under GRPO.",
        "proved",
        groups.prefix_credit_never_loses,
    ),
    Theorem(
        "first_order_boundary",
        "Two steps, G = 2: colouring raises success faster than GRPO to first order iff 1 - p > q (1 - q).",
        "proved",
        groups.first_order_boundary,
    ),
    Theorem(
        "always_faster",
        "Two steps, G = 2: colouring raises success at least as fast as GRPO from every start.",
        "refuted",
        groups.always_faster,
    ),
    Theorem(
        "grpo_push_is_bounded",
        "Under GRPO every expected update is at most sqrt(G - 1) P (1 - q_h) / (1 - P).",
        "proved",
        groups.grpo_push_is_bounded,
    ),
    Theorem(
        "useless_judge_is_silent",
        "If miss + false_alarm = 1, colouring adds nothing to GRPO's expected update, whatever the chain and G.",
        "proved",
        colours.useless_judge_is_silent,
    ),
    Theorem(
        "better_than_useless_helps",
        "Where colouring helps with a perfect judge, it helps with an erring one iff miss + false_alarm < 1.",
        "refuted",
        colours.better_than_useless_helps,
    ),
    Theorem(
        "both_succeed",
        "The paper's Theorem 3.3 (i): from (1/2, 1/2), G = 2, success tends to 1 under GRPO and under colouring.",
        "proved",
        rates.both_succeed,
    ),
    Theorem(
        "first_step_ahead",
        "The paper's Theorem 3.3 (ii): from (1/2, 1/2) step 1 is ahead under colouring after every update.",
        "proved",
        rates.first_step_ahead,
    ),
    Theorem(
        "success_ahead",
        "The paper's Theorem 3.3 (iii): from (1/2, 1/2) success is higher under colouring after every update.",
        "certified",
        rates.success_ahead,
    ),
    Theorem(
        "ahead_from_everywhere",
        "Theorem 3.3 (iii) from any start: success is higher under colouring after every update.",
        "refuted",
        rates.ahead_from_everywhere,
    ),
    Theorem(
        "one_early_step_gains",
        "Two steps, G = 2, learning rate 1, p at most 0.7: one coloured update raises success more than one of GRPO.",
        "proved",
        rates.one_early_step_gains,
    ),
    Theorem(
        "boundary_of_any_group",
        "Two steps, scope all_negative: colouring raises success faster than GRPO, to first order, iff "
        "1 - p > q (1 - q), for every G, beta and gamma.",
        "proved",
        colours.boundary_of_any_group,
    ),
    Theorem(
        "boundary_with_all_incorrect",
        "Two steps, scope all_incorrect: the same boundary 1 - p = q (1 - q) holds for every group size.",
        "refuted",
        colours.boundary_with_all_incorrect,
    ),
    Theorem(
        "all_incorrect_slows_the_end",
        "Scope all_incorrect raises log success more slowly than GRPO once success is 0.6 or more, for equal steps.",
        "certified",
        colours.all_incorrect_slows_the_end,
    ),
    Theorem(
        "grpo_escape_is_exponential",
        "The number of updates GRPO needs to half success is exponential in the number of steps.",
        "proved",
        rates.grpo_escape_is_exponential,
    ),
    Theorem(
        "pair_colouring_is_polynomial",
        "At G = 2 the time colouring needs to half success is at most of order H^2.",
        "proved",
        rates.pair_colouring_is_polynomial,
    ),
    Theorem(
        "colouring_is_polynomial",
        "At any G the number of updates colouring needs to half success is polynomial in H, of an exponent below 2.",
        "observed",
        rates.colouring_is_polynomial,
    ),
    Theorem(
        "outcome_rules_stall",
        "Any rule that sees correctness alone and has bounded advantages updates by at most a constant times P: "
        "uniform penalties on all-negative groups keep the exponential stall.",
        "proved",
        rates.outcome_rules_stall,
    ),
    Theorem(
        "options_even_out",
        "With softmax steps the log-odds move 1 + sum rho^2 times as fast, and the wrong options' shares rho even "
        "out while the right one is learnt.",
        "proved",
        rates.options_even_out,
    ),
    Theorem(
        "spread_makes_silent_groups",
        "At the same mean success a spread of difficulty never lowers the share of all-negative groups.",
        "proved",
        rates.spread_makes_silent_groups,
    ),
    Theorem(
        "no_collapse_without_interference",
        "A lone failure, however large the step size, lowers success only through a negative entry of the kernel.",
        "proved",
        rates.no_collapse_without_interference,
    ),
    Theorem(
        "three_steps_have_one_number",
        "Three steps, scope all_negative: beta and gamma matter through one number, the middle colour's place.",
        "proved",
        colours.three_steps_have_one_number,
    ),
    Theorem(
        "monotone_in_gamma",
        "Three steps: raising gamma lowers the updates of steps 1 and 3 and raises that of step 2, or leaves them.",
        "certified",
        colours.monotone_in_gamma,
    ),
    Theorem(
        "monotone_in_beta",
        "Three steps: raising beta lowers the updates of steps 1 and 3 and raises that of step 2, or leaves them.",
        "refuted",
        colours.monotone_in_beta,
    ),
    Theorem(
        "readings_agree",
        "Scope all_negative: both readings of the paper's beta and gamma reach half success within 2 %.",
        "observed",
        lambda: colours.readings_agree("all_negative"),
    ),
    Theorem(
        "readings_agree_in_all_incorrect",
        "Scope all_incorrect: both readings of the paper's beta and gamma reach half success within 2 %.",
        "refuted",
        lambda: colours.readings_agree("all_incorrect"),
    ),
    Theorem(
        "one_best_colouring",
        "One pair (beta, gamma) raises success fastest from every start.",
        "refuted",
        colours.one_best_colouring,
    ),
)
"""All statements, in the order of docs/theory/statements.md."""
