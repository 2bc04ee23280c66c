"""Every setting decides: what was made under another value is refused by name, or has another name in the cache."""

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch

from spo_theory import InputError
from toy_llm import TrainConfig
from toy_llm.judging.learned import JudgeSpec
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.problems.chain import ChainTask
from toy_llm.starts.chain import ChainStart
from toy_llm.starts.suites import SuiteStart
from toy_llm.training import checkpoint, offline
from toy_llm.training.judges import _judge_spec, _noisy_judge

HARMLESS = {"device", "cache_dir", "checkpoint", "checkpoint_every", "resume", "progress", "threads"}
"""Settings that a resumed run may change: where it runs, what it shows and where it keeps files."""

OF_THE_RUN = HARMLESS | {
    "rule", "rule_options", "aggregation", "kl_coef", "kl_estimator", "updates", "optimizer", "learning_rate", "mode",
    "schedule", "warmup", "weight_decay", "inner_epochs", "minibatches", "max_grad_norm", "noise_every", "kl_every",
    "coloured_updates",
}  # fmt: skip
"""Settings that do not decide which rollouts are stored: what is made of rollouts after they are sampled and judged."""

BASE = TrainConfig(schedule="cosine", judge="noisy", miss=0.2, checkpoint="run.pt")
NAMES = [field.name for field in fields(TrainConfig)]


def another(value):
    """A value of the same kind that is not ``value``; it need not make sense."""
    if value is None:
        return 7
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value / 2 if 0 < value < 1 else value + 1
    return f"other {value}" if isinstance(value, str) else (*value, ("beta", 3.5))


def changed(config, name):
    """``config`` with another value of the setting ``name``; a new setting is tried here without being named."""
    if name == "policy":
        return replace(config, policy="tabular")
    return replace(config, **{name: another(getattr(config, name))})


@pytest.fixture
def kept(tmp_path):
    """A run whose checkpoint is on disk; no training is needed to write one."""
    config = replace(BASE, checkpoint=str(tmp_path / "run.pt"), resume=True)
    empty: dict = {}
    state = checkpoint.State(checkpoint.decisive(config), 0, 0.0, [], empty, empty, empty)
    checkpoint.write(config.checkpoint, state)
    return config


def test_the_harmless_settings_are_these():
    assert set(checkpoint.FREE) == HARMLESS


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HARMLESS])
def test_a_checkpoint_under_another_value_is_refused_by_name(kept, name):
    other = changed(kept, name)
    said = "beta" if name == "rule_options" else name
    with pytest.raises(InputError, match=rf"belongs to another run: it differs in .*\b{said} = .* \(checkpoint: "):
        checkpoint.read_for(other)


@pytest.mark.parametrize("name", sorted(HARMLESS - {"resume", "checkpoint"}))
def test_harmless_settings_may_change(kept, name):
    assert checkpoint.read_for(changed(kept, name)).step == 0


def described(config):
    """What the set of a run is sampled from, without training anything: the start is known by its key."""
    start = f"tabular {config.start_accuracy}" if config.policy == "tabular" else config.warm_start().key
    seen = {"start": torch.tensor(list(start.encode()))}
    return SimpleNamespace(task=config.task(), module=SimpleNamespace(state_dict=lambda: seen))


def stored(config):
    """Name of the stored set of a run."""
    named = {"noisy": lambda: _noisy_judge(config), "learned": lambda: _judge_spec(config), "exact": lambda: "exact"}
    judge = JudgeSource(repr(named[config.judge]()), lambda stream, index: None)
    return offline.stored_path(config, described(config), judge).name


SENSIBLE = {"suites": ("add",), "size": "small", "start": "distilled", "judge": "exact", "start_accuracy": 0.6}
"""Other values of settings of which only some are possible."""

SETTINGS_OF = {
    "size": {"suites": ("add",)}, "start": {"suites": ("add",)}, "judge_accuracy": {"judge": "learned"},
    "judge_updates": {"judge": "learned"},
}  # fmt: skip
"""Where these settings have an effect."""


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HARMLESS])
def test_a_stored_set_under_another_value_is_not_used(name):
    one = replace(BASE, **SETTINGS_OF.get(name, {}))
    other = replace(one, **{name: SENSIBLE[name]}) if name in SENSIBLE else changed(one, name)
    if name in OF_THE_RUN:
        other = replace(one, rule="grpo") if name == "rule" else other
        assert stored(other) == stored(one)
    else:
        assert stored(other) != stored(one)


@pytest.mark.parametrize("spec", [ChainStart(), SuiteStart(), JudgeSpec()], ids=lambda spec: type(spec).__name__)
def test_every_setting_of_what_is_cached_is_in_its_name(spec):
    task = ChainTask(3, 10)
    for field in fields(spec):
        other = {"size": "large", "start": "distilled", "suites": ("add",)}
        value = other.get(field.name, another(getattr(spec, field.name)))
        one, two = spec, replace(spec, **{field.name: value})
        names = (one.key(task), two.key(task)) if isinstance(spec, JudgeSpec) else (one.key, two.key)
        assert names[0] != names[1], field.name


def test_base_and_distilled_starts_share_their_first_course_and_nothing_else():
    """The name after the first course changes with everything that it reads."""
    spec = SuiteStart()
    second = {"start": "distilled", "accuracy": 0.7, "adapt": 99}
    assert {replace(spec, **{name: value}).learnt_key for name, value in second.items()} == {spec.learnt_key}
    first = {"size": "large", "suites": ("add",), "learn": 9, "batch": 9, "learning_rate": 0.1, "seed": 9}
    assert set(second) | set(first) == {field.name for field in fields(spec)}
    assert len({replace(spec, **{name: value}).learnt_key for name, value in first.items()} | {spec.learnt_key}) == 7
