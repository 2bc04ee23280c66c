"""A tabular policy with the stylized model's own parameters, for the same trainer as the transformer."""

import copy
from typing import Self

import torch
import torch.nn.functional as F
from torch import nn

from spo_theory.allowed import numbers
from spo_theory.validation import check
from toy_llm.network.policy import Rollout
from toy_llm.problems.chain import ChainTask


class TabularPolicy(nn.Module):
    """One log-odds per step: the true next value has probability ``sigmoid(logits[h])`` after a right prefix.

    The wrong values share the rest equally. After the first error other states are reached, with log-odds
    ``lost`` of their own, which never matter for success. ``step_success`` ``(H,)`` sets both at the start. Raises
    `InputError` for other numbers of it, and for a temperature other than 1: a table has none.

    >>> policy = TabularPolicy(ChainTask(2), [0.5, 0.8])
    >>> policy.logits.sigmoid().tolist()
    [0.5, 0.8]
    """

    def __init__(self, task: ChainTask, step_success: list[float]) -> None:
        super().__init__()
        chances = numbers("step_success", step_success)
        inside = chances.shape == (task.horizon,) and bool(((chances > 0) & (chances < 1)).all())
        check(inside, "step_success", step_success, f"{task.horizon} numbers strictly between 0 and 1")

        # In float64, so that training can be compared with the theory's exact numbers.
        start = torch.logit(torch.tensor(step_success, dtype=torch.float64))
        self.task = task
        self.logits = nn.Parameter(start.clone())
        self.lost = nn.Parameter(start.clone())

    @property
    def module(self) -> nn.Module:
        """The policy itself holds its parameters."""
        return self

    def frozen_copy(self) -> Self:
        """See `toy_llm.network.policy.Policy.frozen_copy`."""
        return copy.deepcopy(self).requires_grad_(False)

    def _step_log_probs(self, hit: torch.Tensor, on_track: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of steps that hit the true value or not, before or after the first error."""
        # Both cases by logsigmoid: no probability is formed whose logarithm could be that of 0.
        log_odds = torch.where(on_track, self.logits, self.lost)
        miss = F.logsigmoid(-log_odds) - torch.log(torch.tensor(self.task.modulus - 1.0, dtype=torch.float64))
        return torch.where(hit, F.logsigmoid(log_odds), miss)

    @staticmethod
    def _on_track(hit: torch.Tensor) -> torch.Tensor:
        """Whether all earlier steps were right, boolean, same shape as ``hit`` ``(..., H)``."""
        # The first step has none before it; a product of zeros and ones stays 0 from the first error on.
        before = torch.cat([torch.ones_like(hit[..., :1]), hit[..., :-1]], dim=-1)
        return before.long().cumprod(-1).bool()

    @torch.no_grad()
    def sample(
        self,
        prompts: torch.Tensor,
        answers: torch.Tensor,
        group_size: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        given: torch.Tensor | None = None,
    ) -> Rollout:
        """Sample as `toy_llm.network.policy.Policy.sample` says; the temperature must be 1.

        ``prompts`` are not read: a step's chance depends on its place and on the steps before it alone.
        """
        # Every step hits the true value or not; what it is likely to do depends on the steps before it.
        check(temperature == 1, "temperature", temperature, "1.0 for a tabular policy")
        shape = (len(prompts), group_size, self.task.horizon)
        luck = torch.rand(shape, generator=generator, dtype=torch.float64)
        hit = torch.empty(shape, dtype=torch.bool)
        on_track = torch.ones(shape[:2], dtype=torch.bool)
        for h in range(shape[-1]):
            hit[..., h] = luck[..., h] < torch.where(on_track, self.logits[h], self.lost[h]).sigmoid()
            if given is not None:  # a step that is given is right
                hit[..., h] |= h < given[:, None]
            on_track &= hit[..., h]

        # A step that misses writes one of the other values, all equally likely.
        miss = 1 + torch.randint(self.task.modulus - 1, shape, generator=generator)
        true = answers[:, None, :].expand(shape)

        # A miss of 1 to m - 1 never comes back to the true value.
        responses = torch.where(hit, true, (true + miss) % self.task.modulus)
        log_probs = self._step_log_probs(hit, self._on_track(hit))
        true_probs = self.logits.sigmoid().expand(answers.shape)
        return Rollout(responses, log_probs, -log_probs.mean(), true_probs)

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability ``(Q, G, H)`` of every token, with gradient.

        A token that misses has its equal share of the chance of all wrong values. The temperature must be 1.
        """
        # What was written says which steps hit, and that says what each was likely to do.
        check(temperature == 1, "temperature", temperature, "1.0 for a tabular policy")
        hit = responses == answers[:, None, :]
        return self._step_log_probs(hit, self._on_track(hit))

    def true_log_odds(self, prompts: torch.Tensor, answers: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
        """Log-odds ``(Q, H)`` of each true step, with gradient: the table's own, for every question."""
        return self.logits.expand(answers.shape)
