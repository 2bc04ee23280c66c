"""Supervised warm start on imperfect traces, down to a chosen step accuracy, cached on disk."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from spo_theory.validation import problem, refuse
from toy_llm.files import cached_model
from toy_llm.network.linear import OneDnnLinear
from toy_llm.network.transformer import Transformer
from toy_llm.problems.chain import ChainTask
from toy_llm.starts.supervised import fit

VERSION = 2  # part of the cache key: raise it when the recipe changes


@dataclass(frozen=True)
class WarmStart:
    """A model and the accuracy it is warm-started to.

    accuracy: probability in (0, 1) of a right step in the traces; the model learns to be as unsure as they are.
    carry_penalty: how much lower (in log-odds, nats) a step's chance is when its sum wraps around the modulus:
    some questions are harder than others.
    """

    horizon: int = 6
    modulus: int = 10
    layers: int = 2
    width: int = 64
    heads: int = 4
    output_scale: float = 6.0
    accuracy: float = 0.5
    carry_penalty: float = 0.5
    updates: int = 500
    batch: int = 64
    learning_rate: float = 3e-3
    seed: int = 0

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each."""
        lines = [
            line
            for name in ("layers", "width", "heads", "updates", "batch")
            for line in problem(
                isinstance(getattr(self, name), int) and getattr(self, name) >= 1,
                name,
                getattr(self, name),
                "a whole number, at least 1",
            )
        ]
        if not lines:
            lines += problem(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        scale = self.output_scale
        lines += problem(0 < scale < float("inf"), "output_scale", scale, "a finite number above 0")
        return lines + problem(0 < self.accuracy < 1, "start_accuracy", self.accuracy, "strictly between 0 and 1")

    @property
    def key(self) -> str:
        """Name of the cached file: a hash of everything that decides its content."""
        text = json.dumps(asdict(self) | {"version": VERSION}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def new_model(spec: WarmStart, task: ChainTask) -> Transformer:
    """An untrained model; its weights depend on ``spec.seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        length = task.prompt_length + task.horizon
        return Transformer(
            task.vocabulary, length, spec.layers, spec.width, spec.heads, spec.output_scale, OneDnnLinear
        )


def step_accuracy(spec: WarmStart, carry: torch.Tensor) -> torch.Tensor:
    """Probability of a right step where the sum wraps around the modulus (``carry``) and where it does not."""
    centre = torch.logit(torch.tensor(spec.accuracy, dtype=torch.float64))
    return (centre + torch.where(carry, -0.5, 0.5) * spec.carry_penalty).sigmoid().float()


def imperfect_traces(
    prompts: torch.Tensor, spec: WarmStart, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Written values, the values each step should have had and the chance it had of them, all ``(N, H)``.

    A step adds the next number to the value *written* before it, so an error carries on; if it is not right,
    any other value is equally likely.
    """
    n, h = len(prompts), prompts.shape[1] - 2
    luck = torch.rand(n, h, generator=generator)
    miss = torch.randint(1, spec.modulus, (n, h), generator=generator)
    value, written, wanted, chance = prompts[:, 0], [], [], []
    for t in range(h):
        total = value + prompts[:, t + 1]
        right = total % spec.modulus
        chance.append(step_accuracy(spec, total >= spec.modulus))
        value = torch.where(luck[:, t] < chance[-1], right, (right + miss[:, t]) % spec.modulus)
        written.append(value)
        wanted.append(right)
    return torch.stack(written, 1), torch.stack(wanted, 1), torch.stack(chance, 1)


def pretrain(spec: WarmStart, progress: bool = False) -> Transformer:
    """Train a model on imperfect traces until it is as unsure of every step as they are.

    The traces are imperfect, and the loss is the cross-entropy with the distribution they are drawn from:
    the same expected gradient as with the written values themselves, without the noise of drawing them.
    """
    task = ChainTask(spec.horizon, spec.modulus)
    model = new_model(spec, task)
    generator = torch.Generator().manual_seed(spec.seed)

    def loss(i: int) -> torch.Tensor:
        prompts, _ = task.questions("warm start", spec.seed, i * spec.batch, spec.batch)
        written, wanted, chance = imperfect_traces(prompts, spec, generator)
        logits, _ = model(torch.cat([prompts, written[:, :-1]], dim=1), last=task.horizon)
        target = ((1 - chance) / (task.modulus - 1))[..., None].repeat(1, 1, task.vocabulary)
        target[..., task.modulus] = 0.0
        target.scatter_(-1, wanted[..., None], chance[..., None])
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(0, 1))

    fit(model, loss, spec.updates, spec.learning_rate, "warm start", progress)
    return model


def warm_start(spec: WarmStart, cache_dir: str | Path = ".cache/warmstart", progress: bool = False) -> Transformer:
    """The warm-started model: from the cache if it is there, else trained and cached.

    Raises `InputError` for bad settings, an unwritable cache folder or a corrupt cached file.
    """
    refuse(spec.problems())
    task = ChainTask(spec.horizon, spec.modulus)
    return cached_model(spec.key, cache_dir, lambda: new_model(spec, task), lambda: pretrain(spec, progress))
