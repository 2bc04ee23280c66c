"""A loss, ready to be judged, and the formula it is compared with."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from spo_theory.conformance.arrays import ROUNDING
from spo_theory.conformance.losses import tokens
from spo_theory.conformance.losses.formula import LossFormula
from spo_theory.conformance.losses.identification import LossIdentification, identify_loss
from spo_theory.conformance.losses.properties import PROPERTIES as PROPERTIES
from spo_theory.conformance.losses.properties import LossSetting
from spo_theory.conformance.losses.subject import LossSubject
from spo_theory.conformance.losses.tokens import Tokens

DIFFERENCES = 1e-9
"""Accuracy of central differences in float64, in the place of the dtype's rounding."""


class LossTrial:
    """See `spo_theory.conformance.core.Trial`; made by `trial`."""

    def __init__(self, subject: LossSubject, setting: LossSetting, identified: LossIdentification | None) -> None:
        self.call = subject
        self.setting = setting
        self.identified = identified
        self.reference: Callable[[Tokens], tuple[float, np.ndarray]] | None = setting.formula

    def missing(self, need: str) -> str:
        """Why a property cannot be judged, or ""."""
        if need == "convention" and self.setting.formula is None:
            return "no convention is known"
        if need == "reference" and not self.call.takes_reference:
            return "the function is not given the log-probabilities of a reference policy"
        if need == "reference" and self.setting.formula is not None and self.setting.formula.kl == "none":
            return "its convention has no KL term (--kl)"
        return ""

    def seen(self, example: Tokens) -> Tokens:
        """The tokens in the dtype of the function."""
        return self.call.seen(example)

    def smaller(self, example: Tokens) -> Iterable[Tokens]:
        """Simpler tokens."""
        return tokens.smaller(example)

    def snippet(self, example: Tokens) -> str:
        """The call as Python."""
        return self.call.snippet(example)


def loss_subject_of(
    function: Callable[..., Any], name: str = "", library: str = "torch", dtype: str | None = None
) -> tuple[LossSubject, float]:
    """A loss ready to be called, and the rounding of its gradients."""
    subject = LossSubject(function, name, library, dtype or "float32")
    subject.settle()
    rounding = DIFFERENCES if library in ("numpy", "list") else ROUNDING[subject.dtype]
    return subject, max(rounding, ROUNDING.get(subject.output, 0.0))


def trial(function: Callable[..., Any], name: str, *, numbers: dict[str, Any], **how: Any) -> LossTrial:
    """A loss with its formula: that of ``numbers``, or the one that it is found to have.

    numbers: of `spo_theory.conformance.losses.formula.LossFormula`. how: ``library`` and ``dtype``.
    """
    formula = LossFormula(**numbers) if numbers else None
    subject, rounding = loss_subject_of(function, name, **how)
    found = None if numbers else identify_loss(subject, rounding)
    known = formula or (found.formula if found else None)
    return LossTrial(subject, LossSetting(known, repr(known) if known else "no known loss", rounding), found)
