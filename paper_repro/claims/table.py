"""The table of the paper's claims: each with the verdict that the data of this run give it.

A verdict is computed from the tables by the function beside the claim, in the study that holds the data; only "not
testable here" may be written down, with its reason.
"""

import pandas as pd

from paper_repro.claims.verdicts import Finding, Tables
from paper_repro.studies.study import Claim, studies


def all_claims() -> list[Claim]:
    """The claims of all studies by their number.

    >>> [claim.number for claim in all_claims()][:3]
    [1, 2, 3]
    """
    return sorted((claim for study in studies() for claim in study.claims), key=lambda claim: claim.number)


def judge(claim: Claim, tables: Tables) -> Finding:
    """What ``tables`` say about ``claim``; without its data it is "not testable here".

    >>> reason = "the judge here costs nothing"
    >>> judge(Claim("The judge is cheap.", "Table 1", "none", reason, figure="", number=1), {}).verdict
    'not testable here'
    """
    # A string is the reason why the claim cannot be tested, None from the function means that the data are missing
    found = claim.judge if isinstance(claim.judge, str) else claim.judge(tables)
    if found is None:
        found = "its experiment was not run"
    return Finding(found, "", "not testable here") if isinstance(found, str) else found


def judge_claims(tables: Tables) -> pd.DataFrame:
    """The table of claims: one row per claim, columns as in `paper_repro.report.schema.CLAIMS`.

    tables: the assembled tables by name. A claim whose tables are missing is "not testable here", and its statistic
    says so. A claim without an interval was not tested, so no figure is named beside it.
    """
    # The order of the keys is that of the columns
    rows = []
    for claim in all_claims():
        found = judge(claim, tables)
        rows.append(
            {
                "claim": f"{claim.number}. {claim.claim}",
                "where": claim.where,
                "analogue": claim.analogue,
                "statistic": found.statistic,
                "interval": found.interval,
                "verdict": found.verdict,
                "figure": claim.figure if found.interval else "",
            }
        )
    return pd.DataFrame(rows)
