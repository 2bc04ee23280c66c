"""Every command line that once ended in a traceback, in silence or too late is refused in one line, before work."""

import time

import pytest

from paper_repro.cli import main

TABULAR = "train --policy tabular --updates 2 --horizon 2 --questions 4"
HUGE = 2**64

BAD = [
    # Sizes that no memory holds, and numbers beyond those that compiled code counts with
    ("theory --step-success 0.3 --horizon 1000000 --steps 2", "horizon = 1000000"),
    ("theory --step-success 0.3 --steps 100000000000", "steps = 100000000000"),
    ("theory --step-success 0.3 --steps 1000000000", "steps = 1000000000"),
    ("theory --step-success 0.3 --group-size 1000000000000", "group_size = 1000000000000"),
    (f"{TABULAR} --group-size 1000000000 --questions 1", "group_size = 1000000000"),
    (f"{TABULAR} --horizon 1000000 --questions 1", "horizon = 1000000"),
    (f"{TABULAR} --horizon 600000 --questions 1", "horizon = 600000"),
    (f"{TABULAR} --updates 1000000000", "updates = 1000000000"),
    ("train --horizon 4 --questions 100000000", "questions = 100000000"),
    ("train --width 100000000 --heads 1 --start-updates 1 --updates 0", "width = 100000000"),
    ("train --modulus 1001", "modulus = 1001"),
    (f"{TABULAR} --mode offline --stored-batches 1000000000", "stored_batches = 1000000000"),
    ("compare --horizon 2000", "horizon = 2000"),
    ("compare --seeds 1000000000", "seeds = 1000000000"),
    ("reproduce --quick --workers 1000000 --out never", "workers = 1000000"),
    # Seeds that some generator does not take
    (f"train --horizon 2 --start-updates 20 --updates 1 --start-seed {HUGE}", f"start_seed = {HUGE}"),
    (f"{TABULAR} --seed {HUGE}", f"seed = {HUGE}"),
    (f"{TABULAR} --seeds 0 {HUGE}", f"seeds = (0, {HUGE})"),
    (f"{TABULAR} --judge noisy --miss 0.1 --seed {HUGE}", f"seed = {HUGE}"),
    (f"{TABULAR} --seeds 1 1", "seeds = (1, 1)"),
    # Lists without members, and members that repeat
    ("compare --rules", "rules = ()"),
    ("compare --rules grpo grpo", "rules = ['grpo', 'grpo']"),
    ("reproduce --only", "only = ()"),
    (f"{TABULAR} --seeds", "seeds = ()"),
    ("train --suites", "suites = ()"),
    ("theory --step-success", "step_success = ()"),
    ("evaluate --checkpoints", "checkpoints = ()"),
    ("evaluate --checkpoints a.pt --ks", "ks = ()"),
    ("evaluate --checkpoints a.pt --ks 2 2", "ks = (2, 2)"),
    # Settings without effect
    (f"{TABULAR} --stored-batches 3", "stored_batches = 3"),
    (f"{TABULAR} --layers 3", "layers = 3"),
    (f"{TABULAR} --width 128", "width = 128"),
    (f"{TABULAR} --output-scale 2", "output_scale = 2.0"),
    (f"{TABULAR} --cache-dir /proc/x", "cache_dir = '/proc/x'"),
    (f"{TABULAR} --start-updates 20", "start_updates = 20"),
    (f"{TABULAR} --start-seed 1", "start_seed = 1"),
    (f"{TABULAR} --votes 5", "votes = 5"),
    # Values that no run survives, named by themselves and not by the learning rate
    ("train --kl-coef 1e308", "kl_coef = 1e+308"),
    ("train --temperature 1e-300", "temperature = 1e-300"),
    ("train --output-scale 1e30", "output_scale = 1e+30"),
    (f"{TABULAR} --weight-decay 1e308 --optimizer adamw", "weight_decay = 1e+308"),
    (f"{TABULAR} --weight-decay 1e3 --learning-rate 0.1", "weight_decay = 1000.0"),
    ("train --max-grad-norm nan", "max_grad_norm = nan"),
    ("train --learning-rate inf", "learning_rate = inf"),
    ("theory --step-success nan", "step_success"),
    ("theory --step-success 0.3 --learning-rate nan", "learning_rate = nan"),
    # Devices
    (f"{TABULAR} --device meta", "device = 'meta'"),
    ("train --device meta", "device = 'meta' is not allowed: device must be cpu"),
    ("train --device nonsense", "device = 'nonsense'"),
]


def refused(line, capsys):
    """The one line on standard error with which the command ``line`` is refused, within five seconds of work."""
    began = time.process_time()
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith("spo: error: ")
    assert err.count("\n") == 1
    assert out == ""
    assert time.process_time() - began < 20  # imports included; what it refuses would take hours
    return err


@pytest.mark.parametrize(("line", "named"), BAD, ids=[line for line, _ in BAD])
def test_a_bad_line_is_refused_before_work(line, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named in refused(line, capsys)
    assert not list(tmp_path.iterdir())


def test_a_fault_is_told_once(capsys):
    assert refused(f"{TABULAR.replace('--updates 2', '--updates 3')} --start-updates 0", capsys).count(" = ") == 1


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Checkpoints of a tabular policy, of two seeds."""
    folder = tmp_path_factory.mktemp("tables")
    assert main(f"{TABULAR} --seeds 0 1 --workers 1 --checkpoint {folder}/tab.pt".split()) == 0
    return [folder / "tab-seed0.pt", folder / "tab-seed1.pt"]


def test_what_cannot_be_evaluated_is_refused(tables, capsys, tmp_path):
    first, second = tables
    copy = tmp_path / "copy.pt"
    copy.write_bytes(first.read_bytes())
    capsys.readouterr()
    assert f"checkpoints = '{first}'" in refused(f"evaluate --checkpoints {first} {first}", capsys)
    assert f"checkpoints = '{copy}'" in refused(f"evaluate --checkpoints {first} {second} {copy}", capsys)
    assert "temperature = 5.0" in refused(f"evaluate --checkpoints {first} --temperature 5", capsys)
    line = refused(f"evaluate --checkpoints {first} --suites add", capsys)
    assert "suites = ('add',)" in line
    assert "Suite(" not in line
    assert "samples = 1000000000" in refused(f"evaluate --checkpoints {first} --samples 1000000000", capsys)
    assert "questions = 1000000000" in refused(f"evaluate --checkpoints {first} --questions 1000000000", capsys)


def test_what_surely_was_not_meant_is_said(capsys):
    assert main(["theory", "--step-success", "0.3", "--steps", "3", "--learning-rate", "1e308", "--horizon", "2"]) == 0
    assert "spo: warning: learning_rate = 1e+308 takes success from" in capsys.readouterr().err
    assert main(f"{TABULAR} --learning-rate 1e308".split()) == 0
    assert "spo: warning: learning_rate = 1e+308 takes success from" in capsys.readouterr().err
    assert main(f"{TABULAR} --rule grpo --train-on all_negative".split()) == 0
    assert "the run cannot learn" in capsys.readouterr().err
    assert main(f"{TABULAR} --rule spo --train-on all_negative".split()) == 0
    assert "warning" not in capsys.readouterr().err


def test_a_warning_is_one_line(capsys):
    assert (
        main(
            [
                "theory",
                "--step-success",
                "0.3",
                "--horizon",
                "2",
                "--rule",
                "grpo",
                "--steps",
                "2",
                "--group-size",
                "5000",
            ]
        )
        == 0
    )
    err = capsys.readouterr().err
    assert err.startswith("spo: warning: outside the range the quadrature is certified in")
    assert err.count("\n") == 1
