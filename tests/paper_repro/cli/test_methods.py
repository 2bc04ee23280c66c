"""`spo methods`: every method with one line, source and parts; the page in the docs is what it writes."""

from pathlib import Path

from paper_repro.cli import main
from paper_repro.cli.methods import part_in_words
from spo_theory import rule
from spo_theory.parts.baselines import ConfidencePenalty, GroupAdvantage
from spo_theory.parts.rewards import Outcome

PAGE = Path(__file__).parents[3] / "docs" / "methods.md"


def test_all_methods_are_listed_with_source_and_parts(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in rule.names():
        described, composed = (line for line in lines if line.split() and line.split()[0] == name)
        assert rule.describe(name) in described
        assert rule.entry(name).source in described
        assert all(type(part).__name__ in composed for part in rule(name).parts().values())


def test_the_page_of_the_docs_is_what_the_command_writes(capsys):
    assert main(["methods", "--markdown"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8"), "run: spo methods --markdown > docs/methods.md"


def test_a_part_shows_the_settings_that_are_not_at_their_default():
    assert part_in_words(Outcome()) == "Outcome"
    assert part_in_words(GroupAdvantage(ddof=1)) == "GroupAdvantage(ddof=1)"
    penalty = ConfidencePenalty(GroupAdvantage(scale="none"))
    assert part_in_words(penalty) == "ConfidencePenalty(otherwise=GroupAdvantage(scale='none'))"
