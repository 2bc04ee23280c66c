"""Checkpoints: a run killed in the middle of an update continues to the bit; bad files are refused."""

import hashlib
import io
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from spo_theory import InputError
from toy_llm import TrainConfig, files, train
from toy_llm.files import load
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.training import checkpoint
from toy_llm.training.loop import TrainingDiverged, load_policy, make_policy, updates

TINY = {
    "horizon": 3, "modulus": 5, "layers": 1, "width": 16, "heads": 2, "questions": 4, "group_size": 4, "updates": 6,
}  # fmt: skip
HARD = {
    "optimizer": "adamw", "weight_decay": 0.01, "inner_epochs": 2, "minibatches": 2, "kl_coef": 0.1,
    "schedule": "cosine", "warmup": 2,
}  # fmt: skip
"""Everything that has a state or depends on the update."""


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """A folder with the warm start that all tests begin with."""
    folder = tmp_path_factory.mktemp("warm")
    make_policy(TrainConfig(**TINY, cache_dir=str(folder)))
    return folder


@pytest.fixture
def config(tmp_path, warm):
    shutil.copytree(warm, tmp_path / "cache")
    return TrainConfig(
        **TINY, **HARD, cache_dir=str(tmp_path / "cache"), checkpoint=str(tmp_path / "run.pt"), checkpoint_every=2
    )


def curve(config):
    return train(config).drop(columns="seconds")


def interrupted(config, rows):
    """Run a configuration and drop it after so many rows."""
    policy = make_policy(config)
    run = updates(config, policy)
    for _ in range(rows):
        next(run)
    run.close()


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("rows", [1, 4, 5, 7])
def test_a_resumed_run_is_the_same_to_the_bit(config, rows, mode):
    config = replace(config, mode=mode, **({"stored_batches": 2} if mode == "offline" else {}))
    whole = curve(replace(config, checkpoint=None, checkpoint_every=0))
    interrupted(config, rows)
    assert checkpoint.read(config.checkpoint).step == {1: 0, 4: 2, 5: 4, 7: 6}[rows]
    again = replace(config, resume=True)
    pd.testing.assert_frame_equal(curve(again), whole, check_exact=True)
    pd.testing.assert_frame_equal(curve(again), whole, check_exact=True)  # a finished run, once more


def test_everything_that_decides_the_curve_is_in_the_checkpoint(config):
    """Also the start policy, to which the KL penalty pulls: the network it is resumed with does not matter."""
    whole = curve(replace(config, checkpoint=None, checkpoint_every=0))
    interrupted(config, 4)
    state = checkpoint.read_for(replace(config, resume=True))
    policy = make_policy(config)
    module = policy.module
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(1.5)
    rows = state.rows + list(updates(config, policy, state))
    pd.testing.assert_frame_equal(pd.DataFrame(rows).drop(columns="seconds"), whole, check_exact=True)


KILLED = """
import sys, time, torch
from toy_llm import TrainConfig, files, train
from toy_llm.files import load
torch.set_num_threads(1)
calls, step = [], torch.optim.AdamW.step
def slow(self, *args, **kwargs):  # each update has four gradient steps: stop before the third of update 3
    calls.append(1)
    if len(calls) == 4 * 3 + 3:
        print("in the middle of update 3", flush=True)
        time.sleep(60)
    return step(self, *args, **kwargs)
torch.optim.AdamW.step = slow
train(TrainConfig(**{options!r}))
"""


def test_kill_9_in_the_middle_of_an_update(config):
    whole = curve(replace(config, checkpoint=None, checkpoint_every=0))
    options = {name: getattr(config, name) for name in config.__dataclass_fields__}
    code = KILLED.replace("{options!r}", repr(options))
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "in the middle of update 3\n"
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    run.stdout.close()
    assert checkpoint.read(config.checkpoint).step == 2
    pd.testing.assert_frame_equal(curve(replace(config, resume=True)), whole, check_exact=True)


