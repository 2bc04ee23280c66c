"""Properties of losses: values, gradients by autograd, clips, masks, aggregation, KL estimators."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spo_theory.conformance.core import Complaint, Property, answers, texts
from spo_theory.conformance.losses import tokens as examples
from spo_theory.conformance.losses.formula import LossFormula
from spo_theory.conformance.losses.tokens import Tokens

Call = Callable[[Tokens], tuple[float, np.ndarray]]

STEP = 1e-2
"""How far log-probabilities are moved to see the slope of a value, nats; far inside the clips."""


@dataclass(frozen=True)
class LossSetting:
    """What is known of a loss. formula: its convention. rounding: of its dtype, or of differences."""

    formula: LossFormula | None
    convention: str
    rounding: float


def near(got: np.ndarray, wanted: np.ndarray, setting: LossSetting, words: str, size: float = 0.0) -> Complaint | None:
    """A complaint if numbers differ by more than rounding of the largest one, or of ``size``."""
    got, wanted = np.asarray(got, dtype=float), np.asarray(wanted, dtype=float)
    limit = (got.size + 32) * setting.rounding * max(float(np.abs(wanted).max(initial=0.0)), size, 1e-12)
    excess = np.where(np.isfinite(got), np.abs(got - wanted) / limit, np.inf)
    if not (excess > 1).any():
        return None
    return Complaint(words, float(excess.max()), texts(got), texts(wanted))


def value(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether the loss is that of the convention."""
    assert setting.formula is not None
    wanted, gradient = setting.formula(tokens)
    size = float(np.abs(gradient).sum())
    return near(np.array(call(tokens)[0]), np.array(wanted), setting, f"not the value of {setting.convention}", size)


