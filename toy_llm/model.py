"""A small causal transformer, and a policy that shares every prompt among the responses of its group.

Responses of one group are packed behind their prompt in one sequence ``[prompt | step 1 of all G | step 2 of
all G | ...]``; a mask lets a token see the prompt and its own response only. So the prompt is encoded once,
the same forward pass serves training (whole sequence) and sampling (one step at a time with cached keys).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from toy_llm.task import ChainTask

Cache = list[tuple[torch.Tensor, torch.Tensor]]  # keys and values of each layer, (B, heads, T, width / heads)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None, past: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Hidden states ``(B, T, width)``; ``mask`` boolean ``(T, past + T)``, None for plain causal."""
        b, t, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, T, width / heads)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, width))
        return x + self.down(F.gelu(self.up(self.norm2(x)))), (k, v)


class Transformer(nn.Module):
    """Decoder-only transformer with learned positions.

    ``vocabulary`` tokens, sequences up to ``length``; ``layers``, ``width`` and ``heads`` as usual (width divisible
    by heads). Embeddings start at normal(0, 1), weights at normal(0, 1 / fan-in), residual outputs scaled by
    ``1/sqrt(2 layers)`` as in GPT-2. Logits are multiplied by ``output_scale`` and the head starts that much
    smaller: the larger the scale, the less the features move while the policy is learnt (arXiv 1812.07956), so
    the better a kernel measured at the start describes the whole of training.
    """

    def __init__(
        self, vocabulary: int, length: int, layers: int, width: int, heads: int, output_scale: float = 6.0
    ) -> None:
        super().__init__()
        self.output_scale = output_scale
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
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
        mask: torch.Tensor | None = None,
        past: Cache | None = None,
        last: int | None = None,
    ) -> tuple[torch.Tensor, Cache]:
        """Logits ``(B, T, V)`` and the cache; only of the ``last`` positions if given.

        ``tokens`` ``(B, T)``; ``positions`` ``(T,)`` (default 0..T-1); ``mask``: as in `Block.forward`.
        """
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        x, cache = self.token(tokens) + self.position(positions), []
        for i, block in enumerate(self.blocks):
            x, kv = block(x, mask, None if past is None else past[i])
            cache.append(kv)
        if last is not None:
            x = x[:, -last:]
        return self.output_scale * self.head(self.norm(x)), cache


class Rollout(NamedTuple):
    """Sampled responses and what was known while sampling them.

    responses: int64 ``(Q, G, H)``. log_probs: ``(Q, G, H)``, nats. entropy: scalar, mean over tokens, nats.
    true_probs: ``(Q, H)``, probability of the true value of each step after the true prefix, at temperature 1.
    """

    responses: torch.Tensor
    log_probs: torch.Tensor
    entropy: torch.Tensor
    true_probs: torch.Tensor


@dataclass(frozen=True)
class TransformerPolicy:
    """A transformer as a policy over responses of a task."""

    model: Transformer
    task: ChainTask

    def _layout(self, group_size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Positions ``(T,)`` and mask ``(T, T)`` of ``[prompt | step 1 x G | ... | step H-1 x G]``."""
        n, steps = self.task.prompt_length, self.task.horizon - 1
        step = torch.arange(steps, device=device).repeat_interleave(group_size)
        member = torch.arange(group_size, device=device).repeat(steps)
        positions = torch.cat([torch.arange(n, device=device), n + step])
        owner = torch.cat([torch.full((n,), -1, device=device), member])
        order = torch.arange(n + steps * group_size, device=device)
        seen = order[:, None] >= order[None, :]
        own = (owner[None, :] == -1) | (owner[None, :] == owner[:, None])
        return positions, seen & own

    @torch.no_grad()
    def sample(
        self,
        prompts: torch.Tensor,
        answers: torch.Tensor,
        group_size: int,
        generator: torch.Generator,
        temperature: float = 1.0,
    ) -> Rollout:
        """Sample ``group_size`` responses to each of ``prompts`` ``(Q, H + 2)`` with true values ``(Q, H)``."""
        q, n, h, g = len(prompts), self.task.prompt_length, self.task.horizon, group_size
        positions, mask = self._layout(g, prompts.device)
        # The true trace rides along behind the prompt: it gives the exact step probabilities at no extra pass.
        logits, cache = self.model(torch.cat([prompts, answers[:, :-1]], dim=1), last=h)
        true_probs = logits.softmax(-1).gather(-1, answers[..., None]).squeeze(-1)
        past = [(k[:, :, :n], v[:, :, :n]) for k, v in cache]
        scores = logits[:, :1].expand(q, g, -1)
        responses: list[torch.Tensor] = []
        log_probs: list[torch.Tensor] = []
        entropy: list[torch.Tensor] = []
        for t in range(h):
            if t > 0:
                rows = slice(n + (t - 1) * g, n + t * g)
                scores, past = self.model(responses[-1], positions[rows], mask[rows, : rows.stop], past)
            log_p = (scores / temperature if temperature != 1.0 else scores).log_softmax(-1)
            p = log_p.exp()
            # argmax of p / Exponential(1) is a draw from p
            draw = (p / torch.empty_like(p).exponential_(generator=generator)).argmax(-1)
            responses.append(draw)
            log_probs.append(log_p.gather(-1, draw[..., None]).squeeze(-1))
            entropy.append(-(p * log_p).sum(-1).mean())
        return Rollout(torch.stack(responses, -1), torch.stack(log_probs, -1), torch.stack(entropy).mean(), true_probs)

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability ``(Q, G, H)`` of every token of ``responses`` ``(Q, G, H)``, with gradient."""
        q, g, h = responses.shape
        positions, mask = self._layout(g, prompts.device)
        steps = responses.transpose(1, 2)  # (Q, H, G)
        tokens = torch.cat([prompts, steps[:, :-1].reshape(q, -1)], dim=1)
        logits, _ = self.model(tokens, positions, mask, last=1 + (h - 1) * g)
        logits = torch.cat([logits[:, :1].expand(q, g, -1), logits[:, 1:]], dim=1).view(q, h, g, -1)
        if temperature != 1.0:
            logits = logits / temperature
        return -F.cross_entropy(logits.permute(0, 3, 1, 2), steps, reduction="none").transpose(1, 2)
