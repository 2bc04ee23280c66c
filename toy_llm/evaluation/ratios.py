"""Sample a policy on the questions of an evaluation, and count: every metric is a ratio of two sums."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from toy_llm.evaluation.spec import Evaluation
from toy_llm.evaluation.statistics import pass_at_k
from toy_llm.judging.exact import Verdict
from toy_llm.network.policy import Policy
from toy_llm.problems.task import Task
from toy_llm.training.rollout import Judged, ended, group_of, noise_generator, silent_groups

CHUNK = 4096
"""Responses sampled at a time; part of what decides the sampling noise."""


class Ratio(NamedTuple):
    """A metric of N questions: of each question two sums, float64 ``(N,)``, whose ratio over questions is its value."""

    above: np.ndarray
    below: np.ndarray


Ratios = dict[tuple[str, int | None], Ratio]
"""By the name of a metric and its k, None but for pass@k."""


def question_ratios(policy: Policy, settings: Evaluation, index: int) -> Ratios:
    """Every metric of every question, measured for the policy of one training seed.

    ``index``: which of the compared policies it is; each has sampling noise of its own, on the same questions.
    """
    chunks = list(_chunks(policy, settings, index))
    return {
        key: Ratio(*(np.concatenate([chunk[key][part] for chunk in chunks]) for part in (0, 1))) for key in chunks[0]
    }


def _chunks(policy: Policy, settings: Evaluation, index: int) -> Iterator[Ratios]:
    """`question_ratios` for some questions at a time, since all their responses may not fit in memory."""
    task = policy.task
    group = settings.update_rule.group_size
    groups = settings.samples // group
    size = max(1, CHUNK // settings.samples)
    for start in range(0, settings.questions, size):
        # Groups of the rule's size are sampled as training does; a question has several of them.
        count = min(size, settings.questions - start)
        questions = task.questions(settings.stream, settings.seed, start, count)
        prompts, answers = (tokens.repeat_interleave(groups, 0) for tokens in questions)
        noise = noise_generator([settings.seed, index, start, *settings.stream.encode()])
        rollout = policy.sample(prompts, answers, group, noise, settings.temperature)
        verdict = task.judge(rollout.responses, answers)
        judged = Judged(prompts, answers, rollout, verdict, verdict.first_error)

        # Metrics of responses and groups, of subsets of a question's responses, and of steps.
        ratios = _response_ratios(settings, task, judged, count)
        right = verdict.correct.reshape(count, settings.samples).sum(-1).numpy()
        for k in settings.ks:
            ratios["pass@k", k] = Ratio(pass_at_k(right, settings.samples, k), np.ones(count))
        yield ratios | _step_ratios(task, answers, verdict, count)


def _response_ratios(settings: Evaluation, task: Task, judged: Judged, count: int) -> Ratios:
    """The metrics of ``count`` questions that are shares of responses, of groups or of tokens."""
    # What the rule makes of the groups decides which of them are silent; everything else is counted.
    update_rule = settings.update_rule
    group = group_of(task, judged, torch.float64)
    advantages = update_rule.group_advantages(group)
    silent = silent_groups(update_rule.objective, advantages, update_rule.step_credit(group, advantages))

    rollout = judged.rollout
    verdict = judged.verdict
    right = verdict.correct.double().mean(-1)
    tokens = verdict.mask.sum(-1).double()
    responses = torch.ones_like(tokens)
    groups = torch.ones_like(right)

    # What is counted, and out of how many.
    parts = {
        "success": (verdict.correct, responses),
        "success_exact": (rollout.true_probs.prod(-1), groups),
        "all_negative": (right == 0, groups),
        "all_positive": (right == 1, groups),
        "zero_advantage": (silent, groups),
        "entropy": (-(rollout.log_probs * verdict.mask), tokens),
        "response_length": (tokens, responses),
        "ended": (ended(task, rollout.responses), responses),
    }
    return {(name, None): _ratio(*part, count) for name, part in parts.items()}


def _step_ratios(task: Task, answers: torch.Tensor, verdict: Verdict, count: int) -> Ratios:
    """Of every step h: how many responses reached it behind a right prefix, and how many of them got it right."""
    ratios: Ratios = {}

    # Questions differ in the number of their steps, and only those that have step h count.
    true_steps = task.answer_steps(answers).amax(-1) + 1
    for h in range(task.horizon):
        has_step = (true_steps > h)[:, None]
        right = has_step & (verdict.first_error > h)
        reached = has_step & (verdict.first_error >= h) & (verdict.steps > h)
        ratios[f"accuracy_{h + 1}", None] = _ratio(right, reached, count)
    return ratios


def _ratio(above: torch.Tensor, below: torch.Tensor, count: int) -> Ratio:
    """Sums per question of what is counted, whatever its shape behind the questions (and their groups)."""

    def per_question(values: torch.Tensor) -> np.ndarray:
        return values.double().reshape(count, -1).sum(-1).numpy()

    return Ratio(per_question(above), per_question(below))