def test_a_longer_run_continues_a_finished_one(config):
    config = replace(config, schedule="constant")
    whole = curve(replace(config, checkpoint=None, checkpoint_every=0, updates=8))
    curve(config)
    pd.testing.assert_frame_equal(curve(replace(config, resume=True, updates=8)), whole, check_exact=True)


def test_without_resume_a_run_starts_over(config):
    first = curve(config)
    pd.testing.assert_frame_equal(curve(config), first, check_exact=True)
    pd.testing.assert_frame_equal(curve(replace(config, seed=1, resume=False)), curve(replace(config, seed=1)))


def test_a_checkpoint_of_another_run_is_refused_by_what_differs(config):
    interrupted(config, 4)
    other = replace(config, resume=True, learning_rate=0.5, rule="grpo", updates=9, cache_dir="elsewhere")
    with pytest.raises(InputError) as error:
        train(other)
    for said in ("learning_rate = 0.5 (checkpoint: 0.02)", "rule = 'grpo' (checkpoint: 'spo')", "updates = 9"):
        assert said in str(error.value)
    assert "cache_dir" not in str(error.value)
    assert str(error.value).count("\n") == 0


def test_options_of_the_rule_differ_by_name(config):
    interrupted(replace(config, beta=5.0, clip_low=0.1), 4)
    other = replace(config, resume=True, beta=7.0, gamma=0.4)
    with pytest.raises(InputError) as error:
        checkpoint.read_for(other)
    differences = str(error.value).partition("differs in ")[2]
    wanted = "beta = 7.0 (checkpoint: 5.0), gamma = 0.4 (checkpoint: None), clip_low = 0.2 (checkpoint: 0.1)"
    assert differences == wanted


def test_an_option_at_its_default_is_no_difference(config):
    interrupted(replace(config, scope="all_negative"), 4)
    assert checkpoint.read_for(replace(config, resume=True, train_on="all")).step == 2


def test_a_checkpoint_of_an_older_version_is_refused(config):
    interrupted(config, 4)
    content = files.load(config.checkpoint)
    files.save(config.checkpoint, content | {"format": checkpoint.FORMAT - 1})
    with pytest.raises(InputError, match=r"^checkpoint '.*run.pt' is not one of this version: .* run again$"):
        train(replace(config, resume=True))


@pytest.mark.parametrize("where", [5, 100, -1])
def test_a_corrupt_checkpoint_is_refused(config, where):
    interrupted(config, 4)
    path = Path(config.checkpoint)
    raw = bytearray(path.read_bytes())
    raw[where] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"run\.pt.* is corrupt"):
        train(replace(config, resume=True))
    assert path.read_bytes() == raw  # left for whoever wants to look


def test_half_a_checkpoint_and_a_file_of_another_kind_are_refused(config):
    interrupted(config, 4)
    path = Path(config.checkpoint)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="is corrupt"):
        train(replace(config, resume=True))
    path.write_bytes(next(Path(config.cache_dir).glob("*.pt")).read_bytes())
    with pytest.raises(InputError, match="is corrupt"):
        train(replace(config, resume=True))
    files.save(path, [1, 2])
    with pytest.raises(InputError, match="not one of this version"):
        train(replace(config, resume=True))


