"""Log-odds of whole steps from a network's logits, computed without cancellation."""

import torch


def step_log_odds(logits: torch.Tensor, targets: torch.Tensor, steps: torch.Tensor, horizon: int) -> torch.Tensor:
    """Log-odds ``(Q, S)``, nats, of right steps; infinite for those that a question does not have.

    ``logits`` ``(Q, T, V)``: ahead of each token. ``targets`` ``(Q, T)``: the right tokens. ``steps`` ``(Q, T)``: the
    step of each token, from 0, -1 for padding. ``horizon``: S. A step is right if all its tokens are.

    >>> logits = torch.tensor([[[2.0, 0.5], [0.0, 1.0]]])
    >>> step_log_odds(logits, torch.tensor([[0, 1]]), torch.tensor([[0, 1]]), horizon=2)
    tensor([[1.5000, 1.0000]])
    >>> step_log_odds(logits, torch.tensor([[0, 1]]), torch.tensor([[0, 0]]), horizon=1)  # both tokens are one step
    tensor([[0.3959]])
    """
    # The wrong tokens are summed without the right one: 1 - p would lose its digits where p is near 1.
    place = targets[..., None]
    total = torch.logsumexp(logits, -1)
    hit = logits.gather(-1, place).squeeze(-1) - total
    miss = torch.logsumexp(logits.scatter(-1, place, -torch.inf), -1) - total

    # A step fails at the first of its tokens that is wrong: these ways exclude one another, so they add up.
    step = torch.arange(horizon, device=steps.device)
    member = steps[:, None, :] == step[:, None]  # (Q, S, T)
    of_step = torch.where(member, hit[:, None], 0.0)
    before = of_step.cumsum(-1) - of_step
    absent = ~member.any(-1)
    ways = torch.where(member, before + miss[:, None], -torch.inf)

    # Without a token there is no way to fail; the zeros only keep NaN out of the gradient.
    fail = torch.logsumexp(ways.masked_fill(absent[..., None], 0.0), -1)
    return (of_step.sum(-1) - fail).masked_fill(absent, torch.inf)
