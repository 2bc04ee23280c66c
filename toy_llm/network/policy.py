"""What training and evaluation need of a policy, whatever computes it."""

from typing import NamedTuple, Protocol, Self

import torch

from toy_llm.problems.task import Task


class Rollout(NamedTuple):
    """Sampled responses and what was known while sampling them.

    responses: int64 ``(Q, G, T)``, after the end padded with it. log_probs: ``(Q, G, T)``, nats, 0 after the end.
    entropy: scalar, mean over tokens, nats. true_probs: ``(Q, S)``, probability of each true step after the true
    steps before it, at temperature 1; 1 for the steps that a question does not have.
    """

    responses: torch.Tensor
    log_probs: torch.Tensor
    entropy: torch.Tensor
    true_probs: torch.Tensor


class Policy(Protocol):
    """A distribution over responses to the questions of a task, with parameters that can be trained."""

    @property
    def task(self) -> Task:
        """The problems whose responses it samples."""

    @property
    def module(self) -> torch.nn.Module:
        """What holds the parameters: training moves them, a checkpoint keeps them."""

    def sample(
        self,
        prompts: torch.Tensor,
        answers: torch.Tensor,
        group_size: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        given: torch.Tensor | None = None,
    ) -> Rollout:
        """Sample ``group_size`` responses to each of ``prompts`` ``(Q, P)`` with true responses ``(Q, T)``.

        ``answers`` are only for the exact step probabilities and for ``given`` ``(Q,)``, the number of true tokens with
        which every response to a question begins (None: no response is begun). ``generator`` gives all randomness.
        Returns the responses with what was known while sampling them, without gradient.
        """

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability ``(Q, G, T)``, nats, of every token of ``responses``, with gradient; 0 after the end.

        ``responses``: int64 ``(Q, G, T)``. ``temperature``: that of sampling, if the result is to be compared with a
        rollout.
        """

    def true_log_odds(self, prompts: torch.Tensor, answers: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
        """Log-odds ``(Q, S)``, nats, of each true step after the true steps before it, with gradient.

        Infinite for the steps that a question does not have. ``answers``: true responses ``(Q, T)``. They decide the
        expected gradient of training, see docs/theory/network.md#expected-gradient.
        """

    def frozen_copy(self) -> Self:
        """A copy with parameters of its own that are not trained: the policy as it is now.

        Later training of this policy does not reach it: the divergence from the start is measured with it.
        """
