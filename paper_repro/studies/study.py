"""What a study is, and how all studies are found: one file (or folder) of this folder that defines ``STUDY``."""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from paper_repro.claims.verdicts import Finding, Tables
from paper_repro.jobs.job import Job
from spo_theory.validation import check

if TYPE_CHECKING:
    from toy_llm.config import TrainConfig


@dataclass(frozen=True)
class Plate:
    """One figure of the report and of ``out/figures``.

    name: of its files, and what claims call it.
    title: its heading.
    needs: the tables that ``draw`` takes, in this order; without them the figure is left out.
    draw: a function of `figures`.
    caption: sentences, or a function of all tables that writes them.
    options: further named arguments of ``draw``.
    optional: the names of tables that ``draw`` can do without, by its argument; None is passed for a missing one.
    statements: names of the theory's statements that it shows.
    made_by: functions whose modules compute what it shows, if they are not in the study's file.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    draw: Callable[..., Figure]
    caption: str | Callable[[Tables], str] = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[str, ...] = ()
    made_by: tuple[Callable[..., Any], ...] = ()

    def figure(self, tables: Tables) -> Figure | None:
        """The figure, or None if a table that it needs is missing; ``tables``: by name, also those not needed."""
        if any(name not in tables for name in self.needs):
            return None
        extra = {argument: tables.get(name) for argument, name in self.optional.items()}
        return self.draw(*(tables[name] for name in self.needs), **self.options, **extra)

    def text(self, tables: Tables) -> str:
        """The caption, with its numbers read from ``tables`` if it has any."""
        return self.caption if isinstance(self.caption, str) else self.caption(tables)

    def data(self, tables: Tables) -> list[str]:
        """The names of the tables that it draws, of those that are there."""
        return [name for name in (*self.needs, *self.optional.values()) if name in tables]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper (arXiv 2505.11595 and its TMLR 2026 version), and how it is judged.

    claim: what the paper says, in one sentence.
    where: its place in the paper.
    analogue: what stands for it here.
    judge: a function of the tables (None from it: the data are not there), or why it cannot be tested here.
    figure: name of the figure that shows it, or "".
    number: its place in the table of claims.
    """

    claim: str
    where: str
    analogue: str
    judge: Callable[[Tables], Finding | None] | str
    figure: str
    number: int


@dataclass(frozen=True)
class Study:
    """One question and everything that answers it.

    name: that of its file.
    question: one sentence.
    jobs: its jobs, given whether the quick version is wanted.
    order: place among the studies.
    plates, claims: its figures, and the claims that its data judge.
    derive: tables made of the finished ones, for figures and claims.
    headlines: its main numbers in sentences.
    training_runs: the network's runs behind some jobs; their cached warm starts are checked before any job starts.
    more: the jobs that only a full run has.
    """

    name: str
    question: str
    jobs: Callable[[bool], list[Job]]
    order: int
    plates: tuple[Plate, ...] = ()
    claims: tuple[Claim, ...] = ()
    derive: Callable[[Tables], dict[str, pd.DataFrame]] | None = None
    headlines: Callable[[Tables], list[str]] | None = None
    training_runs: Callable[[bool], "list[TrainConfig]"] | None = None
    more: Callable[[], list[Job]] | None = None

    def code(self, plate: Plate) -> list[str]:
        """The modules that make one of its figures: the one that draws and those that compute, by their full names."""
        package = f"paper_repro.studies.{self.name}"
        home = f"{package}.study" if hasattr(import_module(package), "__path__") else package
        computed = [one.__module__ for one in plate.made_by] or [home]
        return list(dict.fromkeys([plate.draw.__module__, *computed]))

    def all_jobs(self, quick: bool, full: bool = False) -> list[Job]:
        """Its jobs; ``quick``: of the quick version. ``full``: with those that only a full run has."""
        return self.jobs(quick) + (self.more() if full and self.more is not None else [])


def study_names() -> list[str]:
    """The names of all studies in alphabetical order, by the files in this folder; imports none of them.

    >>> "escape" in study_names(), "study" in study_names()
    (True, False)
    """
    package = import_module("paper_repro.studies")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name != "study")


@cache
def studies() -> tuple[Study, ...]:
    """All studies in their order: the ``STUDY`` of every file and folder beside this file.

    >>> sorted(study.name for study in studies()) == study_names()
    True
    """
    found = []
    for module in pkgutil.iter_modules(import_module("paper_repro.studies").__path__):
        if module.name != "study":
            home = f"paper_repro.studies.{module.name}" + (".study" if module.ispkg else "")
            found.append(import_module(home).STUDY)
    return tuple(sorted(found, key=lambda study: study.order))


def choose(only: Sequence[str]) -> list[Study]:
    """The studies named in ``only``, in the order of the report; all if it is empty.

    Raises `InputError` for an unknown name.

    >>> [study.name for study in choose(["escape"])]
    ['escape']
    """
    names = [study.name for study in studies()]
    for name in only:
        check(name in names, "only", name, f"one of {', '.join(names)}")
    return [study for study in studies() if not only or study.name in only]


def plates() -> list[Plate]:
    """All figures in the order of the report, that of their studies."""
    return [plate for study in studies() for plate in study.plates]


def with_derived(tables: Tables) -> dict[str, pd.DataFrame]:
    """``tables`` by name, and what the studies make of them for figures, claims and the report."""
    found = dict(tables)
    for study in studies():
        if study.derive is not None:
            found |= study.derive(found)
    return found
