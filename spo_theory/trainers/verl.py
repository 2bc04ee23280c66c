"""Colouring in verl: the advantage estimators ``spo`` and ``spo_all_incorrect``, registered by importing this module.

Load it in every process by the environment variable VERL_USE_EXTERNAL_MODULES=spo_theory.trainers.verl, and choose
``algorithm.adv_estimator=spo``. The reward function scores a correct response 1 and any other by its colour, which is
always below 1 (`spo_theory.parts.rewards.Colouring`). Nothing else may be added to the reward: no KL term and no length
penalty, as 1 says that a response is correct. Docs: docs/trainers.md. verl 0.9.
"""

from typing import Any

import numpy as np
import torch

from spo_theory.methods.conventions import standardized
from spo_theory.validation import check


def advantages_of_scores(scores: torch.Tensor, uids: Any, scope: str = "all_negative") -> torch.Tensor:
    """Advantages ``(B,)`` of coloured scores in verl's convention; groups may be of any size and in any order.

    ``scores``: floating ``(B,)``, 1 for correct, below 1 for any other. ``uids``: ``(B,)``, equal in a group.
    ``scope``: ``all_negative`` drops the colours of groups with a correct response, ``all_incorrect`` keeps them. The
    advantage of a response alone in its group is its score over 1 + 1e-6, as in verl. Raises `InputError` for scores
    above 1, which no correct response has.

    Example, a mixed group and an all-negative one, interleaved:
        >>> scores = torch.tensor([1.0, 0.2, 0.5, 0.2])
        >>> advantages_of_scores(scores, ["a", "b", "a", "b"]).numpy().round(3)
        array([ 0.707,  0.   , -0.707,  0.   ], dtype=float32)
    """
    highest = float(scores.max()) if len(scores) else 0.0
    check(highest <= 1, "scores", highest, "at most 1, with nothing added to the reward of a correct response")
    groups = np.unique(np.asarray(uids).astype(str), return_inverse=True)[1]
    baseline = standardized("verl")

    advantages = torch.empty_like(scores)
    for number in range(groups.max(initial=-1) + 1):
        members = torch.from_numpy(np.flatnonzero(groups == number)).to(scores.device)
        rewards = scores[members]

        # A correct response in its group takes the colours away from the others
        if scope == "all_negative" and bool((rewards == 1).any()):
            rewards = (rewards == 1).to(rewards.dtype)
        advantages[members] = rewards / (1 + baseline.eps) if len(members) == 1 else baseline(rewards)
    return advantages


def spo(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: Any,
    config: Any = None,
    scope: str = "all_negative",
    **others: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantage estimator of verl: advantages and returns ``(B, T)``, equal, 0 outside of the response.

    ``token_level_rewards``, ``response_mask``: ``(B, T)``. ``index``: uids ``(B,)``. The other arguments are verl's and
    have no effect here.
    """
    with torch.no_grad():
        advantages = advantages_of_scores(token_level_rewards.sum(dim=-1), index, scope)[:, None] * response_mask
    return advantages, advantages


def spo_all_incorrect(**arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """As `spo`, but wrong responses of mixed groups keep their colours too."""
    return spo(**arguments, scope="all_incorrect")


def register() -> None:
    """Enter the estimators into verl's registry; raises `ImportError` without verl, `ValueError` for taken names."""
    from verl.trainer.ppo.core_algos import register_adv_est

    register_adv_est("spo")(spo)
    register_adv_est("spo_all_incorrect")(spo_all_incorrect)
