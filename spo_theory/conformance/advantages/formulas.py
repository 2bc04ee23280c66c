"""Conventions that look at the whole batch, and those of trainers that no baseline of a method stands for.

All are functions of rewards ``(Q, G)`` and of the responses that count, in exact arithmetic up to float64. They serve
`check` and `identify`; an update rule of one group cannot hold a convention over a batch.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.group_statistics import LeaveOneOut, OverMean

Centre = Literal["group", "others", "batch", "zscore"]


@dataclass(frozen=True)
class BatchScaled:
    """Rewards less a mean, divided by a standard deviation over all responses of the batch.

    centre: what is subtracted: the mean of the group, of the others of the group, or of the batch; ``zscore``
    standardizes in the group first and whitens over the batch then (GDPO with one reward).
    of: whether the deviation is that of the ``rewards``, or of the ``advantages`` after centring.
    ddof, eps: as usual. in_root: whether eps is added to the variance, or to the deviation. floor: whether eps is a
    lower bound of the variance instead. group_eps: eps of the group's part of ``zscore``.

    Example:
        >>> rewards = np.array([[1.0, 0.0], [0.0, 0.0]])
        >>> BatchScaled(eps=0.0)(rewards).tolist()
        [[1.0, -1.0], [0.0, 0.0]]
    """

    centre: Centre = "group"
    of: Literal["rewards", "advantages"] = "rewards"
    ddof: int = 1
    eps: float = 1e-4
    in_root: bool = False
    floor: bool = False
    group_eps: float = 1e-4

    def __call__(self, rewards: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
        """Advantages ``(Q, G)``; 0 for responses that do not count."""
        counted = np.ones(rewards.shape, dtype=bool) if valid is None else valid
        centred = self._centred(rewards, valid, counted)
        whole = rewards if self.of == "rewards" else centred
        count = max(int(counted.sum()), 1)
        mean = whole[counted].sum() / count
        variance = ((whole[counted] - mean) ** 2).sum() / max(count - self.ddof, 1)
        if self.floor:
            scaled = centred / np.sqrt(max(variance, self.eps))
        elif self.in_root:
            scaled = centred / np.sqrt(variance + self.eps)
        else:
            divisor = np.sqrt(variance) + self.eps
            scaled = centred / divisor if divisor > 0 else centred
        return np.where(counted, scaled, 0.0)

    def _centred(self, rewards: np.ndarray, valid: np.ndarray | None, counted: np.ndarray) -> np.ndarray:
        """Rewards less what ``centre`` says, ``(Q, G)``."""
        if self.centre == "group":
            centred = GroupAdvantage(scale="none")(rewards, valid)
        elif self.centre == "others":
            centred = LeaveOneOut()(rewards, valid)
        elif self.centre == "zscore":
            centred = GroupAdvantage(ddof=1, eps=self.group_eps)(rewards, valid)
        else:
            centred = rewards
        if self.of == "advantages" or self.centre == "batch":
            centred = centred - centred[counted].sum() / max(int(counted.sum()), 1)
        return centred


@dataclass(frozen=True)
class MeanScaled:
    """``(r - mean) / (mean + eps)`` in the group: MaxRL, arXiv 2602.02710, as trainers that add an epsilon write it.

    Example:
        >>> MeanScaled(eps=0.0)(np.array([[1.0, 0.0, 0.0, 0.0]])).tolist()
        [[3.0, -1.0, -1.0, -1.0]]
    """

    eps: float = 1e-6

    def __call__(self, rewards: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
        """Advantages ``(Q, G)``; 0 for responses that do not count."""
        counted = np.ones(rewards.shape, dtype=bool) if valid is None else valid
        count = np.maximum(counted.sum(-1, keepdims=True), 1)
        divisor = np.where(counted, rewards, 0.0).sum(-1, keepdims=True) / count + self.eps
        centred = GroupAdvantage(scale="none")(rewards, valid)
        return np.where(divisor == 0, 0.0, centred / np.where(divisor == 0, 1.0, divisor))


@dataclass(frozen=True)
class BestAgainstSecond:
    """The best response earns what it is ahead of the second best, over ``std + eps``; all others 0.

    Source: pass@k as in verl's grpo_passk, arXiv 2503.19595. scale: ``none`` leaves the division out.

    Example:
        >>> BestAgainstSecond(scale="none")(np.array([[0.5, 1.0, 0.25]])).tolist()
        [[0.0, 0.5, 0.0]]
    """

    ddof: int = 1
    eps: float = 1e-6
    scale: Literal["std", "none"] = "std"

    def __call__(self, rewards: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
        """Advantages ``(Q, G)``; 0 for responses that do not count."""
        advantages = np.zeros(rewards.shape)
        for number, row in enumerate(rewards):
            places = np.arange(len(row)) if valid is None else np.flatnonzero(valid[number])
            if len(places) < 2:
                continue
            second, best = np.sort(row[places])[-2:]
            divisor = 1.0 if self.scale == "none" else row[places].std(ddof=self.ddof) + self.eps
            advantages[number, places[np.argmax(row[places])]] = (best - second) / divisor if best > second else 0.0
        return advantages


@dataclass(frozen=True)
class PerNonzero:
    """``(r - mean)`` in the group, times responses over responses of nonzero reward in the batch: GPG of verl.

    Example:
        >>> PerNonzero()(np.array([[1.0, 0.0], [0.0, 0.0]])).tolist()
        [[2.0, -2.0], [0.0, 0.0]]
    """

    def __call__(self, rewards: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
        """Advantages ``(Q, G)``; 0 for responses that do not count."""
        counted = np.ones(rewards.shape, dtype=bool) if valid is None else valid
        factor = counted.sum() / max(int((counted & (rewards != 0)).sum()), 1)
        return factor * GroupAdvantage(scale="none")(rewards, valid)


@dataclass(frozen=True)
class NoBaseline:
    """The reward is the advantage.

    Example:
        >>> NoBaseline()(np.array([[1.0, 0.0]])).tolist()
        [[1.0, 0.0]]
    """

    def __call__(self, rewards: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
        """Advantages ``(Q, G)``; 0 for responses that do not count."""
        return rewards if valid is None else np.where(valid, rewards, 0.0)


_TABLE = {
    "trl_batch": (BatchScaled(), "TRL 1.16.0, scale_rewards='batch', grpo_trainer.py:2774"),
    "swift_rloo_batch": (BatchScaled("others"), "ms-swift 4.6.0, rloo with scale_rewards batch, rl_core/advantage.py"),
    "swift_reinforce_pp": (BatchScaled(of="advantages"), "ms-swift 4.6.0, reinforce_plus_plus with scale batch"),
    "trl_gdpo": (
        BatchScaled("zscore", "advantages", eps=1e-4),
        "TRL 1.16.0, normalize_then_sum with one reward, grpo_trainer.py:2794",
    ),
    "swift_gdpo": (
        BatchScaled("zscore", "advantages", eps=1e-8, group_eps=1e-8),
        "ms-swift 4.6.0, gdpo with one reward, rl_core/advantage.py:83",
    ),
    "verl_gdpo": (
        BatchScaled("zscore", "advantages", eps=1e-8, in_root=True, group_eps=1e-6),
        "verl 0.9.1, gdpo with one reward, responses of one length, core_algos.py:362",
    ),
    "verl_reinforce_pp": (
        BatchScaled("batch", "advantages", eps=1e-8, in_root=True),
        "verl 0.9.1, reinforce_plus_plus, responses of one token, core_algos.py:694",
    ),
    "verl_reinforce_pp_baseline": (
        BatchScaled("group", "advantages", eps=1e-8, in_root=True),
        "verl 0.9.1, reinforce_plus_plus_baseline, responses of one token, core_algos.py:536",
    ),
    "openrlhf_reinforce_baseline": (
        BatchScaled("group", "advantages", ddof=0, eps=1e-8, floor=True),
        "OpenRLHF 0.11.2, reinforce_baseline, responses of one length, experience_maker.py:325",
    ),
    "nemo_reinforce_pp": (
        BatchScaled("group", "advantages", ddof=0, eps=1e-8, floor=True),
        "NeMo-RL 7ea279a, reinforce_plus_plus, responses of one length, advantage_estimator.py",
    ),
    "openrlhf_reinforce": (
        BatchScaled("batch", "advantages", ddof=0, eps=1e-8, floor=True),
        "OpenRLHF 0.11.2, reinforce, responses of one length, experience_maker.py:325",
    ),
    "areal_batch": (BatchScaled("batch", eps=1e-5), "AReaL 1.0.4, reward_norm batch/batch (its default)"),
    "skyrl_maxrl": (MeanScaled(), "SkyRL 0.3.0, ppo_utils.py:1366"),
    "maxrl": (OverMean(), "arXiv 2602.02710; prime-rl 559b447, max_rl.py:26"),
    "verl_passk": (BestAgainstSecond(), "verl 0.9.1, grpo_passk, core_algos.py:472; arXiv 2503.19595"),
    "passk_none": (BestAgainstSecond(scale="none"), "verl 0.9.1, grpo_passk without the division"),
    "verl_gpg": (PerNonzero(), "verl 0.9.1, gpg, core_algos.py:771"),
    "raw": (NoBaseline(), "Reinforce, arXiv 2504.11343"),
}

FORMULAS = {name: formula for name, (formula, _) in _TABLE.items()}
"""Formulas that are no baseline of a method, by name."""

FORMULA_SOURCES = {name: source for name, (_, source) in _TABLE.items()}
"""Where each formula was read: project, version or commit, file and line."""
