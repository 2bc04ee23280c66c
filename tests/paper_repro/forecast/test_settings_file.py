"""Own configurations come from a file, and mistakes in it are refused by the number of their cell."""

import re
from pathlib import Path

import pytest

from paper_repro import reproduce
from paper_repro.cli import main
from paper_repro.forecast.settings_file import read_settings
from spo_theory.validation import InputError
from toy_llm.cache import cache_path

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def written(tmp_path, text: str) -> Path:
    file = tmp_path / "cells.toml"
    file.write_text(text)
    return file


def test_the_example_of_the_documentation_is_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (one,) = read_settings(written(tmp_path, example))
    assert (one.name, one.base.horizon, one.base.group_size, one.base.optimizer) == ("wide-groups", 3, 64, "adam")
    assert one.rules == ("grpo", "spo")
    assert dict(one.config("spo", 0).rule_options)["scope"] == "all_incorrect"
    assert one.seeds == tuple(range(12))
    assert one.levels == ("mean_field", "noisy")


def test_own_cells_become_jobs_of_a_run(tmp_path):
    file = written(tmp_path, '[[cell]]\nname = "mine"\nhorizon = 2\nstarts = [7]\nruns = 1\nlevels = ["mean_field"]\n')
    names = [job.name for job in reproduce.own_jobs(file)]
    assert names == ["own/mine/mean_field-7", "own/mine/grpo-0", "own/mine/spo-0"]
    assert reproduce.own_jobs(None) == []
    with pytest.raises(InputError, match=r"^name = 'H4-sgd' is not allowed: name must be another one"):
        reproduce.own_jobs(written(tmp_path, '[[cell]]\nname = "H4-sgd"\n'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[cell]\n", "cannot be read"),
        ("", r"at least one table \[\[cell\]\]"),
        ("horizon = 3\n", r"tables \[\[cell\]\] only"),
        ("[[cell]]\nhorizon = 3\n", "cell 1: name = None"),
        ('[[cell]]\nname = "a"\nhorizn = 3\n', "cell 1: key = 'horizn'"),
        ('[[cell]]\nname = "a"\n[[cell]]\nname = "b"\nhorizon = 0\n', "cell 2: horizon = 0"),
        ('[[cell]]\nname = "a"\n[[cell]]\nname = "a"\n', "name = .*another one in every cell"),
        ('[[cell]]\nname = "a"\nlevels = ["kernel"]\noptimizer = "adamw"\n', "cell 1: optimizer = 'adamw'"),
        ('[[cell]]\nname = "a"\nlevels = ["best"]\n', "cell 1: level = 'best'"),
        ('[[cell]]\nname = "a"\nrules = ["nothing"]\n', "cell 1: .*nothing"),
        ('[[cell]]\nname = "a"\nruns = 0\n', "cell 1: runs = 0"),
        ('[[cell]]\nname = "a"\nstarts = 3\n', "cell 1: starts = 3"),
        ('[[cell]]\nname = "a"\nrule_options = { spo = { betta = 1 } }\n', "cell 1: .*betta"),
        ('[[cell]]\nname = "a"\nrule_options = 3\n', "cell 1: rule_options = 3"),
    ],
)
def test_mistakes_are_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_settings(written(tmp_path, text))


def test_options_that_would_do_nothing_are_refused(tmp_path, capsys):
    file = written(tmp_path, '[[cell]]\nname = "a"\n')
    for more, name in ((["--horizon", "5"], "horizon"), (["--rules", "spo"], "rules"), (["--beta", "2"], "rules")):
        assert main(["compare", "--settings", str(file), *more]) == 2
        assert f"{name} = " in capsys.readouterr().err


def test_compare_runs_the_cells_and_says_that_a_curve_is_too_short(tmp_path, capsys, monkeypatch):
    text = (
        '[[cell]]\nname = "short"\nhorizon = 2\nupdates = 2\nquestions = 4\nstart_accuracy = 0.3\nwidth = 16\n'
        f'rules = ["spo"]\nstarts = [0]\nruns = 1\nheld_out = 16\ncache_dir = "{tmp_path}"\n'
    )
    assert main(["compare", "--settings", str(written(tmp_path, text))]) == 0
    said = capsys.readouterr().out
    for which in ("measured", "predicted"):
        assert f"short, spo, {which}: half success is not reached within 2 updates" in said


def test_only_the_levels_that_are_asked_for_must_serve(tmp_path):
    """A cell has levels for `spo reproduce`; `spo compare` computes another one."""
    file = written(tmp_path, '[[cell]]\nname = "a"\noptimizer = "adamw"\n')
    assert [one.name for one in read_settings(file, ["noisy"])] == ["a"]
    with pytest.raises(InputError, match="sgd or adam at level kernel"):
        read_settings(file)


def test_a_damaged_warm_start_is_refused_before_work(tmp_path):
    cell = f'[[cell]]\nname = "a"\nhorizon = 2\nstarts = [0]\ncache_dir = "{tmp_path}"\n'
    file = written(tmp_path, cell)
    (one,) = read_settings(file)
    config = one.config("grpo", 0)
    cache_path(config.warm_start().key, config.cache_dir).write_bytes(b"damaged")
    with pytest.raises(InputError, match="cell 1: "):
        read_settings(file)
