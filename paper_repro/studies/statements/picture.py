"""What the figure of a statement is: its table, title, caption and axes, all in one value.

Tables have the columns panel, series, kind ("line", "dashed", "points", "both" or "cell"), x, y and, for the cells of
a map, z.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from figures import lines_and_maps
from paper_repro.jobs.job import Job
from paper_repro.studies.study import Plate
from spo_theory.outcomes.chain import ReasoningChain


@dataclass(frozen=True)
class Picture:
    """A figure of statements about the rules.

    compute: makes the table; table and figure carry the function's name.
    title: above the figure. caption: sentences below it.
    axes: further options of `figures.lines_and_maps.draw`.
    statements: names of those that it shows.
    quick, full: arguments of ``compute`` in the two versions of the study.
    """

    compute: Callable[..., pd.DataFrame]
    title: str
    caption: str
    axes: Mapping[str, Any]
    statements: tuple[str, ...] = ()
    quick: Mapping[str, Any] = field(default_factory=dict)
    full: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the table and the figure."""
        return self.compute.__name__

    def job(self, quick: bool) -> Job:
        """The job that makes the table."""
        return Job(f"statements/{self.name}", self.name, self.compute, self.quick if quick else self.full)

    def plate(self) -> Plate:
        """The figure as a part of the report; its caption is drawn into it, and taken off where a page shows it."""
        return Plate(
            name=self.name,
            title=self.title,
            needs=(self.name,),
            draw=lines_and_maps.draw,
            options={"title": self.title, "note": self.caption, **self.axes},
            statements=self.statements,
            made_by=(self.compute,),
        )


def series(name: str, x: Any, y: Any, kind: str = "line", panel: str = "", **more: Any) -> pd.DataFrame:
    """Rows of one series of a figure.

    x, y: numbers of equal length. kind: see the head of this file. panel: title of its panel. more: further columns,
    as z for a map, or low and high for intervals.

    >>> series("grpo", [1, 2], [0.1, 0.2])["kind"].tolist()
    ['line', 'line']
    """
    return pd.DataFrame({"panel": panel, "series": name, "kind": kind, "x": x, "y": y, **more})


def joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of several series."""
    return pd.concat(list(frames), ignore_index=True)


def equal_steps(success: Any, horizon: int) -> ReasoningChain:
    """Questions of ``horizon`` equal steps, one for each success probability ``(N,)``.

    >>> equal_steps([0.25], horizon=2).step_success.tolist()
    [[0.5, 0.5]]
    """
    accuracy = np.asarray(success, dtype=float)[:, None] ** (1 / horizon)
    return ReasoningChain(step_success=np.repeat(accuracy, horizon, axis=1))
