"""A linear layer by oneDNN, whose float32 products took half the time of torch's own on the CPU measured.

It plans a product when it first meets its shape, which takes longer than the product itself at the sizes here: use it
where batches keep their shape. benchmarks/bench_update.py compares the two.
"""

import torch
from torch import nn


def _product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """``x weight^T + bias``: the operator of torch's compiler for linear layers; it has no gradient of its own."""
    return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")


class _Affine(torch.autograd.Function):
    """`_product` with its gradient."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        # The bias is not needed: the product is linear in it.
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        rows, above = x.flatten(0, -2), gradient.flatten(0, -2)

        # the operator copies a transposed first factor: let that be the smaller one
        if above.shape[1] <= rows.shape[1]:
            of_weight = _product(above.t(), rows.t())
        else:
            of_weight = _product(rows.t(), above.t()).t()

        # Of the input, of the weight, of the bias: as `forward` takes them.
        return _product(gradient, weight.t()), of_weight, above.sum(0) if ctx.biased else None


class OneDnnLinear(nn.Linear):
    """`torch.nn.Linear`, by oneDNN where it can: float32 on a CPU, at least one row, with a torch that has it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x weight^T + bias`` ``(..., out)`` of ``x`` ``(..., in)``."""
        fit = x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() > 0
        if not fit or not torch.backends.mkldnn.is_available():
            return super().forward(x)

        # Sampling needs no gradient, and keeping what one would need costs memory.
        if torch.is_grad_enabled():
            return _Affine.apply(x, self.weight, self.bias)
        return _product(x, self.weight, self.bias)
