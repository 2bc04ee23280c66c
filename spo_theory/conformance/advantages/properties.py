"""Properties of functions from rewards to advantages."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from spo_theory.conformance.advantages import batches
from spo_theory.conformance.advantages import complaints as judge
from spo_theory.conformance.advantages.batches import Batch
from spo_theory.conformance.advantages.complaints import Setting
from spo_theory.conformance.core import Property


def one(words: str, changed: Callable[..., np.ndarray]) -> Any:
    """A complaint function from `same`."""
    return partial(judge.same, changed=changed, words=words)


def on(*families: Callable[[tuple[int, ...]], Iterable[Batch]]) -> Callable[[Setting], Iterable[Batch]]:
    """Examples from families of batches, at the group sizes of the setting."""

    def examples(setting: Setting) -> Iterable[Batch]:
        """All batches of all families."""
        for family in families:
            yield from family(setting.sizes)

    return examples


def closely(setting: Setting) -> Iterable[Batch]:
    """Nearly equal rewards in the dtype of the setting."""
    return batches.nearly_equal(setting.sizes, setting.dtype)


EVEN = batches.constant((0.0, 0.5, 1.0, -2.0))
VALUES = (0.1, 0.7, 1 / 3, 2.1, -0.3, 0.9525741268)
ODD = batches.constant(VALUES)

PROPERTIES = (
    Property(
        "usable",
        "It answers with one number for every response.",
        "Other properties are judged on its answers.",
        on(batches.binary, batches.graded),
        judge.answers_at_all,
        "interface",
        universal=True,
    ),
    Property(
        "repeatable",
        "The same rewards have the same advantages when they are asked again.",
        "A function with a memory gives advantages that depend on what was trained before.",
        on(batches.graded),
        one("a second call gives something else", judge.again),
        universal=True,
    ),
    Property(
        "finite",
        "Finite rewards have finite advantages.",
        "One NaN advantage makes the whole network NaN.",
        on(batches.binary, EVEN, ODD),
        judge.finite,
        universal=True,
    ),
    Property(
        "equal_rewards_are_silent",
        "A group of equal rewards that every sum represents exactly has advantages 0.",
        "All-wrong and all-right groups must teach nothing.",
        on(EVEN),
        judge.silent,
        universal=True,
    ),
    Property(
        "equal_rewards_are_silent_in_rounding",
        "A group of equal rewards has advantages 0 also if the dtype cannot sum them exactly (0.1, 0.7, 2.1).",
        "A mean off by one rounding is divided by a deviation of one rounding: phantom advantages, all of one sign. "
        "Subtract the smallest reward first, or divide only where the largest and the smallest differ.",
        on(ODD),
        judge.silent,
        "rounding",
        universal=True,
    ),
    Property(
        "equal_rewards_are_silent_among_others",
        "The same in a batch with other groups, where a deviation over the batch, or whitening, blows rounding up.",
        "One all-wrong group would teach because another one does not.",
        on(batches.among_others(VALUES)),
        judge.silent,
        "rounding",
        needs=("convention",),
    ),
    Property(
        "unequal_rewards_speak",
        "A group of unequal rewards has an advantage that is not 0.",
        "Signal is thrown away.",
        on(batches.binary, batches.graded),
        judge.speaks,
        needs=("convention",),
    ),
    Property(
        "sums_to_zero",
        "The advantages of a group sum to 0.",
        "Otherwise the whole group is pushed up or down together.",
        on(batches.binary, batches.graded, batches.signed),
        judge.sums_to_zero,
        needs=("convention",),
    ),
    Property(
        "in_order",
        "A larger reward has no smaller advantage, and equal rewards have equal ones.",
        "Better responses would be pushed down.",
        on(batches.binary, batches.graded, batches.gaussian),
        judge.ordered,
        needs=("convention",),
    ),
    Property(
        "order_of_responses",
        "The order of the responses in a group does not matter.",
        "Sampling order carries no information.",
        on(batches.graded),
        one("another order of responses gives something else", judge.responses_in_another_order),
        needs=("convention",),
    ),
    Property(
        "order_of_groups",
        "The order of the groups does not matter.",
        "Shuffled data would train another model.",
        on(batches.graded),
        one("another order of groups gives something else", judge.groups_in_another_order),
        universal=True,
    ),
    Property(
        "groups_are_independent",
        "The advantages of a group are the same whatever the other groups are.",
        "A deviation or mean over the batch, or a wrong reshape, mixes questions.",
        on(batches.graded, batches.binary),
        one("a group alone has other advantages", judge.groups_alone),
        needs=("convention",),
    ),
    Property(
        "interleaved_rows",
        "Responses of a group need not stand side by side.",
        "verl balances batches by length and shuffles rows.",
        on(batches.graded),
        one("interleaved rows have other advantages", judge.rows_interleaved),
        needs=("uids",),
        universal=True,
    ),
    Property(
        "masked_are_ignored",
        "Responses that do not count have advantage 0 and no influence on the others.",
        "Truncated or unscored responses would teach.",
        on(batches.masked),
        judge.masked_are_ignored,
        needs=("mask",),
        universal=True,
    ),
    Property(
        "ragged_groups",
        "Groups of different sizes have the advantages of the responses that are left.",
        "Dropped responses change G; dividing by the old G is a common mistake.",
        on(batches.masked),
        judge.agrees,
        needs=("mask", "convention"),
    ),
    Property(
        "one_response_left",
        "The only response left of a group has advantage 0.",
        "Its raw reward, or NaN, would be taught as an advantage.",
        on(batches.lonely),
        judge.lonely_is_silent,
        needs=("mask",),
        universal=True,
    ),
    Property(
        "shift",
        "Adding one number to all rewards changes nothing.",
        "A baseline must cancel.",
        on(batches.graded, batches.signed),
        one("a shift of all rewards changes advantages", judge.shifted),
        needs=("convention",),
    ),
    Property(
        "units",
        "Multiplying all rewards by one number changes nothing.",
        "Standardized advantages have no unit.",
        on(batches.graded),
        one("the unit of rewards changes advantages", judge.doubled),
        needs=("convention",),
    ),
    Property(
        "proportional",
        "Advantages are proportional to the rewards.",
        "Advantages without a scale keep the unit of the rewards.",
        on(batches.graded),
        one("advantages are not proportional to rewards", judge.doubled_back),
        needs=("convention",),
    ),
    Property(
        "bounded",
        "No advantage exceeds sqrt(G - 1).",
        "No number of a group of G is further from the mean, in deviations over G.",
        on(batches.binary, batches.graded, batches.tiny),
        judge.bounded,
        needs=("convention",),
    ),
    Property(
        "values_on_0_and_1",
        "Groups of 0/1 rewards have the advantages of the convention, for every number of right ones.",
        "A wrong ddof, epsilon or baseline changes the step size with G and with difficulty.",
        on(batches.binary),
        judge.agrees,
        needs=("convention",),
    ),
    Property(
        "values_on_plus_minus_1",
        "Groups of rewards -1 and 1 have the advantages of the convention.",
        "Negative rewards meet abs, clamp and relu.",
        on(batches.signed),
        judge.agrees,
        needs=("convention",),
    ),
    Property(
        "values_on_graded",
        "Graded rewards have the advantages of the convention.",
        "Formulas that are right for 0/1 rewards alone.",
        on(batches.graded),
        judge.agrees,
        needs=("convention",),
    ),
    Property(
        "values_of_a_reward_model",
        "Normal rewards of any mean and spread have the advantages of the convention.",
        "Clipping of rewards or of deviations.",
        on(batches.gaussian),
        judge.agrees,
        needs=("convention",),
    ),
    Property(
        "values_on_colours",
        "Coloured all-wrong groups have the advantages of the convention.",
        "Colours are small and close to one another.",
        on(batches.colours),
        judge.agrees,
        needs=("convention",),
    ),
    Property(
        "values_on_tiny_differences",
        "Rewards that differ by 1e-10 to 1e-2 have the advantages of the convention.",
        "There the epsilon decides: its size, and whether it is under the root.",
        on(batches.tiny),
        judge.agrees,
        needs=("convention",),
    ),
    Property(
        "large_offset",
        "Rewards far from 0 keep the accuracy that one sum of them allows.",
        "E[x^2] - E[x]^2 cancels; two passes do not.",
        on(batches.offset),
        judge.agrees,
        "rounding",
        needs=("convention",),
    ),
    Property(
        "nearly_equal_rewards",
        "Rewards that differ in their last digits have the advantages of the convention.",
        "The rounding of the mean must not be blown up by a tiny deviation: phantom advantages.",
        closely,
        partial(judge.agrees, stable=True),
        "rounding",
        needs=("convention",),
    ),
)
"""All properties of advantages, in the order in which they are reported."""
