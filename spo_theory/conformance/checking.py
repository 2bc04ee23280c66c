"""Run every property on one function: which hold, which fail, and the smallest example on which they fail."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from spo_theory.conformance.core import Complaint, Finding, Property, Trial, Unusable
from spo_theory.conformance.report import Report
from spo_theory.conformance.shrinking import shrink
from spo_theory.validation import check as must
from spo_theory.validation import problem, refuse

KINDS = {
    "advantages": "advantages.trial",
    "loss": "losses.trial",
    "rewards": "judged.rewards",
    "colouring": "judged.colouring",
    "step-weights": "judged.step_weights",
}
"""What functions can be judged, each with the part of this package that knows its properties."""

HOW = ("layout", "library", "dtype", "mask", "group_size", "sizes")
"""Settings that say how a function is called; all others say what it should compute."""


def check(
    function: Callable[..., Any],
    convention: str | None = None,
    *,
    kind: str = "advantages",
    name: str = "",
    **settings: Any,
) -> Report:
    """Judge a function by every property that applies.

    kind: what it computes: ``advantages`` from rewards, a ``loss`` from log-probabilities and advantages, ``rewards``
    or ``step-weights`` from correctness and first errors, or a ``colouring`` from RTS. name: as ``module:function``,
    for examples that can be pasted.

    convention: for advantages, a name of `spo_theory.conformance.advantages.catalogue.known`. settings: how it is
    called (``library``: numpy, torch, jax or list; ``dtype``; for advantages also ``layout``, ``mask``, ``group_size``
    and ``sizes`` to try, see `spo_theory.conformance.advantages.subject.Subject`), and the numbers of its convention:
    ``baseline``, ``scale``, ``ddof``, ``eps``; for a loss ``clip_low``, ``clip_high``, ``aggregation``, ``constant``,
    ``kl``, ``kl_coef``; for the others see their modules. Without numbers the function is compared with the convention
    it is found to follow. Returns a report; raises `InputError` for bad settings, nothing for a function that fails.

    Example:
        >>> def divides_by_the_wrong_std(rewards):
        ...     return (rewards - rewards.mean(-1, keepdims=True)) / (rewards.std() + 1e-6)
        >>> report = check(divides_by_the_wrong_std, convention="verl")
        >>> "groups_are_independent" in [finding.property.name for finding in report.failed]
        True
    """
    properties = properties_of(kind)
    how = {key: value for key, value in settings.items() if key in HOW and value is not None}
    numbers = {key: value for key, value in settings.items() if key not in HOW and value is not None}
    if kind == "advantages":
        how["convention"] = convention
    else:
        must(convention is None, "convention", convention, "left out: only advantages have conventions by name")
    make = import_module(f"spo_theory.conformance.{KINDS[kind]}").trial
    try:
        trial = make(function, name or _name_of(function), numbers=numbers, **how)
    except TypeError as error:
        refuse([f"settings = {sorted(settings)} are not allowed for kind {kind!r}: {error}"])
        raise
    findings = [judge(one, trial) for one in properties]
    known = trial.reference is not None
    return Report(name or _name_of(function), trial.setting.convention, trial.identified, findings, kind, how, known)


def properties_of(kind: str) -> tuple[Property, ...]:
    """The properties of functions of a kind, in the order in which they are reported.

    Example:
        >>> properties_of("advantages")[0].name
        'usable'
    """
    refuse(problem(kind in KINDS, "kind", kind, " or ".join(KINDS)))
    return import_module(f"spo_theory.conformance.{KINDS[kind]}").PROPERTIES


def _name_of(function: Callable[..., Any]) -> str:
    """A function as ``module:name``."""
    return f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', repr(function))}"


def judge(tested: Property, trial: Trial) -> Finding:
    """What one property says of the function; the worst example is shrunk."""
    for need in tested.needs:
        reason = trial.missing(need)
        if reason:
            return Finding(tested, "does not apply", reason)
    examples = [trial.seen(example) for example in tested.examples(trial.setting)]
    if not examples:
        return Finding(tested, "does not apply", "no example in this setting")
    if not all(_promised(tested, example, trial) for example in examples):
        return Finding(tested, "does not apply", f"{trial.setting.convention} itself does not have it")

    # All examples are tried, so that the worst one is shown
    complaints = [complaint(tested, example, trial) for example in examples]
    failing = [(found, example) for found, example in zip(complaints, examples, strict=True) if found is not None]
    if not failing:
        return Finding(tested, "holds", tried=len(examples))

    def still_fails(candidate: Any) -> bool:
        """Whether a simpler example fails too, and is one on which the convention itself does not."""
        seen = trial.seen(candidate)
        return _promised(tested, seen, trial) and complaint(tested, seen, trial) is not None

    told, worst = max(failing, key=lambda pair: pair[0].excess)
    small = trial.seen(shrink(worst, trial.smaller, still_fails))
    told = complaint(tested, small, trial) or told  # a function with a memory may not fail again
    return Finding(
        tested,
        "fails",
        f"{told.words}; {len(failing)} of {len(examples)} examples",
        len(examples),
        max(found.excess for found, _ in failing),
        told.got,
        told.wanted,
        trial.snippet(small),
    )


def complaint(tested: Property, example: Any, trial: Trial) -> Complaint | None:
    """What is wrong on one example; an exception of the function is a complaint too."""
    try:
        with np.errstate(all="ignore"):
            return tested.complaint(trial.call, example, trial.setting)
    except Unusable as error:
        return Complaint(str(error), np.inf)


def _promised(tested: Property, example: Any, trial: Trial) -> bool:
    """Whether the convention, in exact arithmetic, has the property on an example; yes if it is not known."""
    if trial.reference is None:
        return True
    with np.errstate(all="ignore"):
        return tested.complaint(trial.reference, example, trial.setting) is None
