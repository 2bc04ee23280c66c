"""Batches of rollouts: fresh questions, sampled groups, the judge's verdict and what the rule makes of it."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from spo_theory.group import Group
from spo_theory.method import Method
from spo_theory.parts.objectives import Objective
from spo_theory.parts.samplers import FreshGroups, Sampler
from spo_theory.parts.tree_search import TreeSearch
from toy_llm.judging.exact import Verdict
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.network.policy import Policy, Rollout
from toy_llm.problems.task import Task
from toy_llm.training.portions import Asked, as_asked, draw_asked, given_tokens, with_solutions
from toy_llm.training.search import searched


@dataclass(frozen=True)
class Sampling:
    """How batches are sampled: responses per question, questions per batch, temperature, seed, torch device.

    sampler: of an update rule, in which part questions are asked.
    """

    group_size: int
    questions: int
    temperature: float = 1.0
    seed: int = 0
    device: str = "cpu"
    sampler: Sampler = field(default_factory=FreshGroups)


@dataclass(frozen=True)
class Judged:
    """Sampled and judged responses, before any rule; fields as in `Batch`."""

    prompts: torch.Tensor
    answers: torch.Tensor
    rollout: Rollout
    verdict: Verdict
    first_error: torch.Tensor
    asked: Asked | None = None


@dataclass(frozen=True)
class Batch:
    """Q questions, G responses of at most T tokens to each, their verdicts and what the rule makes of them.

    prompts: ``(Q, P)``. answers: ``(Q, T)``. true_steps: ``(Q,)``, steps of each true response. rollout and
    verdict: what was sampled and what is truly right and wrong in it. first_error: ``(Q, G)``, what the step judge
    tells the rule, which differs from ``verdict.first_error`` if that judge errs. ended: ``(Q, G)``, False if the
    response was cut off. asked: in which part each question is asked; None: all of them whole.

    update_rule: which has made the rest. rewards, advantages: ``(Q, G)``. step_advantages: ``(Q, G, S)`` per written
    step; token_advantages: ``(Q, G, T)``, the same for every token of a step. question_weights: ``(Q,)``, how much
    each question counts; None: all the same. start_log_probs: ``(Q, G, T)``, nats, of the responses under the start
    policy; None where nobody asked for them.
    """

    prompts: torch.Tensor
    answers: torch.Tensor
    true_steps: torch.Tensor
    rollout: Rollout
    verdict: Verdict
    first_error: torch.Tensor
    ended: torch.Tensor
    update_rule: Method
    rewards: torch.Tensor
    advantages: torch.Tensor
    step_advantages: torch.Tensor
    token_advantages: torch.Tensor
    question_weights: torch.Tensor | None = None
    asked: Asked | None = None
    start_log_probs: torch.Tensor | None = None

    @property
    def correct(self) -> torch.Tensor:
        """Boolean ``(Q, G)``: every step that is asked for is right, and nothing follows."""
        return self.verdict.correct

    @property
    def mask(self) -> torch.Tensor:
        """Boolean ``(Q, G, T)``: tokens up to and including the end of their response, without those of given steps
        and those behind the steps asked for."""
        return self.verdict.mask


def sample_and_judge(
    policy: Policy,
    sampling: Sampling,
    stream: str,
    index: int,
    judge: JudgeSource | None = None,
    questions: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Judged:
    """Sample and judge batch ``index`` of a stream of questions of the policy's task.

    Repeatable: the questions and the sampling noise depend on (stream, seed, index) alone. ``judge``: tells the
    rule where responses go wrong (None: the exact truth). ``questions``: prompts and true responses to ask instead.
    """
    # Questions and noise are those of this batch, whatever was sampled before.
    count = sampling.questions
    if questions is None:
        questions = policy.task.questions(stream, sampling.seed, index * count, count)
    prompts, answers = (tokens.to(sampling.device) for tokens in questions)
    noise = noise_generator([sampling.seed, index, *stream.encode()], sampling.device)
    asked = None
    if isinstance(sampling.sampler, TreeSearch):
        rollout = searched(policy, sampling.sampler, prompts, answers, sampling.group_size, noise, sampling.temperature)
    elif sampling.sampler.whole:
        rollout = policy.sample(prompts, answers, sampling.group_size, noise, sampling.temperature)
    else:
        # Luck of its own decides in which part a question is asked; taught ones have solutions for responses.
        luck = noise_generator([sampling.seed, index, *stream.encode(), *b"portions"], sampling.device)
        asked = draw_asked(policy, sampling.sampler, prompts, answers, luck, sampling.temperature)
        given = given_tokens(policy.task, answers, asked)
        rollout = policy.sample(prompts, answers, sampling.group_size, noise, sampling.temperature, given)
        rollout = with_solutions(policy, rollout, prompts, answers, asked, sampling.temperature)

    # The outcome is always known exactly; where a response goes wrong is what the step judge says.
    verdict = policy.task.judge(rollout.responses, answers)
    first_error = verdict.first_error
    if judge is not None:
        first_error = judge.at(stream, index)(prompts, rollout.responses, answers, verdict)
    if asked is not None:
        verdict = as_asked(verdict, asked, policy.task.answer_steps(answers).amax(-1) + 1)
    return Judged(prompts, answers, rollout, verdict, first_error, asked)


def noise_generator(entropy: list[int], device: str = "cpu") -> torch.Generator:
    """A generator whose numbers depend on the whole numbers ``entropy`` alone.

    >>> luck = [torch.rand(1, generator=noise_generator([0, 7])) for _ in range(2)]
    >>> bool(luck[0] == luck[1])
    True
    """
    # SeedSequence mixes: neighbouring numbers give generators that share nothing.
    seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(seed) % 2**63)


def group_of(task: Task, judged: "Judged | Batch", dtype: torch.dtype | None = None) -> Group:
    """All that an update rule may look at: the groups of judged responses, on tokens of their task.

    ``dtype``: of rewards and advantages; None: that of the log-probabilities. Where responses go wrong is what the
    step judge said.
    """
    verdict = judged.verdict
    asked = judged.asked
    part = {}
    if asked is not None:
        part["learnt"] = asked.learnt(verdict.step_lengths.shape[-1]).expand(verdict.step_lengths.shape)
        part["taught"] = asked.taught[:, None].expand(verdict.correct.shape)
    return Group(
        correct=verdict.correct,
        first_error=judged.first_error,
        lengths=verdict.step_lengths,
        true_lengths=task.judge(judged.answers[:, None], judged.answers).step_lengths,
        log_prob=_step_log_prob(judged.rollout, verdict),
        dtype=judged.rollout.log_probs.dtype if dtype is None else dtype,
        **part,
    )


def score(task: Task, update_rule: Method, judged: Judged) -> Batch:
    """What an update rule makes of judged responses: their rewards, and the advantage of every step and token.

    ``task``: the one that the responses answer. Raises `InputError` if their groups have not the rule's size.
    """
    # The parts of the rule in the order in which they act.
    group = group_of(task, judged)
    rewards = update_rule.reward(group)
    advantages = update_rule.group_advantages(group)
    step_advantages = update_rule.step_credit(group, advantages)

    # Where all questions count the same nothing is multiplied, which would cost time and change nothing.

    # Every token of a step has the advantage of its step.
    return Batch(
        prompts=judged.prompts,
        answers=judged.answers,
        true_steps=task.answer_steps(judged.answers).amax(-1) + 1,
        rollout=judged.rollout,
        verdict=judged.verdict,
        first_error=judged.first_error,
        ended=ended(task, judged.rollout.responses),
        update_rule=update_rule,
        rewards=rewards,
        advantages=advantages,
        step_advantages=step_advantages,
        token_advantages=step_advantages.gather(-1, judged.verdict.token_step),
        question_weights=update_rule.question_weights(group),
        asked=judged.asked,
    )


def silent_groups(objective: Objective, advantages: torch.Tensor, credit: torch.Tensor) -> torch.Tensor:
    """Groups from which nothing is learnt on policy: every step of theirs has weight exactly 0.

    ``advantages``: ``(Q, G)``. ``credit``: ``(Q, G, S)``. Returns boolean ``(Q,)``.

    >>> from spo_theory.parts.objectives import PairRegression
    >>> same = torch.ones(1, 2)  # both responses are correct
    >>> silent_groups(PairRegression(), same, same[..., None])
    tensor([True])
    """
    weights = objective.weights(advantages, credit, torch.zeros_like(credit))
    return (weights == 0).flatten(1).all(1)


def _step_log_prob(rollout: Rollout, verdict: Verdict) -> torch.Tensor:
    """Log-probability ``(Q, G, S)`` of every written step under the sampling policy, nats."""
    # The log-probability of a step is the sum over its tokens.
    of_tokens = rollout.log_probs.masked_fill(~verdict.mask, 0.0)
    of_steps = of_tokens.new_zeros(verdict.step_lengths.shape)
    return of_steps.scatter_add_(-1, verdict.token_step, of_tokens)


def ended(task: Task, responses: torch.Tensor) -> torch.Tensor:
    """Which responses ``(Q, G, T)`` came to their end: boolean ``(Q, G)``, False for those that were cut off.

    Responses of a task without an end token are as long as they are meant to be: none is cut off.
    """
    # Nothing is looked for that the task does not have.
    if task.end is None:
        return torch.ones(responses.shape[:-1], dtype=torch.bool, device=responses.device)
    return (responses == task.end).any(-1)


@torch.no_grad()
def with_start_log_probs(batch: Batch, start: Policy, temperature: float) -> Batch:
    """The batch with the log-probabilities of its responses under the start policy.

    ``temperature``: of sampling, so that the divergence is between what is sampled. No gradient is kept.
    """
    # At the temperature of sampling, as the log-probabilities in the rollout.
    log_probs = start.log_probs(batch.prompts, batch.answers, batch.rollout.responses, temperature)
    return replace(batch, start_log_probs=log_probs)


def collect(
    policy: Policy,
    task: Task,
    update_rule: Method,
    questions: int,
    stream: str,
    seed: int,
    index: int,
    judge: JudgeSource | None = None,
) -> Batch:
    """Sample, judge and score batch ``index`` of a stream of questions; see `sample_and_judge` and `score`.

    >>> from spo_theory import rule
    >>> from toy_llm.network.tabular import TabularPolicy
    >>> from toy_llm.problems.chain import ChainTask
    >>> policy = TabularPolicy(ChainTask(horizon=2), [0.5, 0.5])
    >>> batch = collect(policy, policy.task, rule("grpo", group_size=4), 3, "train", seed=0, index=0)
    >>> tuple(batch.advantages.shape), tuple(batch.token_advantages.shape)
    ((3, 4), (3, 4, 2))
    """
    sampling = Sampling(update_rule.group_size, questions, seed=seed, sampler=update_rule.sampler)
    return score(task, update_rule, sample_and_judge(policy, sampling, stream, index, judge))
