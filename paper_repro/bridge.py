"""The bridge: the network is measured at its warm start, `solve` forecasts its training, nothing is fitted."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from paper_repro.measures import mean_interval, smooth, updates_to
from toy_llm.kernel import Start, gradient_variance, measure_start
from toy_llm.model import TransformerPolicy
from toy_llm.train import TrainConfig, make_policy, train

COLLAPSE = 0.1
"""A run has collapsed if its smoothed success ends this far below its own maximum."""


@dataclass(frozen=True)
class Spec:
    """One configuration of the network, trained with every rule from every seed's own warm start."""

    name: str
    horizon: int
    optimizer: str
    learning_rate: float
    updates: int
    start_accuracy: float
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    rules: tuple[str, ...] = ("grpo", "spo")
    group_size: int = 8
    questions: int = 64

    def config(self, rule: str, seed: int) -> TrainConfig:
        """The training run of one rule and seed."""
        return TrainConfig(
            horizon=self.horizon,
            rule=rule,
            group_size=self.group_size,
            questions=self.questions,
            updates=self.updates,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,  # type: ignore[arg-type]
            start_accuracy=self.start_accuracy,
            seed=seed,
            start_seed=seed,
        )

    def labels(self, source: str, rule: str, seed: int) -> dict[str, Any]:
        """The columns that say what a curve is."""
        return {
            "experiment": self.name,
            "source": source,
            "rule": rule,
            "horizon": self.horizon,
            "group_size": self.group_size,
            "model": "transformer",
            "optimizer": self.optimizer,
            "seed": seed,
        }


SPECS_FULL = (
    Spec("H4-sgd", 4, "sgd", 0.0027, 120, 0.45),
    Spec("H6-sgd", 6, "sgd", 0.0027, 270, 0.375),
    Spec("H4-adam", 4, "adam", 3e-4, 80, 0.45),
    Spec("H6-adam", 6, "adam", 3e-4, 100, 0.375),
)
"""Half the questions' steps succeed often enough to learn (H = 4), or GRPO stalls (H = 6)."""

SPECS_QUICK = (replace(SPECS_FULL[0], name="H4-sgd-quick", seeds=(0, 1), updates=70),)
"""One short configuration for a first look."""


@cache
def measured(config: TrainConfig) -> tuple[TransformerPolicy, Start]:
    """The warm-started policy of a run and what is measured of it; one warm start serves all rules."""
    policy, _ = make_policy(config)
    assert isinstance(policy, TransformerPolicy)
    return policy, measure_start(policy, seed=config.start_seed)


def start(spec: Spec, seed: int) -> pd.DataFrame:
    """Warm-start the network of one seed, measure it and forecast its training under every rule of ``spec``.

    Returns rows of the table of curves with source "theory". SGD: the chain with the measured kernel. Adam: the
    network linearized at the start, its gradient noise measured there.
    """
    from spo_theory import ReasoningChain, solve

    config = spec.config(spec.rules[0], seed)
    torch.set_num_threads(1)
    policy, at_start = measured(config)
    chain = ReasoningChain(logits=at_start.log_odds)
    frames = []
    for name in spec.rules:
        rule = replace(config, rule=name).make_rule()
        if spec.optimizer == "adam":
            noise = gradient_variance(policy, rule, spec.questions, seed=seed)
            options = {"features": at_start.features, "gradient_variance": noise}
        else:
            options = {"kernel": at_start.kernel}
        curve = solve(chain, rule, spec.updates, spec.learning_rate, spec.optimizer, **options)  # type: ignore[arg-type]
        frames.append(curve.assign(**spec.labels("theory", name, seed)))
    return pd.concat(frames, ignore_index=True)


def run_seed(spec: Spec, rule: str, seed: int) -> pd.DataFrame:
    """Train the network with one rule from one seed; rows of the table of curves with source "network".

    ``success`` is the mean probability of the whole true trace on the update's questions, which sampling does
    not blur; ``success_sampled`` the share of sampled responses that were correct.
    """
    torch.set_num_threads(1)
    frame = train(spec.config(rule, seed))
    frame = frame.rename(columns={"success": "success_sampled", "success_exact": "success"})
    return frame.assign(**spec.labels("network", rule, seed))


def compare(curves: pd.DataFrame) -> pd.DataFrame:
    """Forecast against measurement, one row per experiment and rule.

    predicted_half, measured_half: median over seeds of the updates to half success (network: smoothed over 5
    updates). measured_low, measured_high: 95 % Student t interval of the mean over seeds. ratio: median over
    seeds of predicted over measured, each seed against the forecast from its own start. rmse, r2: of the
    success curve, all seeds and updates together. fitted: constants fitted. collapsed: seeds that collapsed
    after success (`COLLAPSE`).
    """
    rows = []
    kinds = curves[curves["source"] == "network"].groupby(["experiment", "rule"], sort=False)
    for (experiment, rule), network in kinds:
        of = curves[(curves["experiment"] == experiment) & (curves["rule"] == rule)]
        theory = of[of["source"] == "theory"]
        if theory.empty:
            continue
        predicted, measured_half, gone, both = [], [], 0, []
        for seed, run in network.groupby("seed"):
            run = run.sort_values("step")
            forecast = theory[theory["seed"] == seed].sort_values("step")
            predicted.append(updates_to(forecast["step"].to_numpy(), forecast["success"].to_numpy(), window=1))
            measured_half.append(updates_to(run["step"].to_numpy(), run["success"].to_numpy()))
            gone += has_collapsed(run["success"].to_numpy())
            both.append(run[["step", "success"]].merge(forecast[["step", "success"]], on="step"))
        pairs = pd.concat(both)
        x, y = pairs["success_x"].to_numpy(float), pairs["success_y"].to_numpy(float)
        _, low, high = mean_interval(np.array(measured_half))
        first = network.iloc[0]
        rows.append(
            {
                "experiment": experiment,
                "rule": rule,
                "horizon": int(first["horizon"]),
                "group_size": int(first["group_size"]),
                "model": first["model"],
                "optimizer": first["optimizer"],
                "seeds": len(predicted),
                "predicted_half": np.median(predicted),
                "measured_half": np.median(measured_half),
                "measured_low": low,
                "measured_high": high,
                "ratio": np.median(np.divide(predicted, measured_half)),
                "rmse": float(np.sqrt(np.mean((x - y) ** 2))),
                "r2": float(1 - np.sum((x - y) ** 2) / np.sum((x - x.mean()) ** 2)),
                "fitted": 0,
                "collapsed": gone,
            }
        )
    return pd.DataFrame(rows)


def has_collapsed(success: np.ndarray) -> bool:
    """Whether a run's smoothed success ends more than `COLLAPSE` below its maximum."""
    smoothed = smooth(success)
    return bool(smoothed[-1] < smoothed.max() - COLLAPSE)
