"""Figures of published results show exactly the numbers of their tables."""

import numpy as np
import pandas as pd
import pytest
from column_width import check_single_width

from figures import style
from paper_repro.studies.literature.study import RESULTS

X = np.linspace(0.1, 0.9, 5)
FIGURE = {result.name: result.figure for result in RESULTS}


def by_gid(figure, gid):
    (line,) = [x for x in figure.axes[0].lines if x.get_gid() == gid]
    return line


def pairs(by, values, x, **fixed):
    """A table with ``published`` and a slightly different ``project`` for every value of ``by``."""
    return pd.concat(
        [
            pd.DataFrame({by: v, x: X, "published": X + i, "project": X + i + 0.01, **fixed})
            for i, v in enumerate(values)
        ],
        ignore_index=True,
    )


TABLES = {
    "kl_rounds": (pairs("beta", (1.0, 2.0), "round", fixed_point=0.3, reference=0.05), (1.0, 2.0)),
    "youden_threshold": (pairs("group_size", (8.0, 64.0), "youden", success=0.2), (8.0, 64.0)),
    "noisy_tails": (pairs("tpr", (1.0, 0.8), "time", fpr=0.3, power=-1.0), (1.0, 0.8)),
    "safe_rate": (pairs("start", (0.01, 0.1), "horizon"), (0.01, 0.1)),
    "u_statistic_variance": (pairs("horizon", (2, 3), "group_size", success=0.2), (2, 3)),
    "best_group_size": (pairs("budget", (100, 1000), "group_size", best=3.7), (100, 1000)),
    "mean_advantage": (pairs("group_size", (4.0, 8.0), "p"), (4.0, 8.0)),
    "difficulty_weight": (pairs("group_size", (4.0, 8.0), "p"), (4.0, 8.0)),
    "std_identity": (
        pairs("rule", ("grpo", "dr_grpo"), "correct", group_size=6, groups=3, residual=1e-16),
        ("grpo", "dr_grpo"),
    ),
    "flow_clock": (pairs("rule", ("grpo", "dr_grpo"), "time", group_size=8), ("grpo", "dr_grpo")),
    "uniform_penalty": (
        pairs("term", ("penalty", "colouring"), "success", survive=0.3, group_size=8),
        ("penalty", "colouring"),
    ),
    "noisy_judge": (pairs("step", (1, 2), "fpr", tpr=0.8, q_1=0.3, q_2=0.2, group_size=8), (1, 2)),
}


@pytest.mark.parametrize("name", TABLES)
def test_lines_are_published_and_points_the_projects(name):
    table, values = TABLES[name]
    figure = FIGURE[name](table)
    for i, value in enumerate(values):
        np.testing.assert_allclose(by_gid(figure, f"published {value}").get_ydata(), X + i)
        points = by_gid(figure, f"project {value}")
        np.testing.assert_allclose(points.get_ydata(), X + i + 0.01)
        assert points.get_linestyle() == "None"


@pytest.mark.parametrize("name", TABLES)
def test_they_fit_into_a_column(name):
    check_single_width(lambda: FIGURE[name](TABLES[name][0]))


def test_an_infinite_group_is_a_line_in_ink_without_points():
    table = pairs("group_size", (4.0, np.inf), "p")
    table.loc[np.isinf(table["group_size"]), "project"] = np.nan
    figure = FIGURE["mean_advantage"](table)
    assert by_gid(figure, "published inf").get_color() == style.INK
    assert by_gid(figure, "project inf").get_ydata().size == 0


def test_long_tables_are_thinned_to_points():
    x = np.linspace(0, 1, 200)
    table = pd.DataFrame({"group_size": 4.0, "p": x, "published": x, "project": x})
    figure = FIGURE["mean_advantage"](table)
    assert by_gid(figure, "published 4.0").get_ydata().size == 200
    assert 10 <= by_gid(figure, "project 4.0").get_ydata().size <= 20


def test_infinite_rates_have_no_point():
    table = pairs("start", (0.01,), "horizon")
    table.loc[0, "project"] = np.inf
    assert by_gid(FIGURE["safe_rate"](table), "project 0.01").get_ydata().size == 4


def test_remedies_leave_out_what_was_not_reached():
    rows = {"group_size": 8, "step_success": 0.3, "most": 4000, "horizon": [2, 4, 6], "updates": [5.0, 20.0, np.nan]}
    table = pd.concat([pd.DataFrame(rows).assign(rule=r) for r in ("grpo", "spo", "another")])
    figure = FIGURE["remedies"](table)
    np.testing.assert_allclose(by_gid(figure, "project grpo").get_ydata(), [5, 20])
    shown = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert shown == ["GRPO", "SPO (colouring)", "another"]
    assert figure.axes[0].get_yscale() == "log"


def test_displacement_names_the_share_of_groups_that_fall():
    rows = {
        "change": [-0.1, 0.0, 0.2],
        "probability": [0.25, 0.25, 0.5],
        "cumulative": [0.25, 0.5, 1.0],
        "group_size": 4,
        "chain": "0.9",
    }
    figure = FIGURE["no_displacement"](pd.DataFrame(rows).assign(rule="spo"))
    (text,) = figure.axes[0].get_legend().get_texts()
    assert "25.0%" in text.get_text()


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="published"):
        FIGURE["noisy_judge"](TABLES["noisy_judge"][0].drop(columns="published"))
