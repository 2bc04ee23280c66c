"""Forecasts: the network is measured at its warm start, `solve` predicts its training, and nothing is fitted."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pandas as pd
import torch

from toy_llm.linearization import Start, gradient_variance, measure_start
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.training.loop import TrainConfig, make_policy, train


@dataclass(frozen=True)
class Configuration:
    """One configuration of the network, trained with every rule from every seed's own warm start.

    horizon: steps per question. learning_rate: the step size of the optimizer. updates: their number.
    start_accuracy: probability of a right step after the warm start. group_size: responses per question.
    questions: per update. output_scale: factor on the network's logits; the other fields say themselves what they are.

    >>> QUICK[0].config("spo", seed=1).updates
    70
    """

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
    output_scale: float = 6.0
    note: str = ""
    """Which premise of the theory this configuration breaks on purpose, if it does."""
    rule_options: tuple[tuple[str, str, Any], ...] = ()
    """Options of single rules: the rule, the name of its option, the value."""

    def config(self, rule: str, seed: int) -> TrainConfig:
        """The training run of one rule and seed; the seed also decides the warm start."""
        return TrainConfig(
            horizon=self.horizon,
            rule=rule,
            group_size=self.group_size,
            questions=self.questions,
            output_scale=self.output_scale,
            updates=self.updates,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,  # type: ignore[arg-type]
            start_accuracy=self.start_accuracy,
            seed=seed,
            start_seed=seed,
            rule_options={name: value for owner, name, value in self.rule_options if owner == rule},
        )

    def labels(self, source: str, rule: str, seed: int) -> dict[str, Any]:
        """The columns of the table of curves that say what a curve is; ``source``: "theory" or "network"."""
        return {
            "experiment": self.name,
            "source": source,
            "rule": rule,
            "horizon": self.horizon,
            "group_size": self.group_size,
            "model": "transformer",
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "note": self.note,
            "seed": seed,
        }


FULL = (
    Configuration("H4-sgd", 4, "sgd", 0.0027, 120, 0.45),
    Configuration("H6-sgd", 6, "sgd", 0.0027, 360, 0.375),
    Configuration("H4-adam", 4, "adam", 3e-4, 80, 0.45),
    Configuration("H6-adam", 6, "adam", 3e-4, 100, 0.375),
    Configuration("H4-sgd-unscaled", 4, "sgd", 0.02, 120, 0.45, output_scale=1.0, note="features move"),
    Configuration("H4-sgd-large", 4, "sgd", 0.05, 60, 0.45, note="steps too large"),
)
"""H = 4 starts where GRPO learns at once, H = 6 where it stalls; the last two break a premise of the theory."""

QUICK = (replace(FULL[0], name="H4-sgd-quick", seeds=(0, 1), updates=70),)
"""One short configuration for a first look."""


@cache
def measured(config: TrainConfig) -> tuple[TransformerPolicy, Start]:
    """The warm-started policy of a run and what is measured of it at its start.

    The result is kept for as long as the process lives, because one warm start serves all rules and takes long.
    """
    policy = make_policy(config)
    assert isinstance(policy, TransformerPolicy)
    return policy, measure_start(policy, seed=config.start_seed)


def forecast(configuration: Configuration, seed: int) -> pd.DataFrame:
    """Warm-start the network of one seed, measure it and forecast its training under every rule of ``configuration``.

    Returns rows of the table of curves with source "theory". SGD: the chain with the measured kernel. Adam: the
    network linearized at the start, its gradient noise measured there.
    """
    from spo_theory import ReasoningChain, solve

    config = configuration.config(configuration.rules[0], seed)
    torch.set_num_threads(1)

    # All rules start from the same network, so it is measured once
    policy, at_start = measured(config)
    chain = ReasoningChain(logits=at_start.log_odds)
    frames = []
    for name in configuration.rules:
        rule = configuration.config(name, seed).make_rule()

        # Adam divides by the size of the noisy gradient, so its forecast needs the noise; that of SGD does not
        if configuration.optimizer == "adam":
            noise = gradient_variance(policy, rule, configuration.questions, seed=seed)
            options: dict[str, Any] = {"features": at_start.features, "gradient_variance": noise}
        else:
            options = {"kernel": at_start.kernel}

        options["optimizer"] = configuration.optimizer
        curve = solve(chain, rule, configuration.updates, configuration.learning_rate, **options)
        frames.append(curve.assign(**configuration.labels("theory", name, seed)))
    return pd.concat(frames, ignore_index=True)


def train_network(configuration: Configuration, rule: str, seed: int) -> pd.DataFrame:
    """Train the network with one rule from one seed; rows of the table of curves with source "network".

    ``success`` is the mean probability of the whole true trace on the update's questions, which sampling does
    not blur; ``success_sampled`` the share of sampled responses that were correct.
    """
    torch.set_num_threads(1)
    frame = train(configuration.config(rule, seed))
    frame = frame.rename(columns={"success": "success_sampled", "success_exact": "success"})
    return frame.assign(**configuration.labels("network", rule, seed))
