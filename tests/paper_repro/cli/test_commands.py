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
    from paper_repro.forecast.forecast import QUICK

    monkeypatch.chdir(tmp_path)
    config = QUICK[0].config("grpo", 0)
    cached = tmp_path / config.cache_dir / f"{config.warm_start().key}.pt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    assert main(["reproduce", "--quick", "--only", "network", "--out", "out"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("spo: error: checkpoint")
    assert cached.name in err
    assert "delete it" in err
    assert err.count("\n") == 1
    assert not list((tmp_path / "out" / "data" / "parts").iterdir())


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
    deadline = time.time() + 60
    while not (parts.exists() and list(parts.glob("*.parquet"))):
        assert time.time() < deadline
        assert run.poll() is None
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: driver and workers alike
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "spo reproduce --quick --resume --out o" in err
    assert "Traceback" not in err
    done = subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert (tmp_path / "o" / "report.html").exists()
