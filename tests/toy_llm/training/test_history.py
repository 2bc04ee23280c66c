"""History resampling: which questions are asked, and that a resumed run remembers."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from spo_theory import InputError
from spo_theory.parts.samplers import HistoryResampling
from toy_llm import TrainConfig, train
from toy_llm.problems.chain import ChainTask
from toy_llm.training import checkpoint
from toy_llm.training.history import History

TASK = ChainTask(3)


def asked(history, batches, count, solved):
    """Questions of each batch; ``solved``: those that are right whenever they are asked."""
    found = []
    for _ in range(batches):
        _, answers = history.ask(count)
        assert torch.equal(answers, history.questions[1][history.asked])
        history.record(torch.tensor([int(one) in solved for one in history.asked]))
        found.append(history.asked.tolist())
    return found


@pytest.mark.parametrize("left_out", ["once", "forever"])
def test_solved_questions_are_left_out(left_out):
    """Five epochs of six questions, two of them always solved."""
    history = History(HistoryResampling(pool=6, left_out=left_out), TASK, seed=3)
    epochs = []
    for _ in range(5):
        [questions] = asked(history, 1, len(history.order()), solved={0, 1})
        epochs.append(sorted(questions))
        history._next_epoch()
    whole, rest = list(range(6)), [2, 3, 4, 5]
    assert epochs == ([whole, rest, whole, rest, whole] if left_out == "once" else [whole, rest, rest, rest, rest])


def test_all_come_back_when_none_is_left():
    history = History(HistoryResampling(pool=4, left_out="forever"), TASK, seed=0)
    found = asked(history, 3, 4, solved=set(range(4)))
    assert [sorted(one) for one in found] == [list(range(4))] * 3
    assert history.epoch == 2


def test_a_batch_reaches_into_the_next_epoch():
    history = History(HistoryResampling(pool=5), TASK, seed=0)
    flat = [one for batch in asked(history, 5, 3, solved=set()) for one in batch]
    assert [sorted(flat[start : start + 5]) for start in (0, 5, 10)] == [list(range(5))] * 3


def test_a_restored_history_goes_on_as_before():
    one = History(HistoryResampling(pool=7), TASK, seed=1)
    asked(one, 3, 4, solved={1, 2, 5})
    other = History(HistoryResampling(pool=7), TASK, seed=1)
    other.restore(one.state())
    assert asked(one, 6, 4, solved={1, 2, 5}) == asked(other, 6, 4, solved={1, 2, 5})


def test_a_resumed_run_is_the_same_to_the_bit(tmp_path, monkeypatch):
    """A small network, whose success depends on the questions; without what it remembers it would be asked others."""
    config = TrainConfig(
        horizon=2,
        modulus=3,
        layers=1,
        width=16,
        heads=2,
        start_updates=60,
        start_accuracy=0.8,
        rule="history_resampling",
        rule_options={"pool": 12},
        group_size=2,
        questions=5,
        updates=8,
        checkpoint=str(tmp_path / "run.pt"),
        checkpoint_every=1,
        cache_dir=str(tmp_path),
    )
    whole = train(config).drop(columns="seconds")
    train(replace(config, updates=4))
    assert checkpoint.read(config.checkpoint).history["epoch"] > 0
    resumed = train(replace(config, resume=True)).drop(columns="seconds")
    pd.testing.assert_frame_equal(whole, resumed)

    train(replace(config, updates=4))
    monkeypatch.setattr(History, "restore", lambda *_: None)
    forgetful = train(replace(config, resume=True)).drop(columns="seconds")
    assert not whole["success_exact"].equals(forgetful["success_exact"])


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="pool = 0"):
        HistoryResampling(pool=0)
    with pytest.raises(InputError, match="left_out = 'twice'"):
        HistoryResampling(left_out="twice")
