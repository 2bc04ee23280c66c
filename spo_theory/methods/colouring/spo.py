"""SPO, the paper's rule (arXiv 2505.11595), and the same with credit to the correct prefix alone."""

from dataclasses import replace
from typing import Any

from spo_theory.allowed import among
from spo_theory.method import Method
from spo_theory.methods.conventions import READINGS, trainer_baseline
from spo_theory.methods.options import (
    Beta,
    ColouringScope,
    ColouringShape,
    Convention,
    Ddof,
    Gamma,
    Grid,
    GroupSize,
    Reading,
    RtsLengthOption,
    StdEps,
)
from spo_theory.methods.registry import method
from spo_theory.parts.credit import CorrectPrefix
from spo_theory.parts.rewards import Colouring


@method(source="arXiv 2505.11595", label="SPO (colouring)", colour="#0072B2")
def spo(
    group_size: GroupSize = 8,
    beta: Beta = None,
    gamma: Gamma = None,
    scope: ColouringScope = "all_negative",
    shape: ColouringShape = "logistic",
    reading: Reading = "threshold",
    rts_length: RtsLengthOption = "written",
    grid: Grid = 0.0,
    convention: Convention = "paper",
    std_eps: StdEps = None,
    ddof: Ddof = None,
) -> Method:
    """SPO: GRPO with coloured incorrect responses.

    ``beta`` and ``gamma`` override ``reading``.
    """
    among(READINGS).check("reading", reading)

    # The paper prints 10 and 0.5 without saying which is which: a reading gives both, an option replaces one of them
    slope, threshold = READINGS[reading]
    colouring = Colouring(
        slope if beta is None else beta,
        threshold if gamma is None else gamma,
        scope,
        shape,
        rts_length,
        grid,
    )
    return Method("spo", group_size, reward=colouring, baseline=trainer_baseline(convention, std_eps, ddof))


@method(source="docs/theory/statements.md", label="SPO with prefix credit", colour="#56B4E9", options_of=spo)
def spo_prefix(**options: Any) -> Method:
    """SPO that credits an incorrect response for its correct prefix only.

    Options as for ``spo``. Not in the paper: it removes the cost that colouring has for late steps.
    """
    return replace(spo(**options), name="spo_prefix", credit=CorrectPrefix())
