"""Records what the page replays: small networks trained for real, each with the forecast made from its start.

``python -m paper_repro.demo.record`` writes `RECORD` anew; it takes some minutes.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from paper_repro.forecast.comparison import compare
from paper_repro.forecast.configuration import Configuration, Level
from paper_repro.forecast.forecast import forecast, train_network
from toy_llm.config import TrainConfig
from toy_llm.files import write_atomic

RECORD = Path(__file__).parent / "data" / "record.json"
"""The file that the page holds."""


def _spec(optimizer: str, learning_rate: float, updates: int, level: Level) -> Configuration:
    """One run from each of three warm starts, with a point after every update."""
    base = TrainConfig(
        horizon=4,
        optimizer=optimizer,  # type: ignore[arg-type]
        learning_rate=learning_rate,
        updates=updates,
        start_accuracy=0.45,
    )
    return Configuration(f"H4-{optimizer}", base, runs=1, levels=(level,), points=updates)


RECORDED = (_spec("sgd", 0.02, 90, "mean_field"), _spec("adam", 3e-4, 60, "noisy"))
"""What is recorded: the same network and starts under plain SGD, and under Adam."""


def settings_of(spec: Configuration) -> dict[str, Any]:
    """What the page says of a recorded configuration.

    Example:
        >>> settings_of(RECORDED[0])["optimizer"], settings_of(RECORDED[0])["horizon"]
        ('sgd', 4)
    """
    said = ("optimizer", "horizon", "group_size", "questions", "learning_rate", "start_accuracy", "updates")
    return {
        "name": spec.name,
        **{name: getattr(spec.base, name) for name in said},
        "level": spec.levels[0],
        "seeds": list(spec.seeds),
        "rules": list(spec.rules),
    }


def recorded(spec: Configuration) -> dict[str, Any]:
    """Forecast and train every start of ``spec``; what the page replays of it.

    Curves are success probabilities after 0, 1, ... updates, with four digits: by rule and source, one list a start; a
    forecast with several draws is their mean.
    """
    # The forecast of a start comes before its training and knows nothing of it
    frames = [forecast(spec, start, spec.levels[0]) for start in spec.starts]
    frames += [train_network(spec, name, seed) for seed in spec.seeds for name in spec.rules]
    curves = pd.concat(frames, ignore_index=True)

    by_rule: dict[str, Any] = {}
    for name in spec.rules:
        chosen = curves[curves["rule"] == name]
        by_rule[name] = {source: _successes(chosen[chosen["source"] == source]) for source in ("network", "theory")}
    halves = compare(curves)[["rule", "predicted_half", "measured_half", "rmse"]].round(3)
    return {"settings": settings_of(spec), "curves": by_rule, "halves": json.loads(halves.to_json(orient="records"))}


def _successes(rows: pd.DataFrame) -> list[list[float]]:
    """Success after every update, one list for each start."""
    means = rows.groupby(["start", "step"])["success"].mean().round(4)
    return [means[start].tolist() for start in means.index.unique("start")]


if __name__ == "__main__":
    text = json.dumps([recorded(spec) for spec in RECORDED], separators=(",", ":"))
    write_atomic(RECORD, (text + "\n").encode())
