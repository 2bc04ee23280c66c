"""Rad et al., arXiv 2601.04411: verifiers that err teach if their Youden index is above 0; and so do step judges."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator
from scipy.integrate import solve_ivp

from figures import style
from figures.published_beside_project import BOTH, DASHED, draw_beside, group_size_label, legend_line
from paper_repro.studies.literature.result import Result
from paper_repro.studies.literature.tables import INFINITE, joined, largest_difference
from spo_theory.exact.update import expected_update
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import confusion, judged_update_function
from spo_theory.parts.rewards import Colouring
from spo_theory.published.bay_yearick import mean_group_std
from spo_theory.published.rad import noisy_bandit_flow, noisy_outcome_update


def youden_threshold(
    horizon: int = 3, step_success: float = 0.6, group_sizes: tuple[int, ...] = (8, 64)
) -> pd.DataFrame:
    """Rate of P under a noisy verifier against its Youden index J = TPR - FPR, with TPR + FPR = 1.

    ``published``: ``J c_G(r) / (r (1 - r)) |grad P|^2``, r the acceptance rate, and ``c = sqrt(r (1 - r))`` in an
    infinite group. ``project``: exact expected advantages of accepted and rejected responses.
    Source: Rad et al., arXiv 2601.04411, in the form it takes on the chain.
    """
    # With TPR + FPR = 1 one number, J, says all about the verifier
    chain = ReasoningChain(step_success=np.full(horizon, step_success))
    success = float(chain.success)
    gradient = chain.success * (1 - chain.step_success)
    youden = np.linspace(-1, 1, 41)
    tpr = (1 + youden) / 2
    fpr = (1 - youden) / 2
    accepted = success * tpr + (1 - success) * fpr

    # An infinite group has a closed form, but no groups that could be enumerated
    parts = []
    for group_size in (*group_sizes, INFINITE):
        contrast = youden * mean_group_std(group_size, accepted) / (accepted * (1 - accepted))
        published = contrast * (gradient @ gradient)
        project = np.full(len(youden), np.nan)
        if np.isfinite(group_size):
            updates = [noisy_outcome_update(chain, int(group_size), *rates) for rates in zip(tpr, fpr, strict=True)]
            project = np.array(updates) @ gradient
        part = {"group_size": float(group_size), "youden": youden, "project": project, "published": published}
        parts.append(part)
    return joined(parts).assign(success=success)


def draw_youden_threshold(ax: Axes, table: pd.DataFrame) -> str:
    """Rate of P against the verifier's Youden index."""
    ax.axhline(0, color=style.INK, linewidth=0.8)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    handles = draw_beside(ax, table, "youden", "group_size", group_size_label)
    ax.set(xlabel="Youden index J = TPR - FPR  (with TPR + FPR = 1)", ylabel="rate of P, per update of rate 1")
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.legend(handles=handles, loc="upper left")
    rates = "TPR and FPR: how often a right and how often a wrong response is accepted."
    return f"{BOTH} Three equal steps, P = {table['success'].iloc[0]:.3g}. {rates}"


def youden_threshold_finding(table: pd.DataFrame) -> str:
    """When a verifier that errs teaches, and how exactly the closed form says so."""
    return (
        "Under a verifier that errs success rises if and only if its Youden index is above 0 (exact expectation "
        f"against the closed form: {largest_difference(table):.0e})."
    )


def noisy_tails(fpr: float = 0.3, tprs: tuple[float, ...] = (1.0, 0.8)) -> pd.DataFrame:
    """Probability of wrong answers over time under a noisy verifier: two right and two wrong answers, one softmax.

    ``project``: the flow integrated. ``published``: its tail, ``t^-2`` without false negatives and ``t^-1`` with them
    (the power is the source's, the height that of the last point). Source: Rad et al., arXiv 2601.04411.
    """
    # Unequal logits, so that the answers do not share a symmetry that the result could rest on
    right = np.array([True, True, False, False])
    start = np.array([0.3, -0.4, 0.8, 0.1])
    times = np.geomspace(0.1, 1e5, 61)
    log_times = np.log(times)
    parts = []
    for tpr in tprs:

        def velocity(log_time: float, logits: np.ndarray, tpr: float = tpr) -> np.ndarray:
            """Change of the logits by unit of the logarithm of time."""
            return np.exp(log_time) * noisy_bandit_flow(logits, right, tpr, fpr)

        # over the logarithm of time: the tail takes 1e5 units, the start 1e-3
        span = (np.log(1e-3), log_times[-1])
        path = solve_ivp(velocity, span, start, "LSODA", t_eval=log_times, rtol=1e-9, atol=1e-11)
        wrong = np.exp(path.y[~right]).sum(0) / np.exp(path.y).sum(0)
        power = -2.0 if tpr == 1 else -1.0
        tail = np.where(times >= 10, wrong[-1] * (times / times[-1]) ** power, np.nan)
        parts.append({"tpr": tpr, "fpr": fpr, "time": times, "project": wrong, "published": tail, "power": power})
    return joined(parts)


