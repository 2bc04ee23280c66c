"""Which clips, aggregation and KL estimator does a loss have?"""

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from spo_theory.conformance.core import Unusable
from spo_theory.conformance.losses import tokens as examples
from spo_theory.conformance.losses.formula import KL, Aggregation, LossFormula
from spo_theory.conformance.losses.properties import LossSetting, gradient, of_advantages, value
from spo_theory.conformance.losses.subject import LossSubject

NO_CLIP = 1e6
"""Stands for a clip that is never reached."""

NAMES = {
    "token": "the mean over all tokens (DAPO, TRL's bnpo and dapo)",
    "response": "the mean over responses of the mean over their tokens (GRPO)",
    "constant": "the sum over B times the width (Dr. GRPO)",
    "sum": "the mean over responses of the sum over their tokens",
}


@dataclass(frozen=True)
class LossIdentification:
    """What a loss is: its formula, or None and why not."""

    formula: LossFormula | None
    reason: str = ""

    def __str__(self) -> str:
        """One sentence."""
        if self.formula is None:
            return f"no clipped surrogate that is known here: {self.reason}"
        dual = "" if self.formula.dual_clip is None else f", dual clip {self.formula.dual_clip:g}"
        low, high = self.formula.clip_low, self.formula.clip_high
        kl = (
            "" if self.formula.kl == "none" else f", plus {self.formula.kl_coef:g} times KL estimator {self.formula.kl}"
        )
        return f"clipped surrogate, clips {low:g} below and {high:g} above{dual}, {NAMES[self.formula.aggregation]}{kl}"


def identify_loss(subject: LossSubject, rounding: float) -> LossIdentification:
    """The clips by bisection, then the aggregation and the KL estimator that fit values and gradients."""
    try:
        low, high = _edge(subject, -1, -1.0), _edge(subject, 1, 1.0)
        dual = _edge(subject, 1, -1.0)
        dual_clip = None if dual >= NO_CLIP else 1 + dual
        for aggregation in get_args(Aggregation):
            plain = LossFormula(low, high, aggregation, dual_clip=dual_clip)
            for formula in _with_kl(subject, plain):
                setting = LossSetting(formula, "", rounding)
                batches = [*examples.on_policy(), *examples.off_policy(), *examples.away_from_reference()]
                seen = [subject.seen(tokens) for tokens in batches]
                if not any(value(subject, t, setting) or gradient(subject, t, setting) for t in seen):
                    return LossIdentification(formula)
    except Unusable as error:
        return LossIdentification(None, str(error))
    return LossIdentification(None, "its values and gradients are not those of any aggregation")


def _edge(subject: LossSubject, side: int, advantage: float) -> float:
    """How far the ratio may go up (1) or down (-1) before the gradient stops, to three digits.

    Without a clip `NO_CLIP` upwards, and 1 downwards.
    """

    def alive(distance: float) -> bool:
        """Whether a token that far away has a gradient."""
        ratio = 1 + side * distance
        tokens = subject.seen(examples.at_ratio(float(np.log(ratio)), advantage))
        return bool((of_advantages(subject, tokens)[tokens.mask] != 0).all())

    low, high = 0.0, 100.0 if side > 0 else 0.999
    if alive(high):
        return NO_CLIP if side > 0 else 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if alive(middle) else (low, middle)
    return float(f"{low:.3g}")


def _with_kl(subject: LossSubject, plain: LossFormula) -> list[LossFormula]:
    """The formula without a KL term, and with each estimator at the weight that the function's gradient shows."""
    formulas = [plain]
    if not subject.takes_reference:
        return formulas
    [tokens] = [subject.seen(one) for one in examples.away_from_reference()]
    found = subject(tokens)[1]
    for kl in get_args(KL)[1:]:
        unit = replace(plain, kl=kl, kl_coef=1.0)(tokens)[1]
        coefficient = float(f"{(found * unit).sum() / (unit**2).sum():.3g}")
        if coefficient > 0:
            formulas.append(replace(plain, kl=kl, kl_coef=coefficient))
    return formulas
