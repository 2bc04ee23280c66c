"""What a batch cost, in the columns of the theory (docs/theory/remedies.md#costs)."""

import torch

from spo_theory.needs import needs_of
from toy_llm.training.rollout import Batch, silent_groups

NO_COSTS = dict.fromkeys(("rollouts", "tokens_generated", "tokens_trained", "steps_judged", "solutions"), float("nan"))
"""What is logged of an update on stored rollouts: they have cost what they cost once, before training."""


def costs(batch: Batch) -> dict[str, float]:
    """Rollouts, tokens generated and trained on, steps judged and reference solutions of a batch.

    The columns are those of `spo_theory.exact.costs.COSTS`, summed over the questions of the batch: see there.
    """
    group_size = batch.correct.shape[1]
    update_rule = batch.update_rule
    steps = batch.true_steps[:, None]
    sampled = torch.ones_like(batch.true_steps, dtype=torch.bool)
    solutions = torch.zeros_like(sampled)
    given = torch.zeros_like(steps)
    if batch.asked is not None:
        sampled = ~batch.asked.taught
        given = batch.asked.given[:, None]
        solutions = batch.asked.taught | (batch.asked.given > 0) | update_rule.sampler.looks

    # Tokens count for training if some step of their group has a weight; a solution is learnt once, not G times
    tokens = batch.mask.sum((1, 2)).double()
    silent = silent_groups(update_rule.objective, batch.advantages, batch.step_advantages)
    copies = torch.where(sampled, 1.0, 1.0 / group_size)

    # A judge reads incorrect responses up to the first step that it calls wrong, from the first that was not given
    negative, mixed = needs_of(update_rule, max(2, int(steps.max()))).judged.tolist()
    all_negative = ~batch.correct.any(-1, keepdim=True)
    heard = torch.where(all_negative, negative, mixed) & ~batch.correct & sampled[:, None]
    read = (torch.minimum(batch.first_error + 1, steps) - given).clamp(min=0)
    return {
        "rollouts": float(sampled.sum() * group_size),
        "tokens_generated": float(tokens[sampled].sum()),
        "tokens_trained": float((tokens * copies)[~silent].sum()),
        "steps_judged": float((read * heard).sum()),
        "solutions": float(solutions.sum()),
    }


def with_resampling(row: dict[str, float], learnt: Batch, rollouts: float) -> dict[str, float]:
    """The costs in ``row`` of an update's first batch, changed to those of all ``rollouts`` that delivered ``learnt``.

    The tokens of further batches are counted by the mean length of the first one.
    """
    longer = rollouts / row["rollouts"]
    trained = costs(learnt)["tokens_trained"]
    return {"rollouts": rollouts, "tokens_generated": longer * row["tokens_generated"], "tokens_trained": trained}
