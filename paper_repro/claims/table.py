"""The table of the paper's claims: each with the verdict that the data of this run give it.

A verdict is computed from the tables by the function beside the claim, in the study that holds the data; only "not
testable here" may be written down, with its reason.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from paper_repro.claims.effects import UNDECIDED, runs_to_decide
from paper_repro.claims.verdicts import Finding, Tables, kind
from paper_repro.studies.study import Claim, studies


def all_claims() -> list[Claim]:
    """The claims of all studies by their number.

    >>> [claim.number for claim in all_claims()][:3]
    [1, 2, 3]
    """
    return sorted((claim for study in studies() for claim in study.claims), key=lambda claim: claim.number)


def judge(claim: Claim, tables: Tables) -> Finding:
    """What ``tables`` say about ``claim``; without its data it is "not run".

    >>> reason = "the judge here costs nothing"
    >>> judge(Claim("The judge is cheap.", "Table 1", "none", reason, figure="", number=1), {}).verdict
    'not testable here'
    """
    # A string is the reason why the claim cannot be tested, None from the function means that the data are missing
    if isinstance(claim.judge, str):
        return Finding(claim.judge, "", "not testable here", f"Not testable: {claim.judge}.")
    found = claim.judge(tables)
    return found or Finding("its experiment was not run", "", "not run", "Its experiment was not run.")


def findings(tables: Tables) -> dict[Claim, Finding]:
    """What ``tables`` say about every claim, in the order of their numbers."""
    return {claim: judge(claim, tables) for claim in all_claims()}


def judge_claims(tables: Tables) -> pd.DataFrame:
    """The table of claims: one row per claim, columns as in `paper_repro.report.schema.CLAIMS`.

    tables: the assembled tables by name. A claim whose tables are missing is "not run", and its statistic says so. A
    claim without an interval was not tested, so no figure is named beside it.
    """
    # The order of the keys is that of the columns
    rows = []
    for claim, found in findings(tables).items():
        rows.append(
            {
                "claim": f"{claim.number}. {claim.claim}",
                "where": claim.where,
                "analogue": claim.analogue,
                "statistic": found.statistic,
                "interval": found.interval,
                "verdict": found.verdict,
                "figure": claim.figure if found.interval else "",
                "kind": kind(found.verdict),
                "sentence": found.sentence,
                "would_decide": found.would_decide,
            }
        )
    return pd.DataFrame(rows)


NUMBERS = (
    "setting",
    "estimate",
    "low",
    "high",
    "n",
    "unit",
    "test",
    "null",
    "direction",
    "of",
    "p",
    "p_holm",
    "outcome",
    "counts",
    "note",
)
"""Columns of the table of numbers that are fields of an effect."""


def claim_numbers(tables: Tables) -> pd.DataFrame:
    """The numbers behind the verdicts: one row per claim and setting.

    tables: the assembled tables by name. Columns claim (its number), family ("" or what else is judged, such as
    "forecasts"), those of `NUMBERS` (`paper_repro.claims.effects.Effect` explains them), and n_to_decide: how many of
    ``of`` would decide an undecided setting, missing where that is not known or above 1,000.
    """
    rows = []
    for claim, found in findings(tables).items():
        for family, effects in (found.effects or {}).items():
            tests = sum(one.counts for one in effects)
            for one in effects:
                values = asdict(one)
                row = {"claim": claim.number, "family": family} | {name: values[name] for name in NUMBERS}
                undecided = one.counts and one.outcome == UNDECIDED
                rows.append(row | {"n_to_decide": runs_to_decide(one, tests) if undecided else None})
    # A ratio to a run that never arrives is infinite, and no number
    table = pd.DataFrame(rows, columns=["claim", "family", *NUMBERS, "n_to_decide"])
    numbers = ["estimate", "low", "high"]
    table[numbers] = table[numbers].astype(float).replace([np.inf, -np.inf], np.nan)
    return table.astype({"n_to_decide": "Int64"})
