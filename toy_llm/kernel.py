"""What the theory needs to know of the network at the start: log-odds, their gradients, gradient noise.

Everything is measured by autograd before training on questions that training never sees; nothing is fitted.
Derived in docs/theory.md, section 6 (the network's empirical neural tangent kernel in log-odds).
"""

import numpy as np
import torch
from torch.func import functional_call, grad, vmap


def true_prefix_log_odds(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-odds ``(..., H)`` of the true value of every step.

    ``logits`` ``(..., H, V)``: the network's output where it predicts each step after the true prefix;
    ``targets`` ``(..., H)``: the true values. ``log p - log(1 - p)``, computed without cancellation.
    """
    right = logits.gather(-1, targets[..., None]).squeeze(-1)
    others = logits.scatter(-1, targets[..., None], -torch.inf)
    return right - torch.logsumexp(others, dim=-1)


def log_odds_gradients(model: torch.nn.Module, tokens: torch.Tensor, horizon: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-odds ``(N, H)`` on true traces and their gradients ``(N, H, P)`` with respect to all P parameters.

    ``tokens`` ``(N, T)``: prompts followed by their H true values. One backward pass for each of the N H numbers.
    """
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def one(
        parameters: dict[str, torch.Tensor], row: torch.Tensor, h: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        logits = functional_call(model, parameters, (row[None, :-1],))[0, -horizon:]
        odds = true_prefix_log_odds(logits, row[-horizon:])
        chosen = odds[h] if isinstance(h, int) else (odds * torch.nn.functional.one_hot(h, horizon)).sum()
        return chosen, chosen

    per_step = vmap(grad(one, has_aux=True), (None, None, 0))
    per_question = vmap(per_step, (None, 0, None), chunk_size=8)
    gradients, odds = per_question(parameters, tokens, torch.arange(horizon))
    return odds, torch.cat([g.flatten(2) for g in gradients.values()], dim=-1)


def question_kernel(gradients: torch.Tensor) -> np.ndarray:
    """Kernel ``(N, H, N, H)`` for `spo_theory.solve` from log-odds gradients ``(N, H, P)`` of N questions.

    A question's own block is left out and the rest scaled by N / (N - 1): training meets fresh questions, so
    no question trains on itself.
    """
    n, h, _ = gradients.shape
    flat = gradients.reshape(n * h, -1)
    kernel = (flat @ flat.T).double().numpy().reshape(n, h, n, h)
    kernel[np.arange(n), :, np.arange(n), :] = 0.0
    return kernel * n / (n - 1)
