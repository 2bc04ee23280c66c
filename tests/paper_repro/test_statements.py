"""The tables and figures of the statements: every statement has one, and they show what they say."""

import numpy as np
import pandas as pd
import pytest

from figures import statements as drawing
from paper_repro import statements
from spo_theory import ReasoningChain, rule, solve
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
    shown = {s for p in statements.PICTURES for s in p.statements}
    assert shown == {t.name for t in THEOREMS}
    assert len({p.name for p in statements.PICTURES}) == len(statements.PICTURES)


@pytest.mark.parametrize("picture", [p for p in statements.PICTURES if p.name in CHEAP], ids=lambda p: p.name)
def test_figures_read_alone(picture):
    table = picture.compute()
    figure = drawing.draw(table, title=picture.title, note=picture.caption, **(picture.axes or {}))
    assert figure.get_suptitle() == picture.title
    assert all(ax.get_xlabel() for ax in figure.axes)
    names = set(table.loc[table["kind"] != "cell", "series"])
    assert {t.get_text() for t in figure.legends[0].get_texts()} == names
    assert np.isfinite(table[["x", "y"]].to_numpy(float)).all()


def test_points_lie_on_the_closed_forms():
    table = statements.pair_updates()
    wide = table.pivot_table(index=["series", "x"], columns="kind", values="y")
    np.testing.assert_allclose(wide["points"], wide["line"], rtol=1e-12)


def test_all_negative_scope_changes_silent_groups_alone():
    table = statements.mixed_groups().set_index(["series", "x"])["y"]
    assert table["scope all_negative"].loc[1:].max() == 0 < table["scope all_negative"].loc[0]
    assert table["scope all_incorrect"].loc[1] > 0


def test_grpo_is_silent_and_colouring_speaks():
    table = statements.silence().set_index(["series", "x"])["y"]
    assert (table["GRPO"] == 0).all()
    assert (table["SPO (colouring)"].loc[1] == 0).all()
    assert (table["SPO (colouring)"].loc[2:] > 0.9).all()


def test_speed_up_map_is_that_of_single_starts():
    table = statements.starts(points=4, updates=150)
    found = table.set_index(["x", "y"])["z"]
    assert (found.dropna() >= -0.05).all()
    chain = ReasoningChain(step_success=[0.375] * 4)
    times = [updates_to(solve(chain, rule(name), 100)) for name in ("grpo", "spo")]
    assert found.loc[(0.375, 0.375)] == pytest.approx(np.log2(times[0] / times[1]), rel=1e-9)


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(ValueError, match="needs the columns"):
        drawing.draw(pd.DataFrame({"x": [1.0]}))
