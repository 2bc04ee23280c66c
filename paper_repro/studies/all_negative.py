"""Study: how often a group has no correct response, and what each rule makes of such groups."""

import numpy as np
import pandas as pd

from figures import all_negative
from paper_repro.claims.effects import exact
from paper_repro.claims.verdicts import Finding, Tables, finding
from paper_repro.jobs.job import Job
from paper_repro.settings import build
from paper_repro.studies.study import Claim, Plate, Study
from spo_theory.exact.groups import all_groups, group_probabilities


def all_negative_probability(horizons: tuple[int, ...], group_sizes: tuple[int, ...]) -> pd.DataFrame:
    """Probability of an all-negative group for H steps of equal accuracy.

    One row per number of steps, group size and step accuracy: horizon, group_size, step_success, all_negative.

    >>> len(all_negative_probability(horizons=(2,), group_sizes=(4, 8)))
    200
    """
    from spo_theory.outcomes.chain import ReasoningChain

    accuracy = np.linspace(0.005, 0.995, 100)
    frames = []
    for horizon in horizons:
        chain = ReasoningChain(step_success=np.repeat(accuracy[:, None], horizon, axis=1))
        for size in group_sizes:
            setting = {"horizon": horizon, "group_size": size, "step_success": accuracy}
            frames.append(pd.DataFrame(setting | {"all_negative": chain.all_negative(size)}))
    return pd.concat(frames, ignore_index=True)


def silent_groups(horizon: int, group_size: int, step_success: tuple[float, ...]) -> pd.DataFrame:
    """Every possible group, sorted into kinds, with its probability and the largest advantage in it.

    One row per rule, step accuracy and kind: probability, and the smallest and largest value over the groups
    of that kind of max |advantage|. By enumeration of all group compositions; nothing is sampled.
    """
    # What kind a group is depends on its outcome classes alone, not on rule or accuracy
    groups = all_groups(horizon, group_size)
    right = groups == horizon
    same = groups[:, 0] == groups[:, -1]
    kinds = ("all correct", "mixed", "all-negative, one first error")
    kind = np.select([right.all(1), right.any(1), same], kinds, "all-negative")

    # Advantages depend on the rule and the group, probabilities on the accuracy and the group
    rows = []
    for name in ("grpo", "spo"):
        advantages = build(name, group_size).advantages(right, groups, np.full(groups.shape, float(horizon)))
        largest = np.abs(advantages).max(1)
        for q in step_success:
            classes = np.array([q**k * (1 - q) for k in range(horizon)] + [q**horizon])
            chance = group_probabilities(groups, classes)
            setting = {"rule": name, "horizon": horizon, "group_size": group_size, "step_success": q}
            for one in dict.fromkeys(kind):
                of_kind = kind == one
                found = {
                    "kind": one,
                    "probability": chance[of_kind].sum(),
                    "smallest": largest[of_kind].min(),
                    "largest": largest[of_kind].max(),
                }
                rows.append(setting | found)
    return pd.DataFrame(rows)


def grpo_is_silent(tables: Tables) -> Finding | None:
    """Claim 1: largest GRPO advantage over all possible all-negative groups.

    tables: of them "silent_groups" is read; None if it is missing. The claim holds if that advantage is exactly 0.
    """
    rows = _silent(tables, "grpo")
    if rows is None:
        return None
    largest = exact("any all-negative group", rows["largest"].max(), "|advantage|", direction="equal")
    return finding(
        "GRPO's largest advantage is",
        "largest |advantage|",
        {"": [largest]},
        what="parts",
        digits="g",
        words={"holds": "0", "fails": "not 0"},
        link="in",
    )


