"""Linear layers by oneDNN against torch's own."""

import pytest
import torch
from torch import nn

from toy_llm.network.linear import OneDnnLinear

SHAPES = [((7,), 5, 3), ((4, 6), 16, 48), ((2, 3), 48, 16), ((1, 1), 8, 8), ((0,), 8, 4)]


@pytest.mark.parametrize(("batch", "inputs", "outputs"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_torch(batch, inputs, outputs, bias):
    torch.manual_seed(0)
    fast, plain = OneDnnLinear(inputs, outputs, bias), nn.Linear(inputs, outputs, bias)
    plain.load_state_dict(fast.state_dict())
    x = torch.randn(*batch, inputs, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.randn(*batch, outputs)
    (fast(x) * weight).sum().backward()
    (plain(y) * weight).sum().backward()
    with torch.no_grad():
        torch.testing.assert_close(fast(x), plain(y))
    torch.testing.assert_close(x.grad, y.grad)
    for one, other in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
        assert one.grad.stride() == one.stride()  # optimizers and checkpoints see ordinary gradients


def test_strided_inputs_are_read_right():
    torch.manual_seed(0)
    layer = OneDnnLinear(6, 4)
    x = torch.randn(6, 5).t()
    torch.testing.assert_close(layer(x), layer(x.contiguous()))


def test_other_dtypes_take_torchs_own_path():
    layer = OneDnnLinear(6, 4).double()
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_onednn_is_used_where_there_is_one():
    assert OneDnnLinear(6, 4)(torch.randn(3, 6)).grad_fn.name() == "_AffineBackward"
