"""What is forecast and trained: a run of the trainer, several rules, several warm starts, several runs from each."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from toy_llm.config import TrainConfig

Level = Literal["chain", "kernel", "mean_field", "noisy"]
"""The ladder of forecasts, from the simplest to the most complete; docs/theory/network.md says what each neglects."""


@dataclass(frozen=True)
class Configuration:
    """One configuration of the network, forecast and trained with every rule from several warm starts.

    base: the training run; its rule and its seeds are replaced. starts: seeds of the warm starts. runs: training runs
    from each of them, per rule. draws: of the level "noisy", from each start. levels: of the ladder, in its order.
    held_out: questions of each kind on which success is followed. points: of a curve, about. rules: by name.
    rule_options: options of single rules, as (rule, option, value). note: what is changed on purpose, if anything is.
    family: of cells that are shown together, "" for those with curves of their own.

    >>> Configuration("tiny", TrainConfig(horizon=2), starts=(0, 1), runs=2).seeds
    (0, 1, 2, 3)
    """

    name: str
    base: TrainConfig = field(default_factory=TrainConfig)
    starts: tuple[int, ...] = (0, 1, 2)
    runs: int = 4
    draws: int = 4
    levels: tuple[Level, ...] = ("kernel", "mean_field", "noisy")
    held_out: int = 256
    points: int = 40
    rules: tuple[str, ...] = ("grpo", "spo")
    rule_options: tuple[tuple[str, str, Any], ...] = ()
    note: str = ""
    family: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the training runs: `runs` of each start, one start after the other."""
        return tuple(range(len(self.starts) * self.runs))

    def start_of(self, seed: int) -> int:
        """The warm start of a training run.

        >>> Configuration("tiny", starts=(5, 6), runs=2).start_of(3)
        6
        """
        return self.starts[seed // self.runs]

    def config(self, rule: str, seed: int) -> TrainConfig:
        """The training run of one rule and seed."""
        return replace(self.from_start(rule, self.start_of(seed)), seed=seed)

    def from_start(self, rule: str, start: int) -> TrainConfig:
        """A run of one rule from one warm start; noise and divergence are not measured on the way."""
        options = {name: value for owner, name, value in self.rule_options if owner == rule}
        return replace(self.base, rule=rule, start_seed=start, rule_options=options, noise_every=0, kl_every=0)

    def labels(self, source: str, rule: str, start: int) -> dict[str, Any]:
        """The columns of the table of curves that say what a curve is; ``source``: "theory" or "network"."""
        config = self.base
        return {
            "experiment": self.name,
            "source": source,
            "rule": rule,
            "horizon": config.task().horizon,
            "group_size": config.group_size,
            "model": config.policy,
            "optimizer": config.optimizer,
            "learning_rate": config.learning_rate,
            "output_scale": config.output_scale,
            "note": self.note,
            "family": self.family,
            "start": start,
        }
