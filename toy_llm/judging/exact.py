"""The exact step judge: which steps a response has, and where it first goes wrong.

A step is the tokens up to and including the token that closes it: a separator, or the end token for the last step.
Every step has exactly one right spelling, so a step is right if and only if all its tokens are, the closing one
included. The probability of a right step is therefore the product of its tokens' probabilities.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Verdict:
    """What is right and wrong in G responses of at most T tokens to each of Q questions.

    correct: boolean ``(Q, G)``, exactly the true steps, then the end. first_error: int64 ``(Q, G)``, right steps
    before the first wrong one, ``steps`` if there is none. steps: int64 ``(Q, G)``, written steps. step_lengths:
    int64 ``(Q, G, S)``, tokens of each, zero padded. mask: boolean ``(Q, G, T)``, tokens up to and including the
    end. token_step: int64 ``(Q, G, T)``, the written step of each token, S - 1 at most.
    """

    correct: torch.Tensor
    first_error: torch.Tensor
    steps: torch.Tensor
    step_lengths: torch.Tensor
    mask: torch.Tensor
    token_step: torch.Tensor


def judge(responses: torch.Tensor, answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Judge every step of ``responses`` ``(Q, G, H)`` against the true values ``answers`` ``(Q, H)``.

    Every token is a step. Returns ``correct``, boolean ``(Q, G)``: every step is right; and ``first_error``, int64
    ``(Q, G)``: the number of right steps before the first wrong one, H if there is none.

    >>> judge(torch.tensor([[[2, 1, 5], [2, 3, 7]]]), torch.tensor([[2, 1, 5]]))
    (tensor([[ True, False]]), tensor([[3, 1]]))
    """
    # A product of zeros and ones stays 0 from the first error on, so its sum counts the right prefix.
    right = responses == answers[:, None, :]
    first_error = right.long().cumprod(-1).sum(-1)
    return first_error == responses.shape[-1], first_error


def token_mask(tokens: torch.Tensor, end: int) -> torch.Tensor:
    """Whether a token of ``(..., T)`` is written: not behind the first ``end``.

    >>> token_mask(torch.tensor([4, 9, 9]), end=9)
    tensor([ True,  True, False])
    """
    # The number of ends before a token: the first end itself still counts.
    ends = (tokens == end).long()
    return ends.cumsum(-1) - ends == 0


def judge_text(responses: torch.Tensor, answers: torch.Tensor, separator: int, end: int) -> Verdict:
    """Judge free-form ``responses`` ``(Q, G, T)`` against true ones ``(Q, T)``, after ``end`` padded with anything.

    Any tokens are judged, never refused: what is no step is a wrong step. An ``end`` right behind a separator is a
    step of one token. Tokens behind the last separator of a response that never ends are a wrong last step.
    What follows the first ``end`` does not count. S of the verdict is the largest number of steps written.

    >>> verdict = judge_text(torch.tensor([[[4, 8, 5, 9], [4, 8, 6, 9]]]), torch.tensor([[4, 8, 5, 9]]), 8, 9)
    >>> verdict.correct, verdict.first_error  # "4;5" and "4;6", where "4;5" is right
    (tensor([[ True, False]]), tensor([[2, 1]]))
    """
    # Which tokens count, and the step that each belongs to: one more behind every token that closes a step.
    mask = token_mask(responses, end)
    closes = (mask & ((responses == separator) | (responses == end))).long()
    step = closes.cumsum(-1) - closes
    steps = torch.where(mask, step, 0).amax(-1) + 1

    # Tokens of each step.
    most = int(steps.max()) if steps.numel() else 1
    token_step = step.clamp(max=most - 1)
    lengths = torch.zeros((*steps.shape, most), dtype=torch.int64, device=steps.device)
    lengths.scatter_add_(-1, token_step, mask.long())

    # A step is right if all tokens up to the one that closes it in the true response are.
    true = token_mask(answers, end)
    ending = true & ((answers == separator) | (answers == end))
    right_so_far = ((responses == answers[:, None]) | ~true[:, None]).long().cumprod(-1).bool()
    first_error = (right_so_far & ending[:, None]).sum(-1)
    return Verdict(right_so_far[..., -1], first_error, steps, lengths, mask, token_step)
