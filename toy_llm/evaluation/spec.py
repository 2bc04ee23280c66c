"""How a policy is to be measured."""

from dataclasses import dataclass

from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.validation import problem
from toy_llm.settings import ABOVE_0, INNER_SHARE, problems_of, whole

POWERS = (1, 2, 4, 8, 16, 32, 64)
GRPO = rule("grpo")


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
        lines = problems_of(self, questions=whole(2), samples=whole(1), resamples=whole(10), seed=whole(0))
        group = self.update_rule.group_size
        if not lines:
            # The responses to a question are whole groups, as in training.
            lines += problem(self.samples % group == 0, "samples", self.samples, f"a multiple of group_size ({group})")
            possible = all(isinstance(k, int) and 1 <= k <= self.samples for k in self.ks)
            lines += problem(possible, "ks", self.ks, f"whole numbers from 1 to samples ({self.samples})")
        return lines + problems_of(self, confidence=INNER_SHARE, temperature=ABOVE_0)
