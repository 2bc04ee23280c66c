"""Step judges that err at given rates, alone or by majority vote; see `toy_llm.judging.step_judge`."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from spo_theory.validation import problem, refuse
from toy_llm.judging.exact import Verdict
from toy_llm.judging.step_judge import StepJudge


def exact_judge(
    prompts: torch.Tensor, responses: torch.Tensor, answers: torch.Tensor, verdict: Verdict
) -> torch.Tensor:
    """The true first errors ``(Q, G)``.

    A `toy_llm.judging.step_judge.StepJudge` that never errs; it makes comparisons with others simple.
    """
    return verdict.first_error


def first_called_wrong(called_wrong: torch.Tensor, verdict: Verdict) -> torch.Tensor:
    """First error ``(Q, G)`` as seen by a judge that reads in order and stops at the first step it calls wrong.

    ``called_wrong``: boolean ``(Q, G, S)``, what the judge would say of every step; what it says of steps that
    were not written does not count.

    >>> from toy_llm.problems.chain import ChainTask
    >>> verdict = ChainTask(3).judge(torch.tensor([[[2, 3, 7]]]), torch.tensor([[2, 1, 5]]))
    >>> first_called_wrong(torch.tensor([[[False, False, True]]]), verdict)  # it missed the error of the second step
    tensor([[2]])
    """
    # Where it calls nothing wrong, it stops behind the last step that was written.
    step = torch.arange(called_wrong.shape[-1], device=called_wrong.device)
    stop = torch.where(called_wrong, step, step.numel()).amin(-1)
    return torch.where(verdict.correct, verdict.first_error, torch.minimum(stop, verdict.steps))


@dataclass(frozen=True)
class NoisyJudge:
    """An exact judge whose eyes are poor: it passes wrong steps and calls right ones wrong, at given rates.

    ``miss``: probability that it passes a wrong step; ``false_alarm``: probability that it calls a right step
    wrong; both in [0, 1], independent between steps and between responses. Steps after the first error are
    wrong too. The judged first errors are distributed as `spo_theory.outcomes.judged.confusion` says
    (docs/theory/judges.md).

    The luck is a function of the seed and of what is judged: a hash of a question's prompt and of all responses
    of its group starts a generator that draws one number per step and response. So judging has no state: a
    resumed run, another batch or another order of questions get the same judgement, while equal responses in one
    group, or the same response in another group, are judged independently. Only a group that occurs again whole
    is judged as before. Raises `InputError` for rates outside [0, 1] or a seed that is no whole number from 0.

    >>> from toy_llm.problems.chain import ChainTask
    >>> prompts, answers = ChainTask(3).questions("train", 0, 0, 1)
    >>> responses = (answers + 1)[:, None] % 10  # every step is wrong
    >>> verdict = ChainTask(3).judge(responses, answers)
    >>> NoisyJudge(miss=1.0)(prompts, responses, answers, verdict)  # a judge that passes everything
    tensor([[3]])
    """

    miss: float = 0.0
    false_alarm: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        fits = isinstance(self.seed, int) and 0 <= self.seed < 2**64
        refuse(
            problem(0 <= self.miss <= 1, "miss", self.miss, "between 0 and 1")
            + problem(0 <= self.false_alarm <= 1, "false_alarm", self.false_alarm, "between 0 and 1")
            + problem(fits, "seed", self.seed, "a whole number, 0 to 2^64-1")
        )

    def __call__(
        self, prompts: torch.Tensor, responses: torch.Tensor, answers: torch.Tensor, verdict: Verdict
    ) -> torch.Tensor:
        """Judged first errors ``(Q, G)``."""
        # What was not written must not decide the luck, whatever stands there.
        luck = self._luck(prompts, torch.where(verdict.mask, responses, -1), verdict.step_lengths.shape[-1])
        step = torch.arange(luck.shape[-1], device=luck.device)

        # The chance that it calls the step wrong: right before the first error, wrong from there on.
        chance = torch.where(step < verdict.first_error[..., None], self.false_alarm, 1 - self.miss)
        return first_called_wrong(luck < chance, verdict)

    def _luck(self, prompts: torch.Tensor, responses: torch.Tensor, steps: int) -> torch.Tensor:
        """Uniform numbers ``(Q, G, steps)`` in [0, 1), float64; those of a step do not depend on ``steps``."""
        # One generator for every group, started by what is judged.
        group_size = responses.shape[1]
        key = self.seed.to_bytes(8, "little")
        rows = []
        for prompt, group in zip(prompts.cpu().numpy(), responses.cpu().numpy(), strict=True):
            text = np.ascontiguousarray(prompt).tobytes() + np.ascontiguousarray(group).tobytes()
            digest = hashlib.blake2b(text, key=key, digest_size=16).digest()
            generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
            rows.append(generator.random((steps, group_size)))

        # Steps come first in the draw, so that more steps only add numbers.
        luck = np.stack(rows).swapaxes(1, 2) if rows else np.empty((0, group_size, steps))
        return torch.from_numpy(luck).to(responses.device)


@dataclass(frozen=True)
class MajorityVote:
    """A judge made of several: the first error that most of them name, the earliest of those named equally often.

    The paper's Table 4 takes votes of one language model's judgments; here the judges are given.
    """

    judges: tuple[StepJudge, ...]

    def __call__(
        self, prompts: torch.Tensor, responses: torch.Tensor, answers: torch.Tensor, verdict: Verdict
    ) -> torch.Tensor:
        """Judged first errors ``(Q, G)``."""
        # Every judge names one step; the number of those who name the same decides.
        named = torch.stack([judge(prompts, responses, answers, verdict) for judge in self.judges])
        agree = (named[:, None] == named[None]).sum(1)  # (votes, Q, G), how many name the same
        most = agree == agree.amax(0)
        return torch.where(most, named, named.amax(0) + 1).amin(0)
