"""Supervised learning: Adam with a short rise of the step size and a long fall, for warm starts and judges."""

from collections.abc import Callable

import torch
from tqdm import tqdm

from toy_llm.threads import threads


def fit(
    model: torch.nn.Module,
    loss: Callable[[int], torch.Tensor],
    updates: int,
    learning_rate: float,
    label: str,
    progress: bool = False,
) -> None:
    """Train ``model`` in place: ``updates`` steps down the gradient of ``loss(update)``, a scalar.

    ``learning_rate``: the highest one; it rises over the first twentieth of the updates and then falls to 0.
    ``label``: of the progress bar.
    """
    # A shorter memory of squares than usual: there are only a few hundred updates.
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, betas=(0.9, 0.99))
    warm = max(1, updates // 20)

    def share_of_the_highest(update: int) -> float:
        # The three lines meet after a twentieth of the updates, where the rise gives way to the fall.
        return min((update + 1) / warm, 1.0, 1.05 - update / updates)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_the_highest)

    # With one thread, whatever the run has: the result is kept for all runs, so it must not depend on one of them.
    with threads(1):
        for update in tqdm(range(updates), desc=label, disable=not progress, leave=False):
            value = loss(update)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
