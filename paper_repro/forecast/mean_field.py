"""Forecast, level 2: the network itself, moved by exact expected gradients (docs/theory/network.md#mean-field).

One pass over true responses gives what infinitely many rollouts of groups would: no sampling, nothing fitted, features
free to move. The steps are those of the trainer: its optimizers, schedules, minibatches and clips.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from paper_repro.forecast.expected_updates import ExpectedUpdates
from spo_theory.outcomes.judged import confusion, voted
from toy_llm.config import TrainConfig
from toy_llm.network.policy import Policy
from toy_llm.problems.task import Task
from toy_llm.training.steps import descend, make_optimizer, minibatches, set_learning_rate

STREAM = "forecast"
"""Name of the questions of forecasts: training never sees them."""
QUESTIONS = 32
"""Questions of each gradient step of a forecast: without sampling noise a few serve."""


def step_lengths(task: Task, answers: torch.Tensor) -> np.ndarray:
    """Tokens ``(Q, S)`` of each step of true responses ``answers`` ``(Q, T)``, 0 for steps that are not there.

    >>> from toy_llm.problems.chain import ChainTask
    >>> step_lengths(ChainTask(3), torch.tensor([[2, 1, 5]]))
    array([[1, 1, 1]])
    """
    steps = task.answer_steps(answers)
    return (steps[..., None] == torch.arange(task.horizon)).sum(1).numpy()


def expected_updates(config: TrainConfig, update: int = 0) -> ExpectedUpdates:
    """The exact expected updates of the method and the judge of a run in an update, counted from 0."""
    if config.judge == "exact":
        return ExpectedUpdates(config.rule_in(update))

    def heard(horizon: int) -> np.ndarray:
        """The confusion matrix of the majority of a judge's votes."""
        return voted(confusion(horizon, config.miss, config.false_alarm), config.votes)

    return ExpectedUpdates(config.rule_in(update), heard)


def expected_loss(
    expected: ExpectedUpdates,
    policy: Policy,
    prompts: torch.Tensor,
    answers: torch.Tensor,
    config: TrainConfig,
    sampled: torch.Tensor | None = None,
) -> torch.Tensor:
    """A loss whose gradient is the expected one of a batch of sampled groups on these questions.

    ``config``: gives temperature and aggregation. ``sampled`` ``(Q, S)``: log-odds of the policy that has sampled;
    None: the current one. Returns ``-mean_n sum_h g_nh L_nh`` with the updates g held fixed, L the log-odds with
    gradient.
    Derived in docs/theory/network.md#expected-gradient.
    """
    # The updates are numbers of the theory; only the log-odds lead back to the parameters.
    odds = policy.true_log_odds(prompts, answers, config.temperature)
    now = odds.detach().double().numpy()
    lengths = step_lengths(policy.task, answers)
    moved = None if sampled is None else now
    update = expected(now if sampled is None else sampled.double().numpy(), lengths, moved)
    update *= shares(config, lengths)[:, None]

    # Steps that a question does not have have no log-odds.
    there = odds.isfinite()
    weights = torch.from_numpy(update).to(odds.dtype)
    return -(weights[there] * odds[there]).sum() / len(odds)


def shares(config: TrainConfig, lengths: np.ndarray) -> np.ndarray:
    """What the loss of each question ``(Q,)`` is multiplied by under the aggregation of a run.

    ``lengths`` ``(Q, S)``: tokens of each true step. They stand for the written lengths, which differ on suites.

    >>> shares(TrainConfig(aggregation="response"), np.array([[1, 1], [3, 1]])).tolist()
    [0.5, 0.25]
    """
    tokens = lengths.sum(-1)
    each = {
        "sum": np.ones(len(tokens)),
        "response": 1 / tokens,
        "token": np.full(len(tokens), 1 / tokens.mean()),
        "constant": np.full(len(tokens), 1 / config.task().response_length),
    }
    return each[config.aggregation]


def mean_field(config: TrainConfig, policy: Policy) -> Iterator[dict[str, float]]:
    """Move ``policy`` in place by expected gradients; yields before each update what training would measure there.

    ``config``: the run that is forecast; its seed is not read. Yields rows of step, grad_norm, learning_rate, and one
    of the final policy. Raises `NoExactForm` for methods without an exact form.
    """
    # Fewer questions than training has, but as many minibatches.
    config = replace(config, questions=QUESTIONS * config.minibatches)
    expected = expected_updates(config)
    parameters = list(policy.module.parameters())
    optimizer = make_optimizer(config, parameters)
    for step in range(config.updates):
        # Colours may end in the middle of a run.
        if step == config.coloured_updates:
            expected = expected_updates(config, step)
        prompts, answers = policy.task.questions(STREAM, config.start_seed, step * config.questions, config.questions)
        row = {"step": step, "learning_rate": set_learning_rate(config, optimizer, step)}

        # The first gradient step is on policy; later ones have importance ratios to the log-odds before it.
        sampled = None
        parts = list(minibatches(config, step))
        if len(parts) > 1:
            # A copy: a table's log-odds are its parameters, which are about to move.
            sampled = policy.true_log_odds(prompts, answers, config.temperature).detach().clone()
        for part in parts:
            old = None if sampled is None else sampled[part]
            loss = expected_loss(expected, policy, prompts[part], answers[part], config, old)
            row["grad_norm"] = descend(optimizer, parameters, loss, config.max_grad_norm)
        yield row
    yield {"step": config.updates, "learning_rate": float("nan"), "grad_norm": float("nan")}
