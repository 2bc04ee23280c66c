"""The tables and figures of the statements: every statement has one, and they show what they say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from column_width import check_single_width

from figures.lines_and_maps import draw
from paper_repro.studies.statements import beyond, study
from paper_repro.studies.statements.beyond import starts
from paper_repro.studies.statements.groups import mixed_groups, silence
from paper_repro.studies.statements.study import PICTURES, TOPICS, jobs, verdicts
from paper_repro.studies.statements.updates import pair_updates
from spo_theory import ReasoningChain, rule, solve, theorems
from spo_theory.dynamics.maps import updates_to
from spo_theory.theorems import THEOREMS

CHEAP = (
    "silence",
    "mixed_groups",
    "pair_updates",
    "push_bound",
    "one_number",
    "outcome_stall",
    "options",
    "difficulty_spread",
)


def test_every_statement_has_a_figure():
    shown = {name for picture in PICTURES for name in picture.statements}
    assert shown == {theorem.name for theorem in THEOREMS}


def test_the_figures_are_those_of_the_topics_in_their_order():
    files = {file.stem for file in Path(beyond.__file__).parent.glob("*.py")} - {"__init__", "study", "picture"}
    assert files == {topic.__name__.rpartition(".")[2] for topic in TOPICS}
    assert files - {"beyond"} == {topic.__name__.rpartition(".")[2] for topic in theorems.TOPICS}
    assert [picture.name for picture in PICTURES] == [
        "silence", "mixed_groups", "pair_updates", "push_bound", "theorem_33", "leads_by_start", "one_update_gain",
        "boundaries", "end_of_training", "escape_bounds", "colouring_exponent", "outcome_stall", "options",
        "difficulty_spread", "collapse", "one_number", "slope_and_threshold", "readings", "best_pair",
        "aligned_colours", "hints_and_resampling", "judges",
        "starts", "normalizations", "inner_updates", "sampling_noise",
    ]  # fmt: skip


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_titles_captions_and_docs_are_whole_sentences(picture):
    """No line break or quote mark that a cut left behind; a caption ends like a sentence."""
    for text in (picture.title, picture.caption):
        assert text == " ".join(text.split())
        assert '"' not in text
    assert picture.caption.endswith(".")
    assert not picture.title.endswith(".")
    first_line = picture.compute.__doc__.splitlines()[0]
    assert first_line.endswith(".")
    assert '"' not in picture.compute.__doc__


def test_the_quick_version_makes_no_checks_and_smaller_tables():
    quick = {job.name: dict(job.arguments) for job in jobs(True)}
    full = {job.name: dict(job.arguments) for job in jobs(False)}
    assert set(full) - set(quick) == {"statements/verdicts"}
    assert quick["statements/collapse"] == {"seeds": 40, "draws": 2}
    assert quick["statements/starts"] == {"points": 20}
    assert full["statements/starts"] == {"points": 100}


def test_verdicts_say_what_the_checks_find(monkeypatch):
    cheap = [theorem for theorem in THEOREMS if theorem.name in ("first_order_boundary", "always_faster")]
    monkeypatch.setattr(study, "THEOREMS", cheap)
    table = verdicts()
    assert list(table) == ["name", "statement", "status", "holds", "checked", "counterexample"]
    assert table["holds"].tolist() == [True, False]
    assert table["counterexample"].tolist() == ["", cheap[1].check().counterexample]


@pytest.mark.parametrize("picture", [p for p in PICTURES if p.name in CHEAP], ids=lambda picture: picture.name)
def test_figures_read_alone(picture):
    table = picture.compute()
    figure = picture.plate().figure({picture.name: table})
    assert (figure.get_suptitle() or figure.legends[0].get_title().get_text()) == picture.title
    assert " ".join(figure._supxlabel.get_text().split()) == picture.caption
    assert all(ax.get_xlabel() for ax in figure.axes)
    names = set(table.loc[table["kind"] != "cell", "series"])
    assert {t.get_text() for t in figure.legends[0].get_texts()} == names
    assert np.isfinite(table[["x", "y"]].to_numpy(float)).all()
    check_single_width(lambda: picture.plate().figure({picture.name: table}))


def test_points_lie_on_the_closed_forms():
    table = pair_updates()
    wide = table.pivot_table(index=["series", "x"], columns="kind", values="y")
    np.testing.assert_allclose(wide["points"], wide["line"], rtol=1e-12)


def test_all_negative_scope_changes_silent_groups_alone():
    table = mixed_groups().set_index(["series", "x"])["y"]
    assert table["scope all_negative"].loc[1:].max() == 0 < table["scope all_negative"].loc[0]
    assert table["scope all_incorrect"].loc[1] > 0


def test_grpo_is_silent_and_colouring_speaks():
    table = silence().set_index(["series", "x"])["y"]
    assert (table["GRPO"] == 0).all()
    assert (table["SPO (colouring)"].loc[1] == 0).all()
    assert (table["SPO (colouring)"].loc[2:] > 0.9).all()


def test_speed_up_map_is_that_of_single_starts():
    table = starts(points=4, updates=150)
    found = table.set_index(["x", "y"])["z"]
    assert (found.dropna() >= -0.05).all()
    chain = ReasoningChain(step_success=[0.375] * 4)
    times = [updates_to(solve(chain, rule(name), 100)) for name in ("grpo", "spo")]
    assert found.loc[(0.375, 0.375)] == pytest.approx(np.log2(times[0] / times[1]), rel=1e-9)


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(ValueError, match="needs the columns"):
        draw(pd.DataFrame({"x": [1.0]}))
