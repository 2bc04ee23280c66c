"""What a published result is: its table, its figure and the sentence about it, all in one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from figures.published_beside_project import Draw, small_figure
from paper_repro.jobs.job import Job
from paper_repro.studies.study import Plate, Tables


@dataclass(frozen=True)
class Result:
    """A published result, held against what the project computes.

    compute: makes the table; table and figure carry the function's name.
    draw: see `figures.published_beside_project.small_figure`.
    columns: those that the figure needs.
    title: above the figure. source: authors and arXiv ids, below it.
    finding: a sentence, or a function of the table that writes it.
    quick: arguments of ``compute`` in the quick version.
    """

    compute: Callable[..., pd.DataFrame]
    draw: Draw
    columns: tuple[str, ...]
    title: str
    source: str
    finding: str | Callable[[pd.DataFrame], str]
    quick: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the table and the figure."""
        return self.compute.__name__

    def figure(self, table: pd.DataFrame) -> Figure:
        """The figure of a table made by ``compute``."""
        return small_figure(table, self.draw, title=self.title, columns=self.columns, source=self.source)

    def caption(self, table: pd.DataFrame) -> str:
        """The sentence about the result, with the numbers of its table."""
        return self.finding if isinstance(self.finding, str) else self.finding(table)

    def job(self, quick: bool) -> Job:
        """The job that makes the table."""
        return Job(f"literature/{self.name}", self.name, self.compute, self.quick if quick else {})

    def plate(self) -> Plate:
        """The figure as a part of the report."""
        return Plate(
            name=self.name,
            title=self.title,
            needs=(self.name,),
            draw=self.figure,
            caption=partial(caption_of, self),
            made_by=(self.compute,),
        )


def caption_of(result: Result, tables: Tables) -> str:
    """The sentence about ``result``, from the table of its name."""
    return result.caption(tables[result.name])
