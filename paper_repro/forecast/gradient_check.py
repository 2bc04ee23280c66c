"""The strongest test of trainer and theory: sampled gradients at a fixed network against the exact expected one.

Groups are sampled again and again for the same questions, and the mean of their gradients must be the exact gradient in
every parameter, up to its standard error.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student

from paper_repro.forecast.mean_field import expected_loss, expected_updates
from toy_llm.config import TrainConfig
from toy_llm.network.policy import Policy
from toy_llm.training.loop import make_judge, make_policy
from toy_llm.training.rollout import Judged, noise_generator, score
from toy_llm.training.steps import batch_loss

STREAM = "gradient check"


@dataclass(frozen=True)
class GradientCheck:
    """Exact and sampled gradient of the loss at a fixed network, over all P parameters.

    exact, mean, error ``(P,)``: the exact gradient, the mean of sampled ones and its standard error. along ``(B,)``:
    of every batch, its gradient's part along the exact one, in lengths of the exact one. precision: of the network's
    numbers; where a gradient is 0 by symmetry (keys' biases) there is nothing but round-off to compare.
    """

    exact: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    along: np.ndarray
    precision: float = 0.0

    @cached_property
    def z(self) -> np.ndarray:
        """Difference over standard error, of the parameters that batches move by more than round-off."""
        moved = self.error > 1000 * self.precision * self.error.max()
        return ((self.mean - self.exact)[moved]) / self.error[moved]

    def summary(self) -> dict[str, float]:
        """Numbers that tell whether trainer and theory agree.

        parameters: how many were compared. z_rms: root mean square of the z-scores, 1 if they agree. z_beyond_2: share
        beyond 2, 0.046 if they agree. z_largest, z_limit: the largest, and the one that the largest of as many
        independent ones exceeds in 1 % of cases (Student t). ratio, ratio_error: sampled over exact gradient along the
        exact one, 1 if they agree; a trainer whose gradients are one per cent too long shows here.
        """
        size = np.abs(self.z)
        return {
            "parameters": len(size),
            "z_rms": float(np.sqrt(np.mean(size**2))),
            "z_beyond_2": float(np.mean(size > 2)),
            "z_largest": float(size.max()),
            "z_limit": float(student.isf(0.01 / (2 * len(size)), len(self.along) - 1)),
            "ratio": float(self.along.mean()),
            "ratio_error": float(self.along.std(ddof=1) / np.sqrt(len(self.along))),
        }


def gradient_check(config: TrainConfig, policy: Policy, batches: int, copies: int = 1, seed: int = 0) -> GradientCheck:
    """Compare the exact expected gradient with that of ``batches`` sampled batches on as many questions as the run has.

    ``copies``: groups of every question in each batch. ``seed``: of questions and sampling. The policy is left as it
    is. Raises `NoExactForm` for methods without an exact form.
    """
    # The same questions for both: what is left is the noise of sampling alone
    prompts, answers = policy.task.questions(STREAM, seed, 0, config.questions)
    parameters = list(policy.module.parameters())

    def flat(loss: torch.Tensor) -> torch.Tensor:
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        pairs = zip(parameters, found, strict=True)
        return torch.cat([torch.zeros_like(p).flatten() if g is None else g.flatten() for p, g in pairs]).double()

    exact = flat(expected_loss(expected_updates(config), policy, prompts, answers, config))

    # Sampled, judged and scored as in training
    config = replace(config, questions=config.questions * copies)
    repeated = (prompts.repeat(copies, 1), answers.repeat(copies, 1))
    judge = make_judge(config, policy.task)
    total = torch.zeros_like(exact)
    squares = torch.zeros_like(exact)
    along = []
    for index in range(batches):
        noise = noise_generator([seed, index, *STREAM.encode()])
        rollout = policy.sample(*repeated, config.group_size, noise, config.temperature)
        verdict = policy.task.judge(rollout.responses, repeated[1])
        heard = verdict.first_error
        if judge is not None:
            heard = judge.at(STREAM, index)(repeated[0], rollout.responses, repeated[1], verdict)
        batch = score(policy.task, config.make_rule(), Judged(*repeated, rollout, verdict, heard))
        gradient = flat(batch_loss(config, policy, batch, slice(None))[0])

        # Differences to the exact gradient: squares of whole gradients would cancel
        off = gradient - exact
        total += off
        squares += off.square()
        along.append(float(gradient @ exact / (exact @ exact)))
    mean = total / batches
    variance = (squares - batches * mean.square()).clamp(min=0) / (batches - 1)
    error = (variance / batches).sqrt()
    precision = float(torch.finfo(parameters[0].dtype).eps)
    return GradientCheck(exact.numpy(), (exact + mean).numpy(), error.numpy(), np.array(along), precision)


def checked(config: TrainConfig, setting: str, batches: int) -> pd.DataFrame:
    """One row of the table of checks: what was compared, then `GradientCheck.summary`.

    ``setting``: its name in the table. The network is the warm start of the run.
    """
    torch.set_num_threads(1)
    found = gradient_check(config, make_policy(config), batches).summary()
    what = {"setting": setting, "rule": config.rule, "batches": batches, "questions": config.questions}
    return pd.DataFrame([what | found])
