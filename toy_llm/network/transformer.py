"""A small causal transformer, and a policy that encodes every prompt once for all responses of its group.

The prompt's keys and values are computed once and shared by the responses behind it; the same function serves
training (all tokens at once) and sampling (one token of every response at a time, with cached keys). Short
responses of a group are packed in one sequence ``[token 1 of all | token 2 of all | ...]``, in which a mask lets a
token see its own response only; long ones stand in sequences of their own, since a packed sequence costs attention
the square of its length.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from toy_llm.judging.exact import token_mask
from toy_llm.problems.chain import Task

Cache = list[torch.Tensor]  # keys and values of each layer, (2, B * heads, T, width / heads)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Scaled dot-product attention of queries ``(N, T, d)`` over keys and values ``(N, S, d)``.

    ``bias`` ``(T, S)`` is 0 where a query may look and minus infinity elsewhere. By the library's fused kernel, but
    not with several threads of a CPU: two take longer in it than one (benchmarks/bench_update.py compares).
    """
    several = q.device.type == "cpu" and torch.get_num_threads() > 1
    with sdpa_kernel(SDPBackend.MATH) if several else nullcontext():
        return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=bias)[0]


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual connection."""

    def __init__(self, width: int, heads: int, linear: type[nn.Linear]) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = linear(width, 3 * width), linear(width, width)
        self.up, self.down = linear(width, 4 * width), linear(4 * width, width)

    def forward(
        self,
        x: torch.Tensor,
        bias: torch.Tensor,
        past: torch.Tensor | None = None,
        last: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states ``(B, T, width)``, of the ``last`` positions alone if given; ``bias`` ``(T, past + T)``."""
        b, t, width = x.shape
        split = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        qkv = split.reshape(3, b * self.heads, t, width // self.heads)
        (q, k, v), kv = qkv, qkv[1:]
        if past is not None:
            k, v = kv = torch.cat([past, kv], dim=2)
        if last is not None and last < t:
            q, x, bias, t = q[:, -last:], x[:, -last:], bias[-last:], last
        y = attention(q, k, v, bias).view(b, self.heads, t, width // self.heads).transpose(1, 2)
        x = x + self.out(y.reshape(b, t, width))
        return x + self.down(F.gelu(self.up(self.norm2(x)))), kv


def look(allowed: torch.Tensor) -> torch.Tensor:
    """Attention bias of a boolean mask: 0 where it is true, minus infinity elsewhere."""
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, -torch.inf)


class Transformer(nn.Module):
    """Decoder-only transformer with learned positions.

    ``vocabulary`` tokens, sequences up to ``length``; ``layers``, ``width`` and ``heads`` as usual (width divisible
    by heads). Embeddings start at normal(0, 1), weights at normal(0, 1 / fan-in), residual outputs scaled by
    ``1/sqrt(2 layers)`` as in GPT-2. Logits are multiplied by ``output_scale`` and the head starts that much
    smaller: the larger the scale, the less the features move while the policy is learnt (arXiv 1812.07956), so
    the better a kernel measured at the start describes the whole of training. ``linear``: the class of its linear
    layers.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        layers: int,
        width: int,
        heads: int,
        output_scale: float = 6.0,
        linear: type[nn.Linear] = nn.Linear,
    ) -> None:
        super().__init__()
        self.output_scale = output_scale
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, linear) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), linear(width, vocabulary, bias=False)
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

        ``tokens`` ``(B, T)``; ``positions`` ``(T,)`` (default 0..T-1); ``bias``: as in `Block.forward` (default:
        each position sees itself and those before it).
        """
        t = tokens.shape[1]
        if positions is None:
            positions = torch.arange(t, device=tokens.device)
        if bias is None:
            bias = look(torch.ones(t, t, dtype=torch.bool, device=tokens.device).tril())
        x, cache = self.token(tokens) + self.position(positions), []
        for i, block in enumerate(self.blocks):
            final = i == len(self.blocks) - 1
            x, kv = block(x, bias, None if past is None else past[i], last if final else None)
            cache.append(kv)
        return self.output_scale * self.head(self.norm(x)), cache


class Rollout(NamedTuple):
    """Sampled responses and what was known while sampling them.

    responses: int64 ``(Q, G, T)``, after the end padded with it. log_probs: ``(Q, G, T)``, nats, 0 after the end.
    entropy: scalar, mean over tokens, nats. true_probs: ``(Q, S)``, probability of each true step after the true
    steps before it, at temperature 1; 1 for the steps that a question does not have.
    """

    responses: torch.Tensor
    log_probs: torch.Tensor
    entropy: torch.Tensor
    true_probs: torch.Tensor


PACKED = 64
"""Most tokens of a sequence in which several responses are packed; see `_members`."""
BUCKETS = 4
"""Into how many parts sequences of different lengths are sorted, so that few are padded much."""


def _members(group_size: int, tokens: int) -> int:
    """How many responses of ``tokens`` tokens to pack in one sequence: a divisor of the group size."""
    fits = (m for m in range(group_size, 1, -1) if group_size % m == 0 and m * tokens <= PACKED)
    return next(fits, 1)


@lru_cache(maxsize=64)
def _layout(n: int, members: int, tokens: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions ``(N,)`` and bias ``(N, N)`` of n prompt tokens and ``tokens`` of each of m responses, N = n + m t."""
    place = torch.arange(tokens, device=device).repeat_interleave(members)
    positions = torch.cat([torch.arange(n, device=device), n + place])
    owner = torch.cat([torch.full((n,), -1, device=device), torch.arange(members, device=device).repeat(tokens)])
    order = torch.arange(n + members * tokens, device=device)
    own = (owner == -1) | (owner == owner[:, None])
    return positions, look(own & (order[:, None] >= order))


def _by_length(lengths: torch.Tensor) -> list[tuple[torch.Tensor, int]]:
    """Sequences ``(N,)`` sorted into parts of similar length: the indices of each part, and its greatest length."""
    order = lengths.argsort(stable=True)
    if lengths[order[0]] == lengths[order[-1]]:
        return [(torch.arange(len(lengths), device=lengths.device), int(lengths[0]))]
    return [(part, int(lengths[part[-1]])) for part in order.chunk(BUCKETS)]


@dataclass(frozen=True)
class TransformerPolicy:
    """A transformer as a policy over responses of a task."""

    model: Transformer
    task: Task

    def _select(self, cache: Cache, rows: torch.Tensor) -> Cache:
        """The cache of some sequences of its batch: indices, also repeated ones, or a boolean mask."""
        heads = self.model.blocks[0].heads
        return [kv.unflatten(1, (-1, heads))[:, rows].flatten(1, 2) for kv in cache]

    def _true_probs(self, logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Probabilities ``(Q, S)`` of true steps from logits ``(Q, T, V)`` on true responses ``(Q, T)``."""
        log_p = -F.cross_entropy(logits.transpose(1, 2), answers, reduction="none")
        step = self.task.answer_steps(answers)
        total = log_p.new_zeros(len(answers), self.task.horizon)
        return total.scatter_add_(1, step.clamp(min=0), torch.where(step >= 0, log_p, 0.0)).exp()

    @torch.no_grad()
    def sample(
        self,
        prompts: torch.Tensor,
        answers: torch.Tensor,
        group_size: int,
        generator: torch.Generator,
        temperature: float = 1.0,
    ) -> Rollout:
        """Sample ``group_size`` responses to each of ``prompts`` ``(Q, P)`` with true responses ``(Q, T)``.

        Sampling stops when all have ended.
        """
        q, n, most, end = len(prompts), self.task.prompt_length, self.task.response_length, self.task.end
        members = _members(group_size, most - 1)
        copies, rows = group_size // members, q * group_size // members
        positions, bias = _layout(n, members, most - 1, prompts.device)
        # The true response rides along behind the prompt: it gives the exact step probabilities at no extra pass.
        logits, cache = self.model(torch.cat([prompts, answers[:, :-1]], dim=1), last=most)
        true_probs = self._true_probs(logits, answers)
        past = [kv[:, :, :n] for kv in cache]
        if copies > 1:
            past = self._select(past, torch.arange(q, device=prompts.device).repeat_interleave(copies))
        scores = logits[:, :1].repeat_interleave(group_size, 1).view(rows, members, -1)
        responses = torch.full((rows, members, most), -1 if end is None else end, device=prompts.device)
        log_probs, entropy = scores.new_zeros(rows, members, most), scores.new_zeros(())
        going = torch.ones(rows, members, dtype=torch.bool, device=prompts.device)
        draw, written, current = responses[..., 0], 0, torch.arange(rows, device=prompts.device)
        for t in range(most):
            if t > 0:
                now = slice(n + (t - 1) * members, n + t * members)
                scores, past = self.model(draw, positions[now], bias[now, : now.stop], past)
            if temperature != 1.0:
                scores = scores / temperature
            log_p = scores.transpose(1, 2).log_softmax(1)  # (rows, V, members): fast, the library works across rows
            p = log_p.exp()
            below = p.cumsum(1)
            # from (0, total]: a token is drawn only if its probability is above 0
            luck = (1 - torch.rand(len(p), 1, members, generator=generator, device=p.device)) * below[:, -1:]
            draw = (below < luck).sum(1)
            drawn = log_p.gather(1, draw[:, None]).squeeze(1)
            unsure = -(p * log_p).sum(1)
            if end is None:
                responses[..., t], log_probs[..., t] = draw, drawn
                entropy, written = entropy + unsure.sum(), written + draw.numel()
                continue
            responses[current, :, t] = torch.where(going, draw, end)
            log_probs[current, :, t] = torch.where(going, drawn, 0.0)
            entropy, written = entropy + (unsure * going).sum(), written + int(going.sum())
            going = going & (draw != end)
            left = going.any(1)
            if not left.any():
                break
            if 2 * left.sum() <= len(left):  # the rest goes on alone
                current, going, draw, past = current[left], going[left], draw[left], self._select(past, left)
        shape = (q, group_size, most)
        return Rollout(responses.view(shape), log_probs.view(shape), entropy / written, true_probs)

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability ``(Q, G, T)`` of every token of ``responses``, same shape, with gradient; 0 after the end."""
        q, g, most = responses.shape
        n, end, device = self.task.prompt_length, self.task.end, prompts.device
        written = torch.ones_like(responses, dtype=torch.bool) if end is None else token_mask(responses, end)
        members = _members(g, int(written.sum(-1).max()) - 1)
        packed = responses.reshape(-1, members, most)
        parts = _by_length(written.view(packed.shape).sum(-1).amax(-1))
        if members < g:
            first, cache = self.model(prompts, last=1)
        found = []
        for rows, length in parts:
            asked = rows // (g // members)
            wanted = packed[rows, :, :length].transpose(1, 2)  # (rows, length, members)
            tokens, (positions, bias) = wanted[:, :-1].flatten(1), _layout(n, members, length - 1, device)
            if members == g:  # one pass for prompts and responses saves the overhead of two
                both = torch.cat([prompts[asked], tokens], dim=1)
                logits, _ = self.model(both, positions, bias, last=1 + tokens.shape[1])
                ahead, later = logits[:, :1], logits[:, 1:]
            else:
                later, _ = self.model(tokens, positions[n:], bias[n:], self._select(cache, asked))
                ahead = first[asked]
            later = later.view(len(rows), length - 1, members, ahead.shape[-1])
            logits = torch.cat([ahead[:, :, None].expand(-1, 1, members, -1), later], dim=1)
            if temperature != 1.0:
                logits = logits / temperature
            log_p = -F.cross_entropy(logits.permute(0, 3, 1, 2), wanted, reduction="none")
            found.append(F.pad(log_p.transpose(1, 2), (0, most - length)))
        log_probs = found[0] if len(parts) == 1 else torch.cat(found)[torch.cat([rows for rows, _ in parts]).argsort()]
        return log_probs.reshape(q, g, most).masked_fill(~written, 0.0)