def draw_noisy_tails(ax: Axes, table: pd.DataFrame) -> str:
    """Probability of wrong answers over time."""
    powers = table.groupby("tpr")["power"].first()
    handles = draw_beside(ax, table, "time", "tpr", lambda tpr: f"TPR = {tpr:g}: slope {powers[tpr]:g}", marks=30)
    ax.set(xscale="log", yscale="log", xlabel="time (updates of rate 1)", ylabel="probability of wrong answers")
    ax.legend(handles=handles, loc="lower left")
    setting = (
        f"Two right and two wrong answers; a wrong one is accepted with probability FPR = {table['fpr'].iloc[0]:g}"
    )
    lines = "Lines: the published power of time, drawn through the last point. Points: the gradient flow, integrated."
    return f"{lines} {setting}, a right one with probability TPR."


def noisy_judge(step_success: tuple[float, float] = (0.35, 0.2), tpr: float = 0.8, group_size: int = 8) -> pd.DataFrame:
    """What colouring adds in an all-negative group of two-step responses when the step judge errs.

    Against the judge's false-positive rate (it passes a wrong step 1), TPR fixed. ``published``:
    ``c_G(s') J s (1 - s) / (s' (1 - s')) (1, -q_2)``, J = TPR - FPR, s the share of failures at step 2 and
    ``s' = s TPR + (1 - s) FPR``: zero at J = 0. ``project``: the judge as a confusion matrix over outcome classes.
    After Rad et al., arXiv 2601.04411, whose threshold J > 0 it carries over to step judges.
    """
    # The closed form: among failures the judge sees two kinds, and takes some of one for the other
    chain = ReasoningChain(step_success=step_success)
    success = float(chain.success)
    late = step_success[0] * (1 - step_success[1]) / (1 - success)
    fpr = np.linspace(0, 1, 41)
    seen_late = late * tpr + (1 - late) * fpr
    published = mean_group_std(group_size, seen_late) * (tpr - fpr) * late * (1 - late) / (seen_late * (1 - seen_late))

    # colours 0 and 1: of a judge of two steps only the verdict on step 1 matters
    two_valued = Method("spo", group_size, reward=Colouring(beta=1000.0, gamma=0.25))
    update = judged_update_function(chain, two_valued)
    plain = expected_update(chain, rule("grpo", group_size=group_size))
    coloured = np.array([update(chain.logits, confusion(2, miss=rate, false_alarm=1 - tpr)) for rate in fpr])
    project = (coloured - plain) / (1 - success) ** group_size

    # The closed form pushes both steps, the second one against the first
    parts = [
        {"step": h + 1, "fpr": fpr, "project": project[:, h], "published": published * sign}
        for h, sign in ((0, 1.0), (1, -step_success[1]))
    ]
    return joined(parts).assign(tpr=tpr, q_1=step_success[0], q_2=step_success[1], group_size=group_size)


def draw_noisy_judge(ax: Axes, table: pd.DataFrame) -> str:
    """What colouring adds to both steps against the judge's false-positive rate."""
    tpr = float(table["tpr"].iloc[0])
    ax.axhline(0, color=style.INK, linewidth=0.8)
    ax.axvline(tpr, color=style.INK, linewidth=1.0, linestyle=DASHED)
    handles = draw_beside(ax, table, "fpr", "step", lambda step: f"step {step}")
    handles.append(legend_line("J = TPR - FPR = 0", line=DASHED))
    ax.set(xlabel=f"false-positive rate of the judge  (TPR = {tpr:g})", ylabel="push in an all-negative group")
    ax.set_xlim(0, 1)
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.24))
    first, second, group_size = (table[column].iloc[0] for column in ("q_1", "q_2", "group_size"))
    setting = f"Two steps of accuracy {first:g} and {second:g}, G = {group_size}."
    rates = "The judge passes a right step with probability TPR, a wrong one with probability FPR."
    return f"{setting} Lines: closed form. Points: exact, the judge as a confusion matrix. {rates}"


def noisy_judge_finding(table: pd.DataFrame) -> str:
    """What an erring step judge leaves of colouring."""
    return (
        "Under a step judge that errs colouring adds less. It adds nothing where TPR = FPR, and beyond it pushes the "
        f"wrong way (exact expectation against the closed form: {largest_difference(table):.0e})."
    )


RESULTS = (
    Result(
        compute=youden_threshold,
        draw=draw_youden_threshold,
        columns=("group_size", "youden", "project", "published", "success"),
        title="A verifier that errs teaches while J is above 0",
        source="Rad et al., arXiv 2601.04411, here on the chain.",
        finding=youden_threshold_finding,
    ),
    Result(
        compute=noisy_tails,
        draw=draw_noisy_tails,
        columns=("tpr", "fpr", "time", "project", "published", "power"),
        title="A verifier that errs: how wrong answers die out",
        source="Rad et al., arXiv 2601.04411.",
        finding=("Wrong answers die out like 1/t² if the verifier rejects no right answer, and like 1/t if it does."),
    ),
    Result(
        compute=noisy_judge,
        draw=draw_noisy_judge,
        columns=("step", "tpr", "fpr", "q_1", "q_2", "group_size", "project", "published"),
        title="A step judge that errs: what colouring adds",
        source="The condition for verifiers: Rad et al., arXiv 2601.04411. Here for step judges.",
        finding=noisy_judge_finding,
    ),
)
