"""The README's tour runs as printed."""

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
THEORY = [s for s in SNIPPETS if "toy_llm" not in s]
TRAINING = [s for s in SNIPPETS if "toy_llm" in s]


def test_theory_tour(capsys):
    space: dict = {}
    for snippet in THEORY:
        exec(snippet, space)
    assert "spo [-0.505" in capsys.readouterr().out


def test_training_tour(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    for snippet in TRAINING:  # with a tabular policy: the warm start of the network would take half a minute
        exec(snippet.replace("TrainConfig(", 'TrainConfig(policy="tabular", '), space)
    assert list(space["table"]["step"]) == list(range(6))


def test_every_command_and_picture_it_names_exists():
    from paper_repro.cli import COMMANDS

    for name in re.findall(r"^spo (\w+)", README, flags=re.MULTILINE):
        assert name in COMMANDS
    for name in re.findall(r"^\| `(\w+)/` \|", README, flags=re.MULTILINE):
        assert (Path(__file__).parents[2] / name).is_dir()
