"""Supervised warm start on imperfect traces, down to a chosen step accuracy, cached on disk."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from spo_theory.allowed import ABOVE_0, FINITE, INNER_SHARE, whole
from spo_theory.limits import SEED
from spo_theory.validation import problem, refuse
from toy_llm.cache import cached_model
from toy_llm.network.linear import OneDnnLinear
from toy_llm.network.transformer import Transformer
from toy_llm.problems.chain import ChainTask
from toy_llm.settings import plain_values, problems_of
from toy_llm.starts.supervised import fit

VERSION = 3  # part of the cache key: raise it when the recipe changes


@dataclass(frozen=True)
class ChainStart:
    """A network for the chain and the step accuracy it is warm-started to; see `toy_llm.starts.start.WarmStart`.

    accuracy: probability in (0, 1) of a right step in the traces; the model learns to be as unsure as they are.
    carry_penalty: how much lower (in log-odds, nats) a step's chance is when its sum wraps around the modulus:
    some questions are harder than others. updates, batch: gradient steps, and traces in each. learning_rate: the
    highest one, see `toy_llm.starts.supervised.fit`.

    >>> ChainStart(accuracy=1.5).problems()
    ['start_accuracy = 1.5 is not allowed: start_accuracy must be strictly between 0 and 1']
    """

    horizon: int = 6
    modulus: int = 10
    layers: int = 2
    width: int = 64
    heads: int = 4
    output_scale: float = 1.0
    accuracy: float = 0.5
    carry_penalty: float = 0.5
    updates: int = 500
    batch: int = 64
    learning_rate: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        plain_values(self)

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each.

        Returns lines as `spo_theory.validation.problem` writes them, none if all is well.
        """
        # Only whole sizes can be divided by one another.
        sizes = dict.fromkeys(("layers", "width", "heads", "updates", "batch"), whole(1))
        lines = problems_of(self, **sizes, seed=SEED, learning_rate=ABOVE_0, carry_penalty=FINITE)
        if not lines:
            lines += problem(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        lines += ABOVE_0.problems("output_scale", self.output_scale)
        return lines + INNER_SHARE.problems("start_accuracy", self.accuracy)

    @property
    def key(self) -> str:
        """Name of the cached file: a hash of everything that decides its content.

        Equal starts have equal keys, in every process; ``VERSION`` is part of it.
        """
        text = json.dumps(asdict(self) | {"version": VERSION}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def task(self) -> ChainTask:
        """The problems it learns from."""
        return ChainTask(self.horizon, self.modulus)

    def build(self) -> Transformer:
        """The untrained network; its weights depend on the sizes and the seed alone.

        The head starts smaller by ``output_scale``, so that logits do not. The global random state is left as it was.
        """
        task = self.task
        length = task.prompt_length + task.horizon
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return Transformer(
                task.vocabulary, length, self.layers, self.width, self.heads, self.output_scale, OneDnnLinear
            )

    def make(self, cache_dir: str | Path = ".cache/warmstart", progress: bool = False) -> Transformer:
        """The trained network: from the folder ``cache_dir`` if it is there, else trained and kept there.

        Raises `InputError` for bad settings, an unwritable folder or a corrupt file.
        """
        refuse(self.problems())
        return cached_model(self.key, cache_dir, self.build, lambda: pretrain(self, progress))


def step_accuracy(spec: ChainStart, carry: torch.Tensor) -> torch.Tensor:
    """Probability ``(N,)`` of a right step where the sum wraps around the modulus, and where it does not.

    ``carry``: boolean ``(N,)``, whether it wraps around. The two lie ``spec.carry_penalty`` apart in log-odds, half of
    it on each side of ``spec.accuracy``.

    >>> step_accuracy(ChainStart(accuracy=0.5), torch.tensor([True, False]))
    tensor([0.4378, 0.5622])
    """
    # In log-odds, so that the chances stay between 0 and 1 whatever the penalty.
    centre = torch.logit(torch.tensor(spec.accuracy, dtype=torch.float64))
    return (centre + torch.where(carry, -0.5, 0.5) * spec.carry_penalty).sigmoid().float()


def imperfect_traces(
    prompts: torch.Tensor, spec: ChainStart, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Written values, the values each step should have had and the chance it had of them, all ``(N, H)``.

    ``prompts``: int64 ``(N, H + 2)``. A step adds the next number to the value *written* before it, so an error
    carries on; if it is not right, any other value is equally likely. ``generator`` gives the luck.
    """
    # All luck is drawn at once: what is drawn does not depend on what is written.
    n = len(prompts)
    horizon = prompts.shape[1] - 2
    luck = torch.rand(n, horizon, generator=generator)
    miss = torch.randint(1, spec.modulus, (n, horizon), generator=generator)

    # From left to right, each step from the value written before it.
    written: list[torch.Tensor] = []
    wanted: list[torch.Tensor] = []
    chances: list[torch.Tensor] = []
    value = prompts[:, 0]
    for t in range(horizon):
        total = value + prompts[:, t + 1]
        right = total % spec.modulus
        chance = step_accuracy(spec, total >= spec.modulus)
        value = torch.where(luck[:, t] < chance, right, (right + miss[:, t]) % spec.modulus)
        written.append(value)
        wanted.append(right)
        chances.append(chance)
    return torch.stack(written, 1), torch.stack(wanted, 1), torch.stack(chances, 1)


def pretrain(spec: ChainStart, progress: bool = False) -> Transformer:
    """Train a network on imperfect traces until it is as unsure of every step as they are.

    The traces are imperfect, and the loss is the cross-entropy with the distribution they are drawn from:
    the same expected gradient as with the written values themselves, without the noise of drawing them.
    """
    task = spec.task
    model = spec.build()
    generator = torch.Generator().manual_seed(spec.seed)

    def loss(update: int) -> torch.Tensor:
        # Fresh questions, and what an imperfect solver writes.
        prompts, _ = task.questions("warm start", spec.seed, update * spec.batch, spec.batch)
        written, wanted, chance = imperfect_traces(prompts, spec, generator)
        logits, _ = model(torch.cat([prompts, written[:, :-1]], dim=1), last=task.horizon)

        # The distribution of that solver: the right value by its chance, the equals sign never, all others equally.
        target = ((1 - chance) / (task.modulus - 1))[..., None].repeat(1, 1, task.vocabulary)
        target[..., task.modulus] = 0.0
        target.scatter_(-1, wanted[..., None], chance[..., None])
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(0, 1))

    fit(model, loss, spec.updates, spec.learning_rate, "warm start", progress)
    return model
