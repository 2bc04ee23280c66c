"""A small causal transformer whose prompt keys and values can be kept and shared by many responses.

The same function serves training (all tokens at once) and sampling (one token at a time, with kept keys and values).
"""

import math
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Cache = list[torch.Tensor]
"""Keys and values of each layer, ``(2, B * heads, T, width / heads)``."""


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Scaled dot-product attention of queries ``(N, T, d)`` over keys and values ``(N, S, d)``.

    ``bias`` ``(T, S)`` is 0 where a query may look and minus infinity elsewhere. By the library's fused kernel, but
    not with several threads of a CPU: two take longer in it than one (benchmarks/bench_update.py compares).
    """
    # With several threads the plain formula is faster than the fused kernel.
    several = q.device.type == "cpu" and torch.get_num_threads() > 1
    # The fused kernel takes a bias of single precision beside numbers of double precision, and then gives wrong results
    bias = bias.to(q.dtype)
    with sdpa_kernel(SDPBackend.MATH) if several else nullcontext():
        return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=bias)[0]


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual connection."""

    def __init__(self, width: int, heads: int, linear: type[nn.Linear]) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.qkv = linear(width, 3 * width)
        self.out = linear(width, width)
        self.up = linear(width, 4 * width)
        self.down = linear(4 * width, width)

    def forward(
        self,
        x: torch.Tensor,
        bias: torch.Tensor,
        past: torch.Tensor | None = None,
        last: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states ``(B, T, width)``, and all keys and values of this layer, those of ``past`` included.

        ``x`` ``(B, T, width)``; ``bias`` ``(T, past + T)``; ``past``: keys and values of the tokens before. ``last``:
        give the hidden states of the last positions alone.
        """
        # One head of one sequence is one row of the attention.
        b, t, width = x.shape
        split = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        qkv = split.reshape(3, b * self.heads, t, width // self.heads)
        query = qkv[0]
        kv = qkv[1:]
        if past is not None:
            kv = torch.cat([past, kv], dim=2)

        # All positions give keys and values, but only those that are asked for need an output.
        if last is not None and last < t:
            query = query[:, -last:]
            x = x[:, -last:]
            bias = bias[-last:]
            t = last

        # Attention sees keys and values of all positions, whichever of them are asked for.
        key, value = kv
        heads = attention(query, key, value, bias).view(b, self.heads, t, width // self.heads)

        # Each part adds to the hidden states, so that gradients reach every layer directly.
        x = x + self.out(heads.transpose(1, 2).reshape(b, t, width))
        return x + self.down(F.gelu(self.up(self.norm2(x)))), kv


def attention_bias(allowed: torch.Tensor) -> torch.Tensor:
    """Attention bias of a boolean mask, same shape: 0 where it is true, minus infinity elsewhere.

    >>> attention_bias(torch.tensor([True, False]))
    tensor([0., -inf])
    """
    # Added to the scores of attention, minus infinity is a weight of exactly 0.
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, -torch.inf)


class Transformer(nn.Module):
    """Decoder-only transformer with learned positions.

    ``vocabulary`` tokens, sequences up to ``length``; ``layers``, ``width`` and ``heads`` as usual (width divisible
    by heads). Embeddings start at normal(0, 1), weights at normal(0, 1 / fan-in), residual outputs scaled by
    ``1/sqrt(2 layers)`` as in GPT-2. Logits are multiplied by ``output_scale`` and the head starts that much
    smaller: the larger the scale, the less the features move while the policy is learnt (arXiv 1812.07956), so
    the better a kernel measured at the start describes the whole of training. ``linear``: the class of its linear
    layers.

    >>> model = Transformer(vocabulary=11, length=8, layers=1, width=16, heads=2)
    >>> logits, cache = model(torch.tensor([[3, 1, 10]]))
    >>> tuple(logits.shape), tuple(cache[0].shape)
    ((1, 3, 11), (2, 2, 3, 8))
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        layers: int,
        width: int,
        heads: int,
        output_scale: float = 1.0,
        linear: type[nn.Linear] = nn.Linear,
    ) -> None:
        super().__init__()
        self.output_scale = output_scale

        # Positions are learned too: sequences are short and their layout is the same for all.
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, linear) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = linear(width, vocabulary, bias=False)

        # Matrices start at 1 / fan-in; what writes to the residual stream or to the logits starts smaller.
        for name, p in self.named_parameters():
            if p.ndim == 2 and not name.startswith(("token", "position")):
                shrink = output_scale if name == "head.weight" else 1.0
                if name.endswith(("out.weight", "down.weight")):
                    shrink = math.sqrt(2 * layers)
                nn.init.normal_(p, std=1 / (shrink * math.sqrt(p.shape[1])))

    def forward(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        past: Cache | None = None,
        last: int | None = None,
    ) -> tuple[torch.Tensor, Cache]:
        """Logits ``(B, T, V)`` and the cache; only of the ``last`` positions if given.

        ``tokens`` ``(B, T)``; ``positions`` ``(T,)`` (default 0..T-1); ``bias`` ``(T, past + T)``, see `attention`
        (default: each position sees itself and those before it); ``past``: the cache of the tokens before.
        """
        # Without other instructions: a sequence read from the left.
        t = tokens.shape[1]
        if positions is None:
            positions = torch.arange(t, device=tokens.device)
        if bias is None:
            bias = attention_bias(torch.ones(t, t, dtype=torch.bool, device=tokens.device).tril())

        # Where only the last positions are asked for, the last layer alone can leave out the others.
        x = self.token(tokens) + self.position(positions)
        cache = []
        for i, block in enumerate(self.blocks):
            final = i == len(self.blocks) - 1
            x, kv = block(x, bias, None if past is None else past[i], last if final else None)
            cache.append(kv)
        return self.output_scale * self.head(self.norm(x)), cache
