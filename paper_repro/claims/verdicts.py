"""What the data say about a claim: a sentence, numbers and a verdict, all of them from the effects in its settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from paper_repro.claims.effects import FAILS, HOLDS, OUTCOMES, REVERSED, UNDECIDED, Effect, decide, runs_to_decide

Tables = Mapping[str, pd.DataFrame]

KINDS = ("holds", "mixed", "does not hold", "undecided", "not run", "not testable here")
"""Kinds of verdicts; a mixed one counts its settings."""


@dataclass(frozen=True)
class Finding:
    """What the data say about a claim.

    statistic: the numbers, in words.
    interval: how sure they are, in words; empty if the claim was not tested.
    verdict: one of `KINDS`, or the counts of a mixed one.
    sentence: what was found, for people.
    effects: by the name of their family, "" for the first.
    """

    statistic: str
    interval: str
    verdict: str
    sentence: str = ""
    effects: Mapping[str, Sequence[Effect]] | None = None

    @property
    def would_decide(self) -> str:
        """How many runs would decide what is undecided, in words; empty if nothing is."""
        parts = []
        for name, family in (self.effects or {}).items():
            tests = sum(one.counts for one in family)
            for one in family:
                if one.counts and one.outcome == UNDECIDED:
                    parts.append(f"{_label(name, one)}: {_needed(one, tests)}")
        return pooled(parts)


def _needed(effect: Effect, tests: int) -> str:
    """How many runs would decide one undecided effect, in words."""
    runs = runs_to_decide(effect, tests)
    if runs is not None:
        return f"about {max(runs, effect.n + 1)} {effect.of} instead of {effect.n}"
    if effect.n < 3:
        return f"at least 3 {effect.of} instead of {effect.n}"
    return f"more than 1,000 {effect.of} instead of {effect.n}"


def counted(outcomes: Sequence[str], what: str = "settings") -> str:
    """The verdict on a claim from what its settings (or parts: ``what``) say.

    >>> counted(["holds", "holds", "reversed"])
    'holds in 2, reversed in 1 of 3 settings'
    >>> counted(["reversed", "reversed"])
    'does not hold'
    """
    if not outcomes:
        return "not run"
    found = set(outcomes)
    if found in ({HOLDS}, {UNDECIDED}):
        return outcomes[0]
    if found <= {REVERSED, FAILS}:
        return "does not hold"
    counts = [f"{name} in {outcomes.count(name)}" for name in OUTCOMES if name in found]
    return f"{', '.join(counts)} of {len(outcomes)} {what}"


def kind(verdict: str) -> str:
    """Which of `KINDS` a verdict is; one of several families is mixed unless all say the same.

    >>> kind("holds"), kind("holds; forecasts: undecided"), kind("holds in 2, reversed in 1 of 3 settings")
    ('holds', 'mixed', 'mixed')
    """
    parts = {part.split(": ")[-1] for part in verdict.split("; ")}
    only = parts.pop()
    return only if not parts and only in KINDS else "mixed"


def verdict(passed: list[bool]) -> str:
    """The verdict on a claim of several parts, from whether each part holds, where nothing is sampled.

    >>> verdict([True, False])
    'holds in 1, fails in 1 of 2 parts'
    """
    return counted([HOLDS if one else FAILS for one in passed], "parts")


def finding(
    sentence: str,
    measure: str,
    families: Mapping[str, Iterable[Effect]],
    *,
    what: str = "settings",
    digits: str = "+.3f",
    besides: str = "",
    words: Mapping[str, str] | None = None,
    link: str = "with",
    after: str = "",
) -> Finding | None:
    """What the effects of a claim say about it; None if there is none that counts.

    sentence: what the sentence for people is about, such as "Half success comes"; `told` continues it.
    measure: what the numbers are.
    families: effects that are corrected together and judged apart, by name, the first of them named "".
    what: "settings" or "parts". digits: the format of an estimate. besides: what is told after the numbers.
    words, link, after: how `told` calls the outcomes, what leads from them to settings, and what follows a number.

    >>> from paper_repro.claims.effects import exact
    >>> finding("The lead is", "lead", {"": [exact("4 steps", 0.25), exact("6 steps", -0.5)]}).verdict
    'holds in 1, reversed in 1 of 2 settings'
    """
    decided = {name: decide(effects) for name, effects in families.items()}
    if not any(one.counts for one in decided.get("", [])):
        return None

    # A family without data says nothing, and is not mentioned
    verdicts = []
    numbers = []
    intervals = []
    sentences = []
    for name, effects in decided.items():
        of_claim = [one for one in effects if one.counts]
        if of_claim:
            head = f"{name}: " if name else ""
            verdicts.append(head + counted([one.outcome for one in of_claim], what))
            number = f"{{:{digits}}}{after}"
            sentences.append(told(head.capitalize().strip() or sentence, of_claim, words or {}, number, link))
        numbers += [_label(name, one) + f" {one.estimate:{digits}}" for one in effects]
        intervals += [f"{_label(name, one)} [{one.low:{digits}}, {one.high:{digits}}]" for one in effects if one.n]
    return Finding(
        f"{measure}: {pooled(numbers)}{besides}",
        _how_sure([one for effects in decided.values() for one in effects], intervals),
        "; ".join(verdicts),
        " ".join(sentences),
        decided,
    )


def _label(family: str, effect: Effect) -> str:
    """An effect's setting, with its family and note where it has any."""
    notes = [text for text in (family, effect.note) if text]
    return effect.setting + (f" ({'; '.join(notes)})" if notes else "")


def _how_sure(effects: Sequence[Effect], intervals: list[str]) -> str:
    """How the effects were tested, with their intervals; "exact" where nothing was sampled."""
    if not intervals:
        return "exact"
    tests = pooled(list(dict.fromkeys(one.test for one in effects if one.n)))
    several = sum(one.counts and np.isfinite(one.p) for one in effects) > 1
    holm = "; verdicts corrected for several settings (Holm)" if several else ""
    return f"95 % intervals, {tests}{holm}: {pooled(intervals)}"


WORDS = {HOLDS: "as claimed", REVERSED: "the other way round", FAILS: "not as claimed", UNDECIDED: "undecided"}
"""How outcomes are called in sentences that do not say it better."""


def told(
    about: str, effects: Sequence[Effect], words: Mapping[str, str], number: str = "{:+.3f}", link: str = "with"
) -> str:
    """A sentence for people: in which settings it is as claimed, in which not, with the numbers.

    >>> from paper_repro.claims.effects import exact
    >>> told("SPO is", [exact("4 steps", 0.25), exact("6 steps", -0.5)], {"holds": "ahead", "reversed": "behind"})
    'SPO is ahead with 4 steps (+0.250); behind with 6 steps (-0.500).'
    """
    called = {**WORDS, **words}
    parts = []
    for outcome in OUTCOMES:
        of_outcome = [one for one in effects if one.outcome == outcome]
        if of_outcome:
            shown = [f"{one.setting} ({number.format(one.estimate)})" for one in of_outcome]
            parts.append(f"{called[outcome]} {link} {_listed(shown)}")

    # Where nothing is decided the sentence still says what was asked
    asked = f"{called[HOLDS]}: " if all(one.outcome == UNDECIDED for one in effects) else ""
    return f"{about} {asked}{'; '.join(parts)}."


def _listed(names: list[str]) -> str:
    """Names in a sentence; of many the first three and how many more there are."""
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def pooled(parts: list[str]) -> str:
    """Several parts of a statistic in one line.

    >>> pooled(["SGD +0.1", "Adam +0.2"])
    'SGD +0.1; Adam +0.2'
    """
    return "; ".join(parts)
