"""The text that stands for a picture says what is drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures import lines_and_maps, texts
from figures.describe import describe


def test_panels_lines_and_turns_are_told():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.plot([0, 1, 2], [0.1, 0.9, 0.3], label="GRPO")
    left.plot([0, 1, 2], [5, 5, 5], label="limit")
    left.plot([0, 1], [7, 8])  # without a name there is nothing to tell
    left.set(xlabel="updates", ylabel="success", title="(a) hard\nstart", xlim=(0, 2))
    right.plot([1, 10], [1e-7, 2000.0], label="SPO")
    right.set(xlabel=r"slope $\beta$", yscale="log", xlim=(0, 10))
    text = describe(figure)
    assert text.startswith("2 panels. (a) hard start. success against updates (0 to 2): ")
    assert "GRPO from 0.1 to 0.3, at most 0.9; limit at 5." in text
    assert "the vertical axis, logarithmic against slope β (1 to 10): SPO from 1e-07 to 2,000." in text


def test_many_lines_are_counted():
    figure = Figure()
    ax = figure.subplots()
    for place in range(8):
        ax.plot([0, 1], [place, place + 1], label=f"G = {place}")
    assert describe(figure).endswith("G = 4 from 4 to 5; and 3 more.")


def test_where_no_line_has_a_name_the_legend_is_told():
    figure = Figure()
    ax = figure.subplots()
    marks = ax.plot([0, 1e-16], [1, 2], "o")
    ax.legend(handles=marks, labels=["mean of seeds"])
    assert describe(figure).endswith("against the horizontal axis (0 to 0). Legend: mean of seeds.")


def test_maps_and_bars():
    grid = pd.DataFrame({"x": [0, 1, 0, 1], "y": [0, 0, 1, 1], "z": [-0.5, 0.25, np.nan, 0.125]})
    table = grid.assign(panel="", series="gain", kind="cell")
    figure = lines_and_maps.draw(table, kind="map", xlabel="p", ylabel="q", zlabel="gain")
    assert "q against p (-0.5 to 1.5): a map of gain from -0.5 to 0.25." in describe(figure)
    bars = Figure()
    bars.subplots().barh(["neither", "both"], [93, 21])
    assert describe(bars).endswith("neither 93, both 21.")


def test_title_and_foot_are_taken_off():
    figure = Figure(layout="constrained")
    figure.subplots()
    figure.suptitle("A title")
    long = "one-step groups, a line that is so long that it has to be broken somewhere"
    texts.foot(figure, f"Lines: exact.\nPoints: {long}.")
    assert texts.take_texts(figure) == f"Lines: exact. Points: {long}."
    assert figure.get_suptitle() == figure.get_supxlabel() == ""
    assert texts.take_texts(Figure()) == ""
