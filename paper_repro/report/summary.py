"""The first screen: five sentences on what a run found, each computed from its tables, with the section behind it."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from paper_repro.claims.effects import HOLDS, REVERSED, Effect
from paper_repro.claims.table import all_claims, judge
from paper_repro.claims.verdicts import Tables
from paper_repro.studies.escape import exact_times
from paper_repro.studies.forecast_grid import half_time_errors, left_out

KINDS_TOLD = {
    "holds": "hold",
    "mixed": "hold in some settings or parts and not in others",
    "does not hold": "do not hold",
    "undecided": "are undecided",
    "not run": "were not run",
    "not testable here": "cannot be tested here",
}
"""Kinds of verdicts in the summary, in its order."""


class Line(NamedTuple):
    """A sentence of the summary, and the id of the place in the page that shows it."""

    text: str
    anchor: str


def summary(tables: Tables) -> list[Line]:
    """Five sentences: the chain, the network, its forecast, the suites, the paper's claims.

    tables: by name, with "claims" (`paper_repro.claims.table.judge_claims`). Where the data of a sentence are missing,
    it says that they were not computed.
    """
    return [
        Line(_on_the_chain(tables), "section-escape"),
        Line(_on_the_network(tables), "section-network"),
        Line(_forecast(tables), "comparison"),
        Line(_on_suites(tables), "section-suites"),
        Line(_claims(tables), "claims"),
    ]


def _on_the_chain(tables: Tables) -> str:
    """What colouring saves on the longest chain that was solved under both rules."""
    escape = tables.get("escape")
    if escape is None:
        return "Not run: how long GRPO and colouring need on a chain of reasoning steps."
    wide = exact_times(escape)
    if wide.empty:
        return "Not run: how long GRPO and colouring need on a chain of reasoning steps, both in one setting."

    first = wide.iloc[0]
    last = wide.iloc[-1]
    size = escape["group_size"].min()
    return (
        f"On a chain of {wide.index[-1]} reasoning steps, in exact theory and groups of {size}, GRPO needs "
        f"{last['grpo']:,.0f} updates until half of the responses are correct, and with coloured wrong responses (SPO) "
        f"it takes {last['spo']:,.0f}; with {wide.index[0]} steps it is {first['grpo']:,.0f} against "
        f"{first['spo']:,.0f}."
    )


def _on_the_network(tables: Tables) -> str:
    """In how many settings the trained network is faster, from claim 4."""
    effects = _effects(tables, 4)
    if not effects:
        return "Not run: whether colouring is also faster when a network is trained."
    low = min(one.estimate for one in effects)
    high = max(one.estimate for one in effects)
    speed = f"{low:.2f} times" if len(effects) == 1 else f"{low:.2f} to {high:.2f} times"
    return (
        f"On a small transformer, SPO came to half success {_counted(effects, 'sooner', 'later')} "
        f"({speed} as fast as GRPO)."
    )


def _forecast(tables: Tables) -> str:
    """How far forecasts made before training are off, where no premise is broken on purpose."""
    cells = tables.get("cells")
    off = pd.Series(dtype=float) if cells is None else half_time_errors(cells)
    if cells is None or off.empty:
        return "Not run: whether a forecast made before training meets the trained network."
    some = "one setting and rule" if len(off) == 1 else f"{len(off)} combinations of setting and rule"
    return (
        f"The forecast of that training, made before it began and with {int(cells['fitted'].sum())} constants fitted, "
        f"is off by {off.median():.1%} at the median and {off.max():.1%} at most in the updates to half success, over "
        f"{some}{left_out(cells)}."
    )


def _on_suites(tables: Tables) -> str:
    """Where colouring ends ahead or behind on the suites of problems, from claim 7."""
    effects = _effects(tables, 7)
    if not effects:
        return "Not run: whether the gain carries over to suites of problems, larger networks and other optimizers."
    ended = _counted(effects, "above GRPO's", "below GRPO's")
    return f"On ten suites of problems, success under SPO ended {ended}."


def _claims(tables: Tables) -> str:
    """How many of the paper's claims came out how."""
    claims = tables["claims"]
    counts = claims["kind"].value_counts()
    parts = [f"{counts[kind]} {said}" for kind, said in KINDS_TOLD.items() if kind in counts]
    return f"Of the paper's {len(claims)} claims, {_listed(parts)}."


def _effects(tables: Tables, number: int) -> list[Effect]:
    """What counts for a claim, setting by setting; empty if its data are missing."""
    (claim,) = (claim for claim in all_claims() if claim.number == number)
    found = judge(claim, tables).effects or {}
    return [one for one in found.get("", ()) if one.counts]


def _counted(effects: Sequence[Effect], ahead: str, behind: str) -> str:
    """In how many settings it is so, the other way round, or neither with what was measured."""
    words = {HOLDS: ahead, REVERSED: behind}
    found = [words.get(one.outcome, f"neither surely {ahead} nor surely {behind}") for one in effects]
    parts = [f"{word} in {found.count(word)}" for word in dict.fromkeys([ahead, behind, *found]) if word in found]

    # Where it is the other way round is what a reader must know; a long list would hide it
    against = [one.setting for one, word in zip(effects, found, strict=True) if word == behind]
    if 0 < len(against) <= 2:
        parts = [f"{part} ({' and '.join(against)})" if part.startswith(behind) else part for part in parts]
    return f"{_listed(parts)} of {len(effects)} {'setting' if len(effects) == 1 else 'settings'}"


def _listed(parts: Sequence[str]) -> str:
    """Parts of a sentence with commas and an "and"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
