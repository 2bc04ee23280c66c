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
from typing import Literal, get_args

import torch
import torch.nn.functional as F

from spo_theory.validation import problem, refuse
from toy_llm.files import cached_model
from toy_llm.judging.exact import token_mask
from toy_llm.network.transformer import Transformer, TransformerPolicy
from toy_llm.problems.suites import TRAINED, Suite, mixture, names_problems
from toy_llm.problems.traces import imperfect
from toy_llm.starts.supervised import fit

Size = Literal["small", "medium", "large"]
Start = Literal["base", "distilled"]
SIZES: dict[str, dict[str, int]] = {
    "small": {"layers": 1, "width": 48, "heads": 4},
    "medium": {"layers": 2, "width": 64, "heads": 4},
    "large": {"layers": 3, "width": 80, "heads": 4},
}
"""Networks by name; they stand for the paper's models of 7B, 14B and 32B parameters."""

TEACHER: Size = "large"
VERSION = 2  # part of the cache key: raise it when the recipe or a suite changes


@dataclass(frozen=True)
class SuiteStart:
    """A network of a named size that has learnt several suites at once.

    accuracy: probability of a right step in the imperfect traces that it learns from, or its teacher if distilled; a
    network that has not learnt all that the suites ask stays below.
    learn, adapt: gradient steps of the first and the second course. batch: traces in each. learning_rate: the
    highest one of the first course; the second has a third of it.
    """

    size: Size = "medium"
    start: Start = "base"
    suites: tuple[str, ...] = TRAINED
    accuracy: float = 0.5
    learn: int = 2500
    adapt: int = 250
    batch: int = 128
    learning_rate: float = 3e-3
    seed: int = 0

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each."""
        lines = problem(self.size in SIZES, "size", self.size, " or ".join(SIZES))
        lines += problem(self.start in get_args(Start), "start", self.start, " or ".join(get_args(Start)))
        for name, least in (("learn", 1), ("adapt", 1), ("batch", 1), ("seed", 0)):
            value = getattr(self, name)
            lines += problem(
                isinstance(value, int) and value >= least, name, value, f"a whole number, at least {least}"
            )
        lines += problem(0 < self.accuracy < 1, "start_accuracy", self.accuracy, "strictly between 0 and 1")
        rate = self.learning_rate
        lines += problem(0 < rate < float("inf"), "learning_rate", rate, "a finite number above 0")
        return lines + names_problems(self.suites, training=True)

    @property
    def key(self) -> str:
        """Name of the cached file: a hash of everything that decides its content."""
        return _key("start", asdict(self) | {"network": SIZES[self.size]})

    @property
    def learnt_key(self) -> str:
        """Name of the cached file after the first course, which base and distilled starts share."""
        decides = asdict(replace(self, start="base", accuracy=0.5, adapt=1))
        return _key("learnt", decides | {"network": SIZES[self.size]})

    @property
    def teacher(self) -> "SuiteStart":
        """The start of the network that a distilled one learns from."""
        return replace(self, size=TEACHER, start="base")


def _key(kind: str, decides: dict[str, object]) -> str:
    text = json.dumps(decides | {"version": VERSION}, sort_keys=True)
    return f"{kind}-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def new_network(spec: SuiteStart) -> Transformer:
    """An untrained network; its weights depend on ``spec.size`` and ``spec.seed`` alone."""
    task = mixture(spec.suites)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        length = task.prompt_length + task.response_length
        size = SIZES[spec.size]
        return Transformer(task.vocabulary, length, size["layers"], size["width"], size["heads"], output_scale=1.0)


Traces = Callable[[int], tuple[torch.Tensor, torch.Tensor]]
"""``update -> prompts (N, P), responses (N, T)``: what one gradient step learns from."""


def learn(
    model: Transformer, task: Suite, traces: Traces, updates: int, learning_rate: float, label: str, progress: bool
) -> Transformer:
    """Train ``model`` in place to write ``traces``, each token up to the end; returns it."""

    def loss(i: int) -> torch.Tensor:
        prompts, responses = traces(i)
        length = int(token_mask(responses, task.end).sum(-1).max())
        responses = responses[:, :length]
        logits, _ = model(torch.cat([prompts, responses[:, :-1]], dim=1), last=length)
        wanted = responses.masked_fill(~token_mask(responses, task.end), -100)  # what cross_entropy ignores
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    fit(model, loss, updates, learning_rate, label, progress)
    return model


def learnt(spec: SuiteStart, cache_dir: str | Path, progress: bool = False) -> Transformer:
    """The network after the first course: from the cache if it is there, else trained and cached."""
    task = mixture(spec.suites)

    def right_traces(i: int) -> tuple[torch.Tensor, torch.Tensor]:
        return task.questions("warm start", spec.seed, i * spec.batch, spec.batch)

    def train() -> Transformer:
        return learn(
            new_network(spec), task, right_traces, spec.learn, spec.learning_rate, f"{spec.size} learns", progress
        )

    return cached_model(spec.learnt_key, cache_dir, lambda: new_network(spec), train)


def suite_start(spec: SuiteStart, cache_dir: str | Path = ".cache/warmstart", progress: bool = False) -> Transformer:
    """The warm-started network: from the cache if it is there, else trained and cached, its teacher before it.

    Raises `InputError` for bad settings or held-out suites, an unwritable cache folder or a corrupt cached file.
    """
    refuse(spec.problems())
    task = mixture(spec.suites)

    def imperfect_traces(i: int) -> tuple[torch.Tensor, torch.Tensor]:
        prompts, _, attempts = imperfect(task, spec.accuracy, "adapt", spec.seed, i * spec.batch, spec.batch)
        return prompts, attempts

    def train() -> Transformer:
        traces: Traces = imperfect_traces
        if spec.start == "distilled":
            teacher = TransformerPolicy(suite_start(spec.teacher, cache_dir, progress), task)
            generator = torch.Generator().manual_seed(spec.seed)

            def teacher_traces(i: int) -> tuple[torch.Tensor, torch.Tensor]:
                asked = task.questions("distil", spec.seed, i * spec.batch, spec.batch)
                return asked[0], teacher.sample(*asked, 1, generator).responses[:, 0]

            traces = teacher_traces
        model = learnt(spec, cache_dir, progress)
        return learn(model, task, traces, spec.adapt, spec.learning_rate / 3, f"{spec.start} start", progress)

    return cached_model(spec.key, cache_dir, lambda: new_network(spec), train)
