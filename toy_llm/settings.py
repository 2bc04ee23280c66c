"""Settings that describe themselves: which values are allowed, in words and as a test, and when a setting counts."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import torch

from spo_theory.allowed import Allowed
from spo_theory.validation import InputError, problem


def described(words: str) -> Allowed:
    """Any value: another part checks it (the task, the warm start, the rule), and the words are for the help.

    >>> described("a folder").problems("cache_dir", "anything")
    []
    """
    return Allowed(words, lambda value: True)


class Condition(NamedTuple):
    """When a setting has an effect. ``otherwise``: words for all other cases, which follow the default value."""

    otherwise: str
    holds: Callable[[Any], bool]


ALWAYS = Condition("", lambda config: True)
ON_THE_CHAIN = Condition("with suites", lambda config: not config.suites)
ON_SUITES = Condition("without suites", lambda config: bool(config.suites))
NETWORK_ON_THE_CHAIN = Condition(
    "with suites or for a tabular policy", lambda config: not config.suites and config.policy != "tabular"
)
OFFLINE = Condition("unless mode is offline", lambda config: config.mode == "offline")
IN_THE_CACHE = Condition(
    "for a tabular policy, unless mode is offline or judge is learned",
    lambda config: config.policy != "tabular" or config.mode == "offline" or config.judge == "learned",
)
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
    ['questions = 0 is not allowed: questions must be a whole number from 1 to 1000000000']
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
    # A setting without effect must stay at its default, so that nobody believes to have changed the run. What is wrong
    # with a value itself is said by `value_problems`.
    lines = []
    for name, setting in settings_of(type(config)).items():
        value = getattr(config, name)
        default = getattr(type(config), name)
        idle = not setting.applies.holds(config) and not setting.allowed.problems(name, value)
        lines += problem(not idle or value == default, name, value, f"{default} {setting.applies.otherwise}")
    return lines


def problems_of(owner: Any, **allowed: Allowed) -> list[str]:
    """A line for every named attribute of ``owner`` whose value is not allowed.

    >>> from spo_theory.allowed import whole
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


def devices() -> list[str]:
    """The torch devices of this machine that a policy can be trained on.

    >>> "cpu" in devices()
    True
    """
    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def device_problems(device: str) -> list[str]:
    """A line if this machine has no such ``device``; it names those that there are.

    >>> device_problems("cpu")
    []
    >>> device_problems("meta")
    ["device = 'meta' is not allowed: device must be cpu, all that this machine has"]
    """
    return problem(device in devices(), "device", device, f"{' or '.join(devices())}, all that this machine has")


def plain_values(owner: Any) -> None:
    """Turn the numpy numbers among the fields of a frozen dataclass into Python's own, and paths into text.

    Settings are written to files and hashed, where only Python's own will do.

    >>> import numpy as np
    >>> from toy_llm.config import TrainConfig
    >>> type(TrainConfig(horizon=np.int64(3)).horizon).__name__
    'int'
    """
    for field in fields(owner):
        value = getattr(owner, field.name)
        if isinstance(value, np.generic):
            object.__setattr__(owner, field.name, value.item())
        elif isinstance(value, Path):
            object.__setattr__(owner, field.name, str(value))
