"""The configurations of the network that are forecast and trained."""

from typing import Any

from paper_repro.forecast.configuration import Configuration
from toy_llm.config import TrainConfig


def _cell(name: str, settings: dict[str, Any], **more: Any) -> Configuration:
    """A configuration of the ordinary network: two layers of width 64, logits as they are.

    ``settings``: fields of `TrainConfig`. ``more``: fields of `Configuration`.
    """
    return Configuration(name, TrainConfig(**settings), **more)


H4 = {"horizon": 4, "start_accuracy": 0.45, "learning_rate": 0.02, "updates": 90, "questions": 32}
"""Four steps: GRPO learns at once."""
H6 = {"horizon": 6, "start_accuracy": 0.375, "learning_rate": 0.03, "updates": 280, "questions": 32}
"""Six steps: GRPO stalls."""
H2 = {"horizon": 2, "start_accuracy": 0.3, "learning_rate": 0.02, "updates": 60, "group_size": 16, "questions": 32}
EVERYTHING = {
    "optimizer": "adamw",
    "learning_rate": 3e-4,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup": 5,
    "inner_epochs": 2,
    "minibatches": 2,
    "max_grad_norm": 1.0,
    "kl_coef": 0.01,
    "updates": 40,
}
"""Everything of the trainer that makes the mean field approximate, at once."""

WITHOUT_KERNEL = ("mean_field", "noisy")


def _large_steps(times: int) -> Configuration:
    """Steps so large that success may be lost again: ``times`` those of the cell of four steps."""
    settings = H4 | {"learning_rate": 0.02 * times, "updates": 60}
    note = f"steps {times} times as large"
    return _cell(f"H4-sgd-{times}-times", settings, starts=(0, 1), levels=WITHOUT_KERNEL, runs=2, draws=2, note=note)


DEFAULT = (
    _cell("H4-sgd", H4),
    _cell("H6-sgd", H6),
    _cell("H4-adam", H4 | {"optimizer": "adam", "learning_rate": 3e-4, "updates": 60}),
    _cell(
        "H2-G16-sgd",
        H2,
        rules=("grpo", "spo", "spo_prefix", "dr_grpo"),
        rule_options=(("spo", "scope", "all_incorrect"),),
        levels=WITHOUT_KERNEL,
        runs=2,
    ),
    _cell(
        "H4-sgd-scaled",
        H4 | {"output_scale": 6.0, "learning_rate": 0.0027},
        starts=(0,),
        runs=2,
        draws=2,
        note="logits scaled by 6",
    ),
    _large_steps(4),
    _large_steps(10),
)
"""Cells of the default run. Those with a note stand in a figure of their own."""

MORE = (
    _cell(
        "H4-judged-sgd",
        H4 | {"judge": "noisy", "miss": 0.3, "false_alarm": 0.1},
        rules=("spo", "spo_prefix"),
        levels=WITHOUT_KERNEL,
        runs=2,
        draws=2,
        note="a judge that errs",
    ),
    _cell("H4-adamw", H4 | EVERYTHING, levels=WITHOUT_KERNEL, runs=2, draws=2, note="epochs, clips, penalty"),
    _large_steps(2),
)
"""Cells that only a full run has; all of them break a premise on purpose."""

QUICK = (_cell("H4-sgd-quick", H4 | {"learning_rate": 0.04, "updates": 40}, starts=(0,), runs=2, draws=2),)
"""One short configuration for a first look."""
