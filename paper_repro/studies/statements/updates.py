"""Figures of the statements about expected updates: pairs in closed form, and the bound on GRPO's push."""

import numpy as np
import pandas as pd

from figures.style import label
from paper_repro.studies.statements.picture import Picture, equal_steps, joined, series
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain


def pair_updates(horizon: int = 6, step_success: float = 0.6) -> pd.DataFrame:
    """Expected update of every step at G = 2: the engine (points) and the closed forms (lines)."""
    chain = ReasoningChain(step_success=[step_success] * horizon)
    step = np.arange(1, horizon + 1)
    before = step_success ** (step - 1.0)
    after = step_success**step
    success = step_success**horizon
    closed_forms = {"grpo": np.full(horizon, success), "spo": before * after, "spo_prefix": after}
    frames = []
    for name, form in closed_forms.items():
        frames.append(series(label(name), step, form * (1 - step_success)))
        update = expected_update(chain, rule(name, group_size=2))
        frames.append(series(label(name), step, update, "points"))
    return joined(frames)


def push_bound() -> pd.DataFrame:
    """GRPO's update over (1 - q) against its bound sqrt(G - 1) P / (1 - P), three steps."""
    success = np.logspace(-6, np.log10(0.95), 60)
    chain = equal_steps(success, 3)
    frames = []
    for size in (2, 8, 64):
        push = expected_update(chain, rule("grpo", group_size=size))[:, 0] / (1 - chain.step_success[:, 0])
        bound = np.sqrt(size - 1) * success / (1 - success)
        frames.append(series(f"G = {size}", success, push))
        frames.append(series(f"G = {size}, bound", success, bound, "dashed"))
    return joined(frames)


PICTURES = (
    Picture(
        pair_updates,
        title="Pairs of responses in closed form",
        caption=(
            "G = 2, six steps of accuracy 0.6. Lines: closed forms; points: the engine. Colouring helps early steps "
            "and slows the last. With credit to the correct prefix alone no step loses against GRPO."
        ),
        axes={"xlabel": "step", "ylabel": "expected update of its logit", "logy": True},
        statements=("pair_closed_forms", "last_step_never_gains", "prefix_credit_never_loses"),
    ),
    Picture(
        push_bound,
        title="GRPO's push is bounded by success",
        caption="Three equal steps. Solid: expected update over 1 - q; dashed: its bound.",
        axes={"xlabel": "success probability P", "ylabel": "update / (1 - q)", "logx": True, "logy": True},
        statements=("grpo_push_is_bounded",),
    ),
)
