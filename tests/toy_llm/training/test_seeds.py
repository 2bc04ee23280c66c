"""Several seeds at once, and `spo train`: the table grows as it goes, and a killed run continues."""

import multiprocessing
import os
import resource
import shlex
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

from paper_repro.cli import main
from toy_llm import TrainConfig, train
from toy_llm.config import settings
from toy_llm.locks import locked
from toy_llm.training import checkpoint
from toy_llm.training.loop import TrainingDiverged, make_policy
from toy_llm.training.seeds import WorkerLost, for_seed, restored, train_seeds

TINY = {
    "horizon": 3, "modulus": 5, "layers": 1, "width": 16, "heads": 2, "questions": 4, "group_size": 4, "updates": 5,
}  # fmt: skip
OPTIONS = [part for name, value in TINY.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A folder with the warm start of all runs here."""
    folder = str(tmp_path_factory.mktemp("warm"))
    make_policy(TrainConfig(**TINY, cache_dir=folder))
    return folder


def tidy(rows):
    return pd.DataFrame(rows).sort_values(["seed", "step"], ignore_index=True).drop(columns="seconds")


def alone(configs):
    """The same runs, one after another in this process."""
    return pd.concat(
        [train(config).drop(columns="seconds").assign(seed=config.seed) for config in configs], ignore_index=True
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_seeds_together_are_the_seeds_alone(cache, tmp_path, workers):
    config = TrainConfig(**TINY, cache_dir=cache, checkpoint=str(tmp_path / "run.pt"))
    configs = [for_seed(config, seed, several=True) for seed in (0, 1, 2)]
    table = tidy(train_seeds(configs, workers))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run-seed0.pt", "run-seed1.pt", "run-seed2.pt"]
    pd.testing.assert_frame_equal(table, alone(configs)[table.columns], check_exact=True)
    again = [replace(c, resume=True) for c in configs]
    kept = restored(again)
    assert len(kept) == 15  # the last update has no row until it is sampled once more
    new = list(train_seeds(again, workers))
    pd.testing.assert_frame_equal(tidy(kept + new), table, check_exact=True)


def test_one_diverging_seed_does_not_stop_the_others(cache):
    good = [TrainConfig(**TINY, cache_dir=cache, seed=seed) for seed in (0, 1)]
    runs = [good[0], replace(good[0], seed=7, learning_rate=1e38), good[1]]
    rows = []
    with pytest.raises(TrainingDiverged, match="seed 7: policy is not finite at update 1"):
        rows.extend(train_seeds(runs, 1))
    assert [row["seed"] for row in rows] == [0] * 6 + [7] + [1] * 6


def test_a_killed_worker_is_noticed(cache):
    configs = [TrainConfig(**TINY | {"updates": 100_000}, cache_dir=cache, seed=seed) for seed in (0, 1)]
    rows = train_seeds(configs, 2)
    next(rows)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    workers[0].kill()
    with pytest.raises(WorkerLost, match="worker process died"):
        list(rows)
    assert not multiprocessing.active_children()  # nothing is left behind


def test_train_writes_a_tidy_table(cache, tmp_path, capsys):
    out = tmp_path / "run.csv"
    assert (
        main(["train", *OPTIONS, "--cache-dir", cache, "--seeds", "1", "0", "--workers", "1", "--out", str(out)]) == 0
    )
    table = pd.read_csv(out)
    assert list(table["seed"]) == [0] * 6 + [1] * 6
    assert list(table["step"]) == list(range(6)) * 2
    said = capsys.readouterr()
    assert "completions/s; means over seeds 1, 0" in said.out
    assert "all-negative" in said.err
    configs = [TrainConfig(**TINY, cache_dir=cache, seed=seed) for seed in (0, 1)]
    wanted = alone(configs)[table.drop(columns="seconds").columns]
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), wanted, check_dtype=False, rtol=1e-15)


def test_a_killed_command_leaves_its_table_and_continues(cache, tmp_path):
    out, kept = tmp_path / "run.csv", tmp_path / "run.pt"
    line = [*OPTIONS, "--cache-dir", cache, "--checkpoint", str(kept), "--checkpoint-every", "10", "--out", str(out)]
    line[line.index("--updates") + 1] = "120"
    run = subprocess.Popen(
        [sys.executable, "-m", "paper_repro", "train", *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    limit = time.monotonic() + 60
    while not (out.exists() and out.read_bytes().count(b"\n") > 25):
        assert run.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    run.kill()
    run.wait()
    lines = out.read_text().splitlines()
    assert len(lines) < 121
    step = checkpoint.read(kept).step
    assert 20 <= step <= len(lines) - 1
    assert main(["train", *line, "--resume"]) == 0
    table = pd.read_csv(out)
    assert list(table["step"]) == list(range(121))
    whole = train(TrainConfig(**TINY | {"updates": 120}, cache_dir=cache))
    assert table["success_exact"].to_numpy() == pytest.approx(whole["success_exact"].to_numpy(), rel=1e-15)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--seeds", "1", "1"], "seeds = (1, 1)"),
        (["--seeds", "-1"], "seeds"),
        (["--workers", "0"], "workers = 0"),
        (["--out", "run.txt"], "out = 'run.txt'"),
    ],
)
def test_bad_options_are_refused(options, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *options]) == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_all_problems_are_named_at_once(capsys):
    assert main(["train", "--horizon", "0", "--workers", "0", "--clip-low", "-1", "--minibatches", "0"]) == 2
    said = capsys.readouterr().err
    for named in ("horizon = 0", "workers = 0", "clip_low = -1.0", "minibatches = 0"):
        assert named in said


def test_the_help_groups_all_settings(capsys):
    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    for name, setting in settings().items():
        assert (f"--{name.replace('_', '-')}" in said) == (setting.group != "hidden")
    groups = ("problems", "network", "step judge", "rollouts", "loss", "optimizer", "run", "output", "update rule: spo")
    for group in groups:
        assert f" {group} options " in said


def test_a_disk_that_is_full_ends_in_one_line(cache, tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "run.pt")

    monkeypatch.setattr("toy_llm.training.checkpoint.save", full)
    line = [*OPTIONS, "--cache-dir", cache, "--checkpoint", str(tmp_path / "run.pt"), "--checkpoint-every", "1"]
    assert main(["train", *line]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("spo: error: cannot write the checkpoint (No space left on device): ")
    assert said.endswith(f"; continue with: {shlex.join(['spo', 'train', *line, '--resume'])}")


def test_a_table_on_a_full_disk_keeps_its_rows(cache, tmp_path, capsys):
    """Files cannot grow beyond 4 KiB here: an append fails half way, as on a full disk."""
    out = tmp_path / "run.csv"
    line = [*OPTIONS, "--cache-dir", cache, "--out", str(out)]
    line[line.index("--updates") + 1] = "30"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        assert main(["train", *line]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"File too large: {out}; nothing to resume" in capsys.readouterr().err
    assert out.read_text().endswith("\n")  # no row is cut off
    whole = out.read_text().splitlines()
    assert len(whole) > 3
    again = train(TrainConfig(**TINY, cache_dir=cache))
    assert float(whole[2].split(",")[3]) == again["success_exact"][1]
    assert [p.name for p in tmp_path.iterdir()] == ["run.csv"]


def test_a_parquet_table_that_cannot_be_written_keeps_its_rows(cache, tmp_path, capsys, monkeypatch):
    """Its rows wait beside it until the whole table is there."""
    out = tmp_path / "run.parquet"
    out.write_bytes(b"the table before")
    rows = tmp_path / "run.parquet.rows.csv"
    replaced = os.replace

    def full(source, target):
        if str(target) == str(out):
            raise OSError(28, "No space left on device")
        replaced(source, target)

    line = ["train", *OPTIONS, "--cache-dir", cache, "--out", str(out)]
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        assert main(line) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"spo: error: No space left on device: {out}; its rows are in {rows}; nothing to resume")
    assert out.read_bytes() == b"the table before"
    kept = pd.read_csv(rows)
    assert main(line) == 0
    whole = pd.read_parquet(out)
    pd.testing.assert_frame_equal(whole.drop(columns="seconds"), kept.drop(columns="seconds"))
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("name", ["out", "checkpoint"])
def test_two_runs_cannot_write_to_one_file(name, cache, tmp_path, capsys):
    file = tmp_path / f"run.{'csv' if name == 'out' else 'pt'}"
    (tmp_path / "link").symlink_to(tmp_path)
    line = ["train", *OPTIONS, "--cache-dir", cache, f"--{name}", str(tmp_path / "link" / file.name)]
    with locked(tmp_path / f".{file.name}.lock"):
        assert main(line) == 2
        said = capsys.readouterr().err
        assert f"{name} = " in said
        assert f"a file that no other run writes to (process {os.getpid()} on " in said
        assert not file.exists()
    assert main(line) == 0
    assert {path.name for path in tmp_path.iterdir()} == {file.name, "link"}
