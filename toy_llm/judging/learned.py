"""A step judge that is itself a small transformer, trained on labelled traces.

It reads a prompt and a response. Its output at a token is, for every token that could come next, the log-odds that
it would be right there, if everything before is; a step is right if all its tokens are. Only steps up to the first
error are learnt from: later ones are never read if that error is found.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import torch.nn.functional as F

from spo_theory.allowed import ABOVE_0, INNER_SHARE, whole
from spo_theory.validation import problem, refuse
from toy_llm.cache import cached_model
from toy_llm.judging.exact import Verdict
from toy_llm.judging.noisy import first_called_wrong
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.task import Task
from toy_llm.problems.traces import imperfect
from toy_llm.settings import problems_of
from toy_llm.starts.supervised import fit

HALF = math.log(0.5)
VERSION = 4  # part of the cache key: raise it when the recipe changes


Traces = Callable[[Task, float, str, int, int, int], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
"""Attempts, right and wrong, see `toy_llm.problems.traces.imperfect`."""


@dataclass(frozen=True)
class JudgeSpec:
    """A judge's network and how it is trained.

    accuracy: probability of a right step in the traces it learns from. The lower, the fewer late steps are seen
    behind a right prefix: a judge trained on bad traces can find their errors and yet solve next to nothing.
    updates, batch: gradient steps, and traces in each. learning_rate: the highest one; it rises over the first
    twentieth of the updates and then falls to 0.

    >>> JudgeSpec(accuracy=1.0).problems()
    ['accuracy = 1.0 is not allowed: accuracy must be strictly between 0 and 1']
    """

    layers: int = 2
    width: int = 64
    heads: int = 4
    accuracy: float = 0.7
    updates: int = 600
    batch: int = 128
    learning_rate: float = 3e-3
    seed: int = 0

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each.

        Returns lines as `spo_theory.validation.problem` writes them, none if all is well.
        """
        sizes = dict.fromkeys(("layers", "width", "heads", "updates", "batch"), whole(1))
        lines = problems_of(self, **sizes, seed=whole(0))
        if not lines:
            lines += problem(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        return lines + problems_of(self, learning_rate=ABOVE_0, accuracy=INNER_SHARE)

    def build(self, task: Task) -> Transformer:
        """The untrained network, of a judge or of its twin; its weights depend on the sizes and the seed alone.

        ``task``: gives the vocabulary and the longest text. The global random state is left as it was.
        """
        # Under a seed of its own, so that it does not depend on what was drawn before.
        length = task.prompt_length + task.response_length
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return Transformer(task.vocabulary, length, self.layers, self.width, self.heads, output_scale=1.0)

    def key(self, task: Task) -> str:
        """Name of the cached file: a hash of everything that decides its content.

        ``task``: whose responses are judged; its ``repr`` must say everything that decides its questions.
        """
        text = json.dumps(asdict(self) | {"task": repr(task), "version": VERSION}, sort_keys=True)
        return "judge-" + hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class LearnedJudge:
    """A step judge (see `toy_llm.judging.noisy`) that calls a step wrong if ``model`` finds it likelier wrong than
    right.

    It draws no numbers: its judgement is a function of prompt and response.
    """

    model: Transformer

    @torch.no_grad()
    def log_right(self, prompts: torch.Tensor, responses: torch.Tensor, verdict: Verdict) -> torch.Tensor:
        """Log-probability ``(Q, G, S)`` that each step is right if all before it are; 0 for steps not written.

        ``prompts`` ``(Q, P)``, ``responses`` ``(Q, G, T)`` and their ``verdict``, which says where steps begin and end,
        not whether they are right.
        """
        return _log_right(self.model, prompts, responses, verdict)

    def __call__(
        self, prompts: torch.Tensor, responses: torch.Tensor, answers: torch.Tensor, verdict: Verdict
    ) -> torch.Tensor:
        """Judged first errors ``(Q, G)``; only incorrect responses are read."""
        # Every incorrect response as if it were a group of its own.
        q, g = (~verdict.correct).nonzero(as_tuple=True)
        read = Verdict(**{field.name: getattr(verdict, field.name)[q, g][:, None] for field in fields(Verdict)})
        called_wrong = self.log_right(prompts[q], responses[q, g][:, None], read) < HALF

        # Correct ones keep the verdict.
        judged = verdict.first_error.clone()
        judged[q, g] = first_called_wrong(called_wrong, read)[:, 0]
        return judged


def train_judge(spec: JudgeSpec, task: Task, traces: Traces = imperfect, progress: bool = False) -> LearnedJudge:
    """Train a judge on traces of fresh questions, each step up to the first error labelled right or wrong.

    ``traces``: makes attempts at questions of ``task``, right and wrong. Returns a judge whose parameters are frozen.
    Repeatable from its arguments.
    """

    def loss(model: Transformer, prompts: torch.Tensor, responses: torch.Tensor, verdict: Verdict) -> torch.Tensor:
        # The probability of a wrong step is 1 - exp(log_right), whose logarithm must not be that of 0.
        log_right = _log_right(model, prompts, responses, verdict)
        log_wrong = (-torch.expm1(log_right.clamp(max=-1e-30))).log()
        return -torch.where(right_steps(verdict), log_right, log_wrong)[read_steps(verdict)].mean()

    return LearnedJudge(_fit(spec, task, traces, loss, progress).requires_grad_(False))


def train_twin(spec: JudgeSpec, task: Task, traces: Traces = imperfect, progress: bool = False) -> TransformerPolicy:
    """Train the judge's twin as a solver: same untrained network, same traces, labels, updates and step sizes.

    It learns to write the tokens of the steps that are labelled right, which is what a solver can learn from
    labelled traces.
    """

    def loss(model: Transformer, prompts: torch.Tensor, responses: torch.Tensor, verdict: Verdict) -> torch.Tensor:
        # Tokens of steps that are wrong, or behind an error, teach a solver nothing.
        tokens = responses.flatten(0, 1)
        learnt = (verdict.mask & (verdict.token_step < verdict.first_error[..., None])).flatten(0, 1)
        wanted = torch.where(learnt, tokens, -100)  # what cross_entropy ignores
        logits = _outputs(model, prompts, responses)
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum") / learnt.sum().clamp(min=1)

    return TransformerPolicy(_fit(spec, task, traces, loss, progress), task)


def learned_judge(
    spec: JudgeSpec, task: Task, cache_dir: str | Path = ".cache/judges", progress: bool = False
) -> LearnedJudge:
    """The trained judge: from the cache if it is there, else trained and cached.

    Raises `InputError` for bad settings, an unwritable cache folder or a corrupt cached file.
    """
    refuse(spec.problems())

    # The judge does not learn while it teaches.
    model = cached_model(
        spec.key(task),
        cache_dir,
        lambda: spec.build(task),
        lambda: train_judge(spec, task, progress=progress).model,
    )
    return LearnedJudge(model.requires_grad_(False))


def _outputs(model: Transformer, prompts: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
    """The network's output ``(N, T, V)`` ahead of every token of ``responses`` ``(Q, G, T)``, N = Q G."""
    # Every response is read behind its own prompt; its last token is only ever predicted.
    q, g, t = responses.shape
    tokens = torch.cat([prompts.repeat_interleave(g, 0), responses.reshape(q * g, t)[:, :-1]], 1)
    return model(tokens, last=t)[0]


def _log_right(model: Transformer, prompts: torch.Tensor, responses: torch.Tensor, verdict: Verdict) -> torch.Tensor:
    """`LearnedJudge.log_right` with gradient."""
    # A step is right if all its tokens are, so their log-probabilities add up.
    outputs = _outputs(model, prompts, responses).unflatten(0, responses.shape[:2])
    tokens = F.logsigmoid(outputs.gather(-1, responses[..., None]).squeeze(-1)) * verdict.mask
    steps = tokens.new_zeros(verdict.step_lengths.shape)
    return steps.scatter_add(-1, verdict.token_step, tokens)


def right_steps(verdict: Verdict) -> torch.Tensor:
    """Whether a step and all before it are right, boolean ``(Q, G, S)``.

    The label that a judge learns from. Steps behind the last one written count as not right if an error came before.
    """
    lengths = verdict.step_lengths
    return torch.arange(lengths.shape[-1], device=lengths.device) < verdict.first_error[..., None]


def read_steps(verdict: Verdict) -> torch.Tensor:
    """Whether a written step comes before the first error or is it, boolean ``(Q, G, S)``.

    A judge that never errs would read exactly these steps; only they are learnt from.
    """
    lengths = verdict.step_lengths
    step = torch.arange(lengths.shape[-1], device=lengths.device)
    return (step <= verdict.first_error[..., None]) & (step < verdict.steps[..., None])


Loss = Callable[[Transformer, torch.Tensor, torch.Tensor, Verdict], torch.Tensor]


def _fit(spec: JudgeSpec, task: Task, traces: Traces, loss: Loss, progress: bool) -> Transformer:
    """Minimize a loss of ``(model, prompts (N, P), responses (N, 1, T), verdict)`` over fresh labelled traces."""
    model = spec.build(task)

    def value(update: int) -> torch.Tensor:
        # Fresh questions in every update; each attempt is a group of its own.
        prompts, answers, attempts = traces(task, spec.accuracy, "judge", spec.seed, update * spec.batch, spec.batch)
        responses = attempts[:, None]
        return loss(model, prompts, responses, task.judge(responses, answers))

    fit(model, value, spec.updates, spec.learning_rate, "judge", progress)
    return model
