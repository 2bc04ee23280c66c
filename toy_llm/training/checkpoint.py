"""The state of a training run on disk: enough to continue it to the bit, refused if it belongs to another run.

Questions, sampling noise and the order of minibatches depend on (seed, update) alone, so the state is no more
than the parameters, the optimizer's, those of the reference and the rows so far. A file is written whole or not
at all and carries a checksum (`toy_llm.files`).
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from spo_theory.methods.registry import rule
from spo_theory.validation import InputError
from toy_llm.config import TrainConfig
from toy_llm.files import load, save
from toy_llm.training.divergence import TrainingDiverged

FORMAT = 2
"""Raise it when what is stored changes."""

FREE = ("device", "cache_dir", "checkpoint", "checkpoint_every", "resume", "threads", "progress")
"""Settings that may differ on resuming: they do not decide the curve."""

Row = dict[str, float]


@dataclass(frozen=True)
class State:
    """A run before update ``step``.

    rows: metrics of updates 0..step-1. seconds: time spent so far. module, reference, optimizer: state dicts of
    the trained parameters, of the start policy's and of the optimizer. history: what the run remembers of its
    questions (`toy_llm.training.history`), or None.
    """

    config: dict[str, Any]
    step: int
    seconds: float
    rows: list[Row]
    module: dict[str, Any]
    reference: dict[str, Any]
    optimizer: dict[str, Any]
    history: dict[str, Any] | None = None


def decisive(config: TrainConfig) -> dict[str, Any]:
    """The settings that decide the curve, by name.

    All of them but the `FREE` ones; options of the update rule are pairs under ``rule_options``.
    """
    return {name: value for name, value in asdict(config).items() if name not in FREE}


def write(path: str | Path, state: State) -> None:
    """Replace the checkpoint; raises `OSError` that says so and leaves the previous one if it cannot be written.

    ``path``: of the file. A reader sees the old state or the whole new one, never a part.
    """
    try:
        save(path, {"format": FORMAT, **{name: getattr(state, name) for name in State.__dataclass_fields__}})
    except OSError as error:
        kept = "; the one before it is whole" if Path(path).exists() else ""
        raise OSError(error.errno, f"cannot write the checkpoint ({error.strerror}){kept}", str(path)) from error


def read(path: str | Path) -> State:
    """Read a checkpoint; raises `InputError` if it is corrupt, unreadable or of another format.

    Tensors are put on the CPU. A checkpoint of an older `FORMAT` is refused with the advice to run again.
    """
    try:
        # What is no dictionary, or has another format, was written by something else.
        content = load(path)
    except OSError as error:
        raise InputError(f"checkpoint {str(path)!r} cannot be read ({error.strerror or error})") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise InputError(f"checkpoint {str(path)!r} is not one of this version: delete it and run again")
    return State(**content)


def read_for(config: TrainConfig) -> State | None:
    """The state to continue from: None if the run is not to be resumed or there is no checkpoint yet.

    Raises `InputError` naming every setting in which the checkpoint's run differs. With a constant schedule
    ``updates`` may differ: a finished run can be made longer.
    """
    if not config.resume or config.checkpoint is None or not Path(config.checkpoint).exists():
        return None

    state = read(config.checkpoint)
    now = decisive(config)
    then = state.config
    if config.schedule == "constant" and config.updates >= state.step:
        then = then | {"updates": config.updates}

    # Options of the rule are compared one by one.
    names = dict.fromkeys([*now, *then, *dict(now["rule_options"]), *dict(then["rule_options"])])
    del names["rule_options"]
    different = [
        f"{name} = {_value(now, name)!r} (checkpoint: {_value(then, name)!r})"
        for name in names
        if _value(now, name) != _value(then, name)
    ]
    if different:
        raise InputError(
            f"checkpoint {config.checkpoint!r} belongs to another run: it differs in {', '.join(different)}"
        )
    return state


def _value(settings: dict[str, Any], name: str) -> Any:
    """A setting of a run, or an option of its rule: one that was not given has its default there."""
    if name in settings:
        return settings[name]
    defaults = {option.name: option.default for option in rule.options(settings["rule"])}
    return (defaults | dict(settings["rule_options"])).get(name)


def parameters(path: str | Path) -> dict[str, Any]:
    """The trained parameters in a checkpoint, for ``load_state_dict``; raises as `read`.

    ``path``: of the checkpoint. See `toy_llm.training.policies.load_policy` for a whole policy.
    """
    return read(path).module


class RunRecord:
    """The rows of a run so far, its clock and its checkpoint.

    step: of the next row. rows: those of the updates before it. ``state``: where to continue; it is loaded into
    ``module``, the parameters that are trained, ``start``, those of the start policy, and ``optimizer``.
    """

    def __init__(
        self,
        config: TrainConfig,
        module: torch.nn.Module,
        start: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        state: State | None = None,
    ) -> None:
        # A new run starts with nothing.
        self.config = config
        self.module = module
        self.start = start
        self.optimizer = optimizer
        self.step = 0
        self.rows: list[Row] = []
        self.saved_at: int | None = None
        self.began = time.perf_counter()

        # One that goes on takes over everything that decides its future, the clock included.
        if state is not None:
            self.step = state.step
            self.rows = list(state.rows)
            self.saved_at = state.step
            self.began -= state.seconds
            module.load_state_dict(state.module)
            start.load_state_dict(state.reference)
            optimizer.load_state_dict(state.optimizer)

    def seconds(self) -> float:
        """Time spent on the run, its earlier parts included."""
        return time.perf_counter() - self.began

    def add(self, row: Row) -> Row:
        """Keep the row of an update, with the time; returns it.

        ``row`` gets the column ``seconds``, spent on the run until now, its earlier parts included.
        """
        row["seconds"] = self.seconds()
        self.rows.append(row)
        return row

    def save_if_due(self, step: int, history: dict[str, Any] | None = None) -> None:
        """Write the checkpoint if the run asks for one before update ``step``; raises as `write`.

        ``history``: what the run remembered of its questions before it sampled for this update.

        It is due every ``checkpoint_every`` updates and before the end, unless it was just read from the file.
        """
        # Never twice for one update: a run that was just resumed has it on disk already.
        every = self.config.checkpoint_every
        due = step == self.config.updates or (every > 0 and step % every == 0)
        if self.config.checkpoint is None or not due or self.saved_at == step:
            return
        state = State(
            config=decisive(self.config),
            step=step,
            seconds=self.seconds(),
            rows=self.rows,
            module=self.module.state_dict(),
            reference=self.start.state_dict(),
            optimizer=self.optimizer.state_dict(),
            history=history,
        )
        write(self.config.checkpoint, state)
        self.saved_at = step

    def diverged(self, what: str, step: int) -> TrainingDiverged:
        """The error that stops the run at an update: what is wrong, what helps, and which checkpoint is left.

        ``what``: the number that is not finite, as `toy_llm.training.divergence` says it. ``step``: the update.
        """
        # Whoever reads the error wants to know what is left of the run.
        left = "no checkpoint was kept"
        if self.config.checkpoint is not None and self.saved_at is not None:
            left = f"the last good checkpoint, before update {self.saved_at}, is {self.config.checkpoint}"
        return TrainingDiverged(f"{what} at update {step}: lower learning_rate or use max_grad_norm; {left}")
