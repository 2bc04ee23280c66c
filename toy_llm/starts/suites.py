"""Warm starts on suites: networks of three sizes that have learnt from imperfect traces, or from a stronger one's.

A network first learns the suites from right traces, which is cached by itself; what makes it a "base" or a
"distilled" start is a short second course. Base: on imperfect traces, until it is as unsure as they are. Distilled:
on what its teacher, the base start of the size ``large``, writes itself, right or wrong.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F

from spo_theory.allowed import ABOVE_0, INNER_SHARE, one_of, whole
from spo_theory.limits import SEED
from spo_theory.validation import refuse
from toy_llm.cache import cached_model
from toy_llm.judging.exact import token_mask
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.suite import Suite
from toy_llm.problems.suites import TRAINED, mixture, names_problems
from toy_llm.problems.traces import imperfect
from toy_llm.settings import plain_values, problems_of
from toy_llm.starts.supervised import fit

Size = Literal["small", "medium", "large"]
StartKind = Literal["base", "distilled"]
SIZES: dict[str, dict[str, int]] = {
    "small": {"layers": 1, "width": 48, "heads": 4},
    "medium": {"layers": 2, "width": 64, "heads": 4},
    "large": {"layers": 3, "width": 80, "heads": 4},
}
"""Networks by name; they stand for the paper's models of 7B, 14B and 32B parameters."""

TEACHER: Size = "large"
VERSION = 3  # part of the cache key: raise it when the recipe or a suite changes


