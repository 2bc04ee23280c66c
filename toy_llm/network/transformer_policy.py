"""A transformer as a policy that encodes every prompt once for all responses of its group.

The prompt's keys and values are computed once and shared by the responses behind it. Short responses of a group are
packed in one sequence ``[token 1 of all | token 2 of all | ...]``, in which a mask lets a token see its own response
only; long ones stand in sequences of their own, since a packed sequence costs attention the square of its length.

Letters in shapes: Q questions, G responses to each, P tokens of a prompt, T of a response, V of the vocabulary. A
*row* is a sequence of the network: ``rows`` of them with ``members`` responses each, rows x members = Q x G.
"""

import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import torch
import torch.nn.functional as F

from toy_llm.judging.exact import token_mask
from toy_llm.network.log_odds import step_log_odds
from toy_llm.network.policy import Rollout
from toy_llm.network.transformer import Cache, Transformer, attention_bias
from toy_llm.problems.task import Task

PACKED = 64
"""Most tokens of a sequence in which several responses are packed; see `_members`."""
BUCKETS = 4
"""Into how many parts sequences of different lengths are sorted, so that few are padded much."""


@dataclass(frozen=True)
class TransformerPolicy:
    """A transformer as a policy over responses of a task; see `toy_llm.network.policy.Policy`.

    >>> from toy_llm.problems.chain import ChainTask
    >>> task = ChainTask(horizon=2)
    >>> policy = TransformerPolicy(Transformer(task.vocabulary, 6, layers=1, width=8, heads=2), task)
    >>> prompts, answers = task.questions("train", seed=0, start=0, count=3)
    >>> rollout = policy.sample(prompts, answers, 4, torch.Generator().manual_seed(0))
    >>> tuple(rollout.responses.shape), tuple(rollout.true_probs.shape)
    ((3, 4, 2), (3, 2))
    """

    model: Transformer
    task: Task

    @property
    def module(self) -> torch.nn.Module:
        """The transformer."""
        return self.model

    def frozen_copy(self) -> Self:
        """See `toy_llm.network.policy.Policy.frozen_copy`."""
        return replace(self, model=copy.deepcopy(self.model).requires_grad_(False))

    @torch.no_grad()
    def sample(
        self,
        prompts: torch.Tensor,
        answers: torch.Tensor,
        group_size: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        given: torch.Tensor | None = None,
    ) -> Rollout:
        """Sample ``group_size`` responses to each of ``prompts`` ``(Q, P)`` with true responses ``(Q, T)``.

        ``generator`` gives all randomness. Responses are drawn at ``temperature``, and sampling stops when all have
        ended. Each begins with the first ``given`` ``(Q,)`` true tokens, if that is not None.
        """
        # How responses share sequences, and which position sees which.
        end = self.task.end
        most = self.task.response_length
        start = self.task.prompt_length
        members = _members(group_size, most - 1)
        positions, bias = _layout(start, members, most - 1, prompts.device)
        scores, past, true_probs = self._encode(prompts, answers, group_size, members)

        # One token of every response at a time. ``current`` are the rows that are still written, ``going`` (of their
        # shape) the responses among them that have not ended.
        tokens = torch.empty(0)
        written = _Written(len(scores), members, most, end, scores)
        current = torch.arange(len(scores), device=prompts.device)
        going = torch.ones(len(scores), members, dtype=torch.bool, device=prompts.device)
        question = current // (group_size // members)
        for t in range(most):
            if t > 0:
                now = slice(start + (t - 1) * members, start + t * members)
                scores, past = self.model(tokens, positions[now], bias[now, : now.stop], past)
            log_probs = _log_softmax(scores, temperature)
            probs = log_probs.exp()
            tokens = _draw(probs, generator)
            if given is not None:
                asked = question[current]
                tokens = torch.where((t < given[asked])[:, None], answers[asked, t][:, None], tokens)
            written.add(t, current, going, tokens, log_probs, probs)
            if end is None:
                continue

            # Rows whose responses have all ended leave the batch once they are half of it: leaving costs a copy.
            going = going & (tokens != end)
            left = going.any(1)
            if not left.any():
                break
            if 2 * left.sum() <= len(left):
                current = current[left]
                going = going[left]
                tokens = tokens[left]
                past = self._select(past, left)

        # Rows of a group stand together, so the groups are seen by a change of shape alone.
        shape = (len(prompts), group_size, most)
        entropy = written.entropy / written.count
        return Rollout(written.responses.view(shape), written.log_probs.view(shape), entropy, true_probs)

    def log_probs(
        self, prompts: torch.Tensor, answers: torch.Tensor, responses: torch.Tensor, temperature: float = 1.0
    ) -> torch.Tensor:
        """Log-probability ``(Q, G, T)``, nats, of every token of ``responses``, with gradient; 0 after the end.

        ``prompts`` ``(Q, P)``; ``responses`` ``(Q, G, T)``. The true responses ``answers`` are not needed here.
        """
        # Rows are sorted by length into a few parts, each as long as its longest response.
        q, g, most = responses.shape
        end = self.task.end
        written = torch.ones_like(responses, dtype=torch.bool) if end is None else token_mask(responses, end)
        members = _members(g, int(written.sum(-1).max()) - 1)
        packed = responses.reshape(-1, members, most)
        parts = _by_length(written.view(packed.shape).sum(-1).amax(-1))
        prompt = self.model(prompts, last=1) if members < g else None

        # Of every part: the logits ahead of each token, and the log-probability of the token that was written.
        found = []
        for rows, length in parts:
            targets = packed[rows, :, :length].transpose(1, 2)  # (rows, length, members)
            logits = self._logits(prompts, prompt, rows // (g // members), targets)

            # Dividing by 1 would change nothing and cost a copy.
            if temperature != 1.0:
                logits = logits / temperature
            log_p = -F.cross_entropy(logits.permute(0, 3, 1, 2), targets, reduction="none")
            found.append(F.pad(log_p.transpose(1, 2), (0, most - length)))

        # Back in the order of the batch.
        log_probs = found[0]
        if len(parts) > 1:
            order = torch.cat([rows for rows, _ in parts]).argsort()
            log_probs = torch.cat(found)[order]
        return log_probs.reshape(q, g, most).masked_fill(~written, 0.0)

    def true_log_odds(self, prompts: torch.Tensor, answers: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
        """Log-odds ``(Q, S)``, nats, of each true step after the true steps before it, with gradient.

        One pass over the true responses ``answers`` ``(Q, T)``. Infinite for steps that a question does not have.
        """
        steps = self.task.answer_steps(answers)
        return step_log_odds(self.true_logits(prompts, answers) / temperature, answers, steps, self.task.horizon)

    def true_logits(self, prompts: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Logits ``(Q, T, V)`` ahead of each token of the true responses ``answers`` ``(Q, T)``."""
        # The last token is only ever predicted, so the network does not read it.
        logits, _ = self.model(torch.cat([prompts, answers[:, :-1]], dim=1), last=answers.shape[1])
        return logits

    def _encode(
        self, prompts: torch.Tensor, answers: torch.Tensor, group_size: int, members: int
    ) -> tuple[torch.Tensor, Cache, torch.Tensor]:
        """Scores ``(rows, members, V)`` of first tokens, every row's cache, and true step probabilities ``(Q, S)``."""
        # The true response rides along behind the prompt: it gives the exact step probabilities at no extra pass.
        most = self.task.response_length

        # Its last token is only ever predicted, so the network does not read it.
        logits, cache = self.model(torch.cat([prompts, answers[:, :-1]], dim=1), last=most)
        true_probs = self._true_probs(logits, answers)

        # Sampling starts behind the prompt alone, once for every row.
        past = [kv[:, :, : self.task.prompt_length] for kv in cache]
        copies = group_size // members
        if copies > 1:
            past = self._select(past, torch.arange(len(prompts), device=prompts.device).repeat_interleave(copies))
        scores = logits[:, :1].repeat_interleave(group_size, 1).view(len(prompts) * copies, members, -1)
        return scores, past, true_probs

    def _logits(
        self,
        prompts: torch.Tensor,
        prompt: tuple[torch.Tensor, Cache] | None,
        question: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        """Logits ``(rows, length, members, V)`` ahead of each token of ``targets`` ``(rows, length, members)``.

        ``question``: of each row. ``prompt``: logits behind each prompt and its cache, or None where a row holds a
        whole group: then one pass for prompts and responses saves the overhead of two.
        """
        # The last token of a response is only ever predicted, so the network does not read it.
        rows, length, members = targets.shape
        start = self.task.prompt_length
        tokens = targets[:, :-1].flatten(1)
        positions, bias = _layout(start, members, length - 1, prompts.device)
        if prompt is None:
            whole = torch.cat([prompts[question], tokens], dim=1)
            logits, _ = self.model(whole, positions, bias, last=1 + tokens.shape[1])
            first = logits[:, :1]
            later = logits[:, 1:]
        else:
            behind_prompt, cache = prompt
            later, _ = self.model(tokens, positions[start:], bias[start:], self._select(cache, question))
            first = behind_prompt[question]

        # All responses of a row share the logits behind their prompt.
        later = later.view(rows, length - 1, members, first.shape[-1])
        return torch.cat([first[:, :, None].expand(-1, 1, members, -1), later], dim=1)

    def _select(self, cache: Cache, rows: torch.Tensor) -> Cache:
        """The cache of some sequences of its batch: indices, also repeated ones, or a boolean mask."""
        heads = self.model.blocks[0].heads
        return [kv.unflatten(1, (-1, heads))[:, rows].flatten(1, 2) for kv in cache]

    def _true_probs(self, logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Probabilities ``(Q, S)`` of true steps from logits ``(Q, T, V)`` on true responses ``(Q, T)``."""
        # Minus the cross entropy of one token is its log-probability.
        log_p = -F.cross_entropy(logits.transpose(1, 2), answers, reduction="none")
        step = self.task.answer_steps(answers)

        # A step is right if all its tokens are: their log-probabilities add up, padding adds nothing.
        total = log_p.new_zeros(len(answers), self.task.horizon)
        return total.scatter_add_(1, step.clamp(min=0), torch.where(step >= 0, log_p, 0.0)).exp()


class _Written:
    """What sampling has written so far.

    responses: int64 ``(rows, members, T)``. log_probs: same shape, nats. entropy: nats, summed over the tokens.
    count: of the tokens.
    """

    def __init__(self, rows: int, members: int, most: int, end: int | None, like: torch.Tensor) -> None:
        self.end = end
        self.responses = torch.full((rows, members, most), -1 if end is None else end, device=like.device)
        self.log_probs = like.new_zeros(rows, members, most)
        self.entropy = like.new_zeros(())
        self.count = 0

    def add(
        self,
        t: int,
        current: torch.Tensor,
        going: torch.Tensor,
        tokens: torch.Tensor,
        log_probs: torch.Tensor,
        probs: torch.Tensor,
    ) -> None:
        """Write token t of the rows ``current``, drawn from ``probs`` ``(current, V, members)``.

        ``log_probs``: their logarithm, nats. ``tokens`` and ``going``: ``(current, members)``; a response that is not
        going has ended, and gets the end token once more, which counts for nothing.
        """
        # Everything is kept for the rollout, so that nothing has to be computed again from the responses.
        drawn = log_probs.gather(1, tokens[:, None]).squeeze(1)
        entropy = -(probs * log_probs).sum(1)
        if self.end is None:  # every response is going: no need to look which
            self.responses[..., t] = tokens
            self.log_probs[..., t] = drawn
            self.entropy = self.entropy + entropy.sum()
            self.count += tokens.numel()
        else:
            self.responses[current, :, t] = torch.where(going, tokens, self.end)
            self.log_probs[current, :, t] = torch.where(going, drawn, 0.0)
            self.entropy = self.entropy + (entropy * going).sum()
            self.count += int(going.sum())


def _log_softmax(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    """Log-probabilities ``(rows, V, members)`` of scores ``(rows, members, V)``; fast in this order of the axes."""
    if temperature != 1.0:
        scores = scores / temperature
    return scores.transpose(1, 2).log_softmax(1)


def _draw(probs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Tokens ``(rows, members)`` drawn with probabilities ``(rows, V, members)``, by inverting the distribution."""
    # torch.multinomial would need another order of the axes.
    below = probs.cumsum(1)
    rows, _, members = probs.shape
    luck = 1 - torch.rand(rows, 1, members, generator=generator, device=probs.device)

    # From (0, total]: a token is drawn only if its probability is above 0.
    return (below < luck * below[:, -1:]).sum(1)


def _members(group_size: int, tokens: int) -> int:
    """How many responses of ``tokens`` tokens to pack in one sequence: a divisor of the group size."""
    # The most that fit: every sequence has a cost of its own, whatever its length.
    fits = (m for m in range(group_size, 1, -1) if group_size % m == 0 and m * tokens <= PACKED)
    return next(fits, 1)


@lru_cache(maxsize=64)
def _layout(start: int, members: int, tokens: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions ``(N,)`` and attention bias ``(N, N)`` of a packed sequence.

    It has ``start`` prompt tokens, then ``tokens`` of each of its responses: N = start + members * tokens.
    """
    # Token t of every response stands in position start + t, as if it were alone behind its prompt.
    place = torch.arange(tokens, device=device).repeat_interleave(members)
    positions = torch.cat([torch.arange(start, device=device), start + place])

    # A token sees the prompt and its own response, as far as they stand before it.
    prompt = torch.full((start,), -1, device=device)
    owner = torch.cat([prompt, torch.arange(members, device=device).repeat(tokens)])
    order = torch.arange(start + members * tokens, device=device)
    own = (owner == -1) | (owner == owner[:, None])
    return positions, attention_bias(own & (order[:, None] >= order))


def _by_length(lengths: torch.Tensor) -> list[tuple[torch.Tensor, int]]:
    """Rows ``(N,)`` sorted into parts of similar length: the indices of each part, and its greatest length."""
    # Equally long rows need no sorting, which would cost a copy.
    order = lengths.argsort(stable=True)
    if lengths[order[0]] == lengths[order[-1]]:
        return [(torch.arange(len(lengths), device=lengths.device), int(lengths[0]))]
    return [(part, int(lengths[part[-1]])) for part in order.chunk(BUCKETS)]
