"""Forecast, level 3: training on groups whose steps are drawn on the true prefix, without rollouts.

Up to and including its first error a response stands in states of the true response, so its tokens there, its class,
its rewards and its step weights have exactly the distribution of a rollout's. Tokens after the first error are drawn in
the same place of the true response instead of behind the error: their weights are right, their states stand for others.
So one pass over each question's true response serves all of its group. Derived in docs/theory/network.md#noisy.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch

from toy_llm.judging.exact import token_mask
from toy_llm.network.policy import Rollout
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.task import Task


@dataclass(frozen=True)
class TrueStates:
    """A policy whose every token is drawn as if all tokens before it were the true ones; ``inner`` is the real one.

    For the trainer it is a policy like any other (`toy_llm.network.policy.Policy`), so groups, judges, methods and
    optimizers of a forecast are the trainer's own. Training it trains ``inner``.

    >>> from toy_llm.network.transformer import Transformer
    >>> from toy_llm.problems.chain import ChainTask
    >>> task = ChainTask(horizon=2)
    >>> policy = TrueStates(TransformerPolicy(Transformer(task.vocabulary, 6, layers=1, width=8, heads=2), task))
    >>> prompts, answers = task.questions("forecast", seed=0, start=0, count=3)
    >>> tuple(policy.sample(prompts, answers, 4, torch.Generator().manual_seed(0)).responses.shape)
    (3, 4, 2)
    """

    inner: TransformerPolicy

    @property
    def task(self) -> Task:
        """The problems whose responses it draws."""
        return self.inner.task

    @property
    def module(self) -> torch.nn.Module:
        """The network."""
        return self.inner.module

    def frozen_copy(self) -> Self:
        """See `toy_llm.network.policy.Policy.frozen_copy`."""
        return replace(self, inner=self.inner.frozen_copy())

    def true_log_odds(self, prompts: torch.Tensor, answers: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
        """Log-odds ``(Q, S)`` of true steps: those of the real policy."""
        return self.inner.true_log_odds(prompts, answers, temperature)

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
        """Draw ``group_size`` responses to each of ``prompts`` ``(Q, P)``; see `toy_llm.network.policy.Policy.sample`.

        A response that has gone wrong ends where the true one does, if it does not end before. Each begins with the
        first ``given`` ``(Q,)`` true tokens, if that is not None.
        """
        # All responses to a question have the same distributions, one for each place of the true response.
        log_probs = self._log_probs(prompts, answers, temperature)
        probs = log_probs.exp()
        drawn = torch.multinomial(probs.flatten(0, 1), group_size, replacement=True, generator=generator)
        responses = drawn.unflatten(0, answers.shape).transpose(1, 2)

        if given is not None:
            told = torch.arange(answers.shape[1]) < given[:, None]
            responses = torch.where(told[:, None], answers[:, None], responses)

        # Behind the true response there is no state to draw in.
        place = self.task.answer_steps(answers) >= 0
        if self.task.end is not None:
            responses = responses.masked_fill(~place[:, None], self.task.end)

        # What is logged and what the theory predicts, as for any rollout.
        entropy = -(probs * log_probs).sum(-1)[place].mean()
        true_probs = self.true_log_odds(prompts, answers).sigmoid()
        return Rollout(responses, self._written(log_probs, answers, responses), entropy, true_probs)

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability ``(Q, G, T)``, nats, of every token in its place of the true response, with gradient."""
        return self._written(self._log_probs(prompts, answers, temperature), answers, responses)

    def _log_probs(self, prompts: torch.Tensor, answers: torch.Tensor, temperature: float) -> torch.Tensor:
        """Log-probabilities ``(Q, T, V)`` of all tokens in every place of the true response."""
        return (self.inner.true_logits(prompts, answers) / temperature).log_softmax(-1)

    def _written(self, log_probs: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
        """Those ``(Q, G, T)`` of the tokens of ``responses``; 0 behind the end of a response, and of the true one."""
        found = log_probs.gather(-1, responses.transpose(1, 2)).transpose(1, 2)
        there = (self.task.answer_steps(answers) >= 0)[:, None]
        if self.task.end is not None:
            there = there & token_mask(responses, self.task.end)
        return found.masked_fill(~there, 0.0)
