"""A task with free-form responses and a policy for it, small enough to compute everything by hand."""

import copy
from dataclasses import dataclass

import torch

from toy_llm.judging.exact import Verdict
from toy_llm.network.policy import Rollout

END = 2


@dataclass(frozen=True)
class Counting:
    """Write GOOD twice, then END; at most four tokens. Every token is a step; END belongs to
    the last one if the response is correct, else it is a wrong step."""

    end: int = END
    horizon: int = 2
    response_length: int = 4

    def questions(self, stream, seed, start, count):
        return torch.zeros(count, 1, dtype=torch.int64), torch.tensor([[0, 0, END, END]]).expand(count, 4)

    def answer_steps(self, answers):
        return torch.tensor([[0, 1, 1, -1]]).expand_as(answers)

    def judge(self, responses, answers):
        ended = (responses == END).long().cumsum(-1)
        mask = (ended == 0) | ((ended == 1) & (responses == END))
        length = mask.sum(-1)
        correct = (responses[..., :2] == 0).all(-1) & (responses[..., 2] == END)
        step = torch.arange(4).expand_as(responses)
        step = torch.where(correct[..., None], step.clamp(max=1), step)
        right = (responses == 0) & (step < 2) & (torch.arange(4) < 2)
        first = torch.where(correct, 2, right.long().cumprod(-1).sum(-1))
        steps = torch.where(correct, 2, length)
        lengths = ((step[..., None] == torch.arange(4)) & mask[..., None]).sum(-2)
        return Verdict(correct, first, steps, lengths, mask, step)


class Memoryless(torch.nn.Module):
    """A policy with one distribution over three tokens for each place."""

    task = Counting()

    def __init__(self):
        super().__init__()
        self.logits = torch.nn.Parameter(
            torch.tensor([[0.5, 0.2, 0.0], [0.3, 0.1, -0.2], [0.0, 0.0, 0.1], [0.0] * 3]).double()
        )

    @property
    def module(self):
        return self

    def frozen_copy(self):
        return copy.deepcopy(self).requires_grad_(False)

    def sample(self, prompts, answers, group_size, generator, temperature=1.0, given=None):
        p = self.logits.detach().softmax(-1)
        draws = torch.multinomial(p, len(prompts) * group_size, replacement=True, generator=generator)
        responses = draws.T.reshape(len(prompts), group_size, 4)
        if given is not None:
            responses = torch.where(torch.arange(4) < given[:, None, None], answers[:, None], responses)
        ended = ((responses == END).long().cumsum(-1) - (responses == END).long()) > 0
        responses = responses.masked_fill(ended, END)
        with torch.no_grad():
            log_p = self.log_probs(prompts, answers, responses)
        true = torch.stack([p[0, 0], p[1, 0] * p[2, END]]).expand(len(prompts), 2)
        parts = {"responses": responses, "log_probs": log_p, "entropy": torch.tensor(0.0), "true_probs": true}
        return Rollout(**parts | ({"mask": ~ended} if "mask" in Rollout._fields else {}))

    def log_probs(self, prompts, answers, responses, temperature=1.0):
        chosen = self.logits.log_softmax(-1).expand(*responses.shape, 3).gather(-1, responses[..., None]).squeeze(-1)
        ended = ((responses == END).long().cumsum(-1) - (responses == END).long()) > 0
        return chosen.masked_fill(ended, 0.0)
