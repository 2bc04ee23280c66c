"""Dynamic sampling: groups that a rule does not learn from are replaced by groups of further batches (DAPO)."""

from collections.abc import Callable

import torch

from spo_theory.method import Method
from spo_theory.parts.samplers import DynamicSampling
from toy_llm.network.policy import Rollout
from toy_llm.problems.task import Task
from toy_llm.training.rollout import Judged, group_of


def delivered(task: Task, update_rule: Method, first: Judged, another: Callable[[int], Judged]) -> tuple[Judged, int]:
    """The groups that the rule's sampler delivers, as many as ``first`` has, and the number of batches sampled.

    ``first``: a batch of the current policy to ``task``. ``another``: samples batch 2, 3, ... of the same update. A
    sampler that replaces nothing delivers the first batch. Groups that are kept come first, in the order in which they
    were sampled. If ``most_batches`` of the sampler do not hold enough of them, groups that are not kept fill the rest:
    their steps have weight 0. Source: docs/theory/step-weights.md#resampling.
    """
    sampler = update_rule.sampler
    if not isinstance(sampler, DynamicSampling):
        return first, 1

    # Whole groups are taken over: which of them are kept says the rule alone
    wanted = len(first.prompts)
    kept = update_rule.kept(group_of(task, first))
    found = [_chosen(first, kept)]
    batches = 1
    while sum(len(part.prompts) for part in found) < wanted and batches < sampler.most_batches:
        batches += 1
        more = another(batches)
        found.append(_chosen(more, update_rule.kept(group_of(task, more))))

    # Every update has the same number of groups, so that a mean over them means the same
    found.append(_chosen(first, ~kept))
    return _joined(task, found, wanted), batches


def _chosen(judged: Judged, which: torch.Tensor) -> Judged:
    """The questions of a batch at which the boolean ``which`` ``(Q,)`` is true; its verdict is not kept up."""
    rollout = judged.rollout
    return Judged(
        prompts=judged.prompts[which],
        answers=judged.answers[which],
        rollout=Rollout(rollout.responses[which], rollout.log_probs[which], rollout.entropy, rollout.true_probs[which]),
        verdict=judged.verdict,
        first_error=judged.first_error[which],
    )


def _joined(task: Task, parts: list[Judged], count: int) -> Judged:
    """The first ``count`` questions of several batches as one batch, judged anew."""

    def first(tensors: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat(tensors)[:count]

    answers = first([part.answers for part in parts])
    rollouts = [part.rollout for part in parts]
    responses = first([rollout.responses for rollout in rollouts])
    return Judged(
        prompts=first([part.prompts for part in parts]),
        answers=answers,
        rollout=Rollout(
            responses,
            first([rollout.log_probs for rollout in rollouts]),
            rollouts[0].entropy,
            first([rollout.true_probs for rollout in rollouts]),
        ),
        verdict=task.judge(responses, answers),
        first_error=first([part.first_error for part in parts]),
    )
