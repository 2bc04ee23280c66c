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

from spo_theory.allowed import FROM_0, UNUSABLE, Allowed, optional
from spo_theory.limits import count
from spo_theory.methods.registry import rule
from spo_theory.validation import InputError
from toy_llm.config import TrainConfig
from toy_llm.files import load, save
from toy_llm.settings import refusals, value_problems
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

    Tensors are put on the CPU. A checkpoint of an older `FORMAT`, or one whose content is no run, is refused with the
    advice to run again: its checksum says that it is what was written, not that we have written it.
    """
    try:
        content = load(path)
    except OSError as error:
        raise InputError(f"checkpoint {str(path)!r} cannot be read ({error.strerror or error})") from error

    # What is no dictionary, has another format or other entries was written by something else.
    is_ours = isinstance(content, dict) and content.pop("format", None) == FORMAT
    if not is_ours or set(content) | {"history"} != set(State.__dataclass_fields__):
        raise InputError(f"checkpoint {str(path)!r} is not one of this version: delete it and run again")
    wrong = wrong_entries(content)
    if wrong:
        raise InputError(f"checkpoint {str(path)!r} holds no run (see its {wrong[0]}): delete it and run again")
    return State(**content)


def wrong_entries(content: dict[str, Any]) -> list[str]:
    """Names of the entries of a checkpoint that are not what a run writes there.

    ``content``: an entry for every field of `State`.

    >>> wrong_entries({"step": -3, "seconds": 0.0, "rows": "abc", "module": {}, "reference": {}, "optimizer": {}})
    ['step', 'rows', 'config']
    """
    allowed = {
        "step": count(0),
        "seconds": FROM_0,
        "rows": Allowed("a row for every update", _are_rows),
        "module": Allowed("parameters", lambda named: all(map(torch.is_tensor, named.values()))),
        "reference": Allowed("parameters", lambda named: all(map(torch.is_tensor, named.values()))),
        "optimizer": Allowed("a state", lambda state: isinstance(state, dict)),
        "history": optional(Allowed("a state", lambda state: isinstance(state, dict))),
    }
    wrong = [name for name, values in allowed.items() if values.problems(name, content.get(name))]
    if not wrong and len(content["rows"]) != content["step"]:
        wrong.append("rows")

    # The settings must be those of a run of this version, each with a value that it may have.
    config: Any = content.get("config")
    names = decisive(TrainConfig()).keys()
    proper = isinstance(config, dict) and config.keys() == names and not refusals(lambda: TrainConfig(**config))
    return wrong if proper and not value_problems(TrainConfig(**config)) else [*wrong, "config"]


def _are_rows(rows: Any) -> bool:
    """Whether ``rows`` is a list of dictionaries of numbers by name."""
    each = all(isinstance(name, str) and isinstance(value, int | float) for row in rows for name, value in row.items())
    return isinstance(rows, list) and each


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


def fit_parameters(path: str | Path | None, module: torch.nn.Module, kept: dict[str, Any]) -> None:
    """Load the parameters ``kept`` in the checkpoint ``path`` into ``module``; `InputError` if they do not fit."""
    try:
        module.load_state_dict(kept)
    except (*UNUSABLE, RuntimeError, LookupError) as error:
        raise InputError(_unfitting(path, "parameters")) from error


def _unfitting(path: str | Path | None, what: str) -> str:
    return f"checkpoint {str(path)!r} does not fit its own settings (see its {what}): delete it and run again"


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
            fit_parameters(config.checkpoint, module, state.module)
            fit_parameters(config.checkpoint, start, state.reference)
            try:
                optimizer.load_state_dict(state.optimizer)
            except (*UNUSABLE, RuntimeError, LookupError) as error:
                raise InputError(_unfitting(config.checkpoint, "optimizer")) from error

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
        lower = "learning_rate or kl_coef" if self.config.kl_coef > 0 else "learning_rate"
        return TrainingDiverged(f"{what} at update {step}: lower {lower} or use max_grad_norm; {left}")
