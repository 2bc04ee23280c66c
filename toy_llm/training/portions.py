"""Questions that are asked in part: hints, easier questions, reference solutions (docs/theory/remedies.md)."""

from dataclasses import replace
from typing import NamedTuple

import torch

from spo_theory.parts.samplers import Sampler
from toy_llm.judging.exact import Verdict
from toy_llm.network.policy import Policy, Rollout
from toy_llm.problems.task import Task


class Asked(NamedTuple):
    """How each of Q questions is asked; all ``(Q,)``.

    given: int64, steps of the solution with which every response begins. until: int64, the steps before this one
    count. taught: boolean, the solution itself stands for the responses.
    """

    given: torch.Tensor
    until: torch.Tensor
    taught: torch.Tensor

    def learnt(self, steps: int) -> torch.Tensor:
        """Boolean ``(Q, 1, S)``: steps from which something may be learnt."""
        step = torch.arange(steps, device=self.given.device)
        return ((step >= self.given[:, None]) & (step < self.until[:, None]))[:, None]


def step_probs(
    policy: Policy, prompts: torch.Tensor, answers: torch.Tensor, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Probability ``(Q, S)`` of every true step behind the true ones, 1 for steps that a question does not have, and
    the number of its steps ``(Q,)``.

    ``prompts`` ``(Q, P)``, ``answers`` ``(Q, T)``. One pass over the reference solutions: nothing is sampled.
    """
    step = policy.task.answer_steps(answers)
    with torch.no_grad():
        of_tokens = policy.log_probs(prompts, answers, answers[:, None], temperature)[:, 0]

    total = of_tokens.new_zeros(len(answers), policy.task.horizon)
    total.scatter_add_(1, step.clamp(min=0), torch.where(step >= 0, of_tokens, 0.0))
    return total.exp(), step.amax(-1) + 1


def draw_asked(
    policy: Policy,
    sampler: Sampler,
    prompts: torch.Tensor,
    answers: torch.Tensor,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Asked:
    """Draw for every question the portion in which ``sampler`` asks it.

    ``prompts`` ``(Q, P)``, ``answers`` ``(Q, T)``. ``generator``: of the luck. A sampler that looks at the policy sees
    its exact chances on the reference solutions.
    """
    steps = policy.task.answer_steps(answers).amax(-1) + 1
    probs = torch.ones(len(answers), policy.task.horizon, dtype=torch.float64, device=answers.device)
    if sampler.looks:
        probs, steps = step_probs(policy, prompts, answers, temperature)
    luck = torch.rand(len(answers), 1, generator=generator, dtype=torch.float64, device=answers.device)

    # Questions of one length have the same portions
    asked = Asked(torch.zeros_like(steps), steps.clone(), torch.zeros_like(steps, dtype=torch.bool))
    for length in steps.unique().tolist():
        rows = torch.nonzero(steps == length).squeeze(1)
        portions = sampler.portions(length)
        chances = sampler.chances(probs[rows, :length].double())
        place = (luck[rows] > chances.cumsum(-1)[:, :-1]).sum(-1)
        for mine, values in zip(asked, portions, strict=True):
            mine[rows] = torch.as_tensor(values, device=answers.device)[place].to(mine.dtype)
    return asked


def given_tokens(task: Task, answers: torch.Tensor, asked: Asked) -> torch.Tensor:
    """True tokens ``(Q,)`` with which the responses to each question of ``answers`` ``(Q, T)`` begin."""
    step = task.answer_steps(answers)
    return ((step >= 0) & (step < asked.given[:, None])).sum(-1)


def with_solutions(
    policy: Policy, rollout: Rollout, prompts: torch.Tensor, answers: torch.Tensor, asked: Asked, temperature: float
) -> Rollout:
    """The rollout with reference solutions in place of the responses to questions that are taught.

    ``prompts`` ``(Q, P)``, ``answers`` ``(Q, T)``. Their log-probabilities are those of the policy that has sampled.
    """
    if not asked.taught.any():
        return rollout
    mine = asked.taught
    copies = answers[mine, None].expand(-1, rollout.responses.shape[1], -1)
    with torch.no_grad():
        log_probs = policy.log_probs(prompts[mine], answers[mine], copies[:, :1], temperature)
    return rollout._replace(
        responses=rollout.responses.index_put((mine,), copies),
        log_probs=rollout.log_probs.index_put((mine,), log_probs.expand(*copies.shape)),
    )


def as_asked(verdict: Verdict, asked: Asked, true_steps: torch.Tensor) -> Verdict:
    """The verdict on what was asked: the tokens that count, and whether the steps that count are right.

    ``verdict``: on whole responses. ``true_steps`` ``(Q,)``: of each question. First errors and lengths stay those of
    the whole response.
    """
    inside = asked.learnt(verdict.step_lengths.shape[-1]).expand(verdict.step_lengths.shape)
    cut = verdict.first_error >= asked.until[:, None]
    whole = (asked.until >= true_steps)[:, None]
    return replace(
        verdict,
        correct=torch.where(whole, verdict.correct, cut),
        mask=verdict.mask & inside.gather(-1, verdict.token_step),
    )
