"""How much of a gradient is signal: estimated from the gradients of the two halves of a batch."""

from collections.abc import Callable

import torch


def signal_and_noise(gradients: tuple[torch.Tensor, torch.Tensor]) -> dict[str, float]:
    """Squared length of the expected gradient and total variance of a batch's, from those of its two halves ``(P,)``.

    With independent halves g1 and g2 of a batch whose gradient is their mean, ``g1 . g2`` is unbiased for the
    first (and may be negative), ``|g1 - g2|^2 / 4`` for the second. Average each over updates before dividing.

    >>> signal_and_noise((torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])))
    {'grad_signal': 1.0, 'grad_noise': 1.0, 'grad_snr': 1.0}
    """
    # Sums over all parameters keep their digits in float64.
    first, second = (gradient.double() for gradient in gradients)
    signal = float(first @ second)
    noise = float((first - second).square().sum() / 4)
    return {"grad_signal": signal, "grad_noise": noise, "grad_snr": signal / noise if noise > 0 else float("nan")}


def half_gradients(
    loss_of: Callable[[slice], torch.Tensor], parameters: list[torch.nn.Parameter], questions: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients ``(P,)`` of the first and the second half of the questions.

    ``loss_of``: the loss of the questions of a slice, a scalar. With an odd number of questions the last is left out.
    """

    def gradient(part: slice) -> torch.Tensor:
        # A parameter that the loss does not reach has a gradient of zeros.
        found = torch.autograd.grad(loss_of(part), parameters, allow_unused=True)
        pairs = zip(parameters, found, strict=True)
        return torch.cat([torch.zeros_like(p).flatten() if g is None else g.flatten() for p, g in pairs])

    # Halves of equal size, so that their mean is the gradient of both together.
    half = questions // 2
    return gradient(slice(0, half)), gradient(slice(half, 2 * half))
