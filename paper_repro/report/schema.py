"""What the written tables must look like; a table that does not is refused by the name of its first bad column."""

import numpy as np
import pandas as pd

from paper_repro.claims.effects import OUTCOMES
from paper_repro.claims.verdicts import KINDS
from spo_theory.validation import InputError

CURVES = {
    "experiment": "text",
    "source": ("theory", "network", "monte_carlo"),
    "rule": "text",
    "horizon": "whole",
    "group_size": "whole",
    "model": "text",
    "optimizer": "text",
    "seed": "whole or missing",
    "step": "whole",
    "success": "probability",
    "all_negative": "probability",
    "grad_norm": "number or missing",
}
COMPARISON = {
    "experiment": "text",
    "rule": "text",
    "horizon": "whole",
    "group_size": "whole",
    "model": "text",
    "optimizer": "text",
    "note": "text",
    "family": ("single", "grid", "held out"),
    "level": ("chain", "kernel", "mean_field", "noisy"),
    "starts": "whole",
    "seeds": "whole",
    "predicted_half": "number or missing",
    "measured_half": "number or missing",
    "measured_low": "number or missing",
    "measured_high": "number or missing",
    "predicted_low": "number or missing",
    "predicted_high": "number or missing",
    "ratio": "number or missing",  # predicted over measured
    "run_spread": "number or missing",
    "error_over_spread": "number or missing",
    "band": "number or missing",
    "in_band": "number or missing",
    "predicted_q10": "number or missing",
    "predicted_q90": "number or missing",
    "measured_q10": "number or missing",
    "measured_q90": "number or missing",
    "rmse": "number",
    "r2": "number or missing",
    "fitted": "whole",
    "collapsed": "whole",
    "predicted_collapsed": "number",
}
CLAIMS = {
    "claim": "text",
    "where": "text",
    "analogue": "text",
    "statistic": "text",
    "interval": "text",
    "verdict": "text",
    "figure": "text",
    "kind": KINDS,
    "sentence": "text",
    "would_decide": "text",
}
CLAIM_NUMBERS = {
    "claim": "whole",
    "family": "text",
    "setting": "text",
    "estimate": "number or missing",
    "low": "number or missing",
    "high": "number or missing",
    "n": "whole",
    "unit": "text",
    "test": "text",
    "null": "number",
    "direction": ("above", "below", "equal"),
    "of": "text",
    "p": "number or missing",
    "p_holm": "number or missing",
    "outcome": OUTCOMES,
    "counts": (True, False),
    "note": "text",
    "n_to_decide": "whole or missing",
}


def check_table(table: pd.DataFrame, schema: dict, name: str) -> pd.DataFrame:
    """Return ``table`` if every column of ``schema`` is there and holds what it should; further columns are fine.

    schema: for every column a kind ("text", "probability", "whole" or "number", the last two also with "or missing"),
    or a tuple of the values that are allowed. name: of the table, for the message.

    Raises `InputError` naming the table, the column, a bad value and what is allowed.

    >>> table = pd.DataFrame({"success": [0.2, 1.5]})
    >>> check_table(table, {"success": "probability"}, "curves")
    Traceback (most recent call last):
    spo_theory.validation.InputError: table curves: column 'success' holds np.float64(1.5), must be probability
    """
    for column, kind in schema.items():
        if column not in table:
            raise InputError(f"table {name}: column {column!r} is missing")
        bad = _bad(table[column], kind)
        if bad.any():
            what = " or ".join(kind) if isinstance(kind, tuple) else kind
            raise InputError(f"table {name}: column {column!r} holds {table[column][bad].iloc[0]!r}, must be {what}")
    return table


def _bad(values: pd.Series, kind: str | tuple[str, ...]) -> pd.Series:
    """For every value of a column whether it is not of its kind."""
    if isinstance(kind, tuple):
        return ~values.isin(kind)
    if kind == "text":
        return ~values.map(lambda v: isinstance(v, str)).astype(bool)

    # All other kinds are numbers; what cannot be read as one is bad, what is missing only if it must be there
    number = pd.to_numeric(values, errors="coerce").astype(float)
    missing = values.isna()
    unreadable = number.isna() & ~missing
    bad = unreadable if kind.endswith("or missing") else unreadable | missing
    if kind.startswith("whole"):
        return bad | (number.notna() & (number != np.floor(number)))
    if kind == "probability":
        return bad | ~number.between(0, 1)
    return bad | np.isinf(number)