@contextmanager
def full_disk(room):
    """Files cannot grow beyond ``room`` bytes: writing fails half way, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_loses_nothing(config):
    whole = curve(replace(config, checkpoint=None, checkpoint_every=0))
    interrupted(config, 4)
    path = Path(config.checkpoint)
    before, files = path.read_bytes(), sorted(path.parent.iterdir())
    with full_disk(4096), pytest.raises(OSError, match=r"cannot write the checkpoint .*the one before it is whole"):
        train(replace(config, resume=True))
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == files
    pd.testing.assert_frame_equal(curve(replace(config, resume=True)), whole, check_exact=True)


def test_divergence_leaves_the_last_good_checkpoint_and_says_where(config):
    config = replace(config, optimizer="sgd", learning_rate=1e38, schedule="constant", warmup=0, checkpoint_every=1)
    with pytest.raises(TrainingDiverged, match=r"at update \d: lower learning_rate") as error:
        train(config)
    assert f"the last good checkpoint, before update 0, is {config.checkpoint}" in str(error.value)
    state = checkpoint.read(config.checkpoint)
    assert state.step == 0
    assert all(torch.isfinite(value).all() for value in state.module.values())


def test_the_trained_parameters_are_in_the_last_checkpoint(config):
    policy = make_policy(config)
    module = policy.module
    list(updates(config, policy))
    kept = checkpoint.parameters(config.checkpoint)
    for name, value in module.state_dict().items():
        assert torch.equal(kept[name], value)


def test_a_resumed_run_hears_the_same_errors_of_its_judge(config):
    """A judge that errs at random, from the batch it is asked about."""

    def at(stream, index):
        generator = torch.Generator().manual_seed(index)

        def judge(prompts, responses, answers, verdict):
            lucky = torch.rand(verdict.correct.shape, generator=generator) < 0.5
            return torch.where(lucky & ~verdict.correct, verdict.steps, verdict.first_error)

        return judge

    def run(config):
        policy = make_policy(config)
        state = checkpoint.read_for(config)
        rows = [] if state is None else list(state.rows)
        rows += updates(config, policy, state, JudgeSource("half deaf", at))
        return pd.DataFrame(rows).drop(columns="seconds")

    whole = run(config)
    assert not whole["reward_mean"].equals(curve(replace(config, checkpoint=None, checkpoint_every=0))["reward_mean"])
    run(replace(config, updates=4, schedule="constant"))
    config = replace(config, schedule="constant")
    longer = run(replace(config, resume=True))
    pd.testing.assert_frame_equal(longer, run(config), check_exact=True)


def sealed(path, content):
    """Write ``content`` (bytes, or what torch saves) with a right checksum in front."""
    if not isinstance(content, bytes):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        content = buffer.getvalue()
    path.write_bytes(hashlib.sha256(content).digest() + content)


@pytest.mark.parametrize(
    "content",
    [b"garbage", b"", pickle.dumps({"format": 2}), {"format": 2, "step": 1}, {"format": 1}, [1, 2], torch.zeros(3)],
    ids=repr,
)
def test_a_right_checksum_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "run.pt"
    sealed(path, content)
    config = TrainConfig(policy="tabular", horizon=2, questions=4, updates=2, checkpoint=str(path), resume=True)
    for read in (lambda: train(config), lambda: checkpoint.read(path), lambda: load_policy(path)):
        with pytest.raises(InputError, match=rf"checkpoint {str(path)!r} .*delete it and run again") as refused:
            read()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("step", -3),
        ("step", True),
        ("step", 1),
        ("rows", "abc"),
        ("rows", [{"success": "high"}, {}]),
        ("seconds", float("nan")),
        ("module", {}),
        ("module", {"logits": 3}),
        ("reference", {"logits": torch.zeros(5), "lost": torch.zeros(5)}),
        ("optimizer", {"momentum": 1}),
        ("optimizer", None),
        ("config", 3),
        ("config", {"colour": "red"}),
        ("config", {"horizon": True}),
    ],
    ids=str,
)
def test_a_right_checksum_of_another_content_is_refused(entry, value, tmp_path):
    """An unknown setting, missing parameters, rows that are a text: never a traceback, never taken for a run."""
    path = tmp_path / "run.pt"
    config = TrainConfig(policy="tabular", horizon=2, questions=4, updates=2, checkpoint=str(path), resume=True)
    train(config)
    content = load(path)
    content[entry] = content["config"] | value if entry == "config" and isinstance(value, dict) else value
    sealed(path, content)
    with pytest.raises(InputError, match=rf"checkpoint {str(path)!r} .*(delete it and run again|holds no run)"):
        train(config)