def colouring_speaks(tables: Tables) -> Finding | None:
    """Claim 2: smallest update from an all-negative group whose first errors differ, and how many there are.

    tables: of them "silent_groups" is read; None if it is missing. Groups with one first error are the other part of
    the claim: it fails in this part if they stay silent.
    """
    rows = _silent(tables, "spo")
    if rows is None:
        return None
    smallest = rows.groupby("kind")["smallest"].min()
    accuracy, share = _shares(rows, "all-negative")
    middle = int(np.abs(accuracy - 0.5).argmin())
    kinds = {"first errors differ": "all-negative", "all fail at the same step": STUCK}
    return finding(
        "Under SPO an all-negative group",
        "smallest |advantage| that is the largest of its group",
        {"": [exact(name, smallest[kind], "|advantage|") for name, kind in kinds.items()]},
        what="parts",
        digits=".3g",
        besides=f"; groups with different first errors are {share[middle]:.1%} of all-negative ones at step accuracy "
        f"{accuracy[middle]:g}, {share.min():.1%} at the worst accuracy tried ({accuracy[int(share.argmin())]:g})",
        words={"holds": "gives an update", "fails": "gives none"},
        link="if",
        after=" is its largest |advantage|",
    )


def limits(tables: Tables) -> Finding | None:
    """Claim 17: groups whose members all fail at one step, and how their share grows as errors come earlier.

    tables: of them "silent_groups" is read; None if it is missing.
    """
    rows = _silent(tables, "spo")
    if rows is None:
        return None
    largest = rows.loc[rows["kind"] == STUCK, "largest"].max()
    accuracy, share = _shares(rows, STUCK)
    middle = int(np.abs(accuracy - 0.5).argmin())
    effects = [
        exact("groups that all fail at one step", largest, "|advantage|", direction="equal"),
        exact("early errors against middle ones", share[0] - share[middle], "share of all-negative groups"),
    ]
    return finding(
        "The limits are",
        "largest |advantage| where all fail at one step, and how much more of all-negative groups these are early",
        {"": effects},
        what="parts",
        digits=".3g",
        besides=f"; such groups are {share[0]:.0%} of all-negative ones at step accuracy {accuracy[0]:g} and "
        f"{share[middle]:.1%} at {accuracy[middle]:g}; for judge noise see claim 10",
        words={"holds": "as said"},
        link="for",
    )


STUCK = "all-negative, one first error"
"""The kind of group in which all members fail at the same step."""


def _silent(tables: Tables, rule: str) -> pd.DataFrame | None:
    """The all-negative groups under ``rule``; None if the table is not there."""
    rows = tables.get("silent_groups")
    if rows is None:
        return None
    return rows[(rows["rule"] == rule) & rows["kind"].str.startswith("all-negative")]


def _shares(rows: pd.DataFrame, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Step accuracies in rising order, and the share of all-negative groups that are of ``kind``."""
    wide = rows.pivot_table(index="step_success", columns="kind", values="probability")
    return wide.index.to_numpy(), (wide[kind] / wide.sum(axis=1)).to_numpy()


def jobs(quick: bool) -> list[Job]:
    """Two jobs, the same for both versions."""
    sizes = {"horizons": (2, 4, 6, 8, 12), "group_sizes": (2, 4, 8, 16, 64)}
    silent = {"horizon": 4, "group_size": 8, "step_success": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}
    return [
        Job("all_negative", "all_negative", all_negative_probability, sizes),
        Job("all_negative/silent", "silent_groups", silent_groups, silent),
    ]


EVERY_GROUP = "Exact chain: every possible group of 8 responses of 4 steps"

STUDY = Study(
    name="all_negative",
    question="How often does a group have no correct response?",
    jobs=jobs,
    order=60,
    plates=(
        Plate(
            name="all_negative",
            title="How often a group has no correct response",
            needs=("all_negative",),
            draw=all_negative.draw,
            caption=(
                "If each of H steps is right with probability q, a group of G has no correct response with probability "
                "(1 - qᴴ)ᴳ."
            ),
        ),
    ),
    claims=(
        Claim(
            number=1,
            claim="GRPO makes no update from an all-negative group.",
            where="Abstract",
            analogue=EVERY_GROUP,
            judge=grpo_is_silent,
            figure="silence",
        ),
        Claim(
            number=2,
            claim="Colouring makes all-negative groups produce an update.",
            where="Abstract; Section 3.1, Eq. 2",
            analogue=EVERY_GROUP,
            judge=colouring_speaks,
            figure="silence",
        ),
        Claim(
            number=17,
            claim="Limits: weak when errors come early; still stuck when all members fail at the same step.",
            where="Limitations",
            analogue=EVERY_GROUP,
            judge=limits,
            figure="silence",
        ),
    ),
)
