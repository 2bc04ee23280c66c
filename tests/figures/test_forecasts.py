"""The figures over all cells draw what the comparison says."""

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison

from figures import forecasts


def cells() -> pd.DataFrame:
    """Two cells: one that reaches half success at two levels, and one that never does."""
    return pd.concat(
        [
            comparison(level="mean_field", predicted_half=30.0, ratio=1.5),
            comparison(level="noisy", predicted_half=22.0, ratio=1.1),
            comparison(rule="grpo", level="noisy", predicted_half=np.nan, ratio=np.nan),
        ],
        ignore_index=True,
    )


def test_the_most_complete_level_of_a_cell_is_drawn_on_logarithmic_axes():
    figure = forecasts.draw_times(cells())
    (ax,) = figure.axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    points = [bars.lines[0].get_xydata().tolist() for bars in ax.containers]
    assert points == [[[21.0, 22.0]]]
    (identity,) = [line for line in ax.lines if line.get_gid() == "identity"]
    assert np.array_equal(identity.get_xdata(), identity.get_ydata())

    # Intervals both ways
    across, along = (bar.get_segments()[0] for bar in ax.containers[0].lines[2])
    assert across[:, 0].tolist() == pytest.approx([20.5, 21.5])
    assert along[:, 1].tolist() == pytest.approx([19.5, 22.0])
    assert "half success is not reached within the run: 1." in figure.get_supxlabel().replace("\n", " ")


def test_errors_stand_at_their_level_in_per_cent():
    (ax,) = forecasts.draw_errors(cells()).axes
    medians = {lines.get_gid(): lines.get_segments()[0][0, 1] for lines in ax.collections}
    assert medians == pytest.approx({"median mean_field": 50.0, "median noisy": 10.0})


def test_tables_without_a_cell_are_refused():
    never = comparison(predicted_half=np.nan, ratio=np.nan)
    for draw in (forecasts.draw_times, forecasts.draw_errors):
        with pytest.raises(ValueError, match="no rows to draw"):
            draw(never)
        with pytest.raises(ValueError, match="needs the columns"):
            draw(never.drop(columns="rule"))
