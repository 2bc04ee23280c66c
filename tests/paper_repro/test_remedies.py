"""The map of remedies: its rows, the break-even prices by hand, and what its figures show."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from figures import remedies as drawing
from paper_repro.contenders import raced
from paper_repro.studies.remedies import JUDGES, STUDY, break_even, recovery_map, remedy_map

SMALL = {"horizons": (2, 3), "sizes": (4,), "accuracies": (0.3, 0.5), "judges": JUDGES[:2]}


@pytest.fixture(scope="module")
def table():
    return pd.concat([remedy_map(name, **SMALL) for name in ("grpo", "spo", "hints, any depth")], ignore_index=True)


def test_judges_are_for_those_who_hear_them(table):
    """Two judges for colouring, one row a start for the others."""
    assert table.groupby("contender").size().to_dict() == {"grpo": 4, "spo": 8, "hints, any depth": 4}
    assert (table["why"] == "").all()
    spo = table[(table["contender"] == "spo") & (table["horizon"] == 3)]
    mean = spo.groupby("miss")["updates"].mean().to_numpy()
    assert (np.diff(mean) > 0).all()


def test_groups_of_a_judged_question_are_counted_before_they_are_raced():
    """A judge that errs multiplies the outcome classes: 1,282,975 compositions, not the 495 of the exact judge."""
    [row] = raced("step_dpo", 4, 8, (0.3,), miss=0.1, false_alarm=0.05).itertuples()
    assert np.isnan(row.updates)
    assert row.why.startswith("group compositions = 1282975 is not allowed")


def test_break_even_prices_by_hand(table):
    prices = break_even(table).set_index(["contender", "horizon", "step_success"])
    exact = table[table["miss"] == 0].set_index(["contender", "horizon", "step_success"])
    for name, column, of in (
        ("spo", "steps_judged", "judged step"),
        ("hints, any depth", "solutions", "reference sol"),
    ):
        for at in ((2, 0.3), (3, 0.5)):
            grpo, other = exact.loc[("grpo", *at)], exact.loc[(name, *at)]
            price = prices.loc[(name, *at)]
            assert price["price"] == pytest.approx((grpo["rollouts"] - other["rollouts"]) / other[column])
            assert price["of"].startswith(of)
            # At this price both cost the same
            assert other["rollouts"] + price["price"] * other[column] == pytest.approx(grpo["rollouts"])
    assert "grpo" not in prices.index.get_level_values(0)


def test_every_contender_has_a_job():
    from paper_repro.contenders import contenders

    names = {quick: [job.name for job in STUDY.jobs(quick)] for quick in (True, False)}
    names["full"] = [job.name for job in STUDY.all_jobs(quick=False, full=True)]
    assert {f"remedies/{name}" for name in contenders()} | {"remedies/recovery"} <= set(names["full"])
    assert len(set(names["full"])) == len(names["full"])
    assert set(names[False]) < set(names["full"])
    assert names[True] == ["remedies/recovery", *(f"remedies/{name}" for name in drawing.SHOWN)]
    assert set(names[True]) < set(names[False])


def test_figures_draw_what_the_tables_say(table):
    figure = drawing.draw_costs(table, group_size=4, step_success=0.3)
    lines = {tuple(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_ydata())}
    rows = table[(table["contender"] == "grpo") & (table["step_success"] == 0.3)].sort_values("horizon")
    assert tuple(rows["updates"]) in lines

    prices = break_even(table)
    as_drawn = pd.concat([prices.assign(contender=name) for name in drawing.BREAK_EVEN])
    figure = drawing.draw_break_even(as_drawn.drop_duplicates(["contender", "horizon", "step_success"]), group_size=4)
    assert len(figure.axes) == len(drawing.BREAK_EVEN) + 1
    with pytest.raises(ValueError, match="needs the columns"):
        drawing.draw_costs(table.drop(columns="updates"))


def test_the_map_of_recovery():
    found = recovery_map((2,), (1e-4, 0.2)).set_index(["rule", "recovery"])["updates"]
    assert found["grpo", 1e-4] > found["spo", 1e-4] > found["spo", 0.2]
    figure = drawing.draw_recovery(found.reset_index().assign(horizon=2))
    drawn = [tuple(line.get_ydata()) for line in figure.axes[0].lines]
    assert (found["grpo", 1e-4], found["grpo", 0.2]) in drawn


def test_the_page_says_what_the_race_says():
    """Three rows of the table in docs/remedies.md, computed again; numbers are rounded there."""
    page = (Path(__file__).parents[2] / "docs" / "remedies.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(): [float(cell.replace(",", "")) for cell in line.split("|")[2:-1]]
        for line in page.splitlines()
        if line.startswith("| `")
    }
    for label, name in (("`spo` (beta 5)", "spo"), ("`hints`, any depth", "hints, any depth"), ("`grpo`", "grpo")):
        found = raced(name, 8, 8, (0.3,)).iloc[0]
        columns = ["updates", "rollouts", "tokens_generated", "tokens_trained", "steps_judged", "solutions"]
        assert [round(found[column]) for column in columns] == rows[label]
