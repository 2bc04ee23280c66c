"""Completions written by TRL's own `GRPOTrainer.log`."""

from collections import defaultdict
from types import SimpleNamespace

import pytest

from spo_theory.diagnosis import diagnose, read_rollouts

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of third parties, which change with versions
pytest.importorskip("trl", reason="the extra 'trl' is not installed")


def test_what_trl_writes_is_read(tmp_path, monkeypatch):
    from trl.trainer import grpo_trainer

    above = grpo_trainer.GRPOTrainer.__mro__[1]
    monkeypatch.setattr(above, "log", lambda self, logs, start_time=None: None, raising=False)
    monkeypatch.setattr(grpo_trainer, "is_rich_available", lambda: False)
    (tmp_path / "completions").mkdir()
    trainer = grpo_trainer.GRPOTrainer.__new__(grpo_trainer.GRPOTrainer)
    rewards = [1.0, 0.0, 0.0, 0.0] + [0.0] * 4 + [1.0] * 4
    logs = {
        "prompt": [f"Q{i // 4}" for i in range(12)],
        "completion": [f"answer {i}" for i in range(12)],
        "rewards": {"right": rewards, "short": [0.0] * 12},
        "extra": defaultdict(list),
        "advantages": [1.4998, -0.4999, -0.4999, -0.4999] + [0.0] * 8,
        "images": [],
    }
    settings = {
        "model": SimpleNamespace(training=True), "_metrics": {"train": {}}, "_logs": logs, "log_completions": True,
        "accelerator": SimpleNamespace(is_main_process=True), "num_completions_to_print": 0,
        "args": SimpleNamespace(report_to=[], output_dir=str(tmp_path)), "log_unique_prompts": False,
    }  # fmt: skip
    for name, value in settings.items():
        object.__setattr__(trainer, name, value)
    for step in (1, 2):
        object.__setattr__(trainer, "state", SimpleNamespace(global_step=step))
        trainer.log({})

    found = diagnose(read_rollouts(tmp_path / "completions"))
    assert len(found.rollouts) == 12
    assert [found.shares[name].value for name in ("all wrong", "all right", "mixed")] == pytest.approx([1 / 3] * 3)
    assert "trl" in found.logged.names
    assert "reward: right + short" in found.rollouts.notes
