"""Groups from a tree search: one response after the other, each where the search wants it (docs/theory/related.md)."""

import torch

from spo_theory.parts.tree_search import TreeSearch
from toy_llm.network.policy import Policy, Rollout
from toy_llm.training.portions import step_probs

MOST_TRIES = 100
"""How often a wrong step is drawn at most until it is wrong; where it never is, the right step stands in for it."""


def searched(
    policy: Policy,
    sampler: TreeSearch,
    prompts: torch.Tensor,
    answers: torch.Tensor,
    group_size: int,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Rollout:
    """The responses of one search for each of ``prompts`` ``(Q, P)`` with true responses ``answers`` ``(Q, T)``.

    Returns a rollout as `toy_llm.network.policy.Policy.sample` does. The search knows the policy's chance of each right
    step from one pass over the true response, and where earlier responses fail. Steps must be one token each.
    Source: docs/theory/related.md#tree-search.
    """
    success, _ = step_probs(policy, prompts, answers, temperature)
    visits = torch.zeros(len(prompts), success.shape[-1] + 1, dtype=torch.int64, device=prompts.device)
    found = []
    for _ in range(group_size):
        depth, wrong = sampler.descend(visits, success.double())
        rollout = policy.sample(prompts, answers, 1, generator, temperature, depth)
        rollout = _wrong_there(policy, rollout, prompts, answers, depth, wrong, generator, temperature)
        visits.scatter_add_(
            1, policy.task.judge(rollout.responses, answers).first_error, torch.ones_like(visits[:, :1])
        )
        found.append(rollout)

    return Rollout(
        torch.cat([one.responses for one in found], dim=1),
        torch.cat([one.log_probs for one in found], dim=1),
        torch.stack([one.entropy for one in found]).mean(),
        found[0].true_probs,
    )


def _wrong_there(
    policy: Policy,
    rollout: Rollout,
    prompts: torch.Tensor,
    answers: torch.Tensor,
    depth: torch.Tensor,
    wrong: torch.Tensor,
    generator: torch.Generator,
    temperature: float,
) -> Rollout:
    """The rollout with responses drawn again where step ``depth`` should be wrong and is right."""
    for _ in range(MOST_TRIES):
        first_error = policy.task.judge(rollout.responses, answers).first_error[:, 0]
        rows = torch.nonzero(wrong & (first_error > depth)).squeeze(1)
        if not len(rows):
            break
        again = policy.sample(prompts[rows], answers[rows], 1, generator, temperature, depth[rows])
        rollout = rollout._replace(
            responses=rollout.responses.index_copy(0, rows, again.responses),
            log_probs=rollout.log_probs.index_copy(0, rows, again.log_probs),
        )
    return rollout
