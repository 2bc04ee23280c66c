"""Settings that describe themselves: which values are allowed, in words and as a test, and when a setting counts."""

from collections.abc import Callable
from dataclasses import fields
from math import isfinite
from typing import Any, NamedTuple, get_args, get_type_hints

import torch

from spo_theory.validation import InputError, problem


class Allowed(NamedTuple):
    """Which values a setting may have, in words and as a test of a value.

    >>> whole(1).problems("layers", 0)
    ['layers = 0 is not allowed: layers must be a whole number, at least 1']
    """

    words: str
    holds: Callable[[Any], bool]

    def problems(self, name: str, value: Any) -> list[str]:
        """What is wrong with ``value``, in one line that names the setting; no line if nothing is."""
        return problem(self.holds(value), name, value, self.words)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and isfinite(value)


def whole(least: int) -> Allowed:
    """Whole numbers from ``least``.

    >>> [value for value in (0, 1, 2.0, True) if whole(1).holds(value)]
    [1]
    """
    return Allowed(f"a whole number, at least {least}", lambda value: _is_whole(value) and value >= least)


def one_of(kind: Any) -> Allowed:
    """The values of a ``Literal``.

    >>> from typing import Literal
    >>> one_of(Literal["sgd", "adam"]).words
    'sgd or adam'
    """
    return Allowed(" or ".join(map(str, get_args(kind))), lambda value: value in get_args(kind))


def optional(allowed: Allowed) -> Allowed:
    """``allowed``, or None.

    >>> optional(SHARE).holds(None), optional(SHARE).holds(2.0)
    (True, False)
    """
    return Allowed(f"{allowed.words}, or None", lambda value: value is None or allowed.holds(value))


def described(words: str) -> Allowed:
    """Any value: another part checks it (the task, the warm start, the rule), and the words are for the help.

    >>> described("a folder").problems("cache_dir", "anything")
    []
    """
    return Allowed(words, lambda value: True)


ABOVE_0 = Allowed("a finite number above 0", lambda value: _is_number(value) and value > 0)
FROM_0 = Allowed("a finite number, at least 0", lambda value: _is_number(value) and value >= 0)
SHARE = Allowed("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
INNER_SHARE = Allowed("strictly between 0 and 1", lambda value: _is_number(value) and 0 < value < 1)
FLAG = Allowed("True or False", lambda value: isinstance(value, bool))


class Condition(NamedTuple):
    """When a setting has an effect. ``otherwise``: words for all other cases, which follow the default value."""

    otherwise: str
    holds: Callable[[Any], bool]


ALWAYS = Condition("", lambda config: True)
ON_THE_CHAIN = Condition("with suites", lambda config: not config.suites)
ON_SUITES = Condition("without suites", lambda config: bool(config.suites))
BY_THE_NETWORK = Condition("for a tabular policy", lambda config: config.policy != "tabular")
NOISY_JUDGE = Condition("unless judge is noisy", lambda config: config.judge == "noisy")
LEARNED_JUDGE = Condition("unless judge is learned", lambda config: config.judge == "learned")
WITH_A_CHECKPOINT = Condition("without a checkpoint", lambda config: config.checkpoint is not None)


class Setting(NamedTuple):
    """What the help says about a field of a configuration, and what is checked of its value.

    group: of settings that are listed together. text: one sentence. allowed: its values. applies: when it has an
    effect; in all other cases it must be left at its default, so that nobody believes to have set something.
    """

    group: str
    text: str
    allowed: Allowed
    applies: Condition = ALWAYS


def settings_of(kind: type) -> dict[str, Setting]:
    """The settings of a dataclass whose fields are annotated ``Annotated[type, Setting(...)]``, in order.

    >>> from toy_llm.config import TrainConfig
    >>> settings_of(TrainConfig)["horizon"].text
    'Steps per question, H.'
    """
    # The extras are the descriptions that stand beside the types.
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(kind)}


def value_problems(config: Any) -> list[str]:
    """A line for every field of a configuration whose value is not one of the allowed ones.

    >>> from toy_llm.config import TrainConfig
    >>> value_problems(TrainConfig(questions=0))
    ['questions = 0 is not allowed: questions must be a whole number, at least 1']
    """
    # Each value by itself; what depends on several settings is for the configuration to say.
    about = settings_of(type(config))
    return [line for name, setting in about.items() for line in setting.allowed.problems(name, getattr(config, name))]


def idle_problems(config: Any) -> list[str]:
    """A line for every field that is not at its default although it has no effect in this configuration.

    >>> from toy_llm.config import TrainConfig
    >>> idle_problems(TrainConfig(judge="exact", miss=0.1))
    ['miss = 0.1 is not allowed: miss must be 0.0 unless judge is noisy']
    """
    # A setting without effect must stay at its default, so that nobody believes to have changed the run.
    lines = []
    for name, setting in settings_of(type(config)).items():
        value = getattr(config, name)
        default = getattr(type(config), name)
        idle = not setting.applies.holds(config)
        lines += problem(not idle or value == default, name, value, f"{default} {setting.applies.otherwise}")
    return lines


def problems_of(owner: Any, **allowed: Allowed) -> list[str]:
    """A line for every named attribute of ``owner`` whose value is not allowed.

    >>> from toy_llm.training.rollout import Sampling
    >>> problems_of(Sampling(group_size=4, questions=0), questions=whole(1))
    ['questions = 0 is not allowed: questions must be a whole number, at least 1']
    """
    return [line for name, values in allowed.items() for line in values.problems(name, getattr(owner, name))]


def refusals(make: Callable[[], Any]) -> list[str]:
    """The lines with which a part of a run refuses its settings when it is made; no line if it does not.

    >>> from spo_theory.methods.registry import rule
    >>> refusals(lambda: rule("rebel", eta=0.0))
    ['eta = 0.0 is not allowed: eta must be a finite number above 0']
    """
    try:
        make()
    except InputError as error:
        return str(error).splitlines()
    return []


def device_problems(device: str) -> list[str]:
    """A line with torch's own reason if this machine has no such ``device``.

    >>> device_problems("cpu")
    []
    """
    try:
        # Only using it tells: torch may know a device that this machine has not.
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        return [f"device = {device!r} is not allowed: {str(error).splitlines()[0]}"]
    return []
