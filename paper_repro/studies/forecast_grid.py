"""Study: does the forecast hold over many settings, and in cells that no default uses? All cells in two figures."""

import pandas as pd

from figures import forecasts
from paper_repro.claims.verdicts import Tables
from paper_repro.jobs.job import Job
from paper_repro.studies.network import jobs_of
from paper_repro.studies.study import Plate, Study


def derive(tables: Tables) -> dict[str, pd.DataFrame]:
    """The rows of the comparison in which no premise is broken on purpose (``cells``)."""
    table = tables.get("comparison")
    if table is None:
        return {}
    cells = table[table["note"] == "ordinary"]
    return {"cells": cells} if cells["ratio"].notna().any() else {}


def summary(cells: pd.DataFrame) -> str:
    """How far the most complete forecasts are off: median, largest, and how many cells are within 2, 5 and 10 %.

    cells: rows of the comparison, of which those count that reach half success in forecast and measurement.
    """
    off = half_time_errors(cells)
    if off.empty:
        return "no cell reaches half success"
    within = ", ".join(f"{int((off <= limit).sum())} within {limit:.0%}" for limit in (0.02, 0.05, 0.1))
    return f"median {off.median():.1%}, largest {off.max():.1%} over {len(off)} cells; {within}{left_out(cells)}"


def half_time_errors(cells: pd.DataFrame) -> pd.Series:
    """The relative error of the predicted half time, at the most complete level of every cell that has one.

    cells: rows of the comparison.
    """
    known = forecasts.best(cells).dropna(subset=["ratio"])
    return (known["ratio"] - 1).abs()


def left_out(cells: pd.DataFrame) -> str:
    """How many cells have no such error, as the end of a sentence; empty if all have one."""
    missing = cells.groupby(["experiment", "rule"]).ngroups - len(half_time_errors(cells))
    if missing == 0:
        return ""
    cell = "one more cell" if missing == 1 else f"{missing} more cells"
    return f" ({cell} did not reach half success from every start)"


def headlines(tables: Tables) -> list[str]:
    """The summary of the cells, and that of the held-out ones if they were run."""
    cells = tables.get("cells")
    if cells is None:
        return []
    lines = [f"Error of predicted half times, most complete forecast of every cell: {summary(cells)}."]
    held_out = cells[cells["family"] == "held out"]
    if len(held_out):
        lines.append(f"Of these, held-out cells, which no default uses: {summary(held_out)}.")
    return lines


def times_caption(tables: Tables) -> str:
    """What the points are, and how far they are off."""
    return (
        "Every cell is a setting and a rule, forecast from its warm starts before training, with nothing fitted. "
        f"Predicted against measured: {summary(tables['cells'])}. Settings that break a premise on purpose are not "
        "shown."
    )


def more() -> list[Job]:
    """The jobs of the whole grid and of the held-out cells."""
    from paper_repro.forecast.grid import GRID, HELD_OUT

    return jobs_of((*GRID, *HELD_OUT), "grid")


STUDY = Study(
    name="forecast_grid",
    question="Does the forecast hold over many settings, and in cells that no default uses?",
    jobs=lambda quick: [],  # by default the cells of the study of the network are shown
    more=more,
    order=11,
    derive=derive,
    headlines=headlines,
    plates=(
        Plate(
            name="half_times",
            title="Predicted against measured updates to half success, all cells",
            needs=("cells",),
            draw=forecasts.draw_times,
            caption=times_caption,
        ),
        Plate(
            name="forecast_errors",
            title="Errors of the forecast by level of the ladder",
            needs=("cells",),
            draw=forecasts.draw_errors,
            caption=(
                "The same cells at every level that was computed for them: the kernel of the start frozen; the network "
                "itself under exact expected gradients; the same with the noise of sampled groups. The scale is linear "
                "within 5 % and logarithmic beyond."
            ),
        ),
    ),
)
