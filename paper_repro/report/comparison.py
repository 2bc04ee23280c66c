"""The section that compares forecasts with measurements: its rows, and where the theory misses."""

import pandas as pd

from paper_repro.claims.verdicts import Tables
from paper_repro.report.names import rule_name


def misses(tables: Tables) -> list[str]:
    """Where the theory misses, in sentences.

    tables: by name; of them "comparison" (columns as in `paper_repro.report.schema.COMPARISON`) is read. Returns a
    sentence for every setting and rule that is off at the most complete level, and what is off in it. Without the table
    there are no sentences.

    >>> misses({})
    []
    """
    table = tables.get("comparison")
    if table is None:
        return []
    lines = []
    best = table.groupby(["experiment", "rule"], sort=False).tail(1)  # levels stand in the order of the ladder
    for row in best.to_dict("records"):
        name = f"{row['experiment']}, {rule_name(row['rule'])}"
        faults = []

        # The time to half success: it is off if it differs by more than a tenth, or is never reached
        if pd.isna(row["ratio"]):
            never = [k for k in ("predicted", "measured") if pd.isna(row[f"{k}_half"])]
            told = f"never reached ({' and '.join(never)})" if never else "not reached from every start"
            faults.append(f"half success is {told}")
        elif abs(row["ratio"] - 1) > 0.1:
            way = "later" if row["ratio"] > 1 else "sooner"
            faults.append(
                f"half success is predicted {abs(row['ratio'] - 1):.0%} {way} than it comes "
                f"({row['predicted_half']:.1f} against {row['measured_half']:.1f} updates)"
            )

        # The curve as a whole; a collapse explains a bad fit, so only one of the two is told
        if row["collapsed"] > 0:
            faults.append(
                f"{row['collapsed']} of {row['seeds']} runs collapse after success "
                f"({row['predicted_collapsed']:.0%} of the forecasts do)"
            )
        elif pd.notna(row["r2"]) and row["r2"] < 0.95:
            faults.append(f"the curve as a whole is off (R² = {row['r2']:.2f}, RMSE = {row['rmse']:.3f})")

        if faults:
            lines.append(f"{name}: {'; '.join(faults)}.")
    return lines


def comparison_rows(tables: Tables) -> list[dict[str, str]]:
    """The table of comparison with its numbers written out, as the page shows them.

    Times are in updates with one digit. A time that is never reached is "never"; a ratio, an interval or an R² that
    does not exist is empty. Without the table there are no rows.
    """
    table = tables.get("comparison")
    if table is None:
        return []

    def number(value: float, digits: int) -> str:
        """A time with so many digits, or that it is never reached."""
        return "never" if pd.isna(value) else f"{value:.{digits}f}"

    # A missing number would be written as "nan", which says nothing to a reader
    rows = []
    for r in table.to_dict("records"):
        low = r["measured_low"]
        high = r["measured_high"]
        never = pd.isna(r["measured_half"])  # the interval would be of the few runs that arrive
        rows.append(
            {
                "experiment": r["experiment"],
                "rule": rule_name(r["rule"]),
                "level": r["level"].replace("_", " "),
                "predicted": number(r["predicted_half"], 1),
                "measured": number(r["measured_half"], 1),
                "interval": "" if pd.isna(low) or pd.isna(high) or never else f"{low:.1f} to {high:.1f}",
                "ratio": "" if pd.isna(r["ratio"]) else f"{r['ratio']:.2f}",
                "rmse": f"{r['rmse']:.3f}",
                "r2": "" if pd.isna(r["r2"]) else f"{r['r2']:.4f}",
                "in_band": "" if pd.isna(r["in_band"]) else f"{r['in_band']:.0%}",
                "error": "" if pd.isna(r["error_over_spread"]) else f"{r['error_over_spread']:.2f}",
                "fitted": str(int(r["fitted"])),
                "seeds": str(int(r["seeds"])),
                "collapsed": f"{int(r['collapsed'])} ({r['predicted_collapsed']:.0%} predicted)",
            }
        )
    return rows
