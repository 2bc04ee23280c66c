"""The exact step judge: where a response first goes wrong."""

import torch


def judge(responses: torch.Tensor, answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Judge every step of ``responses`` ``(Q, G, H)`` against the true values ``answers`` ``(Q, H)``.

    Returns ``correct``, boolean ``(Q, G)``: every step is right; and ``first_error``, int64 ``(Q, G)``: the number
    of right steps before the first wrong one, H if there is none.
    """
    right = responses == answers[:, None, :]
    first_error = right.long().cumprod(-1).sum(-1)
    return first_error == responses.shape[-1], first_error
