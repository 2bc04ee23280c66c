"""Records what the page replays: small networks trained for real, each with the forecast made from its start.

``python -m paper_repro.demo.record`` writes `RECORD` anew; it takes some minutes.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from paper_repro.forecast.comparison import compare
from paper_repro.forecast.forecast import FULL, Configuration, forecast, train_network
from toy_llm.files import write_atomic

RECORD = Path(__file__).parent / "data" / "record.json"
"""The file that the page holds."""

SEEDS = (0, 1, 2)
RECORDED = tuple(replace(spec, seeds=SEEDS) for spec in FULL if spec.name in ("H4-sgd", "H4-adam"))
"""What is recorded: the same network and starts under plain SGD, and under Adam."""


def settings_of(spec: Configuration) -> dict[str, Any]:
    """What the page says of a recorded configuration.

    Example:
        >>> settings_of(RECORDED[0])["optimizer"], settings_of(RECORDED[0])["horizon"]
        ('sgd', 4)
    """
    return {
        "name": spec.name,
        "optimizer": spec.optimizer,
        "horizon": spec.horizon,
        "group_size": spec.group_size,
        "questions": spec.questions,
        "learning_rate": spec.learning_rate,
        "start_accuracy": spec.start_accuracy,
        "updates": spec.updates,
        "seeds": list(spec.seeds),
        "rules": list(spec.rules),
    }


def recorded(spec: Configuration) -> dict[str, Any]:
    """Forecast and train every seed of ``spec``; what the page replays of it.

    Curves are success probabilities after 0, 1, ... updates, with four digits: by rule and source, one list a seed.
    """
    # The forecast of a seed comes before its training and knows nothing of it
    frames = []
    for seed in spec.seeds:
        frames.append(forecast(spec, seed))
        frames.extend(train_network(spec, name, seed) for name in spec.rules)
    curves = pd.concat(frames, ignore_index=True)

    by_rule: dict[str, Any] = {}
    for name in spec.rules:
        chosen = curves[curves["rule"] == name]
        by_rule[name] = {source: _successes(chosen[chosen["source"] == source]) for source in ("network", "theory")}
    halves = compare(curves)[["rule", "predicted_half", "measured_half", "rmse"]].round(3)
    return {"settings": settings_of(spec), "curves": by_rule, "halves": json.loads(halves.to_json(orient="records"))}


def _successes(rows: pd.DataFrame) -> list[list[float]]:
    """Success after every update, one list for each seed."""
    return [run.sort_values("step")["success"].round(4).tolist() for _, run in rows.groupby("seed")]


if __name__ == "__main__":
    text = json.dumps([recorded(spec) for spec in RECORDED], separators=(",", ":"))
    write_atomic(RECORD, (text + "\n").encode())
