"""The command line: teaches, refuses bad input in one line with status 2, never shows a traceback for it."""

import doctest
import importlib
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from paper_repro.cli import COMMANDS, main

BAD = [
    ("theory --step-success 1.3", "step_success"),
    ("theory --step-success 0", "step_success"),
    ("theory --step-success 0.3 --group-size 1", "group_size = 1"),
    ("theory --step-success 0.3 --beta 0", "beta = 0.0"),
    ("theory --step-success 0.3 --beta nan", "beta = nan"),
    ("theory --step-success 0.3 --rule ppo", "rule = 'ppo'"),
    ("theory --step-success 0.3 --scope some", "scope = 'some'"),
    ("theory --step-success 0.3 --horizon -3", "horizon = -3"),
    ("theory --step-success 0.3 0.4 --horizon 3", "step-success"),
    ("theory --step-success 0.3 --steps -1", "steps = -1"),
    ("theory --step-success 0.3 --learning-rate -1", "learning_rate = -1"),
    ("theory --step-success 0.3 --out table.doc", "out = 'table.doc'"),
    ("theory --step-success 0.3 --out /dev/null/x.csv", "out = '/dev/null/x.csv'"),
    ("theory --step-success a", "step_success = 'a'"),
    ("theory --nonsense 3 --step-success 0.3", "--nonsense"),
    ("theory", "--step-success"),
    ("train --horizon -3", "horizon = -3"),
    ("train --beta -1", "beta = -1.0"),
    ("train --group-size 1", "group_size = 1"),
    ("compare --horizon -1", "horizon = -1"),
    ("compare --seeds 0", "seeds = 0"),
    ("compare --rules ppo", "rule = 'ppo'"),
    ("compare --rules", "rules = ()"),
    ("compare --rules grpo grpo", "rules = ['grpo', 'grpo']"),
    ("compare --out table.png", "out = 'table.png'"),
    ("theory --step-success 0.3 --learning-rate x", "learning_rate = 'x'"),
    ("theory --step-success 0.3 --rule", "--rule"),
    ("train --updates 1.5", "updates = '1.5'"),
    ("evaluate", "--checkpoints"),
    ("methods --markdown yes", "yes"),
    ("train --rule ppo", "rule = 'ppo'"),
    ("train --optimizer sophia", "optimizer = 'sophia'"),
    ("reproduce --out /dev/null/out", "out = '/dev/null/out'"),
    ("reproduce --only nothing", "only = 'nothing'"),
    ("reproduce --out=", "out = ''"),
    ("train --policy tabular --checkpoint run.csv --out run.csv", "checkpoint = 'run.csv'"),
    ("train --policy tabular --checkpoint x/../a.csv --seeds 0 1 --out a-seed1.csv", "must be another file"),
    ("train --policy tabular --checkpoint /dev/null", "checkpoint = '/dev/null'"),
    ("evaluate --checkpoints run.csv --out ./run.csv", "out = 'run.csv'"),
    ("evaluate --checkpoints /dev/zero", "checkpoint '/dev/zero' cannot be read (not a regular file)"),
    ("train --policy tabular --mode offline --cache-dir /proc/none", "cache_dir = '/proc/none'"),
    ("reproduce --workers 0 --out never", "workers = 0"),
    ("conquer", "command = 'conquer'"),
]


