"""Deng et al., arXiv 2505.18830: lazy likelihood displacement, and whether single groups cause it here."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures import style
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import group_updates, joined
from spo_theory.exact.groups import all_groups, group_probabilities
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain

ROUND_OFF = 1e-12  # a change of log P of this size counts as none


def no_displacement(step_success: tuple[float, ...] = (0.9, 0.8, 0.5), group_size: int = 4) -> pd.DataFrame:
    """Change of log P by the update of every possible group, to first order and per unit of learning rate.

    Rows by rule: ``change`` in increasing order, ``probability`` of the group, ``cumulative`` its running sum, ``kind``
    of group. GRPO's are at least 0: a correct response scores ``1 - q_h`` at every step, an incorrect one at most that.
    Lazy likelihood displacement is the source's subject: Deng et al., arXiv 2505.18830.
    """
    chain = ReasoningChain(step_success=step_success)
    classes = all_groups(chain.horizon, group_size)
    probability = group_probabilities(classes, chain.class_probs)
    correct = (classes == chain.horizon).sum(1)
    kind = np.select([correct == 0, correct == group_size], ["all-negative", "all correct"], "mixed")
    parts = []
    for name in ("grpo", "spo"):
        update = group_updates(chain, rule(name, group_size=group_size), classes)
        change = update @ (1 - chain.step_success)
        order = np.argsort(change, kind="stable")
        part = {"rule": name, "change": change[order], "probability": probability[order], "kind": kind[order]}
        parts.append(part | {"cumulative": np.cumsum(probability[order])})
    return joined(parts).assign(group_size=group_size, chain=", ".join(f"{q:g}" for q in step_success))


def share_that_falls(rows: pd.DataFrame) -> float:
    """Share of groups, by probability, that lower P.

    rows: of one rule, with the columns ``change`` and ``probability`` of `no_displacement`.

    >>> share_that_falls(no_displacement().query("rule == 'grpo'"))
    0.0
    """
    return float(rows.loc[rows["change"] < -ROUND_OFF, "probability"].sum())


def draw_no_displacement(ax: Axes, table: pd.DataFrame) -> str:
    """Distribution over groups of the change of log P."""
    # The steps of the distribution go on beyond both ends, so that it reaches 0 and 1 inside the frame
    ax.axvline(0, color=style.INK, linewidth=0.8)
    for name in style.rules_of(table):
        rows = table[table["rule"] == name]
        ax.step(
            np.concatenate([[rows["change"].min() - 1], rows["change"], [1]]),
            np.concatenate([[0], rows["cumulative"], [1]]),
            where="post",
            color=style.colour(name),
            linestyle="-" if name == "grpo" else (0, (4, 1.5)),
            label=f"{style.label(name)}: {share_that_falls(rows):.1%} of groups do",
            gid=f"project {name}",
        )

    # The frame ends where the changes do
    low = table["change"].min()
    high = table["change"].max()
    margin = 0.08 * (high - low)
    ax.set(xlim=(low - margin, high + margin), ylim=(0, 1.02))
    ax.set(xlabel="change of log P by one group's update, rate 1", ylabel="share of groups below")
    ax.legend(loc="lower right")
    group_size = int(table["group_size"].iloc[0])
    setting = f"Every group of {group_size} responses of a chain with step accuracies {table['chain'].iloc[0]}."
    return f"{setting} To first order in the step size; the steps share no parameters."


def no_displacement_finding(table: pd.DataFrame) -> str:
    """Which rules' groups push the right answer down."""
    falls = {name: share_that_falls(rows) for name, rows in table.groupby("rule")}
    return (
        f"Where steps share no parameters, {falls['grpo']:.1%} of GRPO's groups make the right answer less likely, and "
        f"{falls['spo']:.1%} of the coloured ones. Under GRPO such a displacement needs shared features."
    )


RESULTS = (
    Result(
        compute=no_displacement,
        draw=draw_no_displacement,
        columns=("rule", "change", "probability", "cumulative", "group_size", "chain"),
        title="Does a group push the right answer down?",
        source="Lazy likelihood displacement: Deng et al., arXiv 2505.18830.",
        finding=no_displacement_finding,
    ),
)
