"""What a policy can do: success, pass@k, accuracy per step and group shares, with bootstrap intervals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.validation import check, problem, refuse
from toy_llm.training.rollout import Policy

POWERS = (1, 2, 4, 8, 16, 32, 64)
COLUMNS = ("suite", "metric", "k", "value", "low", "high", "seeds", "questions")
CHUNK = 4096
"""Responses sampled at a time; part of what decides the sampling noise."""

GRPO = rule("grpo")


@dataclass(frozen=True)
class Evaluation:
    """How to measure a policy.

    questions: how many questions, the same for every policy. samples: responses to each question, a multiple of
    ``update_rule.group_size``. ks: the k of pass@k, at most ``samples``. update_rule: whose groups and advantages
    are counted. confidence, resamples: of the bootstrap. temperature: of sampling. stream, seed: which questions,
    and the seed of the sampling noise.
    """

    questions: int = 256
    samples: int = 64
    ks: tuple[int, ...] = POWERS
    update_rule: Method = GRPO
    temperature: float = 1.0
    confidence: float = 0.95
    resamples: int = 1000
    stream: str = "evaluate"
    seed: int = 0

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each."""
        lines = []
        for name, least in (("questions", 2), ("samples", 1), ("resamples", 10), ("seed", 0)):
            value = getattr(self, name)
            lines += problem(
                isinstance(value, int) and value >= least, name, value, f"a whole number, at least {least}"
            )
        group = self.update_rule.group_size
        if not lines:
            lines += problem(self.samples % group == 0, "samples", self.samples, f"a multiple of group_size ({group})")
            lines += problem(
                all(isinstance(k, int) and 1 <= k <= self.samples for k in self.ks),
                "ks",
                self.ks,
                f"whole numbers from 1 to samples ({self.samples})",
            )
        lines += problem(0 < self.confidence < 1, "confidence", self.confidence, "strictly between 0 and 1")
        warm = self.temperature
        return lines + problem(0 < warm < float("inf"), "temperature", warm, "a finite number above 0")


def pass_at_k(correct: np.ndarray, samples: int, k: int) -> np.ndarray:
    """Unbiased estimate of the chance that at least one of ``k`` responses is correct.

    ``correct``: whole numbers, any shape, of correct ones among ``samples`` responses to a question. It is the share
    of the subsets of size k that hold a correct response, ``1 - C(n - c, k) / C(n, k)``, as a product of numbers
    from 0 to 1 (Chen et al. 2021, arXiv 2107.03374); exactly 0 for c = 0 and exactly 1 where n - c < k.
    Raises `InputError` unless 1 <= k <= samples and 0 <= correct <= samples.
    """
    counts = np.asarray(correct)
    whole = np.issubdtype(counts.dtype, np.integer)
    refuse(
        problem(1 <= k <= samples, "k", k, f"from 1 to samples ({samples})")
        + problem(
            whole and bool(((counts >= 0) & (counts <= samples)).all()),
            "correct",
            correct,
            f"whole numbers from 0 to samples ({samples})",
        )
    )
    factors = np.clip(1 - k / np.arange(samples, 0, -1), 0, None)
    missed = np.concatenate([[1.0], np.cumprod(factors)])  # by c: chance that a subset misses all c
    return 1 - missed[counts]


def interval(
    above: np.ndarray, below: np.ndarray, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """``sum(above) / sum(below)`` with a bootstrap percentile interval: ``(value, low, high)``.

    ``above``, ``below``: ``(R, N)``, R training seeds by N >= 2 questions that all of them answered. Seeds *and*
    questions are drawn anew, independently of each other (the "pigeonhole" bootstrap for crossed factors, Owen
    2007, arXiv 0712.1111), so the interval is for other seeds and other questions. With R = 1 questions alone are
    drawn, and it says nothing about other seeds; with few seeds it is too narrow, as every percentile bootstrap is;
    where all questions count the same it has no width. NaN where nothing was counted.
    """
    seeds, questions = above.shape
    check(questions >= 2, "questions", questions, "at least 2")
    generator = np.random.default_rng(seed)
    # how often each seed and each question is drawn; scipy.stats.bootstrap gathers the cells instead, far slower
    rows = generator.multinomial(seeds, np.full(seeds, 1 / seeds), resamples)
    columns = generator.multinomial(questions, np.full(questions, 1 / questions), resamples)
    with np.errstate(invalid="ignore"):
        value = above.sum() / below.sum()
        drawn = ((rows @ above) * columns).sum(1) / ((rows @ below) * columns).sum(1)
    drawn = drawn[np.isfinite(drawn)]  # a draw may hold nothing to count
    if not len(drawn):
        return float(value), float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(value), float(low), float(high)


def evaluate(policies: Policy | Sequence[Policy], suite: str, settings: Evaluation | None = None) -> pd.DataFrame:
    """Measure policies, one per training seed, on the same questions of their task; ``suite`` is its name.

    Returns a tidy DataFrame with the columns suite, metric, k (of pass@k), value, low, high (a bootstrap interval
    over seeds and questions, see `interval`), seeds, questions. The metrics, in shares unless said otherwise:

    - success: correct responses; success_exact: its expectation at temperature 1, the mean probability of the
      true response; pass@k: see `pass_at_k`.
    - accuracy_h: right steps h among those that were written behind a right prefix of a question with that many
      steps; NaN if there are none.
    - all_negative, all_positive, zero_advantage: groups of ``update_rule.group_size`` responses with no and only
      correct ones, and with advantages that are all exactly zero under the rule (with exact steps).
    - entropy: nats per token, as the mean of minus log probability over the sampled tokens, at the sampling
      temperature; response_length: tokens, with the end; ended: responses that were not cut off.

    Repeatable from its arguments; the policies are on the CPU. Raises `InputError` for bad settings, and if there is
    no policy or their tasks differ.
    """
    settings = Evaluation() if settings is None else settings
    every: Sequence[Policy] = policies if isinstance(policies, Sequence) else [policies]
    one_task = len({repr(policy.task) for policy in every}) == 1
    refuse(settings.problems() + problem(one_task, "policies", list(every), "one or more, all for the same task"))
    measured = [_measure(policy, settings, i) for i, policy in enumerate(every)]
    rows = []
    for key in measured[0]:
        above, below = (np.stack([m[key][part] for m in measured]) for part in (0, 1))
        value, low, high = interval(above, below, settings.confidence, settings.resamples, settings.seed)
        rows.append((suite, *key, value, low, high, len(every), settings.questions))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"k": "Int64"})