@pytest.mark.parametrize(("line", "named"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line_and_status_2(line, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith("spo: error: ")
    assert err.count("\n") == 1
    assert named in err
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_a_corrupt_cached_checkpoint_is_refused_before_any_work(capsys, tmp_path, monkeypatch):
    from paper_repro.forecast.cells import QUICK

    monkeypatch.chdir(tmp_path)
    config = QUICK[0].config("grpo", 0)
    cached = tmp_path / config.cache_dir / f"{config.warm_start().key}.pt"
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(b"half a file")
    assert main(["reproduce", "--quick", "--only", "network", "--out", "out"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("spo: error: checkpoint")
    assert cached.name in err
    assert "delete it" in err
    assert err.count("\n") == 1
    assert not list((tmp_path / "out" / "data" / "parts").iterdir())


@pytest.mark.parametrize("line", ["compare --seeds 1", "reproduce --quick --only network", "train --horizon 2"])
def test_a_cache_that_cannot_be_written_is_told_before_the_first_job(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".cache").write_text("a file where the folder should be")
    assert main(line.split()) == 2
    _, err = capsys.readouterr()
    assert err.startswith("spo: error: cache_dir = '.cache/warmstart' is not allowed: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["theory --step-success 0.3 --out", "train --policy tabular --checkpoint"])
@pytest.mark.parametrize("kind", ["pipe.csv", "folder.csv"])
def test_pipes_and_folders_are_no_output(line, kind, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.csv")
    os.mkdir("folder.csv")
    assert main([*line.split(), kind]) == 2
    _, err = capsys.readouterr()
    assert f"= '{kind}' is not allowed" in err
    assert err.count("\n") == 1


def test_a_pipe_is_no_checkpoint_to_read(capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    assert main(["evaluate", "--checkpoints", str(tmp_path / "pipe.pt")]) == 2
    assert "cannot be read (not a regular file)" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_written_and_told(tmp_path):
    out = os.fsencode(tmp_path) + b"/o\xff.csv"
    command = [sys.executable, "-m", "paper_repro", "theory", "--step-success", "0.3", "--steps", "1", "--out", out]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert done.returncode == 0, done.stderr
    assert b"o\\udcff.csv" in done.stdout
    assert os.path.exists(out)


def test_the_hint_repeats_the_command(capsys, tmp_path, monkeypatch):
    """With every option as it was given, quoted for a shell, whatever stopped the run."""
    from paper_repro import reproduce
    from paper_repro.jobs.run import JobError

    monkeypatch.chdir(tmp_path)
    line = ["reproduce", "--quick", "--only", "two_step", "--workers", "1", "--out", "my results"]
    hint = "; continue with: spo reproduce --quick --only two_step --workers 1 --out 'my results' --resume\n"
    causes = [
        (
            JobError("two_step/map failed: OSError: No space left", "Traceback ..."),
            1,
            "spo: error: two_step/map failed",
        ),
        (OSError(28, "No space left on device", "file"), 1, "spo: error: cannot write file: No space left on device"),
        (KeyboardInterrupt(), 130, "spo: interrupted"),
    ]
    for again in ([], ["--resume"]):
        for cause, status, said in causes:

            def stop(*_, cause=cause):
                raise cause

            monkeypatch.setattr(reproduce, "run_jobs", stop)
            assert main([*line, *again]) == status
            last = capsys.readouterr().err.splitlines(keepends=True)[-1]
            assert last.startswith(said)
            assert last.endswith(hint)
    assert (tmp_path / "my results" / "error.txt").read_text() == "Traceback ..."


def test_bad_input_from_a_shell():
    done = subprocess.run(
        [sys.executable, "-m", "paper_repro", "theory", "--step-success", "2"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("spo: error: step_success = [2.0]")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_teaches_with_an_example(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"spo {name}" in text
    assert f"spo {name} " in text.partition("Example:")[2].replace("\n", " ")
    assert "Example:" in text.replace("\n", " ")


def test_top_help_lists_every_command_and_loads_nothing_heavy(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    code = (
        "import sys; from paper_repro.cli import main; main(['--help']); main(['methods'])\n"
        "assert not {'jax', 'torch', 'pandas', 'numpy', 'tyro'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_theory_prints_and_writes_the_curve(capsys, tmp_path):
    out = tmp_path / "curve.csv"
    arguments = f"theory --step-success 0.3 --horizon 2 --rule grpo --group-size 2 --steps 30 --out {out}"
    assert main(arguments.split()) == 0
    table = pd.read_csv(out)
    assert list(table["step"]) == list(range(31))
    assert table["success"][0] == pytest.approx(0.09)
    assert "updates to half success" in capsys.readouterr().out
    assert main([*arguments.split()[:-1], str(tmp_path / "curve.png")]) == 0
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_a_full_disk_ends_in_one_line(capsys, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "curve.csv"
    assert main(["theory", "--step-success", "0.3", "--steps", "2", "--out", str(out)]) == 1
    assert capsys.readouterr().err == f"spo: error: No space left on device: {out}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["command", "kinds", "methods", "parsing", "rules"])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"paper_repro.cli.{name}")).failed == 0


@pytest.mark.slow
def test_ctrl_c_says_how_to_resume_and_the_resumed_run_completes(tmp_path):
    command = [sys.executable, "-m", "paper_repro", "reproduce", "--quick", "--only", "two_step", "--out", "o"]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    parts = tmp_path / "o" / "data" / "parts"
    deadline = time.time() + 300  # of a slow machine
    while not (parts.exists() and list(parts.glob("*.parquet"))):
        assert time.time() < deadline
        assert run.poll() is None
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: driver and workers alike
    _, err = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "continue with: spo reproduce --quick --only two_step --out o --resume" in err
    assert "Traceback" not in err
    done = subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert (tmp_path / "o" / "report.html").exists()
