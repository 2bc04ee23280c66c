"""The grid of configurations in which forecasts are tried by a full run, and cells that no default uses."""

from itertools import product
from typing import Any

from paper_repro.forecast.configuration import Configuration
from toy_llm.config import TrainConfig

HORIZONS = (2, 4, 6, 8)
GROUP_SIZES = (4, 8, 16, 32)
START_ACCURACIES = (0.3, 0.5, 0.7)
OPTIMIZERS = ("sgd", "adam")
SIZES = {"small": {"layers": 2, "width": 64}, "large": {"layers": 3, "width": 128}}
"""Networks of two sizes, by name."""

RULES = ("grpo", "spo", "spo_prefix", "dr_grpo")
WIDE_SCOPE = (("spo", "scope", "all_incorrect"),)
"""SPO that colours every incorrect response; a second configuration, because a rule has one scope in each."""

LEARNING_RATES = {("sgd", "small"): 0.02, ("sgd", "large"): 0.02, ("adam", "small"): 3e-4, ("adam", "large"): 2e-4}
"""Those of the default cells; the kernel of both sizes is about the same, and Adam moves more parameters at once."""
UPDATES = {2: 80, 3: 110, 4: 150, 5: 200, 6: 260, 7: 330, 8: 400}
"""Updates by horizon, a few times what colouring needs; a rule that needs more has "never" in the comparison."""


def cell(horizon: int, group_size: int, accuracy: float, optimizer: str, size: str, **more: Any) -> list[Configuration]:
    """One cell: four rules, and SPO with its wide scope; ``more``: fields of `Configuration`.

    >>> [one.name for one in cell(4, 8, 0.5, "sgd", "small")]
    ['H4-G8-50-sgd-small', 'H4-G8-50-sgd-small-wide']
    """
    base = TrainConfig(
        horizon=horizon,
        group_size=group_size,
        start_accuracy=accuracy,
        optimizer=optimizer,  # type: ignore[arg-type]
        learning_rate=LEARNING_RATES[optimizer, size],
        updates=UPDATES[horizon],
        questions=32,
        **SIZES[size],  # type: ignore[arg-type]
    )
    name = f"H{horizon}-G{group_size}-{100 * accuracy:.0f}-{optimizer}-{size}"
    settings = {"family": "grid"} | more
    return [
        Configuration(name, base, rules=RULES, **settings),
        Configuration(f"{name}-wide", base, rules=("spo",), rule_options=WIDE_SCOPE, **settings),
    ]


GRID = tuple(
    one for values in product(HORIZONS, GROUP_SIZES, START_ACCURACIES, OPTIMIZERS, SIZES) for one in cell(*values)
)
"""Every cell of the grid."""

HELD_OUT = tuple(
    one
    for values in (
        (3, 6, 0.4, "sgd", "small"),
        (3, 24, 0.6, "adam", "large"),
        (5, 12, 0.4, "sgd", "large"),
        (5, 6, 0.6, "adam", "small"),
        (7, 12, 0.6, "sgd", "small"),
        (7, 24, 0.4, "adam", "large"),
    )
    for one in cell(*values, family="held out")
)
"""Cells between those of the grid. No default uses them, and no step size was chosen by them."""
