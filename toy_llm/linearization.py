"""What the theory needs to know of the network at the start: log-odds, their gradients, gradient noise.

Everything is measured by autograd before training on questions that training never sees; nothing is fitted.
Derived in docs/theory/network.md (the network's empirical neural tangent kernel in log-odds).
"""

from dataclasses import dataclass

import numpy as np
import torch

from spo_theory.method import Method
from toy_llm.network.policy import Policy
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.training.losses import policy_loss
from toy_llm.training.rollout import collect


def log_odds_gradients(
    policy: Policy, prompts: torch.Tensor, answers: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-odds ``(N, H)`` on true responses and their gradients ``(N, H, P)`` with respect to all P parameters.

    ``prompts`` ``(N, ...)``, ``answers`` ``(N, T)``, of questions with H steps each. One backward pass for each of the
    N H numbers.
    """
    # A backward pass gives the gradient of one number, so there is one for every step of every question.
    parameters = list(policy.module.parameters())
    odds = []
    gradients = []
    for n in range(len(prompts)):
        own = policy.true_log_odds(prompts[n : n + 1], answers[n : n + 1])[0]
        odds.append(own.detach())
        for step in own:
            found = torch.autograd.grad(step, parameters, retain_graph=True)
            gradients.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(odds), torch.stack(gradients).unflatten(0, (len(prompts), -1))


def mean_kernel(gradients: torch.Tensor) -> np.ndarray:
    """Kernel ``(H, H)`` for `spo_theory.solve` from log-odds gradients ``(N, H, P)`` of N >= 2 questions.

    Entry ``[h, k]``: how much the mean log-odds of step h rises per unit of learning rate and of the update of
    step k, averaged over pairs of *different* questions: training meets fresh questions, so none trains on itself.

    >>> mean_kernel(torch.tensor([[[1.0, 0.0]], [[1.0, 2.0]]]))  # two questions, one step, two parameters
    array([[1.]])
    """
    # All pairs, less those of a question with itself.
    n = len(gradients)
    total = gradients.sum(0)
    own = torch.einsum("nhp,nkp->hk", gradients, gradients)
    return ((total @ total.T - own) / (n * (n - 1))).double().numpy()


@dataclass(frozen=True)
class Start:
    """A warm-started network as the theory sees it, measured before training.

    log_odds ``(M, H)``: of the true value of each step after the true prefix, for M questions. kernel ``(H, H)``,
    see `mean_kernel`. features ``(H, P)``: gradient of the mean log-odds of each step for every parameter.
    """

    log_odds: np.ndarray
    kernel: np.ndarray
    features: np.ndarray


def measure_start(policy: TransformerPolicy, questions: int = 2048, kernel_questions: int = 64, seed: int = 0) -> Start:
    """Measure log-odds on ``questions`` questions and gradients on ``kernel_questions`` others (stream "measure").

    ``seed``: of the questions, which training never sees. The policy is left as it is. Returns what
    `spo_theory.solve` needs: the start, the kernel for SGD, the features for Adam.
    """
    # Log-odds take one pass forward, so many questions can be asked.
    task = policy.task
    prompts, answers = task.questions("measure", seed, kernel_questions, questions)
    with torch.no_grad():
        log_odds = policy.true_log_odds(prompts, answers)

    # Gradients take a pass backward for every step of every question.
    prompts, answers = task.questions("measure", seed, 0, kernel_questions)
    _, gradients = log_odds_gradients(policy, prompts, answers)
    return Start(
        log_odds=log_odds.double().numpy(),
        kernel=mean_kernel(gradients),
        features=gradients.mean(0).double().numpy(),
    )


def gradient_variance(
    policy: TransformerPolicy, update_rule: Method, questions: int, batches: int = 32, seed: int = 0
) -> np.ndarray:
    """Variance ``(P,)`` of the gradient of one batch of ``questions`` groups, from ``batches`` batches, no update.

    The gradient is that of the rule's objective, with its own step weights, for all P parameters of ``policy``.
    ``seed``: of questions and sampling (stream "variance").
    """
    parameters = list(policy.model.parameters())
    rows = []
    for index in range(batches):
        # As the trainer does for its first step on a batch: the policy that has sampled is the current one.
        batch = collect(policy, policy.task, update_rule, questions, "variance", seed, index)
        now = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
        loss = policy_loss(
            update_rule.objective,
            now,
            batch.rollout.log_probs,
            batch.advantages,
            batch.token_advantages,
            question_weights=batch.question_weights,
            mask=batch.mask,
        )
        gradients = torch.autograd.grad(loss, parameters)
        rows.append(torch.cat([gradient.flatten() for gradient in gradients]))
    return torch.stack(rows).var(0).double().numpy()