@dataclass(frozen=True)
class SuiteStart:
    """A network of a named size that has learnt several suites at once; see `toy_llm.starts.start.WarmStart`.

    accuracy: probability of a right step in the imperfect traces that it learns from, or its teacher if distilled; a
    network that has not learnt all that the suites ask stays below.
    learn, adapt: gradient steps of the first and the second course. batch: traces in each. learning_rate: the
    highest one of the first course; the second has a third of it.

    >>> SuiteStart(size="small", start="distilled").teacher.size
    'large'
    """

    size: Size = "medium"
    start: StartKind = "base"
    suites: tuple[str, ...] = TRAINED
    accuracy: float = 0.5
    learn: int = 2500
    adapt: int = 250
    batch: int = 128
    learning_rate: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        plain_values(self)

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each.

        Suites that are held out are refused too: the start would have seen what it is measured on.
        """
        # The accuracy is named as in a run's settings, where people set it.
        lines = problems_of(self, size=one_of(Size), start=one_of(StartKind), seed=SEED, learning_rate=ABOVE_0)
        lines += problems_of(self, **dict.fromkeys(("learn", "adapt", "batch"), whole(1)))
        lines += INNER_SHARE.problems("start_accuracy", self.accuracy)
        return lines + names_problems(self.suites, training=True)

    @property
    def key(self) -> str:
        """Name of the cached file: a hash of everything that decides its content.

        Equal starts have equal keys, in every process; ``VERSION`` and the sizes of the network are part of it.
        """
        return _key("start", asdict(self) | {"network": SIZES[self.size]})

    @property
    def learnt_key(self) -> str:
        """Name of the cached file after the first course, which base and distilled starts share."""
        # Whatever the second course adds is set to one value, so that it does not count.
        decides = asdict(replace(self, start="base", accuracy=0.5, adapt=1))
        return _key("learnt", decides | {"network": SIZES[self.size]})

    @property
    def teacher(self) -> "SuiteStart":
        """The start of the network that a distilled one learns from."""
        return replace(self, size=TEACHER, start="base")

    def build(self) -> Transformer:
        """The untrained network; its weights depend on the size and the seed alone.

        It has the vocabulary and the lengths of all suites. The global random state is left as it was.
        """
        task = mixture(self.suites)

        # The suites' batches change their length, which oneDNN does not like: torch's own linear layers.
        length = task.prompt_length + task.response_length
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return Transformer(task.vocabulary, length, output_scale=1.0, linear=torch.nn.Linear, **SIZES[self.size])

    def make(self, cache_dir: str | Path = ".cache/warmstart", progress: bool = False) -> Transformer:
        """The trained network: from the folder ``cache_dir`` if it is there, else trained and kept, its teacher first.

        Raises `InputError` for bad settings or held-out suites, an unwritable folder or a corrupt file.
        """
        refuse(self.problems())
        return cached_model(self.key, cache_dir, self.build, lambda: second_course(self, cache_dir, progress))


def _key(kind: str, decides: dict[str, object]) -> str:
    text = json.dumps(decides | {"version": VERSION}, sort_keys=True)
    return f"{kind}-" + hashlib.sha256(text.encode()).hexdigest()[:16]


Traces = Callable[[int], tuple[torch.Tensor, torch.Tensor]]
"""``update -> prompts (N, P), responses (N, T)``: what one gradient step learns from."""


def learn(
    model: Transformer, task: Suite, traces: Traces, updates: int, learning_rate: float, label: str, progress: bool
) -> Transformer:
    """Train ``model`` in place to write ``traces``, each token up to the end; returns it.

    ``traces``: what each of ``updates`` gradient steps learns from. ``learning_rate``: the highest one.
    ``label``: of the progress bar.
    """

    def loss(update: int) -> torch.Tensor:
        # Nothing is learnt from what follows the end, so batches are as long as their longest response.
        prompts, responses = traces(update)
        length = int(token_mask(responses, task.end).sum(-1).max())
        responses = responses[:, :length]
        logits, _ = model(torch.cat([prompts, responses[:, :-1]], dim=1), last=length)
        wanted = responses.masked_fill(~token_mask(responses, task.end), -100)  # what cross_entropy ignores
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    # In place: the second course goes on with the network of the first.
    fit(model, loss, updates, learning_rate, label, progress)
    return model


def first_course(spec: SuiteStart, cache_dir: str | Path, progress: bool = False) -> Transformer:
    """The network that has learnt right traces: from the cache if it is there, else trained and cached.

    Starts that differ in the second course alone share it. Raises `InputError` for an unwritable folder or a corrupt
    file.
    """
    task = mixture(spec.suites)

    def right_traces(update: int) -> tuple[torch.Tensor, torch.Tensor]:
        return task.questions("warm start", spec.seed, update * spec.batch, spec.batch)

    def train() -> Transformer:
        label = f"{spec.size} learns"
        return learn(spec.build(), task, right_traces, spec.learn, spec.learning_rate, label, progress)

    return cached_model(spec.learnt_key, cache_dir, spec.build, train)


def second_course(spec: SuiteStart, cache_dir: str | Path, progress: bool = False) -> Transformer:
    """The network after the first course, trained to be as unsure as imperfect traces, or as its teacher.

    Its step size is a third of that of the first course. Not cached by itself: `SuiteStart.make` keeps the result.
    """
    task = mixture(spec.suites)

    # The traces come first, since a teacher that is missing is trained first.
    make_traces = {"base": _imperfect_traces, "distilled": _teacher_traces}[spec.start]
    traces = make_traces(spec, task, cache_dir, progress)
    model = first_course(spec, cache_dir, progress)
    return learn(model, task, traces, spec.adapt, spec.learning_rate / 3, f"{spec.start} start", progress)


def _imperfect_traces(spec: SuiteStart, task: Suite, cache_dir: str | Path, progress: bool) -> Traces:
    """What solvers write who get each step right with the accuracy of ``spec``."""

    def traces(update: int) -> tuple[torch.Tensor, torch.Tensor]:
        prompts, _, attempts = imperfect(task, spec.accuracy, "adapt", spec.seed, update * spec.batch, spec.batch)
        return prompts, attempts

    return traces


def _teacher_traces(spec: SuiteStart, task: Suite, cache_dir: str | Path, progress: bool) -> Traces:
    """What the teacher of ``spec`` writes, right or wrong; the teacher is made first if it is not cached."""
    teacher = TransformerPolicy(spec.teacher.make(cache_dir, progress), task)

    # One stream of luck for all updates: the traces depend on the seed and on their order alone.
    generator = torch.Generator().manual_seed(spec.seed)

    def traces(update: int) -> tuple[torch.Tensor, torch.Tensor]:
        prompts, answers = task.questions("distil", spec.seed, update * spec.batch, spec.batch)
        return prompts, teacher.sample(prompts, answers, 1, generator).responses[:, 0]

    return traces
