"""How a policy is to be measured."""

from dataclasses import dataclass

from spo_theory.allowed import INNER_SHARE, TEXT, several
from spo_theory.limits import SEED, TEMPERATURE, count, memory_problems
from spo_theory.method import METHOD, Method
from spo_theory.methods.registry import rule
from spo_theory.validation import problem
from toy_llm.settings import problems_of

POWERS = (1, 2, 4, 8, 16, 32, 64)
GRPO = rule("grpo")

SAMPLE_BYTES = 48
"""Memory that one token of a response takes, of which it has at least one."""


@dataclass(frozen=True)
class Evaluation:
    """How to measure a policy.

    questions: how many questions, the same for every policy. samples: responses to each question, a multiple of
    ``update_rule.group_size``. ks: the k of pass@k, at most ``samples``. update_rule: whose groups and advantages
    are counted. confidence, resamples: of the bootstrap. temperature: of sampling. stream, seed: which questions,
    and the seed of the sampling noise.

    >>> Evaluation(samples=12, ks=(1,)).problems()
    ['samples = 12 is not allowed: samples must be a multiple of group_size (8)']
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
        """What is wrong with these settings, one line each.

        Returns lines as `spo_theory.validation.problem` writes them, none if all is well. What depends on several
        settings is only looked at when each is fine by itself.
        """
        # Two questions at least: with one, resampling questions has nothing to vary.
        lines = problems_of(
            self,
            update_rule=METHOD,
            questions=count(2),
            samples=count(),
            resamples=count(10),
            seed=SEED,
            stream=TEXT,
        )
        # No k at all leaves pass@k out of the table.
        if self.ks:
            lines += problems_of(self, ks=several(count()))
        if not lines:
            # The responses to a question are whole groups, as in training.
            group = self.update_rule.group_size
            lines += problem(self.samples % group == 0, "samples", self.samples, f"a multiple of group_size ({group})")
            possible = max(self.ks, default=1) <= self.samples
            lines += problem(possible, "ks", self.ks, f"whole numbers from 1 to samples ({self.samples})")

            # What is held at once: responses to a question, and of every question sums and how often it is drawn.
            lines += memory_problems("samples", self.samples, SAMPLE_BYTES * self.samples)
            lines += memory_problems("questions", self.questions, 16.0 * (16 + self.resamples) * self.questions)
        return lines + problems_of(self, confidence=INNER_SHARE, temperature=TEMPERATURE)
