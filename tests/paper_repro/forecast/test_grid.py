"""The grid is whole, its held-out cells are used by nothing else, and full runs alone train it."""

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison

from paper_repro.forecast import grid
from paper_repro.forecast.cells import DEFAULT, MORE, QUICK
from paper_repro.forecast.forecast import check_level
from paper_repro.studies import forecast_grid
from spo_theory.validation import InputError


def place(one) -> tuple:
    base = one.base
    return base.horizon, base.group_size, base.start_accuracy, base.optimizer, base.width


def test_the_grid_holds_every_combination_once():
    assert len({one.name for one in grid.GRID}) == len(grid.GRID) == 2 * 4 * 4 * 3 * 2 * 2
    assert len({place(one) for one in grid.GRID}) == 4 * 4 * 3 * 2 * 2
    assert {rule for one in grid.GRID for rule in one.rules} == {"grpo", "spo", "spo_prefix", "dr_grpo"}
    for one in grid.GRID:
        assert len(one.starts) >= 3
        assert one.runs >= 4


def test_every_cell_can_be_trained_and_forecast():
    for one in (*grid.GRID, *grid.HELD_OUT):
        for rule in one.rules:
            one.config(rule, 0).validate()
    for one in grid.GRID[:: len(grid.GRID) // 4]:
        for level in one.levels:
            check_level(one.config(one.rules[0], 0), level)


def test_no_default_and_no_cell_of_the_grid_uses_a_held_out_setting():
    used = {place(one) for one in (*DEFAULT, *MORE, *QUICK, *grid.GRID)}
    held_out = {place(one) for one in grid.HELD_OUT}
    assert len(held_out) == 6
    assert not held_out & used
    assert not {one.base.horizon for one in grid.HELD_OUT} & {
        one.base.horizon for one in (*DEFAULT, *MORE, *QUICK, *grid.GRID)
    }


def test_a_full_run_alone_has_the_grid():
    study = forecast_grid.STUDY
    assert study.all_jobs(quick=False) == study.all_jobs(quick=True) == []
    full = study.all_jobs(quick=False, full=True)
    assert len({job.name for job in full}) == len(full)
    forecast = [job for job in full if job.name.startswith("grid/H2-G4-30-sgd-small/")]
    assert len(forecast) == 3 * 3 + 4 * 12
    from paper_repro.reproduce import reproduce

    with pytest.raises(InputError, match="full"):
        reproduce("out", quick=True, full=True)


def test_cells_are_summarized_by_their_most_complete_forecast():
    table = pd.concat(
        [
            comparison(level="mean_field", ratio=1.3),
            comparison(level="noisy", ratio=1.01),
            comparison(experiment="other", ratio=0.96, family="held out"),
            comparison(experiment="never", ratio=np.nan, measured_half=np.nan),
            comparison(experiment="from some starts", ratio=np.nan),
            comparison(experiment="broken", ratio=3.0, note="steps too large"),
        ],
        ignore_index=True,
    )
    tables = forecast_grid.derive({"comparison": table})
    everything, held_out = forecast_grid.headlines(tables)
    assert "median 2.5%, largest 4.0% over 2 cells; 1 within 2%, 2 within 5%, 2 within 10% (2 more cells" in everything
    assert "did not reach half success from every start)" in everything
    assert "median 4.0%" in held_out
    assert "more cell" not in held_out
    never = tables["cells"][tables["cells"]["experiment"] == "never"]
    assert forecast_grid.left_out(never) == " (one more cell did not reach half success from every start)"
    assert forecast_grid.derive({}) == {}