def gradient(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether the gradient is that of the convention."""
    assert setting.formula is not None
    return near(call(tokens)[1], setting.formula(tokens)[1], setting, f"not the gradient of {setting.convention}")


def finite(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether value and gradient are numbers."""
    number, slope = call(tokens)
    if np.isfinite(number) and np.isfinite(slope).all():
        return None
    return Complaint("NaN or infinite", np.inf, f"{number}, gradient {texts(slope)}", "finite")


def of_advantages(call: Call, tokens: Tokens) -> np.ndarray:
    """The part of the gradient that advantages have; a KL term has the rest."""
    return call(tokens)[1] - call(replace(tokens, advantages=np.zeros_like(tokens.advantages)))[1]


def descends(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether going down the gradient makes good tokens likelier."""
    slope = of_advantages(call, tokens)
    wrong = tokens.mask & (slope * tokens.advantages[:, None] > 0)
    if not wrong.any():
        return None
    return Complaint(
        "minimizing it makes good tokens less likely", np.inf, texts(slope), "negative where advantages are positive"
    )


def padding_has_no_gradient(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether tokens that are masked have gradient 0."""
    slope = np.where(tokens.mask, 0.0, call(tokens)[1])
    return near(slope, np.zeros_like(slope), setting, "masked tokens have a gradient", 1e-6)


def padding_does_not_matter(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether what stands in masked places has no influence."""
    junk = {name: np.where(tokens.mask, getattr(tokens, name), -3.0) for name in ("log_prob", "reference")}
    other = replace(tokens, **junk, old=np.where(tokens.mask, tokens.old, -1.0))
    number, slope = call(tokens)
    changed, changed_slope = call(other)
    size = float(np.abs(slope).sum())
    return near(np.array(changed), np.array(number), setting, "masked tokens change the loss", size) or near(
        np.where(tokens.mask, changed_slope, 0.0),
        np.where(tokens.mask, slope, 0.0),
        setting,
        "masked tokens change gradients",
    )


def order_does_not_matter(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether the order of the responses has no influence."""
    turned = Tokens(*(getattr(tokens, name)[::-1] for name in ("log_prob", "old", "advantages", "mask", "reference")))
    slope = call(tokens)[1]
    return near(call(turned)[1][::-1], slope, setting, "the order of responses matters")


def by_differences(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether the gradient is the slope of the value, in the direction that makes good tokens likelier."""
    number, slope = call(tokens)
    direction = np.where(tokens.mask, np.sign(tokens.advantages)[:, None], 0.0)
    ahead = call(replace(tokens, log_prob=tokens.log_prob + STEP * direction))[0]
    behind = call(replace(tokens, log_prob=tokens.log_prob - STEP * direction))[0]
    change = (ahead - behind) / (2 * STEP)
    promised = float((slope * direction).sum())
    limit = 1e-3 * abs(change) + 64 * setting.rounding * max(abs(number), 1.0) / STEP
    if abs(change - promised) <= limit:
        return None
    excess = abs(change - promised) / limit
    return Complaint("the gradient is not the slope of the value", excess, f"{promised:.4g}", f"{change:.4g}")


def proportional(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether twice the advantages give twice the gradient."""
    twice = call(replace(tokens, advantages=2 * tokens.advantages))[1]
    return near(twice, 2 * call(tokens)[1], setting, "not proportional to advantages")


def silent(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether advantages of 0 give the gradient 0."""
    slope = call(replace(tokens, advantages=np.zeros_like(tokens.advantages)))[1]
    return near(slope, np.zeros_like(slope), setting, "a gradient without advantages", 1e-6)


def stopped(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether the gradient is 0."""
    slope = of_advantages(call, tokens)
    return near(slope, np.zeros_like(slope), setting, "a clipped token has a gradient", 1e-6)


def goes_on(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether no gradient is 0 where a token counts."""
    slope = of_advantages(call, tokens)
    if (slope[tokens.mask] != 0).all():
        return None
    return Complaint("a token on the other side of the clip has no gradient", np.inf, texts(slope), "not 0")


def shares(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether long and short responses count as much as in the convention."""
    assert setting.formula is not None
    equal = replace(tokens, advantages=np.ones(len(tokens.advantages)))
    wanted = setting.formula(equal)[1]
    return near(call(equal)[1], wanted, setting, "tokens of long and short responses count differently")


def only_kl(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether what is left without advantages is the KL term of the convention, value and gradient."""
    return value(call, tokens, setting) or gradient(call, tokens, setting)


def nothing_at_the_reference(call: Call, tokens: Tokens, setting: LossSetting) -> Complaint | None:
    """Whether the KL term has no gradient where the policy is the reference."""
    slope = call(replace(tokens, reference=tokens.log_prob))[1]
    return near(slope, np.zeros_like(slope), setting, "a gradient at the reference policy", 1e-6)


def of(*families: Callable[[], Iterable[Tokens]]) -> Callable[[Any], Iterable[Tokens]]:
    """Examples from families of tokens."""

    def all_of_them(setting: LossSetting) -> Iterator[Tokens]:
        """All batches of all families."""
        for family in families:
            yield from family()

    return all_of_them


def at_clip(side: int, advantage: float) -> Callable[[LossSetting], Iterable[Tokens]]:
    """Ratios a little and far beyond the upper (1) or lower (-1) clip, all advantages alike."""

    def batches(setting: LossSetting) -> Iterator[Tokens]:
        """Two batches beyond the clip of the convention."""
        formula = setting.formula or LossFormula()
        edge = np.log(1 + formula.clip_high) if side > 0 else np.log(max(1 - formula.clip_low, 1e-3))
        for beyond in (0.02, 0.7):
            yield examples.at_ratio(float(edge + side * beyond), advantage)

    return batches


def inside(setting: LossSetting) -> Iterator[Tokens]:
    """Ratios just inside the clips, where nothing is cut."""
    formula = setting.formula or LossFormula()
    for advantage in (1.0, -1.0):
        yield examples.at_ratio(float(np.log(1 + formula.clip_high) - 0.01), advantage)
        yield examples.at_ratio(float(np.log(max(1 - formula.clip_low, 1e-3)) + 0.01), advantage)


ON, OFF = examples.on_policy, examples.off_policy
KNOWN = ("convention",)
KL_TERM = ("convention", "reference")

PROPERTIES = (
    Property(
        "usable",
        "It answers with one number.",
        "Other properties are judged on its answers.",
        of(ON),
        answers,
        "interface",
        universal=True,
    ),
    Property(
        "finite",
        "Value and gradient are finite, also for log-ratios of 20 and for a response without tokens.",
        "One stale token or one empty response makes the network NaN.",
        of(ON, examples.far, examples.with_empty_response),
        finite,
        universal=True,
    ),
    Property(
        "descends",
        "Going down its gradient makes tokens of positive advantage likelier.",
        "With the sign reversed training unlearns.",
        of(ON),
        descends,
        universal=True,
    ),
    Property(
        "gradient_is_slope",
        "Its gradient is the slope of its value.",
        "A detached ratio or advantage that is not detached: what is logged is not what is trained.",
        of(ON),
        by_differences,
        needs=KNOWN,
    ),
    Property(
        "silent_without_advantages",
        "Advantages of 0 give no gradient.",
        "Silent groups must not move the policy.",
        of(ON, OFF),
        silent,
        needs=KNOWN,
    ),
    Property(
        "proportional",
        "Twice the advantages give twice the gradient.",
        "The size of advantages is lost.",
        of(ON, OFF),
        proportional,
        needs=KNOWN,
    ),
    Property(
        "masked_tokens_have_no_gradient",
        "Tokens of prompts and padding have gradient 0.",
        "The policy learns to write padding.",
        of(ON, OFF),
        padding_has_no_gradient,
        universal=True,
    ),
    Property(
        "masked_tokens_do_not_matter",
        "What stands in masked places has no influence.",
        "A mean over the padded width makes the step size depend on the longest response.",
        of(ON, OFF),
        padding_does_not_matter,
        universal=True,
    ),
    Property(
        "order_of_responses",
        "The order of the responses does not matter.",
        "Advantages meet the wrong responses.",
        of(ON, OFF),
        order_does_not_matter,
        universal=True,
    ),
    Property(
        "gradient_on_policy",
        "On fresh rollouts the gradient is minus the advantage of every token, aggregated.",
        "This is the step that training makes.",
        of(ON),
        gradient,
        needs=KNOWN,
    ),
    Property(
        "aggregation",
        "Tokens of long and short responses count as in the convention: per token, response or constant.",
        "The wrong mean favours short right and long wrong responses.",
        of(ON),
        shares,
        needs=KNOWN,
    ),
    Property(
        "value",
        "The value is that of the convention.",
        "Curves of different trainers cannot be compared.",
        of(ON, OFF),
        value,
        needs=KNOWN,
    ),
    Property(
        "gradient_inside_clips",
        "Between the clips the gradient is ratio times advantage.",
        "A clip in the wrong place stops learning early.",
        inside,
        gradient,
        needs=KNOWN,
    ),
    Property(
        "upper_clip_stops_good_tokens",
        "Beyond the upper clip a token of positive advantage has no gradient.",
        "Without it one batch pushes a token without end.",
        at_clip(1, 1.0),
        stopped,
        needs=KNOWN,
    ),
    Property(
        "lower_clip_stops_bad_tokens",
        "Beyond the lower clip a token of negative advantage has no gradient.",
        "Without it one batch pushes a token to probability 0.",
        at_clip(-1, -1.0),
        stopped,
        needs=KNOWN,
    ),
    Property(
        "lower_side_of_good_tokens_goes_on",
        "A good token that became less likely keeps its gradient.",
        "min(ratio A, clip(ratio) A), not clip(ratio) A: otherwise mistakes cannot be repaired.",
        at_clip(-1, 1.0),
        goes_on,
        needs=KNOWN,
    ),
    Property(
        "upper_side_of_bad_tokens_goes_on",
        "A bad token that became likelier keeps its gradient.",
        "The same on the other side.",
        at_clip(1, -1.0),
        goes_on,
        needs=KNOWN,
    ),
    Property(
        "gradient_off_policy",
        "With ratios on both sides of both clips the gradient is that of the convention.",
        "Inner updates and stale rollouts.",
        of(OFF),
        gradient,
        needs=KNOWN,
    ),
    Property(
        "kl_term",
        "Without advantages, value and gradient are those of the KL estimator.",
        "k1 has a gradient that does not pull to the reference; k2 and k3 do.",
        of(examples.away_from_reference),
        only_kl,
        needs=KL_TERM,
    ),
    Property(
        "kl_rests_at_reference",
        "At the reference policy the KL term has no gradient.",
        "Otherwise it pushes away from it.",
        of(examples.away_from_reference),
        nothing_at_the_reference,
        needs=KL_TERM,
    ),
)
"""All properties of losses, in the order in which they are reported."""