def evaluate_suites(suites: Mapping[str, Sequence[Policy]], settings: Evaluation | None = None) -> pd.DataFrame:
    """`evaluate` on several suites, one below the other; each has its own policies, since a policy has one task."""
    return pd.concat([evaluate(policies, name, settings) for name, policies in suites.items()], ignore_index=True)


Counts = dict[tuple[str, int | None], tuple[np.ndarray, np.ndarray]]


def _measure(policy: Policy, settings: Evaluation, index: int) -> Counts:
    """Of every metric the two sums per question ``(N,)`` whose ratio it is, for policy number ``index``."""
    parts = list(_chunks(policy, settings, index))
    return {key: tuple(np.concatenate([p[key][i] for p in parts]) for i in (0, 1)) for key in parts[0]}  # type: ignore[misc]


def _chunks(policy: Policy, settings: Evaluation, index: int) -> Iterator[Counts]:
    """`_measure` for some questions at a time."""
    task = policy.task
    n, group = settings.samples, settings.update_rule.group_size
    size = max(1, CHUNK // n)
    for start in range(0, settings.questions, size):
        count = min(size, settings.questions - start)
        prompts, answers = task.questions(settings.stream, settings.seed, start, count)
        # Groups of the rule's size are sampled as training does; a question has several of them.
        prompts, answers = (x.repeat_interleave(n // group, 0) for x in (prompts, answers))
        noise = np.random.SeedSequence([settings.seed, index, start, *settings.stream.encode()])
        generator = torch.Generator().manual_seed(int(noise.generate_state(1, np.uint64)[0]) % 2**63)
        rollout = policy.sample(prompts, answers, group, generator, settings.temperature)
        verdict = task.judge(rollout.responses, answers)
        advantages = settings.update_rule.advantages(
            verdict.correct, verdict.first_error, verdict.step_lengths, dtype=torch.float64
        )
        right = verdict.correct.double().mean(-1)
        written = verdict.mask.sum(-1).double()
        ended = torch.ones_like(written) if task.end is None else (rollout.responses == task.end).any(-1).double()
        one = torch.ones(len(prompts), group)

        def per_question(x: torch.Tensor, count: int = count) -> np.ndarray:
            return x.double().reshape(count, -1).sum(-1).numpy()

        def share(x: torch.Tensor, of: torch.Tensor = one) -> tuple[np.ndarray, np.ndarray]:
            return per_question(x), per_question(of)

        groups = torch.ones(len(prompts))
        counts: Counts = {
            ("success", None): share(verdict.correct),
            ("success_exact", None): share(rollout.true_probs.prod(-1), groups),
            ("all_negative", None): share(right == 0, groups),
            ("all_positive", None): share(right == 1, groups),
            ("zero_advantage", None): share((advantages == 0).all(-1), groups),
            ("entropy", None): share(-(rollout.log_probs * verdict.mask), written),
            ("response_length", None): share(written),
            ("ended", None): share(ended),
        }
        c = verdict.correct.reshape(count, n).sum(-1).numpy()
        for k in settings.ks:
            counts["pass@k", k] = pass_at_k(c, n, k), np.ones(count)
        true_steps = task.answer_steps(answers).amax(-1) + 1
        for h in range(rollout.true_probs.shape[1]):
            there = (true_steps > h)[:, None]
            reached = there & (verdict.first_error >= h) & (verdict.steps > h)
            counts[f"accuracy_{h + 1}", None] = share(there & (verdict.first_error > h), reached)
        yield counts
