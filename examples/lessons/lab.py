"""What the lessons compute and draw: thin functions over the library, so that a notebook shows the idea alone."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures.style import RULE_COLOUR, RULE_LABEL
from spo_theory import ReasoningChain, expected_update, rule, solve
from spo_theory.dynamics.maps import updates_to

BATCH = 64
"""Groups in a batch."""

ADAM_RATE = 0.05
"""Learning rate of the lesson on Adam."""

ADAM_STEPS = 4
"""Steps of the question there; the accuracy is 0.3 as everywhere."""


def chain(steps: int, accuracy: float = 0.3) -> ReasoningChain:
    """A question of equally hard steps."""
    return ReasoningChain(step_success=[accuracy] * steps)


@cache
def halves(name: str, steps: int) -> float:
    """Updates to half success with group size 8 and accuracy 0.3."""
    method = rule(name, group_size=8)
    updates = 2000 if name == "grpo" and steps > 6 else 400
    return updates_to(solve(chain(steps), method, updates, reusable=False))


@cache
def adam_halves() -> dict[str, float]:
    """Updates to half success with Adam, by rule."""
    found = {}
    for name in ("grpo", "spo"):
        method = rule(name, group_size=8)
        curve = solve(chain(ADAM_STEPS), method, 120, ADAM_RATE, optimizer="adam", reusable=False)
        found[name] = updates_to(curve)
    return found


def map_of_gains(name: str, group_size: int, early: np.ndarray, last: np.ndarray) -> np.ndarray:
    """How much faster success rises than with GRPO, from starts of two steps.

    early: accuracies of step 1 ``(E,)``. last: of step 2 ``(L,)``. Returns ``(L, E)``: the gradient of success in the
    logits times the difference of the expected updates.
    """
    p, q = np.meshgrid(early, last)
    starts = ReasoningChain(step_success=np.stack([p.ravel(), q.ravel()], axis=1))
    gains = np.zeros(len(starts.success))
    for method, sign in ((rule(name, group_size=group_size), 1), (rule("grpo", group_size=group_size), -1)):
        update = np.asarray(expected_update(starts, method))
        gains += sign * starts.success * ((1 - starts.step_success) * update).sum(-1)
    return gains.reshape(p.shape)


def sampled_group(question: ReasoningChain, group_size: int, seed: int) -> pd.DataFrame:
    """One sampled group, a row for each response: its steps, rewards and advantages under GRPO and colouring."""
    steps = question.horizon
    outcome = np.random.default_rng(seed).choice(steps + 1, size=group_size, p=question.class_probs)
    marks = [("✓" * k + "✗" + "·" * steps)[:steps] for k in outcome]
    rows: dict[str, Any] = {"steps": marks}
    for name in ("grpo", "spo"):
        method = rule(name, group_size=group_size)
        judged = (outcome == steps, outcome, np.full(group_size, steps))
        rows[f"{name}: reward"] = method.rewards(*judged).round(3)
        rows[f"{name}: advantage"] = method.advantages(*judged).round(3)
    return pd.DataFrame(rows)


def draw_curves(curves: dict[str, pd.DataFrame], column: str = "success") -> Figure:
    """Success, or another column, over updates: one line for each rule."""
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for (name, curve), dash in zip(curves.items(), ("-", "--", ":"), strict=False):
        axes.plot(curve["step"], curve[column], dash, color=RULE_COLOUR[name], label=RULE_LABEL[name])
    axes.set(xlabel="updates", ylabel=column.replace("_", "-"), ylim=(-0.02, 1.02))
    axes.legend(frameon=False)
    plt.close(figure)
    return figure


def draw_bars(updates: dict[str, np.ndarray]) -> Figure:
    """Expected update of every step, bars side by side, on a logarithmic axis."""
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for place, (name, update) in enumerate(updates.items()):
        steps = np.arange(1, len(update) + 1)
        axes.bar(steps + 0.4 * place - 0.2, update, 0.4, color=RULE_COLOUR[name], label=RULE_LABEL[name])
    axes.set(xlabel="step", ylabel="expected update", yscale="log")
    axes.legend(frameon=False)
    plt.close(figure)
    return figure


def draw_map(gains: np.ndarray) -> Figure:
    """The map over starts: blue where the rule is ahead of GRPO at first, orange where it is behind."""
    figure, axes = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
    most = abs(gains).max()
    image = axes.imshow(gains, origin="lower", extent=(0.025, 0.975) * 2, cmap="PuOr", vmin=-most, vmax=most)
    figure.colorbar(image, label="rise of success, minus GRPO's")
    axes.set(xlabel="accuracy of step 1", ylabel="accuracy of step 2")
    plt.close(figure)
    return figure


@cache
def record(name: str) -> dict[str, Any]:
    """A network that was trained for real, and its forecast: the record that the live page replays."""
    text = (files("paper_repro.demo") / "data" / "record.json").read_text(encoding="utf-8")
    [found] = [run for run in json.loads(text) if run["settings"]["name"] == name]
    return found


def draw_record(run: dict[str, Any]) -> Figure:
    """Success of the network of every seed with its forecast (above), and the difference, network minus forecast."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 4.5), layout="constrained", sharex=True)
    for name, sources in run["curves"].items():
        network, theory = np.array(sources["network"]), np.array(sources["theory"])
        above.plot(network.T, color=RULE_COLOUR[name], lw=1, label=[f"{RULE_LABEL[name]}: network"] + [""] * 2)
        above.plot(theory.T, "--", color=RULE_COLOUR[name], lw=1, label=["forecast", "", ""])
        below.plot((network - theory).T, color=RULE_COLOUR[name], lw=1)
    above.set(ylabel="success", ylim=(-0.02, 1.02))
    above.legend(frameon=False, fontsize=7)
    below.set(xlabel="updates", ylabel="network - forecast")
    below.axhline(0, color="grey", lw=0.8)
    plt.close(figure)
    return figure


def batch_of_rewards() -> np.ndarray:
    """Rewards ``(4, 8)`` of a batch: a mixed group, an all-wrong one, an all-right one, and one correct response."""
    rewards = np.zeros((4, 8), dtype=np.float32)
    rewards[0, :3] = 1
    rewards[2] = 1
    rewards[3, 5] = 1
    return rewards


def version_a(rewards: np.ndarray) -> np.ndarray:
    """Group mean, group standard deviation, and a small number against division by 0."""
    centred = rewards - rewards.mean(-1, keepdims=True)
    return centred / (rewards.std(-1, keepdims=True) + 1e-4)


def version_b(rewards: np.ndarray) -> np.ndarray:
    """Group mean, but the standard deviation is that of the whole batch."""
    centred = rewards - rewards.mean(-1, keepdims=True)
    return centred / (rewards.std() + 1e-4)


def version_c(rewards: np.ndarray) -> np.ndarray:
    """As version a, with a much smaller number against division by 0."""
    centred = rewards - rewards.mean(-1, keepdims=True)
    return centred / (rewards.std(-1, keepdims=True) + 1e-12)


VERSIONS = {"a": version_a, "b": version_b, "c": version_c}
"""Three implementations of GRPO's advantage, of which an engineer has to find the bugs."""
